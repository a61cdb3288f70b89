//! A module that does nothing: what it costs is what the sandbox costs.

use hookwire_sdk::prelude::*;

/// Sees every message, payload and all, and lets it pass.
#[action(hook = "message.publish", interest("payload"))]
fn noop(_: &Context, _: &[&Message]) -> Verdicts {
    Verdicts::proceed()
}

hookwire_sdk::module! {
    name: "noop",
    actions: [noop],
}
