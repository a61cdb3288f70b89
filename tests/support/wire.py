"""MQTT packets as bytes, right or deliberately wrong, and read back.

Encoders build any packet a client sends. They check nothing: a test that wants
a broken packet builds one. Decoders read what a server sends, strictly.
"""

from dataclasses import dataclass, field

V311, V5 = 4, 5

CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 2, 3, 4, 5, 6, 7
SUBACK, UNSUBACK = 9, 11
PINGRESP, DISCONNECT, AUTH = 13, 14, 15

# Property identifiers of MQTT 5, table 2-4.
PAYLOAD_FORMAT, MESSAGE_EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC = 0x01, 0x02, 0x03, 0x08
CORRELATION_DATA, SUBSCRIPTION_ID, SESSION_EXPIRY = 0x09, 0x0B, 0x11
ASSIGNED_CLIENT_ID, SERVER_KEEP_ALIVE, AUTH_METHOD, AUTH_DATA = 0x12, 0x13, 0x15, 0x16
REQUEST_PROBLEM_INFORMATION, WILL_DELAY, REASON_STRING = 0x17, 0x18, 0x1F
RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM, TOPIC_ALIAS, MAXIMUM_QOS = 0x21, 0x22, 0x23, 0x24
RETAIN_AVAILABLE, USER_PROPERTY, MAXIMUM_PACKET_SIZE = 0x25, 0x26, 0x27
WILDCARD_AVAILABLE, SUBSCRIPTION_ID_AVAILABLE, SHARED_AVAILABLE = 0x28, 0x29, 0x2A

_BYTE = {PAYLOAD_FORMAT, REQUEST_PROBLEM_INFORMATION, 0x19, MAXIMUM_QOS, RETAIN_AVAILABLE,
         WILDCARD_AVAILABLE, SUBSCRIPTION_ID_AVAILABLE, SHARED_AVAILABLE}  # fmt: skip
_TWO_BYTES = {SERVER_KEEP_ALIVE, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM, TOPIC_ALIAS}
_FOUR_BYTES = {MESSAGE_EXPIRY, SESSION_EXPIRY, WILL_DELAY, MAXIMUM_PACKET_SIZE}
_BINARY = {CORRELATION_DATA, AUTH_DATA}


def variable_byte_integer(number):
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def binary(data):
    if isinstance(data, str):
        data = data.encode()
    return len(data).to_bytes(2, "big") + data


def packet(first_byte, body=b""):
    return bytes([first_byte]) + variable_byte_integer(len(body)) + body


def one_property(identifier, value):
    head = bytes([identifier])
    if identifier in _BYTE:
        return head + bytes([value])
    if identifier in _TWO_BYTES:
        return head + value.to_bytes(2, "big")
    if identifier in _FOUR_BYTES:
        return head + value.to_bytes(4, "big")
    if identifier == SUBSCRIPTION_ID:
        return head + variable_byte_integer(value)
    if identifier == USER_PROPERTY:
        return head + binary(value[0]) + binary(value[1])
    return head + binary(value)


def properties(*entries):
    """Encoded properties with their length before them, from (identifier, value) pairs."""
    body = b"".join(one_property(identifier, value) for identifier, value in entries)
    return variable_byte_integer(len(body)) + body


