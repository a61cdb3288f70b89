"""Properties of a message reach its subscribers as they were. MQTT 5."""

import pytest

from conformance import build
from conformance.build import V5, V31, V311
from conformance.net import name
from conformance.properties import (
    CONTENT_TYPE,
    CORRELATION_DATA,
    MALFORMED,
    MESSAGE_EXPIRY,
    PAYLOAD_FORMAT,
    PAYLOAD_FORMAT_INVALID,
    PROTOCOL_ERROR,
    PUBACK,
    PUBLISH,
    REASON_STRING,
    RESPONSE_TOPIC,
    TOPIC_INVALID,
    USER_PROPERTY,
)
from conformance.versions import cases, kept, versions

SINGLE = {
    "payload format 1": (PAYLOAD_FORMAT, 1),
    "content type": (CONTENT_TYPE, "text/plain; charset=\u20ac"),
    "an empty content type": (CONTENT_TYPE, ""),
    "response topic": (RESPONSE_TOPIC, "answers/for me/\U0001f600"),
    "response topic with $": (RESPONSE_TOPIC, "$answers/x"),
    "correlation data": (CORRELATION_DATA, bytes(range(256))),
    "empty correlation data": (CORRELATION_DATA, b""),
}


@pytest.mark.parametrize(("identifier", "value"), cases(SINGLE))
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_properties_are_passed_on_unaltered(net, qos, identifier, value):
    topic, publisher = name("topic"), net.join(V5)
    listeners = [net.listen(topic, qos=granted) for granted in (0, 2)]
    publisher.publish(topic, b"payload", qos=qos, props=[(identifier, value)])
    for listener in listeners:
        got = listener.message()
        assert (got.get(identifier), got.payload) == (value, b"payload")


def test_a_payload_format_of_0_is_0_or_left_out(net):
    # 0 is what it means where it is absent.
    topic, publisher = name("topic"), net.join(V5)
    listener = net.listen(topic)
    publisher.publish(topic, b"\xff", qos=1, props=[(PAYLOAD_FORMAT, 0)])
    assert listener.message().get(PAYLOAD_FORMAT, 0) == 0


PAIRS = [("b", "1"), ("a", "2"), ("b", "0"), ("", ""), ("\u20ac", "\U0001f600"), ("b", "1")]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_user_properties_keep_their_order(net, qos):
    topic, publisher = name("topic"), net.join(V5)
    listener = net.listen(topic)
    props = [(USER_PROPERTY, pair) for pair in PAIRS]
    publisher.publish(topic, b"m", qos=qos, props=props)
    assert listener.message().all(USER_PROPERTY) == PAIRS


def test_user_properties_may_be_many_and_large(net):
    topic, publisher = name("topic"), net.join(V5)
    listener = net.listen(topic)
    pairs = [(f"key {index % 10}", "v" * (index * 20)) for index in range(100)]
    props = [(USER_PROPERTY, pair) for pair in pairs]
    publisher.publish(topic, b"m", qos=1, props=props)
    assert listener.message().all(USER_PROPERTY) == pairs


def test_all_properties_together(net):
    topic, publisher = name("topic"), net.join(V5)
    listener = net.listen(topic)
    single = [row for row in SINGLE.values() if "empty" not in str(row)]
    props = [(USER_PROPERTY, ("z", "1")), *dict(single).items(), (USER_PROPERTY, ("y", "2"))]
    publisher.publish(topic, b"m", qos=2, props=props)
    got = listener.message()
    assert got.all(USER_PROPERTY) == [("z", "1"), ("y", "2")]
    assert all(got.get(identifier) == value for identifier, value in dict(single).items())


def test_properties_wait_with_their_message(net):
    topic, who = name("topic"), name("who")
    client = net.join(V5, who, **kept(V5))
    client.subscribe(topic, qos=1)
    client.disconnect()
    props = [*dict(SINGLE.values()).items(), *((USER_PROPERTY, pair) for pair in PAIRS)]
    net.join(V5).publish(topic, b"m", qos=1, props=props)
    got = net.join(V5, who, **kept(V5)).message()
    assert got.all(USER_PROPERTY) == PAIRS
    assert all(got.get(identifier) == value for identifier, value in dict(SINGLE.values()).items())


@versions(V31, V311)
def test_older_clients_get_the_message_without_them(net, version):
    topic, publisher = name("topic"), net.join(V5)
    listener = net.listen(topic, version=version)
    props = [*dict(SINGLE.values()).items(), (MESSAGE_EXPIRY, 600)]
    publisher.publish(topic, b"payload", qos=1, props=props)
    assert listener.message().payload == b"payload"


@versions(V31, V311)
def test_messages_of_older_clients_have_none(net, version):
    topic, publisher = name("topic"), net.join(version)
    listener = net.listen(topic)
    publisher.publish(topic, b"payload", qos=1)
    assert listener.message().properties == []


@pytest.mark.parametrize("response", ["a/#", "+/b", "#"])
def test_a_response_topic_with_wildcards_is_refused_or_passed_on_unaltered(net, response):
    # It is the publisher's fault; MQTT 5 leaves it to the server whether it looks.
    topic = name("topic")
    listener, client = net.listen(topic), net.join(V5)
    client.send_publish(topic, b"m", 1, packet_id=1, props=[(RESPONSE_TOPIC, response)])
    got = client.read()
    if got is not None and got.kind == PUBACK and got.reason < 0x80:
        assert listener.message().get(RESPONSE_TOPIC) == response
    else:
        assert listener.heard(net.join(V5)) == []
        assert got is None or got.reason in (MALFORMED, PROTOCOL_ERROR, TOPIC_INVALID, 0x83)


def test_a_payload_that_is_not_its_format_is_refused_or_passed_on(net):
    # A server may look, and may say so in the PUBACK or end the connection.
    topic = name("topic")
    listener, client = net.listen(topic), net.join(V5)
    client.send_publish(topic, b"\xff\xfe", 1, packet_id=1, props=[(PAYLOAD_FORMAT, 1)])
    got = client.read()
    if got is not None and got.kind == PUBACK and got.reason < 0x80:
        assert listener.message().payload == b"\xff\xfe"
    else:
        assert listener.heard(net.join(V5)) == []
        assert got is None or got.reason == PAYLOAD_FORMAT_INVALID


def test_properties_of_answers_are_not_passed_on(net):
    topic, publisher = name("topic"), net.join(V5)
    client, other = net.join(V5), net.listen(topic)
    client.subscribe(topic, qos=1)
    publisher.publish(topic, b"m", qos=1)
    got = client.expect(PUBLISH)
    client.send(build.puback(got.packet_id, 0, [(REASON_STRING, "mine")]))
    client.ping()
    publisher.ping()
    publisher.expect_quiet(0.1)
    assert [each.properties for each in other.heard(publisher)] == [[]]
