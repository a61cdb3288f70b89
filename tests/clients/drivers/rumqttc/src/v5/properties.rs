//! The properties of packets, in the words of the drivers and in rumqttc's.

use anyhow::Result;
use rumqttc::v5::mqttbytes::v5::{
    ConnAckProperties, ConnectProperties, LastWillProperties, PublishProperties,
    SubscribeProperties,
};
use serde_json::{Map, Value, json};

use crate::words::{hex, optional, optional_bytes, optional_text, pairs};

/// More than any message of the tests. The library takes its own limit from
/// what it tells the broker.
const MAX_PACKET_BYTES: u32 = 1024 * 1024;

pub(super) fn of_connect(from: &Value) -> Result<ConnectProperties> {
    let mut properties = ConnectProperties::new();
    properties.session_expiry_interval = optional(from, "session_expiry");
    properties.receive_maximum = optional(from, "receive_maximum");
    let asked = optional(from, "maximum_packet_size");
    properties.max_packet_size = asked.or(Some(MAX_PACKET_BYTES));
    properties.topic_alias_max = optional(from, "topic_alias_maximum");
    properties.request_problem_info = optional(from, "request_problem_information");
    properties.user_properties = pairs(from, "user_properties")?;
    Ok(properties)
}

pub(super) fn of_will(from: &Value) -> Result<LastWillProperties> {
    Ok(LastWillProperties {
        delay_interval: optional(from, "will_delay"),
        payload_format_indicator: optional(from, "payload_format"),
        message_expiry_interval: optional(from, "message_expiry"),
        content_type: optional_text(from, "content_type"),
        response_topic: optional_text(from, "response_topic"),
        correlation_data: optional_bytes(from, "correlation")?.map(Into::into),
        user_properties: pairs(from, "user_properties")?,
    })
}

pub(super) fn of_subscribe(from: &Value) -> Result<SubscribeProperties> {
    Ok(SubscribeProperties {
        id: optional(from, "subscription_id"),
        user_properties: pairs(from, "user_properties")?,
    })
}

pub(super) fn of_publish(from: &Value) -> Result<PublishProperties> {
    Ok(PublishProperties {
        payload_format_indicator: optional(from, "payload_format"),
        message_expiry_interval: optional(from, "message_expiry"),
        topic_alias: optional(from, "topic_alias"),
        response_topic: optional_text(from, "response_topic"),
        correlation_data: optional_bytes(from, "correlation")?.map(Into::into),
        user_properties: pairs(from, "user_properties")?,
        subscription_identifiers: Vec::new(),
        content_type: optional_text(from, "content_type"),
    })
}

pub(super) fn publish(given: Option<&PublishProperties>) -> Value {
    let Some(given) = given else {
        return json!({});
    };
    let correlation = given.correlation_data.as_deref().map(hex);
    there(vec![
        ("payload_format", json!(given.payload_format_indicator)),
        ("message_expiry", json!(given.message_expiry_interval)),
        ("topic_alias", json!(given.topic_alias)),
        ("response_topic", json!(given.response_topic)),
        ("correlation", json!(correlation)),
        ("user_properties", json!(given.user_properties)),
        ("subscription_ids", json!(given.subscription_identifiers)),
        ("content_type", json!(given.content_type)),
    ])
}

pub(super) fn connack(given: Option<&ConnAckProperties>) -> Value {
    let Some(given) = given else {
        return json!({});
    };
    there(vec![
        ("session_expiry", json!(given.session_expiry_interval)),
        ("receive_maximum", json!(given.receive_max)),
        ("maximum_packet_size", json!(given.max_packet_size)),
        ("topic_alias_maximum", json!(given.topic_alias_max)),
        (
            "assigned_client_id",
            json!(given.assigned_client_identifier),
        ),
        ("server_keep_alive", json!(given.server_keep_alive)),
        ("reason_string", json!(given.reason_string)),
        ("user_properties", json!(given.user_properties)),
    ])
}

/// Those that are there: neither null nor an empty list.
fn there(all: Vec<(&str, Value)>) -> Value {
    let found: Map<String, Value> = all
        .into_iter()
        .filter(|(_, value)| {
            !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty())
        })
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Value::Object(found)
}
