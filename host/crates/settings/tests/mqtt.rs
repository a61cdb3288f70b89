//! The keys of the `mqtt` block that say what becomes of sessions and messages.

use std::time::Duration;

use hookwire_settings::{DenyAction, Mqtt, QueueOverflow, Settings, SharedStrategy};

fn read(keys: &str) -> Result<Mqtt, Vec<String>> {
    let text = format!("listener tcp l {{\n  address = \"127.0.0.1:0\"\n}}\nmqtt {{\n{keys}\n}}\n");
    match Settings::parse("x.hcl", &text) {
        Ok(settings) => Ok(settings.mqtt),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn every_key_is_read() {
    let mqtt = read(
        r#"max_queued_bytes = "2MiB"
queue_overflow = "drop_oldest"
queue_qos0 = true
max_session_expiry_s = 4294967295
max_topic_aliases = 0
authentication_timeout = "3s"
max_kept_access = 7
deny_action = "disconnect"
max_retained_messages = 0
max_retained_bytes = "3MiB"
max_delayed_messages = 4
max_delayed_bytes = "5KiB"
shared_strategy = "least_inflight"
check_payload_format = true
short_client_ids_in_mqtt31 = true
response_information = "replies/"
server_reference = "other:1883"
sys_interval_s = 0"#,
    );
    let expected = Mqtt {
        max_queued_bytes: 2 * 1024 * 1024,
        queue_overflow: QueueOverflow::DropOldest,
        queue_qos0: true,
        max_session_expiry_s: u32::MAX,
        max_topic_aliases: 0,
        authentication_timeout: Duration::from_secs(3),
        max_kept_access: 7,
        deny_action: DenyAction::Disconnect,
        max_retained_messages: 0,
        max_retained_bytes: 3 * 1024 * 1024,
        max_delayed_messages: 4,
        max_delayed_bytes: 5 * 1024,
        shared_strategy: SharedStrategy::LeastInflight,
        check_payload_format: true,
        short_client_ids_in_mqtt31: true,
        response_information: Some("replies/".to_owned()),
        server_reference: Some("other:1883".to_owned()),
        sys_interval_s: 0,
        ..Mqtt::default()
    };
    assert_eq!(read(""), Ok(Mqtt::default()));
    assert_eq!(mqtt, Ok(expected));
}

#[test]
fn what_a_key_cannot_be_is_told_with_what_it_can() {
    let check = |line: &str, problem: &str| {
        let expected = format!("x.hcl:5: mqtt: {problem}");
        assert_eq!(read(line), Err(vec![expected]), "{line}");
    };
    check(
        "queue_overflow = \"drop_old\"",
        "queue_overflow: \"drop_old\" is not one of its words; did you mean \"drop_oldest\"?",
    );
    check(
        "shared_strategy = \"any\"",
        "shared_strategy: \"any\" is not one of its words; there is round_robin, random, sticky, \
         hash_client, hash_topic, least_inflight",
    );
    check(
        "queue_qos0 = \"yes\"",
        "queue_qos0: expected true or false, found text",
    );
    check(
        "max_queued_bytes = 10",
        "max_queued_bytes: 10 is out of range: 1KiB to 16GiB",
    );
    check(
        "max_session_expiry_s = -1",
        "max_session_expiry_s: -1 is out of range: 0 to 4294967295",
    );
    check(
        "authentication_timeout = \"0s\"",
        "authentication_timeout: \"0s\" is out of range: 1ms to 1h",
    );
    check(
        "deny_action = \"close\"",
        "deny_action: \"close\" is not one of its words; there is ignore, disconnect",
    );
    check(
        "response_information = \"\"",
        "response_information: is empty",
    );
    check(
        "max_sesion_expiry_s = 1",
        "no key is called \"max_sesion_expiry_s\"; did you mean \"max_session_expiry_s\"?",
    );
}
