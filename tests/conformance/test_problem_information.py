"""Reason strings and user properties in answers, and clients that want none. MQTT 5."""

import pytest

from conformance import build
from conformance.build import V5
from conformance.net import name
from conformance.properties import (
    DISCONNECT,
    PROTOCOL_ERROR,
    PUBACK,
    PUBCOMP,
    PUBREC,
    REASON_STRING,
    REQUEST_PROBLEM_INFORMATION,
    SUBACK,
    UNSUBACK,
    USER_PROPERTY,
)

NONE_WANTED = [(REQUEST_PROBLEM_INFORMATION, 0)]


def _answers(net, props):
    """Answers to what goes well and to what does not."""
    client, topic = net.join(V5, props=props), name("topic")
    client.send_publish(topic, b"m", 1, packet_id=1)
    yield client.expect(PUBACK, 1)
    client.send_publish(topic, b"m", 2, packet_id=3)
    yield client.expect(PUBREC, 3)
    yield client.release(3)
    client.send(build.pubrel(99))
    yield client.expect(PUBCOMP, 99)
    client.send(build.subscribe(5, (topic, 1), ("$share/g/" + topic, 1), ("$SYS/#", 0)))
    yield client.expect(SUBACK, 5)
    client.send(build.unsubscribe(6, topic, name("never")))
    yield client.expect(UNSUBACK, 6)
    for qos in (1, 2):
        client = net.join(V5, props=props)
        client.send_publish("$SYS/broker/uptime", b"forged", qos)
        # What is refused may also be the end, and DISCONNECT may say why.
        got = client.read()
        if got is not None and got.kind != DISCONNECT:
            yield got


def test_no_answer_explains_itself_to_a_client_that_wants_none(net):
    for got in _answers(net, NONE_WANTED):
        assert got.get(REASON_STRING) is None, got
        assert got.all(USER_PROPERTY) == [], got


@pytest.mark.parametrize("props", [[], [(REQUEST_PROBLEM_INFORMATION, 1)]], ids=["absent", "1"])
def test_answers_may_explain_themselves_to_others(net, props):
    # The reader looks at whatever they say.
    kinds = {got.kind for got in _answers(net, props)}
    assert kinds >= {PUBACK, PUBREC, PUBCOMP, SUBACK, UNSUBACK}


def test_messages_keep_their_user_properties(net):
    topic, publisher = name("topic"), net.join(V5)
    client = net.join(V5, props=NONE_WANTED)
    client.subscribe(topic, qos=1)
    publisher.publish(topic, b"m", qos=1, props=[(USER_PROPERTY, ("k", "v"))])
    assert client.message().all(USER_PROPERTY) == [("k", "v")]


@pytest.mark.parametrize("wanted", [0, 1])
def test_the_last_word_is_well_formed_either_way(net, wanted):
    client = net.join(V5, props=[(REQUEST_PROBLEM_INFORMATION, wanted)])
    got = client.breaks(build.connect(name("again"), V5), reasons=(PROTOCOL_ERROR,))
    assert got is None or got.kind == DISCONNECT
