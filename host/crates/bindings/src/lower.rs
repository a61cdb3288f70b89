//! Lowering of what every message of every rule is lowered for: messages and
//! calls.
//!
//! The derived lowering looks the guest's memory up for each field and asks the
//! guest for room for lists that are empty: a fifth of what a message costs a
//! rule. This one stores a record, or a list of numbers, in one go, and asks for
//! room for what is not empty.

#![allow(unsafe_code, reason = "the traits of lowering are unsafe to implement")]

use std::mem::MaybeUninit;

use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext,
};
use wasmtime::component::{ComponentType, Lower};
use wasmtime::{Result, ValRaw};

use crate::event::{Attribute, Message};
use crate::wit::exports::hookwire::rule::actions::Call;

/// Fields of the record, as the derived lowering takes them.
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct Fields<'a> {
    id: &'a str,
    topic: &'a str,
    payload: &'a [u8],
    sender: &'a str,
    qos: u8,
    retain: bool,
    #[component(name = "at-ms")]
    at_ms: u64,
    #[component(name = "expires-at-ms")]
    expires_at_ms: Option<u64>,
    #[component(name = "user-properties")]
    user_properties: &'a [Attribute<'a>],
    extras: &'a [Attribute<'a>],
}

/// Where the fields lie in the record, as the canonical ABI lays them out.
mod place {
    pub(super) const ID: usize = 0;
    pub(super) const TOPIC: usize = 8;
    pub(super) const PAYLOAD: usize = 16;
    pub(super) const SENDER: usize = 24;
    pub(super) const QOS: usize = 32;
    pub(super) const RETAIN: usize = 33;
    pub(super) const AT_MS: usize = 40;
    /// Whether there is one, then the time itself.
    pub(super) const EXPIRES: usize = 48;
    pub(super) const EXPIRES_AT_MS: usize = 56;
    pub(super) const USER_PROPERTIES: usize = 64;
    pub(super) const EXTRAS: usize = 72;
    pub(super) const SIZE: usize = 80;
}

const _: () = assert!(<Fields<'_> as ComponentType>::SIZE32 == place::SIZE);

impl<'a> From<&Message<'a>> for Fields<'a> {
    fn from(message: &Message<'a>) -> Self {
        Self {
            id: message.id,
            topic: message.topic,
            payload: message.payload,
            sender: message.sender,
            qos: message.qos,
            retain: message.retain,
            at_ms: message.at_ms,
            expires_at_ms: message.expires_at_ms,
            user_properties: message.user_properties,
            extras: message.extras,
        }
    }
}

// SAFETY: representation, layout and check are those that are derived for a
// record of the same fields.
unsafe impl ComponentType for Message<'_> {
    type Lower = <Fields<'static> as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <Fields<'static> as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <Fields<'static> as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: a flat value is left to the derived lowering. In memory every byte of
// the record is written that the derived one writes, with the same values, but
// for the pointers of empty lists: they are what `realloc` answers for no bytes,
// the alignment.
unsafe impl Lower for Message<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        to: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        Fields::from(self).linear_lower_to_flat(cx, ty, to)
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let is_plain = self.user_properties.is_empty()
            && self.extras.is_empty()
            && matches!(cx.options().string_encoding, StringEncoding::Utf8);
        if !is_plain {
            return Fields::from(self).linear_lower_to_memory(cx, ty, offset);
        }
        let mut record = [0_u8; place::SIZE];
        let mut put = |at: usize, bytes: &[u8]| record[at..at + bytes.len()].copy_from_slice(bytes);
        for (at, bytes) in [
            (place::ID, self.id.as_bytes()),
            (place::TOPIC, self.topic.as_bytes()),
            (place::PAYLOAD, self.payload),
            (place::SENDER, self.sender.as_bytes()),
        ] {
            put(at, &copied(cx, bytes)?);
        }
        put(place::QOS, &[self.qos]);
        put(place::RETAIN, &[u8::from(self.retain)]);
        put(place::AT_MS, &self.at_ms.to_le_bytes());
        if let Some(expires_at_ms) = self.expires_at_ms {
            put(place::EXPIRES, &[1]);
            put(place::EXPIRES_AT_MS, &expires_at_ms.to_le_bytes());
        }
        let align = <Attribute<'_> as ComponentType>::ALIGN32;
        put(place::USER_PROPERTIES, &pair(align, 0));
        put(place::EXTRAS, &pair(align, 0));
        *cx.get::<{ place::SIZE }>(offset) = record;
        Ok(())
    }
}

/// Copies bytes to room that the guest gives: pointer and length.
fn copied<T>(cx: &mut LowerContext<'_, T>, bytes: &[u8]) -> Result<[u8; 8]> {
    if bytes.is_empty() {
        return Ok(pair(1, 0));
    }
    let length = u32::try_from(bytes.len())?;
    let pointer = cx.realloc(0, 0, 1, bytes.len())?;
    cx.as_slice_mut()[pointer..][..bytes.len()].copy_from_slice(bytes);
    Ok(pair(u32::try_from(pointer)?, length))
}

fn pair(pointer: u32, length: u32) -> [u8; 8] {
    (u64::from(pointer) | u64::from(length) << 32).to_le_bytes()
}

/// The calls of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Calls<'a>(pub &'a [Call]);

const CALL_BYTES: usize = 8;
const _: () = assert!(<Call as ComponentType>::SIZE32 == CALL_BYTES);

