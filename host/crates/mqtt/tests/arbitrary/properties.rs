//! Encoded properties of a PUBLISH, written without the crate's own writer.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{bytes, text, topic};

/// Encoded properties of a PUBLISH: those that travel, and those of one hop.
pub(crate) fn publish_properties() -> impl Strategy<Value = Vec<u8>> {
    let hop = (
        option::of(1..=u16::MAX),
        vec(select(vec![1_u32, 127, 128, 268_435_455]), 0..3),
    );
    (travelling_properties(), hop).prop_map(|(mut encoded, (alias, subscriptions))| {
        if let Some(alias) = alias {
            encoded.push(0x23);
            encoded.extend(alias.to_be_bytes());
        }
        for identifier in subscriptions {
            encoded.push(0x0B);
            push_variable(&mut encoded, identifier);
        }
        encoded
    })
}

pub(crate) fn travelling_properties() -> impl Strategy<Value = Vec<u8>> {
    (
        option::of(any::<bool>()),
        option::of(any::<u32>()),
        option::of(text()),
        option::of(topic()),
        option::of(bytes()),
        vec((text(), text()), 0..3),
    )
        .prop_map(
            |(utf8, expiry, content_type, response, correlation, users)| {
                let mut encoded = Vec::new();
                if let Some(utf8) = utf8 {
                    encoded.extend([0x01, u8::from(utf8)]);
                }
                if let Some(expiry) = expiry {
                    encoded.push(0x02);
                    encoded.extend(expiry.to_be_bytes());
                }
                let fields = [
                    (0x03, content_type.map(String::into_bytes)),
                    (0x08, response.map(String::into_bytes)),
                    (0x09, correlation),
                ];
                for (id, field) in fields {
                    if let Some(field) = field {
                        encoded.push(id);
                        push_binary(&mut encoded, &field);
                    }
                }
                for (name, value) in users {
                    encoded.push(0x26);
                    push_binary(&mut encoded, name.as_bytes());
                    push_binary(&mut encoded, value.as_bytes());
                }
                encoded
            },
        )
}

fn push_binary(encoded: &mut Vec<u8>, bytes: &[u8]) {
    let length = u16::try_from(bytes.len()).expect("short");
    encoded.extend(length.to_be_bytes());
    encoded.extend(bytes);
}

fn push_variable(encoded: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        encoded.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    encoded.push(number as u8);
}
