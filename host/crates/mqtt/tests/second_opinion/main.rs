//! The codec beside that of the crate `mqttbytes`, which somebody else wrote:
//! what both take as a packet, both have to read alike, field by field.
//!
//! `mqttbytes` checks little and knows no MQTT 3.1, so that most wrong packets
//! are wrong here alone. Where it reads a right packet wrongly or not at all,
//! the difference is one of [`differences`], each of which is shown there.

#[path = "../arbitrary/mod.rs"]
mod arbitrary;
mod differences;
mod v4;
mod v5;

use std::cell::Cell;

use arbitrary::Owned;
use bytes::BytesMut;
use hookwire_mqtt::{MAX_PACKET_BYTES, ProtocolVersion, decode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// How the two decoders judged the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    /// Both found the same packet.
    Alike,
    /// Both found a packet, and `mqttbytes` is known to read it wrongly.
    KnownDifference,
    OnlyOurs,
    OnlyTheirs,
    Neither,
}

/// Decodes `bytes` with both; panics where they disagree about a packet.
fn judge(bytes: &[u8], version: ProtocolVersion) -> Judged {
    let ours = decode(bytes, version, MAX_PACKET_BYTES).ok().flatten();
    let mut stream = BytesMut::from(bytes);
    let theirs = if version.is_v5() {
        let read = mqttbytes::v5::read(&mut stream, MAX_PACKET_BYTES);
        read.ok().map(|packet| Theirs::V5(Box::new(packet)))
    } else {
        let read = mqttbytes::v4::read(&mut stream, MAX_PACKET_BYTES);
        read.ok().map(Theirs::V4)
    };
    match (ours, theirs) {
        (None, None) => Judged::Neither,
        (Some(_), None) => Judged::OnlyOurs,
        (None, Some(_)) => Judged::OnlyTheirs,
        (Some((ours, taken)), Some(theirs)) => {
            assert_eq!(stream, bytes[taken..], "the end of the packet");
            if differences::known(&ours, version) {
                return Judged::KnownDifference;
            }
            match theirs {
                Theirs::V4(theirs) => v4::assert_alike(&ours, &theirs),
                Theirs::V5(theirs) => v5::assert_alike(&ours, &theirs),
            }
            Judged::Alike
        }
    }
}

/// A packet of `mqttbytes`, which has a type for each version.
enum Theirs {
    V4(mqttbytes::v4::Packet),
    V5(Box<mqttbytes::v5::Packet>),
}

fn encoded(version: ProtocolVersion, owned: &Owned) -> Vec<u8> {
    let mut bytes = Vec::new();
    owned.borrow().encode(version, &mut bytes);
    bytes
}

fn versioned_packet() -> impl Strategy<Value = (ProtocolVersion, Owned)> {
    arbitrary::version()
        .prop_map(|version| match version {
            // Unknown to mqttbytes.
            ProtocolVersion::V31 => ProtocolVersion::V311,
            other => other,
        })
        .prop_flat_map(|version| (Just(version), arbitrary::packet(version)))
}

/// One change to a packet.
#[derive(Debug, Clone)]
enum Change {
    Byte(prop::sample::Index, u8),
    Bit(prop::sample::Index, u8),
    /// Bytes put into the body; the remaining length grows with them.
    Put(prop::sample::Index, Vec<u8>),
    /// A byte taken out of the body; the remaining length shrinks.
    Take(prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (at(), 0..8_u8).prop_map(|(at, bit)| Change::Bit(at, bit)),
        (at(), prop::collection::vec(any::<u8>(), 1..6)).prop_map(|(at, put)| Change::Put(at, put)),
        at().prop_map(Change::Take),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        // Longer ones are not resized: their length takes more than a byte.
        let resizable = |bytes: &[u8]| bytes.len() > 2 && bytes.len() < 0x78 && bytes[1] < 0x78;
        match self {
            Self::Byte(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Self::Bit(at, bit) => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            Self::Put(at, put) if resizable(bytes) => {
                let at = 2 + at.index(bytes.len() - 2);
                bytes.splice(at..at, put.iter().copied());
                bytes[1] += u8::try_from(put.len()).expect("short");
            }
            Self::Take(at) if resizable(bytes) && bytes[1] > 0 => {
                bytes.remove(2 + at.index(bytes.len() - 2));
                bytes[1] -= 1;
            }
            Self::Put(..) | Self::Take(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_is_encoded_here_is_read_alike((version, owned) in versioned_packet()) {
        let known = differences::known(&owned.borrow(), version);
        let expected: &[Judged] = if known {
            &[Judged::OnlyOurs, Judged::KnownDifference]
        } else {
            &[Judged::Alike]
        };
        let judged = judge(&encoded(version, &owned), version);
        prop_assert!(expected.contains(&judged), "{:?}", judged);
    }
}

#[test]
fn what_was_changed_and_is_a_packet_to_both_is_read_alike() {
    let cases = 10_000;
    let (alike, only_ours) = (Cell::new(0), Cell::new(0));
    let changed = (versioned_packet(), prop::collection::vec(change(), 1..4));
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    });
    let result = runner.run(&changed, |((version, owned), changes)| {
        let mut bytes = encoded(version, &owned);
        for change in &changes {
            change.apply(&mut bytes);
        }
        match judge(&bytes, version) {
            Judged::Alike => alike.set(alike.get() + 1),
            Judged::OnlyOurs => {
                only_ours.set(only_ours.get() + 1);
                let Ok(Some((packet, _))) = decode(&bytes, version, MAX_PACKET_BYTES) else {
                    panic!("it was a packet a moment ago");
                };
                let known = differences::known(&packet, version);
                prop_assert!(known, "refused by mqttbytes: {:?}", packet);
            }
            _ => {}
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}\n{runner}");
    }
    // A comparison of nothing would find no difference.
    assert!(alike.get() > cases / 10, "only {} compared", alike.get());
    assert!(only_ours.get() > 0);
}
