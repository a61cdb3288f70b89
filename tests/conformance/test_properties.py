"""Properties of MQTT 5: where they may stand, how often, and what they may say."""

import pytest

from conformance import build
from conformance.build import V5, Will, packet, properties, text, two, variable
from conformance.net import name
from conformance.properties import (
    ALIAS_INVALID,
    AUTH_DATA,
    AUTH_METHOD,
    BAD_AUTHENTICATION_METHOD,
    CONNECT,
    DISCONNECT,
    MALFORMED,
    MAXIMUM_PACKET_SIZE,
    PACKET_NAMES,
    PINGRESP,
    PROPERTIES,
    PROTOCOL_ERROR,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    REASON_STRING,
    RECEIVE_MAXIMUM,
    REQUEST_PROBLEM_INFORMATION,
    REQUEST_RESPONSE_INFORMATION,
    SESSION_EXPIRY,
    SUBACK,
    SUBSCRIBE,
    SUBSCRIPTION_ID,
    TOPIC_ALIAS,
    TOPIC_ALIAS_MAXIMUM,
    UNSUBACK,
    UNSUBSCRIBE,
    USER_PROPERTY,
    WILL,
    sample,
)
from conformance.versions import cases

BOTH_REASONS = (MALFORMED, PROTOCOL_ERROR)

#: A packet of each type with the properties given.
WITH = {
    PUBLISH: lambda *props: build.publish("t", b"m", props=props),
    PUBACK: lambda *props: build.puback(1, 0, props),
    PUBREC: lambda *props: build.pubrec(1, 0, props),
    PUBREL: lambda *props: build.pubrel(1, 0, props),
    PUBCOMP: lambda *props: build.pubcomp(1, 0, props),
    SUBSCRIBE: lambda *props: build.subscribe(1, ("t", 0), props=props),
    UNSUBSCRIBE: lambda *props: build.unsubscribe(1, "t", props=props),
    DISCONNECT: lambda *props: build.disconnect(0, props),
}


def _connect(kind, *props):
    """A CONNECT with properties, or with properties of its will."""
    if kind == WILL:
        return build.connect(name("props"), V5, will=Will("w", props=props))
    return build.connect(name("props"), V5, props=props)


def _refused(net, connect):
    client = net.open(V5)
    client.try_send(connect)
    client.expect_refusal(*BOTH_REASONS, BAD_AUTHENTICATION_METHOD)


def _misplaced(kind):
    return [identifier for identifier, known in PROPERTIES.items() if kind not in known.packets]


def _placed(kind):
    return [identifier for identifier, known in PROPERTIES.items() if kind in known.packets]


@pytest.mark.parametrize("kind", WITH, ids=lambda kind: PACKET_NAMES[kind])
def test_properties_of_other_packets_are_the_end(net, kind):
    for identifier in _misplaced(kind):
        net.join(V5).breaks(WITH[kind](sample(identifier)), reasons=BOTH_REASONS)


@pytest.mark.parametrize("kind", [CONNECT, WILL], ids=lambda kind: PACKET_NAMES[kind])
def test_properties_of_other_packets_in_connect_are_the_end(net, kind):
    for identifier in _misplaced(kind):
        _refused(net, _connect(kind, sample(identifier)))


@pytest.mark.parametrize("unknown", [0x00, 0x04, 0x0A, 0x2B, 0x7F, 0x80, 0x3FFF])
def test_unknown_properties_are_the_end(net, unknown):
    inside = variable(unknown) + b"\0"
    body = text("t") + variable(len(inside)) + inside
    net.join(V5).breaks(packet(PUBLISH, body), reasons=BOTH_REASONS)


ONCE = {
    f"{PROPERTIES[identifier].name} in {PACKET_NAMES[kind]}": (kind, identifier)
    for kind in (PUBLISH, PUBACK, PUBREL, SUBSCRIBE, DISCONNECT)
    for identifier in _placed(kind)
    # A subscription identifier does not belong into a PUBLISH of a client at all.
    if identifier != USER_PROPERTY and (kind, identifier) != (PUBLISH, SUBSCRIPTION_ID)
}


@pytest.mark.parametrize(("kind", "identifier"), cases(ONCE))
def test_properties_that_stand_twice_are_the_end(net, kind, identifier):
    client = net.join(V5, props=[(SESSION_EXPIRY, 3600)])
    twice = WITH[kind](sample(identifier), sample(identifier))
    client.breaks(twice, reasons=(*BOTH_REASONS, ALIAS_INVALID))


