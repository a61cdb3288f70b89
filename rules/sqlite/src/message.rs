//! Published messages: one row each in `mqtt_msg`.

use hookwire_sdk::prelude::*;

use crate::datetime::DateTime;

const STORE: &str = "INSERT INTO mqtt_msg \
    (msgid, sender, topic, node, qos, retain, payload, arrived) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/// Stores a message published with QoS 1 or 2 as a row of mqtt_msg.
#[action(
    hook = "message.publish",
    interest("qos>0", "payload"),
    pool = "sql",
    stores
)]
pub(crate) fn on_message_publish(ctx: &Context, messages: &[&Message]) -> Result<Verdicts, Fault> {
    let times: Vec<DateTime> = messages
        .iter()
        .map(|message| DateTime::from_unix_ms(message.at_ms))
        .collect();
    let rows = messages.iter().zip(&times).map(|(message, arrived)| {
        [
            (&message.id).into(),
            (&message.sender).into(),
            (&message.topic).into(),
            ctx.node().into(),
            message.qos.into(),
            i64::from(message.retain).into(),
            (&message.payload).into(),
            arrived.as_str().into(),
        ]
    });
    Ok(ctx.sql()?.exec_many(STORE, rows)?.into())
}
