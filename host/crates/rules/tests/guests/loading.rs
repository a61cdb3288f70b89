//! What is refused when a module is loaded, and what is said about it.

use std::time::{Duration, Instant};

use hookwire_broker::Hook;
use hookwire_rules::{Interest, LoadError, LoadedModule, PoolInterface};

use crate::blocks::{component, runtime};
use crate::written_guest;

const MEMORY: usize = 16 << 20;

fn load(bytes: &[u8]) -> Result<LoadedModule, LoadError> {
    runtime().load("m", bytes, MEMORY)
}

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let error = load(bytes).err().expect("it is refused");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn other_files_are_refused() {
    let other = "module \"m\" is not WebAssembly: \
                 it has to be the component that `hookwire rule build` makes";
    refused(b"#!/bin/sh\n", other);
    refused(b"", other);
    refused(
        &written_guest::component("(module)"),
        "module \"m\" is a core WebAssembly module, not a component: \
         `hookwire rule build` makes one of a crate",
    );
}

#[test]
fn a_damaged_component_is_refused() {
    let mut bytes = component("testguest");
    bytes.truncate(bytes.len() / 2);
    let error = load(&bytes).err().unwrap().to_string();
    let expected = "module \"m\" does not compile: ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn every_import_beyond_the_offer_is_named() {
    let text = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance))
        (import "hookwire:host/log@0.1.0" (instance))
        (import "hookwire:host/log@9.0.0" (instance))
        (import "hookwire:host/key-values@0.1.0" (instance))
        (import "hookwire:broker/brokers@0.1.0" (instance))
        (import "wasi:cli/environment@0.3.0" (instance))
        (import "my:own/thing" (instance)))"#;
    refused(
        &written_guest::component(text),
        "module \"m\" imports what the host does not offer: \
         hookwire:host/log@9.0.0, which is here as 0.1.x: build it anew, `hookwire rule build`; \
         hookwire:host/key-values@0.1.0, did you mean \"hookwire:host/key-value\", with grants = \
         [\"key-value\"]?; \
         hookwire:broker/brokers@0.1.0, did you mean \"hookwire:broker/broker\", with grants = \
         [\"broker.publish\"] or another of the broker's?; \
         wasi:cli/environment@0.3.0, which is here as 0.2.x: build it anew, `hookwire rule build`; \
         my:own/thing, there is hookwire:types/events, hookwire:types/faults, hookwire:host/log, \
         hookwire:host/metrics, hookwire:host/clock, hookwire:host/random, \
         hookwire:host/key-value, hookwire:host/passwords, hookwire:host/http, \
         hookwire:broker/broker, hookwire:sql/sql, wasi:*@0.2",
    );
}

#[test]
fn what_is_not_exported_is_named() {
    refused(
        &written_guest::component("(component)"),
        "module \"m\" exports no hookwire:rule/actions@0.1.0",
    );
    let text = r#"(component
        (instance $actions)
        (export "hookwire:rule/actions@0.1.0" (instance $actions)))"#;
    refused(
        &written_guest::component(text),
        "module \"m\" exports no hookwire:rule/actions@0.1.0#describe",
    );
}

#[test]
fn exports_of_other_types_are_refused() {
    let text = r#"(component
        (core module $code (func (export "f")))
        (core instance $code (instantiate $code))
        (func $f (canon lift (core func $code "f")))
        (instance $actions
            (export "describe" (func $f))
            (export "configure" (func $f))
            (export "handle" (func $f)))
        (export "hookwire:rule/actions@0.1.0" (instance $actions)))"#;
    let error = load(&written_guest::component(text))
        .err()
        .unwrap()
        .to_string();
    let expected = "module \"m\" does not fit the host's interfaces: ";
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_describe_that_traps_is_refused() {
    refused(
        &written_guest::describing("", "unreachable"),
        "module \"m\" does not describe itself: wasm trap: wasm `unreachable` instruction executed",
    );
}

#[test]
fn a_describe_without_end_is_stopped() {
    let spin = "(loop $spin (br $spin)) unreachable";
    let started = Instant::now();
    refused(
        &written_guest::describing("", spin),
        "module \"m\" does not describe itself: no answer within 2s",
    );
    assert!(started.elapsed() < Duration::from_secs(15));
}

#[test]
fn describe_has_nothing_granted() {
    let log = r#"(import "hookwire:host/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;
    let write = "(call $log (i32.const 0) (i32.const 16) (i32.const 13)) unreachable";
    refused(
        &written_guest::describing(log, write),
        "module \"m\" does not describe itself: describe called log.write, and describe runs \
         with nothing granted; it wrote: from describe",
    );
    let clock = r#"(import "hookwire:host/clock@0.1.0" "now-ms" (func $now (result i64)))"#;
    refused(
        &written_guest::describing(clock, "(drop (call $now)) unreachable"),
        "module \"m\" does not describe itself: describe called clock.now-ms, and describe \
         runs with nothing granted",
    );
}

#[test]
fn a_module_over_its_memory_is_refused() {
    let error = runtime().load("m", &component("testguest"), 1 << 16);
    let error = error.err().unwrap().to_string();
    assert!(error.contains("out of memory: it needs "), "{error}");
    assert!(error.contains("max_memory_bytes is 65536"), "{error}");
}

#[test]
fn a_module_describes_itself() {
    let module = load(&component("testguest")).unwrap();
    let manifest = module.manifest();
    assert_eq!(
        (&*manifest.name, &*manifest.version),
        ("testguest", "1.0.0")
    );
    let action = |name: &str| {
        let mut actions = manifest.actions.iter();
        actions.find(|action| action.name == name).unwrap()
    };
    let store = action("store");
    let mut hooks = store.hooks.clone();
    hooks.sort();
    assert_eq!(hooks, Hook::ALL);
    assert_eq!(store.pool, Some(PoolInterface::Sql));
    assert!(store.stores && store.batch && store.interest.payload);
    let noop = action("noop");
    assert_eq!((noop.pool, noop.interest), (None, Interest::default()));
}

#[tokio::test]
async fn modules_load_inside_an_async_runtime_too() {
    assert!(load(&component("testguest")).is_ok());
}
