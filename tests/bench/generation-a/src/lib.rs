//! Stores every message, with the name of the package that this is built in:
//! two packages share this source, so that their rows tell which of them ran.

use hookwire_sdk::prelude::*;
use hookwire_sdk::sql::BatchResult;

const MARK: &str = env!("CARGO_PKG_NAME");
const STORE: &str = "INSERT INTO mqtt_msg (msgid, sender, topic, node, qos, payload, arrived) \
    VALUES (?, ?, ?, ?, ?, ?, '2026-01-01 00:00:00')";

/// Stores a message, with this module's mark where the node's name would be.
#[action(hook = "message.publish", interest("payload"), pool = "sql", stores)]
fn store(ctx: &Context, messages: &[&Message]) -> Result<BatchResult, Fault> {
    let rows = messages.iter().map(|message| {
        [
            (&message.id).into(),
            (&message.sender).into(),
            (&message.topic).into(),
            MARK.into(),
            message.qos.into(),
            (&message.payload).into(),
        ]
    });
    ctx.sql()?.exec_many(STORE, rows)
}

hookwire_sdk::module! {
    name: "generation",
    actions: [store],
}