impl Calls<'_> {
    fn store<T>(self, cx: &mut LowerContext<'_, T>) -> Result<(u32, u32)> {
        let align = <Call as ComponentType>::ALIGN32;
        let bytes = self.0.len() * CALL_BYTES;
        if bytes == 0 {
            return Ok((align, 0));
        }
        let pointer = cx.realloc(0, 0, align, bytes)?;
        let room = &mut cx.as_slice_mut()[pointer..][..bytes];
        let (places, _) = room.as_chunks_mut::<CALL_BYTES>();
        for (place, call) in places.iter_mut().zip(self.0) {
            *place = pair(call.rule, call.event);
        }
        Ok((u32::try_from(pointer)?, u32::try_from(self.0.len())?))
    }
}

// SAFETY: it is a list of the same records, and checked as one.
unsafe impl ComponentType for Calls<'_> {
    type Lower = <[Call] as ComponentType>::Lower;
    const ABI: CanonicalAbiInfo = <[Call] as ComponentType>::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <[Call] as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: both forms are written whole, pointer before length, as for any list.
unsafe impl Lower for Calls<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        to: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        let (pointer, length) = self.store(cx)?;
        to.write([pointer, length].map(|half| ValRaw::i64(i64::from(half))));
        Ok(())
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let (pointer, length) = self.store(cx)?;
        *cx.get::<8>(offset) = pair(pointer, length);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wasmtime::component::{Component, ComponentNamedList, Linker};
    use wasmtime::{Engine, Store};

    use super::*;

    /// Answers the first 64 KiB of its memory, as the lowering of its parameters
    /// left them. Gives room as guests' allocators do: for no bytes, the
    /// alignment.
    const IMAGE: &str = r#"
(component
  (core module $m
    (memory (export "memory") 3)
    (global $next (mut i32) (i32.const 64))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (if (i32.eqz (local.get 3)) (then (return (local.get 2))))
      (global.set $next (i32.and
        (i32.add (global.get $next) (i32.sub (local.get 2) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get 2))))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (local.get 3))))
    (func (export "image") (param i32 i32) (result i32)
      (i32.store (i32.const 131072) (i32.const 0))
      (i32.store (i32.const 131076) (i32.const 65536))
      (i32.store (i32.const 0) (local.get 0))
      (i32.store (i32.const 4) (local.get 1))
      (i32.const 131072)))
  (core instance $i (instantiate $m))
  (type $attribute' (tuple string string))
  (type $message' (record (field "id" string) (field "topic" string)
    (field "payload" (list u8)) (field "sender" string) (field "qos" u8)
    (field "retain" bool) (field "at-ms" u64)
    (field "expires-at-ms" (option u64)) (field "user-properties" (list $attribute')) (field "extras" (list $attribute'))))
  (export $message "message" (type $message'))
  (type $call' (record (field "rule" u32) (field "event" u32)))
  (export $call "call" (type $call'))
  (func (export "of-messages") (param "messages" (list $message)) (result (list u8))
    (canon lift (core func $i "image") (memory (core memory $i "memory"))
      (realloc (core func $i "realloc"))))
  (func (export "of-calls") (param "calls" (list $call)) (result (list u8))
    (canon lift (core func $i "image") (memory (core memory $i "memory"))
      (realloc (core func $i "realloc")))))
"#;

    fn image<P: ComponentNamedList + Lower>(function: &str, parameters: P) -> Vec<u8> {
        let engine = Engine::default();
        let binary = wat::parse_str(IMAGE).expect("it is well formed");
        let component = Component::new(&engine, binary).expect("it is a component");
        let mut store = Store::new(&engine, ());
        let linker = Linker::new(&engine);
        let instance = linker
            .instantiate(&mut store, &component)
            .expect("it starts");
        let function = instance
            .get_typed_func::<P, (Vec<u8>,)>(&mut store, function)
            .expect("it takes them");
        function.call(&mut store, parameters).expect("it answers").0
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn messages_lie_in_memory_as_the_derived_lowering_lays_them(
            given in prop::collection::vec((".{0,20}", ".{0,60}", any::<Vec<u8>>(), ".{0,8}", 0..3_u8,
                any::<bool>(), any::<(u64, Option<u64>)>(), prop::collection::vec((".{0,5}", ".{0,5}"), 0..3)), 0..12),
        ) {
            let attributes: Vec<Vec<Attribute<'_>>> = given
                .iter()
                .map(|given| given.7.iter().map(|(name, value)| (&**name, &**value)).collect())
                .collect();
            let messages: Vec<Message<'_>> = given
                .iter()
                .zip(&attributes)
                .map(|((id, topic, payload, sender, qos, retain, (at_ms, expires_at_ms), _), attributes)| Message {
                    id, topic, payload, sender, qos: *qos, retain: *retain, at_ms: *at_ms,
                    expires_at_ms: *expires_at_ms,
                    user_properties: attributes, extras: &[],
                })
                .collect();
            let fields: Vec<Fields<'_>> = messages.iter().map(Fields::from).collect();
            prop_assert!(image("of-messages", (&*messages,)) == image("of-messages", (&*fields,)));
        }

        #[test]
        fn calls_lie_in_memory_as_the_derived_lowering_lays_them(
            given in prop::collection::vec(any::<(u32, u32)>(), 0..300),
        ) {
            let calls: Vec<Call> =
                given.into_iter().map(|(rule, event)| Call { rule, event }).collect();
            prop_assert!(image("of-calls", (Calls(&calls),)) == image("of-calls", (&*calls,)));
        }
    }
}