@pytest.mark.parametrize(
    ("kind", "identifier"),
    [
        pytest.param(kind, identifier, id=f"{PROPERTIES[identifier].name} in {PACKET_NAMES[kind]}")
        for kind in (CONNECT, WILL)
        for identifier in _placed(kind)
        if identifier != USER_PROPERTY
    ],
)
def test_properties_that_stand_twice_in_connect_are_the_end(net, kind, identifier):
    _refused(net, _connect(kind, sample(identifier), sample(identifier)))


def test_user_properties_may_stand_often(net):
    many = [(USER_PROPERTY, ("k", str(index))) for index in range(20)]
    client = net.open(V5)
    client.send(build.connect(name("many"), V5, props=many, will=Will("w", props=tuple(many))))
    client.accepted()
    client.send(build.subscribe(1, ("t", 0), props=many), build.unsubscribe(2, "t", props=many))
    client.expect(SUBACK, 1)
    client.expect(UNSUBACK, 2)
    client.publish(name("topic"), b"m", qos=2, props=many)


VALUES = {
    "receive maximum 0": (RECEIVE_MAXIMUM, 0),
    "maximum packet size 0": (MAXIMUM_PACKET_SIZE, 0),
    "request problem information 2": (REQUEST_PROBLEM_INFORMATION, 2),
    "request response information 2": (REQUEST_RESPONSE_INFORMATION, 2),
    "authentication data without a method": (AUTH_DATA, b"data"),
}


@pytest.mark.parametrize(("identifier", "value"), cases(VALUES))
def test_values_that_connect_may_not_have_are_the_end(net, identifier, value):
    _refused(net, _connect(CONNECT, (identifier, value)))


def test_everything_that_connect_may_ask_for(net):
    props = [
        (SESSION_EXPIRY, 0xFFFFFFFF),
        (RECEIVE_MAXIMUM, 0xFFFF),
        (MAXIMUM_PACKET_SIZE, 0xFFFFFFFF),
        (TOPIC_ALIAS_MAXIMUM, 0xFFFF),
        (REQUEST_RESPONSE_INFORMATION, 1),
        (REQUEST_PROBLEM_INFORMATION, 1),
        (USER_PROPERTY, ("", "")),
    ]
    net.join(V5, props=props).ping()
    net.join(V5, props=list(reversed(props))).ping()


def test_a_subscription_identifier_of_0_is_the_end(net):
    bad = build.subscribe(1, ("t", 0), props=[(SUBSCRIPTION_ID, 0)])
    net.join(V5).breaks(bad, reasons=BOTH_REASONS)


def test_a_subscription_identifier_of_a_client_is_not_passed_on(net):
    # MQTT 5 leaves it to the server whether it looks for one.
    topic = name("topic")
    listener, client = net.listen(topic), net.join(V5)
    client.send(build.publish(topic, b"m", props=[(SUBSCRIPTION_ID, 1)]), build.PING)
    got = client.read()
    assert got is None or got.kind == PINGRESP or got.reason in BOTH_REASONS
    heard = listener.heard(net.join(V5))
    assert [message.all(SUBSCRIPTION_ID) for message in heard] in ([], [[]])


def test_a_topic_alias_of_0_is_the_end(net):
    bad = build.publish("t", b"m", props=[(TOPIC_ALIAS, 0)])
    net.join(V5).breaks(bad, reasons=(*BOTH_REASONS, ALIAS_INVALID))


def test_properties_that_are_cut_off_are_the_end(net):
    whole = properties((REASON_STRING, "reason"), (USER_PROPERTY, ("k", "v")))
    for end in (2, 4, 8, 10, 12, 14):
        inside = whole[1 : end + 1]
        body = two(1) + b"\0" + variable(len(inside)) + inside
        net.join(V5).breaks(packet(PUBACK, body), reasons=BOTH_REASONS)


def test_reasons_may_be_given_to_the_server(net):
    # Nothing was sent to this client, so a server may say that it knows of nothing.
    props = [(REASON_STRING, "because"), (USER_PROPERTY, ("k", "v"))]
    topic = name("topic")
    client = net.join(V5)
    client.subscribe(topic, qos=2)
    net.join(V5).publish(topic, b"m", qos=2)
    got = client.expect(PUBLISH)
    client.send(build.pubrec(got.packet_id, 0, props))
    client.expect(PUBREL, got.packet_id)
    client.send(build.pubcomp(got.packet_id, 0, props))
    client.send_publish(topic + "x", b"m", 2, packet_id=1)
    client.expect(PUBREC, 1)
    client.send(build.pubrel(1, 0, props))
    client.expect(PUBCOMP, 1)
    client.disconnect(0, props)


def test_an_authentication_method_alone_is_enough(net):
    # No server knows it; that it stands without data is not the reason.
    client = net.open(V5)
    client.send(build.connect(name("method"), V5, props=[(AUTH_METHOD, "no such method")]))
    client.expect_refusal(BAD_AUTHENTICATION_METHOD, 0x87)
