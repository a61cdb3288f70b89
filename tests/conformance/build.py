"""Any packet a client sends, as bytes: right, or as wrong as a test asks for.

Nothing is checked here. What is left out of a call is filled in rightly; what
is given stands in the packet as it was given.
"""

from dataclasses import dataclass

from conformance.properties import (
    AUTH,
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PROPERTIES,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBSCRIBE,
    UNSUBSCRIBE,
)

V31, V311, V5 = 3, 4, 5

#: Seconds; longer than any test, and an interval every broker grants.
KEEP_ALIVE_S = 60


def variable(number):
    """A Variable Byte Integer in its shortest form."""
    out = bytearray()
    while True:
        number, low = divmod(number, 128)
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def text(value):
    """Length and bytes; a `str` as UTF-8, `bytes` as they are."""
    if isinstance(value, str):
        value = value.encode()
    return len(value).to_bytes(2, "big") + value


def two(number):
    return number.to_bytes(2, "big")


def packet(kind, body=b"", flags=0):
    """A whole packet of a type, its flags and what comes behind the length."""
    return bytes([kind << 4 | flags]) + variable(len(body)) + body


_ENCODE = {
    "byte": lambda value: bytes([value]),
    "two bytes": two,
    "four bytes": lambda value: value.to_bytes(4, "big"),
    "variable": variable,
    "text": text,
    "binary": text,
    "pair": lambda value: text(value[0]) + text(value[1]),
}


def properties(*entries):
    """Properties behind their length, from (identifier, value) pairs."""
    body = b"".join(
        variable(identifier) + _ENCODE[PROPERTIES[identifier].kind](value)
        for identifier, value in entries
    )
    return variable(len(body)) + body


@dataclass
class Will:
    """A will for `connect`."""

    topic: str | bytes
    payload: bytes = b"gone"
    qos: int = 0
    retain: bool = False
    props: tuple = ()


def connect(client_id, version, clean=True, keep_alive=KEEP_ALIVE_S, props=(), will=None,
            username=None, password=None, flags=None, name=None, level=None):  # fmt: skip
    """CONNECT. `flags`, `name` and `level` replace what would be right.

    `client_id` may be None: then the packet ends where it would stand.
    """
    right = 0x02 if clean else 0
    if will:
        right |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
    right |= (0 if username is None else 0x80) | (0 if password is None else 0x40)
    body = text(name or ("MQIsdp" if version == V31 else "MQTT"))
    body += bytes([version if level is None else level, right if flags is None else flags])
    body += two(keep_alive)
    if version == V5:
        body += properties(*props)
    if client_id is not None:
        body += text(client_id)
    if will:
        body += properties(*will.props) if version == V5 else b""
        body += text(will.topic) + text(will.payload)
    body += b"".join(text(field) for field in (username, password) if field is not None)
    return packet(CONNECT, body)


def publish(topic, payload=b"", version=V5, qos=0, packet_id=None, retain=False, dup=False,
            props=()):  # fmt: skip
    body = text(topic)
    if packet_id is not None:
        body += two(packet_id)
    if version == V5:
        body += properties(*props)
    flags = (8 if dup else 0) | qos << 1 | (1 if retain else 0)
    return packet(PUBLISH, body + payload, flags)


def _acknowledge(kind, packet_id, reason, props, flags):
    body = two(packet_id)
    if reason is not None:
        body += bytes([reason])
    if props is not None:
        body += properties(*props)
    return packet(kind, body, flags)


def puback(packet_id, reason=None, props=None):
    return _acknowledge(PUBACK, packet_id, reason, props, 0)


def pubrec(packet_id, reason=None, props=None):
    return _acknowledge(PUBREC, packet_id, reason, props, 0)


def pubrel(packet_id, reason=None, props=None, flags=2):
    return _acknowledge(PUBREL, packet_id, reason, props, flags)


def pubcomp(packet_id, reason=None, props=None):
    return _acknowledge(PUBCOMP, packet_id, reason, props, 0)


def subscribe(packet_id, *filters, version=V5, props=(), flags=2):
    """SUBSCRIBE; `filters` are (filter, options) pairs."""
    body = two(packet_id)
    if version == V5:
        body += properties(*props)
    body += b"".join(text(filter_) + bytes([options]) for filter_, options in filters)
    return packet(SUBSCRIBE, body, flags)


def unsubscribe(packet_id, *filters, version=V5, props=(), flags=2):
    body = two(packet_id)
    if version == V5:
        body += properties(*props)
    return packet(UNSUBSCRIBE, body + b"".join(map(text, filters)), flags)


PING = packet(PINGREQ)


def _reason_first(kind, reason, props):
    body = b"" if reason is None else bytes([reason])
    if props is not None:
        body += properties(*props)
    return packet(kind, body)


def disconnect(reason=None, props=None):
    return _reason_first(DISCONNECT, reason, props)


def auth(reason=None, props=None):
    return _reason_first(AUTH, reason, props)