@dataclass
class Will:
    """A will for `connect`."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: tuple = ()


def connect(client_id, version=V5, clean=True, keep_alive=0, props=(), will=None, flags=None,
            name="MQTT", level=None, username=None, password=None):  # fmt: skip
    """CONNECT. `flags`, `name` and `level` replace what would be right."""
    if flags is None:
        flags = 0x02 if clean else 0
        if will:
            flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        flags |= 0x80 if username is not None else 0
        flags |= 0x40 if password is not None else 0
    body = binary(name) + bytes([version if level is None else level, flags])
    body += keep_alive.to_bytes(2, "big")
    if version == V5:
        body += properties(*props)
    body += binary(client_id)
    if will:
        if version == V5:
            body += properties(*will.properties)
        body += binary(will.topic) + binary(will.payload)
    for credential in (username, password):
        if credential is not None:
            body += binary(credential)
    return packet(0x10, body)


def auth(reason, *props):
    """AUTH: 0x18 goes on with an authentication, 0x19 begins a new one."""
    return packet(0xF0, bytes([reason]) + properties(*props))


def publish(topic, payload=b"", version=V5, qos=0, packet_id=None, props=(), retain=False,
            dup=False):  # fmt: skip
    if isinstance(payload, str):
        payload = payload.encode()
    body = binary(topic)
    if packet_id is not None:
        body += packet_id.to_bytes(2, "big")
    if version == V5:
        body += properties(*props)
    first_byte = 0x30 | (8 if dup else 0) | qos << 1 | (1 if retain else 0)
    return packet(first_byte, body + payload)


def puback(packet_id):
    """PUBACK with success, which both versions write alike."""
    return packet(0x40, packet_id.to_bytes(2, "big"))


def pubrec(packet_id):
    return packet(0x50, packet_id.to_bytes(2, "big"))


def pubrel(packet_id):
    return packet(0x62, packet_id.to_bytes(2, "big"))


def pubcomp(packet_id):
    return packet(0x70, packet_id.to_bytes(2, "big"))


def subscribe(packet_id, *filters, version=V5, props=()):
    """SUBSCRIBE; `filters` are (filter, options) pairs."""
    body = packet_id.to_bytes(2, "big")
    if version == V5:
        body += properties(*props)
    for text, options in filters:
        body += binary(text) + bytes([options])
    return packet(0x82, body)


def unsubscribe(packet_id, *filters, version=V5):
    body = packet_id.to_bytes(2, "big")
    if version == V5:
        body += properties()
    return packet(0xA2, body + b"".join(binary(text) for text in filters))


PINGREQ = packet(0xC0)


def disconnect(reason=None, props=None):
    body = b"" if reason is None else bytes([reason])
    if props is not None:
        body += properties(*props)
    return packet(0xE0, body)


@dataclass
class Received:
    """A packet from the server; only the fields of its type are set."""

    type: int
    reason: int = 0
    reasons: list = field(default_factory=list)
    packet_id: int = 0
    properties: list = field(default_factory=list)
    session_present: bool = False
    dup: bool = False
    qos: int = 0
    retain: bool = False
    topic: str = ""
    payload: bytes = b""

    def property(self, identifier):
        """The value of a property that is there at most once, or None."""
        found = [value for known, value in self.properties if known == identifier]
        assert len(found) <= 1, f"property {identifier:#x} is there {len(found)} times"
        return found[0] if found else None


class _Cursor:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        end = self.at + count
        assert end <= len(self.data), f"the server's packet ends too early: {self.data!r}"
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def number(self, width):
        return int.from_bytes(self.take(width), "big")

    def variable(self):
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    def binary(self):
        return self.take(self.number(2))

    def text(self):
        return self.binary().decode()

    def is_done(self):
        return self.at == len(self.data)

    def properties(self):
        inner = _Cursor(self.take(self.variable()))
        found = []
        while not inner.is_done():
            identifier = inner.variable()
            found.append((identifier, inner.value(identifier)))
        return found

    def value(self, identifier):
        if identifier in _BYTE:
            return self.number(1)
        if identifier in _TWO_BYTES:
            return self.number(2)
        if identifier in _FOUR_BYTES:
            return self.number(4)
        if identifier == SUBSCRIPTION_ID:
            return self.variable()
        if identifier == USER_PROPERTY:
            return (self.text(), self.text())
        return self.binary() if identifier in _BINARY else self.text()


def split(data):
    """Cuts the first whole packet off `data`: (first byte, body, rest), or None."""
    length = shift = 0
    for index in range(1, min(len(data), 5)):
        length |= (data[index] & 0x7F) << shift
        shift += 7
        if not data[index] & 0x80:
            start, end = index + 1, index + 1 + length
            if len(data) < end:
                return None
            return data[0], bytes(data[start:end]), data[end:]
    return None


def decode(first_byte, body, version):
    """A packet from the server, read to its last byte."""
    cursor = _Cursor(body)
    got = Received(first_byte >> 4)
    _READERS[got.type](got, cursor, first_byte, version)
    assert cursor.is_done(), f"bytes are left at the end of {got}"
    return got


def _read_connack(got, cursor, _first_byte, version):
    got.session_present = bool(cursor.number(1) & 1)
    got.reason = cursor.number(1)
    # A refusal that says a version is not spoken is in the form of 3.1.1.
    if version == V5 and not cursor.is_done():
        got.properties = cursor.properties()


def _read_publish(got, cursor, first_byte, version):
    got.dup, got.retain = bool(first_byte & 8), bool(first_byte & 1)
    got.qos = first_byte >> 1 & 3
    got.topic = cursor.text()
    if got.qos:
        got.packet_id = cursor.number(2)
    if version == V5:
        got.properties = cursor.properties()
    got.payload = cursor.take(len(cursor.data) - cursor.at)


def _read_puback(got, cursor, _first_byte, version):
    got.packet_id = cursor.number(2)
    if version == V5 and not cursor.is_done():
        got.reason = cursor.number(1)
        if not cursor.is_done():
            got.properties = cursor.properties()


def _read_suback(got, cursor, _first_byte, version):
    got.packet_id = cursor.number(2)
    if version == V5:
        got.properties = cursor.properties()
    got.reasons = list(cursor.take(len(cursor.data) - cursor.at))


def _read_disconnect(got, cursor, _first_byte, version):
    assert version == V5, "a server sends no DISCONNECT before MQTT 5"
    if not cursor.is_done():
        got.reason = cursor.number(1)
        if not cursor.is_done():
            got.properties = cursor.properties()


_READERS = {
    CONNACK: _read_connack,
    PUBLISH: _read_publish,
    # Each has a reason code and properties in MQTT 5, and may leave them out.
    PUBACK: _read_puback,
    PUBREC: _read_puback,
    PUBREL: _read_puback,
    PUBCOMP: _read_puback,
    SUBACK: _read_suback,
    UNSUBACK: _read_suback,
    PINGRESP: lambda *_: None,
    DISCONNECT: _read_disconnect,
    # Both have a reason code and properties, and neither is in MQTT 3.1.1.
    AUTH: _read_disconnect,
}
