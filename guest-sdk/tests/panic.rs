//! A panic is logged with its place before it ends the instance. A process of
//! its own, because the hook is the process's.

use std::panic::catch_unwind;

use hookwire_sdk::bindings::exports::hookwire::rule::actions::{Call, Guest as _, Rule, Setting};
use hookwire_sdk::expansion::Guest;
use hookwire_sdk::log::Level;
use hookwire_sdk::prelude::*;
use hookwire_sdk::testing;

#[action(hook = "message.publish")]
fn first_byte(_: &Context, message: &Message) {
    log_info!("{}", message.payload[0]);
}

hookwire_sdk::module! { name: "panics", actions: [first_byte] }

type Exports = Guest<Module>;

#[test]
fn a_panic_tells_action_place_and_message() {
    assert_eq!(Exports::describe().name, "panics");
    let setting = Setting {
        node: "hookwire@127.0.0.1".to_owned(),
        rules: vec![Rule {
            id: 7,
            name: "look".to_owned(),
            hook: "message.publish".to_owned(),
            action: "first_byte".to_owned(),
            topic: "#".to_owned(),
            pool: None,
            options: Vec::new(),
        }],
        extras: Vec::new(),
    };
    Exports::configure(setting).expect("the rule fits");
    let handle = || {
        let events = vec![testing::message("a", "").into()];
        Exports::handle(events, vec![Call { rule: 7, event: 0 }])
    };
    assert!(catch_unwind(handle).is_err());
    // What fails from here on is told by the hook that tests have.
    drop(std::panic::take_hook());
    let log = testing::take_log();
    let [(Level::Error, line)] = log.as_slice() else {
        panic!("{log:?}");
    };
    assert!(
        line.starts_with("the action `first_byte` panicked at "),
        "{line}"
    );
    assert!(line.contains("panic.rs:14:"), "{line}");
    assert!(
        line.ends_with(": index out of bounds: the len is 0 but the index is 0"),
        "{line}"
    );
}

#[test]
fn rules_that_were_never_given_fail() {
    let events = vec![testing::message("a", "").into()];
    let settled = Exports::handle(events, vec![Call { rule: 7, event: 0 }]);
    assert!(
        matches!(&settled[0].verdict, Verdict::Failed(fault) if fault.code == "hookwire:unconfigured")
    );
}
