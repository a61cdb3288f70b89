//! Wrong packets, and right ones at the edge, written by hand.

type Input = (&'static str, &'static [u8]);

/// What `target` has to withstand.
pub(crate) fn of(target: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut inputs = FRAMES.to_vec();
    if target == "connect" {
        inputs.extend(CONNECTS);
    } else if target.ends_with("_5") {
        inputs.extend(IN_5);
    } else {
        inputs.extend(BEFORE_5);
    }
    inputs
        .into_iter()
        .map(|(name, bytes)| (name, bytes.to_vec()))
        .collect()
}

/// What is wrong before the kind of packet matters.
const FRAMES: [Input; 10] = [
    ("nothing", b""),
    ("type-0", b"\0\0"),
    ("zeros", b"\0\0\0\0\0\0\0\0"),
    ("ones", b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
    ("http", b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n"),
    ("tls", b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03"),
    ("length-of-five-bytes", b"\x30\xFF\xFF\xFF\xFF\x01"),
    ("length-too-long", b"\x40\x82\x80\x80\0\0\x01"),
    ("length-that-is-a-lie", b"\x30\xFF\xFF\xFF\x7F\0\x01a"),
    ("length-that-is-not-whole", b"\x30\xFF\xFF"),
];

const CONNECTS: [Input; 13] = [
    ("no-body", b"\x10\0"),
    (
        "flags-of-the-header",
        b"\x1F\x0D\0\x04MQTT\x04\x02\0\0\0\x01c",
    ),
    ("level-0", b"\x10\x0D\0\x04MQTT\0\x02\0\0\0\x01c"),
    (
        "level-of-a-bridge",
        b"\x10\x0D\0\x04MQTT\x84\x02\0\0\0\x01c",
    ),
    (
        "name-of-3-1-level-of-5",
        b"\x10\x0F\0\x06MQIsdp\x05\x02\0\0\0\x01c",
    ),
    ("all-flags", b"\x10\x0D\0\x04MQTT\x04\xFF\0\0\0\x01c"),
    ("all-flags-3-1", b"\x10\x0F\0\x06MQIsdp\x03\xFB\0\0\0\x01c"),
    (
        "user-name-missing-3-1",
        b"\x10\x0F\0\x06MQIsdp\x03\xC2\0\0\0\x01c",
    ),
    (
        "will-cut",
        b"\x10\x11\0\x04MQTT\x04\x06\0\0\0\x01c\0\x01t\0",
    ),
    ("overlong-5", b"\x10\x8E\0\0\x04MQTT\x05\x02\0\0\0\0\x01c"),
    (
        "properties-into-id",
        b"\x10\x10\0\x04MQTT\x05\x02\0\0\x05\x15\0\x02\0\x01c",
    ),
    (
        "data-without-method",
        b"\x10\x11\0\x04MQTT\x05\x02\0\0\x03\x16\0\0\0\x01c",
    ),
    (
        "packet-behind",
        b"\x10\x0D\0\x04MQTT\x04\x02\0\0\0\x01c\xC0\0",
    ),
];

const BEFORE_5: [Input; 12] = [
    ("auth", b"\xF0\0"),
    ("dup-on-qos-0", b"\x38\x03\0\x01a"),
    ("qos-3", b"\x36\x05\0\x01a\0\x01"),
    ("topic-wildcard", b"\x30\x05\0\x03a/#"),
    ("topic-surrogate", b"\x30\x05\0\x03\xED\xA0\x80"),
    ("topic-nul", b"\x30\x03\0\x01\0"),
    ("packet-id-0", b"\x32\x05\0\x01a\0\0"),
    ("subscribe-nothing", b"\x82\x02\0\x01"),
    ("subscribe-reserved-bits", b"\x82\x06\0\x01\0\x01a\xFE"),
    ("puback-of-5", b"\x40\x03\0\x01\0"),
    ("suback-failure", b"\x90\x03\0\x01\x80"),
    ("connack-flags", b"\x20\x02\xFF\0"),
];

const IN_5: [Input; 18] = [
    ("dup-on-qos-0", b"\x38\x04\0\x01a\0"),
    ("topic-empty", b"\x30\x03\0\0\0"),
    ("topic-by-alias", b"\x30\x06\0\0\x03\x23\0\x01"),
    ("alias-0", b"\x30\x07\0\x01a\x03\x23\0\0"),
    ("alias-twice", b"\x30\x0A\0\x01a\x06\x23\0\x01\x23\0\x01"),
    ("property-unknown", b"\x30\x06\0\x01a\x02\x7F\0"),
    ("property-id-overlong", b"\x30\x08\0\x01a\x04\xA6\0\0\0"),
    ("property-of-connect", b"\x30\x07\0\x01a\x03\x21\0\x01"),
    (
        "properties-into-payload",
        b"\x30\x09\0\x01a\x03\x03\0\x02xy",
    ),
    ("properties-beyond-the-end", b"\x30\x05\0\x01a\x7F\x01"),
    ("subscription-id-0", b"\x82\x08\0\x01\x02\x0B\0\0\x01a"),
    (
        "no-local-on-shared",
        b"\x82\x10\0\x01\0\0\x0A$share/g/a\x04",
    ),
    ("retain-handling-3", b"\x82\x07\0\x01\0\0\x01a\x30"),
    ("puback-short", b"\x40\x03\0\x01\x10"),
    ("auth-without-method", b"\xF0\x02\x18\0"),
    ("auth-without-properties", b"\xF0\x01\x18"),
    ("disconnect-short", b"\xE0\x01\x04"),
    ("connack-session-on-refusal", b"\x20\x03\x01\x87\0"),
];
