"""Other writers of the store: their messages are delivered, and move no position but their own."""

import pytest

from contract.ends import away, lasting
from contract.store import Capability
from support.paho import PahoClient
from support.wait import wait_until
from support.wire import V5, V311

pytestmark = pytest.mark.needs(
    Capability.MESSAGES, Capability.FETCH, Capability.POSITIONS, Capability.PLACES
)
VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])

#: Smaller and larger than every id of the broker's own, of its length, of the lengths that were
#: seen elsewhere, and what is none.
FOREIGN = ["1", "zzzzzzzzzzzzzzzzzzzz", "0" * 20, "a" * 29, "AAVQ6ZrQ9kSyYAAJlQABAQ==", "ü'; --"]
#: What counts as none.
NO_ID = [None, ""]


def publish(stage, unique, topic, *payloads):
    with PahoClient(stage.port, unique("writer")) as writer:
        writer.publish_many(topic, payloads)


def payloads(messages):
    return [message.payload for message in messages]


def is_read(stage, client_id, topic, payload):
    """Whether the client's position is at the message."""
    position = stage.store.position(client_id, topic)
    return position is not None and position.payload == payload


@VERSIONS
@pytest.mark.parametrize("foreign", FOREIGN + NO_ID)
def test_a_foreign_message_id_is_delivered_in_its_place(stage, unique, version, foreign):
    topic, client_id = unique("foreign"), unique("reader")
    with away(stage.port, client_id, topic, version):
        publish(stage, unique, topic, b"0", b"1")
        stage.store.insert_message(topic, b"theirs", "business", foreign)
        publish(stage, unique, topic, b"2")
    with lasting(stage.port, client_id, version) as client:
        expected = [b"0", b"1", b"theirs", b"2"]
        assert payloads(client.wait_for_messages(4)) == expected
        wait_until(lambda: is_read(stage, client_id, topic, b"2"), "all is read")
    publish(stage, unique, topic, b"3")
    with lasting(stage.port, client_id, version) as client:
        assert payloads(client.wait_for_messages(1)) == [b"3"], "and nothing a second time"


@VERSIONS
@pytest.mark.parametrize("foreign", FOREIGN + NO_ID)
def test_a_foreign_message_id_that_comes_again_elsewhere_is_another_message(
    stage, unique, version, foreign
):
    root, client_id = unique("foreign"), unique("reader")
    topics = [f"{root}/a", f"{root}/b", f"{root}/c"]
    with away(stage.port, client_id, f"{root}/+", version):
        for topic in topics:
            stage.store.insert_message(topic, b"theirs", "business", foreign)
    with lasting(stage.port, client_id, version) as client:
        got = client.wait_for_messages(3)
        assert sorted(message.topic for message in got) == topics
        for topic in topics:
            wait_until(lambda t=topic: is_read(stage, client_id, t, b"theirs"), "it is read")
    publish(stage, unique, f"{root}/b", b"ours")
    with lasting(stage.port, client_id, version) as client:
        assert payloads(client.wait_for_messages(1)) == [b"ours"], "and nothing a second time"


@pytest.mark.parametrize("foreign", FOREIGN + NO_ID)
def test_a_foreign_message_moves_the_position_of_nobody_else(own_stage, unique, foreign):
    stage = own_stage()
    topic, client_id = unique("foreign"), unique("reader")
    with away(stage.port, client_id, topic):
        publish(stage, unique, topic, b"0", b"1")
        stage.store.insert_message(topic, b"theirs", "business", foreign)
        publish(stage, unique, topic, b"2")
    with lasting(stage.port, client_id, manual_ack=True) as client:
        got = client.wait_for_messages(4)
        (theirs,) = (message for message in got if message.payload == b"theirs")
        client.mqtt.ack(theirs.mid, theirs.qos)
        wait_until(lambda: is_read(stage, client_id, topic, b"theirs"), "it is read")
    # What the client has not acknowledged comes again, whether its session or its store knows it.
    stage.kill()
    with lasting(stage.port, client_id) as client:
        assert payloads(client.wait_for_messages(3)) == [b"0", b"1", b"2"]
        wait_until(lambda: is_read(stage, client_id, topic, b"2"), "all is read")
