"""Reads what a server sends, and fails on every byte that a server must not send.

So each test of the suite also holds the server to the form of its packets:
fixed header flags, shortest lengths, UTF-8, reason codes, properties.
"""

from dataclasses import dataclass, field

from conformance.build import V5, V31
from conformance.properties import (
    AUTH,
    CONNACK,
    DISCONNECT,
    PACKET_NAMES,
    PINGRESP,
    PROPERTIES,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SERVER_REASONS,
    SESSION_EXPIRY,
    SUBACK,
    SUBSCRIPTION_ID,
    TOPIC_ALIAS,
    UNSUBACK,
    UNSUPPORTED_VERSION,
    USER_PROPERTY,
)


class Wrong(AssertionError):
    """A server sent what the standard does not allow."""


def check(right, what):
    if not right:
        raise Wrong(what)


@dataclass
class Packet:
    """A packet from the server; only the fields of its type are set."""

    kind: int
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
    size: int = 0

    def __str__(self):
        shown = [f"{key}={value!r}" for key, value in vars(self).items() if value and key != "kind"]
        return f"{PACKET_NAMES[self.kind]}({', '.join(shown)})"

    def get(self, identifier, default=None):
        """The value of a property that stands at most once."""
        return next((value for known, value in self.properties if known == identifier), default)

    def all(self, identifier):
        return [value for known, value in self.properties if known == identifier]


