"""The properties of MQTT 5 as data: what each is called, its type, where it may stand.

Table 2-4 of the standard. The builder, the reader and the tests that put
properties where they do not belong all read it here.
"""

from dataclasses import dataclass

(CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE,
 UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH) = range(1, 16)  # fmt: skip

#: Not a packet: the properties of a will have a place of their own in CONNECT.
WILL = 0

PACKET_NAMES = (
    "will CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE "
    "UNSUBACK PINGREQ PINGRESP DISCONNECT AUTH"
).split()

PAYLOAD_FORMAT, MESSAGE_EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC = 0x01, 0x02, 0x03, 0x08
CORRELATION_DATA, SUBSCRIPTION_ID, SESSION_EXPIRY = 0x09, 0x0B, 0x11
ASSIGNED_CLIENT_ID, SERVER_KEEP_ALIVE, AUTH_METHOD, AUTH_DATA = 0x12, 0x13, 0x15, 0x16
REQUEST_PROBLEM_INFORMATION, WILL_DELAY, REQUEST_RESPONSE_INFORMATION = 0x17, 0x18, 0x19
RESPONSE_INFORMATION, SERVER_REFERENCE, REASON_STRING = 0x1A, 0x1C, 0x1F
RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM, TOPIC_ALIAS, MAXIMUM_QOS = 0x21, 0x22, 0x23, 0x24
RETAIN_AVAILABLE, USER_PROPERTY, MAXIMUM_PACKET_SIZE = 0x25, 0x26, 0x27
WILDCARD_AVAILABLE, SUBSCRIPTION_ID_AVAILABLE, SHARED_AVAILABLE = 0x28, 0x29, 0x2A


@dataclass(frozen=True)
class Property:
    """One row of the table. `lowest` and `highest` are of numbers alone."""

    name: str
    kind: str
    packets: frozenset
    lowest: int = 0
    highest: int = 0xFFFFFFFF


def _of(*packets):
    return frozenset(packets)


_MESSAGE = _of(PUBLISH, WILL)
_CONNECTING = _of(CONNECT, CONNACK)
_ANSWERS = _of(CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH)
_ALL = _ANSWERS | _of(WILL, CONNECT, PUBLISH, SUBSCRIBE, UNSUBSCRIBE)

PROPERTIES = {
    PAYLOAD_FORMAT: Property("payload format indicator", "byte", _MESSAGE, 0, 1),
    MESSAGE_EXPIRY: Property("message expiry interval", "four bytes", _MESSAGE),
    CONTENT_TYPE: Property("content type", "text", _MESSAGE),
    RESPONSE_TOPIC: Property("response topic", "text", _MESSAGE),
    CORRELATION_DATA: Property("correlation data", "binary", _MESSAGE),
    SUBSCRIPTION_ID: Property(
        "subscription identifier", "variable", _of(PUBLISH, SUBSCRIBE), 1, 268_435_455
    ),
    SESSION_EXPIRY: Property(
        "session expiry interval", "four bytes", _CONNECTING | _of(DISCONNECT)
    ),
    ASSIGNED_CLIENT_ID: Property("assigned client identifier", "text", _of(CONNACK)),
    SERVER_KEEP_ALIVE: Property("server keep alive", "two bytes", _of(CONNACK)),
    AUTH_METHOD: Property("authentication method", "text", _CONNECTING | _of(AUTH)),
    AUTH_DATA: Property("authentication data", "binary", _CONNECTING | _of(AUTH)),
    REQUEST_PROBLEM_INFORMATION: Property(
        "request problem information", "byte", _of(CONNECT), 0, 1
    ),
    WILL_DELAY: Property("will delay interval", "four bytes", _of(WILL)),
    REQUEST_RESPONSE_INFORMATION: Property(
        "request response information", "byte", _of(CONNECT), 0, 1
    ),
    RESPONSE_INFORMATION: Property("response information", "text", _of(CONNACK)),
    SERVER_REFERENCE: Property("server reference", "text", _of(CONNACK, DISCONNECT)),
    REASON_STRING: Property("reason string", "text", _ANSWERS),
    RECEIVE_MAXIMUM: Property("receive maximum", "two bytes", _CONNECTING, 1),
    TOPIC_ALIAS_MAXIMUM: Property("topic alias maximum", "two bytes", _CONNECTING),
    TOPIC_ALIAS: Property("topic alias", "two bytes", _of(PUBLISH), 1),
    MAXIMUM_QOS: Property("maximum QoS", "byte", _of(CONNACK), 0, 1),
    RETAIN_AVAILABLE: Property("retain available", "byte", _of(CONNACK), 0, 1),
    USER_PROPERTY: Property("user property", "pair", _ALL),
    MAXIMUM_PACKET_SIZE: Property("maximum packet size", "four bytes", _CONNECTING, 1),
    WILDCARD_AVAILABLE: Property("wildcard subscription available", "byte", _of(CONNACK), 0, 1),
    SUBSCRIPTION_ID_AVAILABLE: Property(
        "subscription identifier available", "byte", _of(CONNACK), 0, 1
    ),
    SHARED_AVAILABLE: Property("shared subscription available", "byte", _of(CONNACK), 0, 1),
}

#: A value that is right for each type, for tests that only care about the place.
SAMPLES = {
    "byte": 1,
    "two bytes": 1,
    "four bytes": 1,
    "variable": 1,
    "text": "a",
    "binary": b"a",
    "pair": ("a", "b"),
}


def sample(identifier):
    """A property as a (identifier, value) pair, right in itself."""
    return identifier, SAMPLES[PROPERTIES[identifier].kind]


# Reason codes, by the name the standard gives them.
SUCCESS, WITH_WILL, NO_SUBSCRIBERS, NO_SUBSCRIPTION = 0x00, 0x04, 0x10, 0x11
CONTINUE_AUTHENTICATION, RE_AUTHENTICATE = 0x18, 0x19
UNSPECIFIED, MALFORMED, PROTOCOL_ERROR, IMPLEMENTATION_SPECIFIC = 0x80, 0x81, 0x82, 0x83
UNSUPPORTED_VERSION, CLIENT_ID_NOT_VALID, NOT_AUTHORIZED = 0x84, 0x85, 0x87
BAD_AUTHENTICATION_METHOD, KEEP_ALIVE_TIMEOUT, TAKEN_OVER = 0x8C, 0x8D, 0x8E
FILTER_INVALID, TOPIC_INVALID, PACKET_ID_IN_USE, PACKET_ID_NOT_FOUND = 0x8F, 0x90, 0x91, 0x92
RECEIVE_MAXIMUM_EXCEEDED, ALIAS_INVALID, PACKET_TOO_LARGE = 0x93, 0x94, 0x95
PAYLOAD_FORMAT_INVALID, RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED = 0x99, 0x9A, 0x9B

#: What a server may say in each packet.
SERVER_REASONS = {
    CONNACK: frozenset(
        [0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F]
    ),
    PUBACK: frozenset([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    PUBREC: frozenset([0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]),
    PUBREL: frozenset([0x00, 0x92]),
    PUBCOMP: frozenset([0x00, 0x92]),
    SUBACK: frozenset([0, 1, 2, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2]),
    UNSUBACK: frozenset([0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91]),
    DISCONNECT: frozenset(
        [
            0x00,
            0x80,
            0x81,
            0x82,
            0x83,
            0x87,
            0x89,
            0x8B,
            0x8D,
            0x8E,
            0x8F,
            0x90,
            *range(0x93, 0xA3),
        ]  # fmt: skip
    ),
    AUTH: frozenset([0x00, 0x18]),
}
