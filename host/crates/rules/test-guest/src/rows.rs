//! Events as rows, so that a test sees what the guest saw.

use crate::bindings::exports::hookwire::rule::actions::{Event, Rule};
use crate::bindings::hookwire::sql::sql::Value;
use crate::bindings::hookwire::types::events::Message;

/// Rule, hook, batches seen by the instance, then what the event holds.
pub(crate) fn row(rule: &Rule, event: &Event, batches: i64) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.to_owned());
    let mut row = vec![text(&rule.name), text(&rule.hook), Value::Integer(batches)];
    match event {
        Event::Client(client) => row.extend([
            text(&client.clientid),
            client.username.as_deref().map_or(Value::Null, text),
            text(&client.reason),
            number(client.at_ms),
        ]),
        Event::Message(message) => row.extend(of_message(message)),
        Event::Delivery(delivery) => {
            row.push(text(&delivery.clientid));
            row.extend(of_message(&delivery.message));
        }
        Event::Other(_) => row.push(Value::Null),
    }
    row
}

fn of_message(message: &Message) -> Vec<Value> {
    let user = message.user_properties.iter();
    let user: Vec<String> = user
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    vec![
        Value::Text(message.sender.clone()),
        Value::Text(message.topic.clone()),
        Value::Blob(message.payload.clone()),
        Value::Integer(message.qos.into()),
        Value::Boolean(message.retain),
        number(message.at_ms),
        Value::Text(user.join(",")),
        Value::Text(message.id.clone()),
    ]
}

fn number(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