class Cursor:
    """Takes a packet apart from front to back."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        end = self.at + count
        check(end <= len(self.data), f"a packet of the server ends too early: {self.data!r}")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def rest(self):
        return self.take(len(self.data) - self.at)

    def number(self, width):
        return int.from_bytes(self.take(width), "big")

    def variable(self):
        value = length = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << 7 * length
            length += 1
            if not byte & 0x80:
                check(length == 1 or byte, f"{value} is written longer than it has to be")
                return value
            check(length < 4, "a Variable Byte Integer has more than four bytes")

    def binary(self):
        return self.take(self.number(2))

    def text(self):
        data = self.binary()
        try:
            read = data.decode()
        except UnicodeDecodeError as error:
            raise Wrong(f"not UTF-8: {data!r}") from error
        check("\0" not in read, f"U+0000 in a text: {data!r}")
        return read

    def is_done(self):
        return self.at == len(self.data)

    def properties(self, kind):
        """The properties of a packet of type `kind`; none at all where it ends before."""
        inner = Cursor(self.take(self.variable()))
        found = []
        while not inner.is_done():
            identifier = inner.variable()
            check(identifier in PROPERTIES, f"there is no property {identifier:#x}")
            found.append((identifier, inner._value(PROPERTIES[identifier])))
        _check_properties(kind, found)
        return found

    def _value(self, known):
        match known.kind:
            case "text":
                return self.text()
            case "binary":
                return self.binary()
            case "pair":
                return (self.text(), self.text())
            case "variable":
                value = self.variable()
            case _:
                value = self.number({"byte": 1, "two bytes": 2, "four bytes": 4}[known.kind])
        check(known.lowest <= value <= known.highest, f"{known.name} is {value}")
        return value


def _check_properties(kind, found):
    name = PACKET_NAMES[kind]
    for identifier, _ in found:
        known = PROPERTIES[identifier]
        check(kind in known.packets, f"{known.name} does not belong into {name}")
        often = identifier == USER_PROPERTY or (identifier, kind) == (SUBSCRIPTION_ID, PUBLISH)
        count = sum(identifier == other for other, _ in found)
        check(often or count == 1, f"{known.name} stands {count} times in {name}")


def split(data):
    """Cuts the first whole packet off: (first byte, body, size, rest), or None."""
    for end in range(2, min(len(data), 5) + 1):
        if data[end - 1] & 0x80:
            check(end < 5, f"a length of more than four bytes: {bytes(data[:5])!r}")
            continue
        length = Cursor(bytes(data[1:end])).variable()
        if len(data) < end + length:
            return None
        return data[0], bytes(data[end : end + length]), end + length, data[end + length :]
    return None


def parse(first_byte, body, version, size=0):
    """A packet from the server, read to its last byte."""
    kind, flags = first_byte >> 4, first_byte & 0x0F
    check(kind in _READERS, f"a server sends no packet of type {kind}")
    got = Packet(kind, size=size)
    if kind != PUBLISH:
        right = {2, 0x0A} if kind == PUBREL and version == V31 else {2 if kind == PUBREL else 0}
        check(flags in right, f"the flags of {PACKET_NAMES[kind]} are {flags:#06b}")
    cursor = Cursor(body)
    _READERS[kind](got, cursor, flags, version)
    check(cursor.is_done(), f"bytes are left behind the end of {got}")
    return got


def _reason(got, cursor, kind):
    got.reason = cursor.number(1)
    known = SERVER_REASONS[kind]
    check(got.reason in known, f"{PACKET_NAMES[kind]} says {got.reason:#04x}")


def _read_connack(got, cursor, _flags, version):
    flags = cursor.number(1)
    check(flags <= (0 if version == V31 else 1), f"the flags of CONNACK are {flags:#04x}")
    got.session_present = bool(flags)
    # One that says a version is not spoken may have the form of the server's own.
    got.reason = cursor.number(1)
    if (version == V5 or got.reason == UNSUPPORTED_VERSION) and not cursor.is_done():
        check(got.reason in SERVER_REASONS[CONNACK], f"CONNACK says {got.reason:#04x}")
        got.properties = cursor.properties(CONNACK)
    else:
        check(got.reason <= 5, f"CONNACK says {got.reason:#04x}")
    check(not (got.reason and flags), f"a refusal has a session: {got}")


def _read_publish(got, cursor, flags, version):
    got.dup, got.qos, got.retain = bool(flags & 8), flags >> 1 & 3, bool(flags & 1)
    check(got.qos < 3, "PUBLISH with QoS 3")
    check(got.qos or not got.dup, "DUP on a PUBLISH with QoS 0")
    got.topic = cursor.text()
    check(not set("#+") & set(got.topic), f"a topic with wildcards: {got.topic!r}")
    if got.qos:
        got.packet_id = cursor.number(2)
        check(got.packet_id, "a packet identifier of 0")
    if version == V5:
        got.properties = cursor.properties(PUBLISH)
    check(got.topic or got.get(TOPIC_ALIAS), "PUBLISH without a topic")
    got.payload = cursor.rest()


def _read_acknowledgement(got, cursor, _flags, version):
    got.packet_id = cursor.number(2)
    check(got.packet_id, "a packet identifier of 0")
    if version == V5 and not cursor.is_done():
        _reason(got, cursor, got.kind)
        if not cursor.is_done():
            got.properties = cursor.properties(got.kind)


def _read_suback(got, cursor, _flags, version):
    got.packet_id = cursor.number(2)
    check(got.packet_id, "a packet identifier of 0")
    if version == V5:
        got.properties = cursor.properties(got.kind)
    got.reasons = list(cursor.rest())
    if version == V5:
        known = SERVER_REASONS[got.kind]
    elif got.kind == UNSUBACK:
        known = ()
    else:
        known = (0, 1, 2) if version == V31 else (0, 1, 2, 0x80)
    check(set(got.reasons) <= set(known), f"unknown reasons in {got}")


def _read_last(got, cursor, _flags, version):
    check(version == V5, f"a server sends no {PACKET_NAMES[got.kind]} before MQTT 5")
    if not cursor.is_done():
        _reason(got, cursor, got.kind)
        if not cursor.is_done():
            got.properties = cursor.properties(got.kind)
    if got.kind == DISCONNECT:
        check(got.get(SESSION_EXPIRY) is None, "session expiry in a DISCONNECT of a server")


_READERS = {
    CONNACK: _read_connack,
    PUBLISH: _read_publish,
    PUBACK: _read_acknowledgement,
    PUBREC: _read_acknowledgement,
    PUBREL: _read_acknowledgement,
    PUBCOMP: _read_acknowledgement,
    SUBACK: _read_suback,
    UNSUBACK: _read_suback,
    PINGRESP: lambda *_: None,
    DISCONNECT: _read_last,
    AUTH: _read_last,
}
