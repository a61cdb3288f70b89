//! Events as rows, so that a test sees what the guest saw.

use crate::bindings::exports::hookwire::rule::actions::{Event, Rule};
use crate::bindings::hookwire::sql::sql::Value;
use crate::bindings::hookwire::types::events::{Client, Message};

/// Rule, hook, batches seen by the instance, then what the event holds.
pub(crate) fn row(rule: &Rule, event: &Event, batches: i64) -> Vec<Value> {
    let mut row = vec![text(&rule.name), text(&rule.hook), Value::Integer(batches)];
    match event {
        Event::Client(client) => {
            row.extend([
                text(&client.clientid),
                client.username.as_deref().map_or(Value::Null, text),
                text(&client.reason),
                number(client.at_ms),
            ]);
            row.extend(connection(client));
        }
        Event::Message(message) => row.extend(of_message(message)),
        Event::Delivery(delivery) => {
            row.push(text(&delivery.clientid));
            row.extend(of_message(&delivery.message));
            if !delivery.reason.is_empty() {
                row.push(text(&delivery.reason));
            }
        }
        Event::Credentials(credentials) => row.extend([
            text(&credentials.client.clientid),
            text(&credentials.step),
            bytes(credentials.password.as_ref()),
            credentials.method.as_deref().map_or(Value::Null, text),
            bytes(credentials.data.as_ref()),
        ]),
        Event::Access(access) => row.extend([
            text(&access.client.clientid),
            text(&access.operation),
            text(&access.topic),
            Value::Integer(access.qos.into()),
            Value::Boolean(access.retain),
        ]),
        Event::Subscription(subscription) => row.extend([
            text(&subscription.client.clientid),
            text(&subscription.filter),
            Value::Integer(subscription.qos.into()),
            Value::Boolean(subscription.no_local),
            Value::Boolean(subscription.retain_as_published),
            Value::Integer(subscription.retain_handling.into()),
            Value::Boolean(subscription.is_new),
            Value::Text(joined(&subscription.user_properties)),
        ]),
        Event::Fetch(fetch) => row.extend([
            Value::Text(fetch.client.clientid.clone()),
            Value::Text(fetch.filter.clone()),
        ]),
        Event::Exchange(exchange) => row.extend([
            text(&exchange.client.clientid),
            text(&exchange.direction),
            Value::Integer(exchange.packet_id.into()),
            text(&exchange.message_id),
            text(&exchange.topic),
            text(&exchange.state),
        ]),
        Event::Node(node) => row.extend([text(&node.name), number(node.at_ms)]),
        Event::Other(_) => row.push(Value::Null),
    }
    row
}

fn connection(client: &Client) -> Vec<Value> {
    let Some(connection) = &client.connection else {
        return Vec::new();
    };
    vec![
        text(&connection.listener),
        text(&connection.peer),
        Value::Integer(connection.protocol.into()),
        Value::Boolean(connection.tls),
        connection.certificate.as_deref().map_or(Value::Null, text),
        Value::Integer(connection.keep_alive_s.into()),
        Value::Boolean(connection.clean_start),
        Value::Integer(connection.session_expiry_s.into()),
        Value::Text(joined(&connection.user_properties)),
    ]
}

fn of_message(message: &Message) -> Vec<Value> {
    vec![
        Value::Text(message.sender.clone()),
        Value::Text(message.topic.clone()),
        Value::Blob(message.payload.clone()),
        Value::Integer(message.qos.into()),
        Value::Boolean(message.retain),
        number(message.at_ms),
        Value::Text(joined(&message.user_properties)),
        Value::Text(message.id.clone()),
    ]
}

fn joined(properties: &[(String, String)]) -> String {
    let pairs = properties.iter();
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join(",")
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn bytes(bytes: Option<&Vec<u8>>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::Blob(bytes.clone()))
}

fn number(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
