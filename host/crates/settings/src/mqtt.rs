//! The `mqtt` block.

use std::time::Duration;

use hcl_edit::structure::Block;

use crate::keys::Keys;
use crate::model::{DenyAction, Mqtt, QueueOverflow, SharedStrategy};
use crate::source::Source;
use crate::{block, value};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

const OVERFLOWS: &[(&str, QueueOverflow)] = &[
    ("drop_newest", QueueOverflow::DropNewest),
    ("drop_oldest", QueueOverflow::DropOldest),
    ("disconnect", QueueOverflow::Disconnect),
];

const DENY_ACTIONS: &[(&str, DenyAction)] = &[
    ("ignore", DenyAction::Ignore),
    ("disconnect", DenyAction::Disconnect),
];

const STRATEGIES: &[(&str, SharedStrategy)] = &[
    ("round_robin", SharedStrategy::RoundRobin),
    ("random", SharedStrategy::Random),
    ("sticky", SharedStrategy::Sticky),
    ("hash_client", SharedStrategy::HashClient),
    ("hash_topic", SharedStrategy::HashTopic),
    ("least_inflight", SharedStrategy::LeastInflight),
];

impl Default for Mqtt {
    fn default() -> Self {
        Self {
            max_packet_bytes: 1024 * 1024,
            receive_maximum: 128,
            max_inflight: 128,
            max_queued_messages: 1000,
            max_queued_bytes: 16 * 1024 * 1024,
            queue_overflow: QueueOverflow::DropNewest,
            queue_qos0: false,
            max_output_bytes: 1024 * 1024,
            max_keep_alive_s: 0,
            max_session_expiry_s: 7 * 24 * 60 * 60,
            max_topic_aliases: 64,
            authentication_timeout: Duration::from_secs(10),
            max_kept_access: 256,
            deny_action: DenyAction::Ignore,
            max_retained_messages: 1_000_000,
            max_retained_bytes: 256 * 1024 * 1024,
            max_delayed_messages: 100_000,
            max_delayed_bytes: 64 * 1024 * 1024,
            shared_strategy: SharedStrategy::RoundRobin,
            check_payload_format: false,
            short_client_ids_in_mqtt31: false,
            response_information: None,
            server_reference: None,
            sys_interval_s: 10,
        }
    }
}

/// The limits of the block.
pub(crate) fn read(source: &mut Source<'_>, block: &Block) -> Mqtt {
    let at = block::at(source, block);
    if !block.labels.is_empty() {
        source.report(at.clone(), "mqtt has no name: write mqtt { ... }");
    }
    let mut mqtt = Mqtt::default();
    let mut keys = Keys::new(source, &block.body, "mqtt", at);
    connections(&mut keys, &mut mqtt);
    queues(&mut keys, &mut mqtt);
    messages(&mut keys, &mut mqtt);
    keys.finish();
    mqtt
}

/// What a connection is granted and told.
fn connections(keys: &mut Keys<'_, '_, '_>, mqtt: &mut Mqtt) {
    // A forwarded message may grow a little, and has to stay below the
    // protocol's 256 MiB.
    mqtt.max_packet_bytes = keys.bytes("max_packet_bytes", mqtt.max_packet_bytes, 256..=255 * MIB);
    let some = || value::integer(1..=u16::MAX);
    let any = || value::integer(0..=u16::MAX);
    mqtt.receive_maximum = keys.or("receive_maximum", mqtt.receive_maximum, some());
    mqtt.max_keep_alive_s = keys.or("max_keep_alive_s", mqtt.max_keep_alive_s, any());
    mqtt.max_session_expiry_s = keys.or(
        "max_session_expiry_s",
        mqtt.max_session_expiry_s,
        value::integer(0..=u32::MAX),
    );
    mqtt.max_topic_aliases = keys.or("max_topic_aliases", mqtt.max_topic_aliases, any());
    mqtt.authentication_timeout = keys.time(
        "authentication_timeout",
        mqtt.authentication_timeout,
        Duration::from_millis(1)..=Duration::from_secs(3600),
    );
    mqtt.max_kept_access = keys.count("max_kept_access", mqtt.max_kept_access, 0..=65_536);
    let action = value::choice(DENY_ACTIONS);
    mqtt.deny_action = keys.or("deny_action", mqtt.deny_action, action);
    mqtt.short_client_ids_in_mqtt31 = keys.or(
        "short_client_ids_in_mqtt31",
        mqtt.short_client_ids_in_mqtt31,
        value::boolean,
    );
    let mut told = |key| keys.located(key, value::some_text).map(|text| text.value);
    mqtt.response_information = told("response_information");
    mqtt.server_reference = told("server_reference");
}

/// What may wait for a client.
fn queues(keys: &mut Keys<'_, '_, '_>, mqtt: &mut Mqtt) {
    let some = value::integer(1..=u16::MAX);
    mqtt.max_inflight = keys.or("max_inflight", mqtt.max_inflight, some);
    mqtt.max_queued_messages = keys.count(
        "max_queued_messages",
        mqtt.max_queued_messages,
        1..=10_000_000,
    );
    mqtt.max_queued_bytes = keys.bytes("max_queued_bytes", mqtt.max_queued_bytes, KIB..=16 * GIB);
    mqtt.queue_overflow = keys.or(
        "queue_overflow",
        mqtt.queue_overflow,
        value::choice(OVERFLOWS),
    );
    mqtt.queue_qos0 = keys.or("queue_qos0", mqtt.queue_qos0, value::boolean);
    mqtt.max_output_bytes = keys.bytes("max_output_bytes", mqtt.max_output_bytes, 4096..=GIB);
}

/// What becomes of messages.
fn messages(keys: &mut Keys<'_, '_, '_>, mqtt: &mut Mqtt) {
    const MOST: usize = 1_000_000_000;
    mqtt.max_retained_messages = keys.count(
        "max_retained_messages",
        mqtt.max_retained_messages,
        0..=MOST,
    );
    mqtt.max_retained_bytes = keys.bytes(
        "max_retained_bytes",
        mqtt.max_retained_bytes,
        0..=1024 * GIB,
    );
    mqtt.max_delayed_messages =
        keys.count("max_delayed_messages", mqtt.max_delayed_messages, 0..=MOST);
    mqtt.max_delayed_bytes =
        keys.bytes("max_delayed_bytes", mqtt.max_delayed_bytes, 0..=1024 * GIB);
    let strategy = value::choice(STRATEGIES);
    mqtt.shared_strategy = keys.or("shared_strategy", mqtt.shared_strategy, strategy);
    mqtt.check_payload_format = keys.or(
        "check_payload_format",
        mqtt.check_payload_format,
        value::boolean,
    );
    let any = value::integer(0..=u16::MAX);
    mqtt.sys_interval_s = keys.or("sys_interval_s", mqtt.sys_interval_s, any);
}
