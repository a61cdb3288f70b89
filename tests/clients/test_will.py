"""Wills: sent for who is cut off, and not for who says goodbye."""

import pytest

from clients.stage.client import DISCONNECT_WITH_WILL, Will
from clients.stage.roster import V5
from clients.stage.scenario import scenario

#: Seconds. Long enough for a message to overtake a will on a busy machine.
DELAY_S = 2


def die(library, will, **options):
    """Connects a client with a will and cuts it off; its client id."""
    client = library.connect(will=will, **options).listen()
    client.kill()
    return client.client_id


@pytest.mark.parametrize("qos", [0, 1, 2])
@scenario()
def test_of_a_client_cut_off(library, qos):
    topic = library.topic()
    watcher = library.connect()
    watcher.subscribe(topic, qos=2)
    die(library, Will(topic, b"gone", qos=qos))
    message = watcher.wait_for_message()
    assert (message.payload, message.qos, message.retain) == (b"gone", qos, False)


@scenario("binary will")
def test_of_any_bytes(library):
    topic = library.topic()
    watcher = library.connect()
    watcher.subscribe(topic, qos=1)
    payload = bytes(range(256))
    die(library, Will(topic, payload, qos=1))
    assert watcher.wait_for_message().payload == payload


@scenario()
def test_not_of_a_client_that_disconnects(library):
    topic = library.topic()
    watcher = library.connect()
    watcher.subscribe(topic, qos=1)
    leaving = library.connect(will=Will(topic, b"wrong", qos=1))
    leaving.publish(topic, b"bye", qos=1)
    leaving.disconnect()
    watcher.wait_for_payload(b"bye")
    # Had the first will been sent, it would have come before this one.
    die(library, Will(topic, b"gone", qos=1))
    assert watcher.wait_for_payload(b"gone") == [b"bye"]


@scenario()
def test_retained(library):
    topic = library.topic()
    watcher = library.connect()
    watcher.subscribe(topic, qos=1)
    die(library, Will(topic, b"gone", qos=1, retain=True))
    assert not watcher.wait_for_message().retain
    later = library.connect()
    later.subscribe(topic, qos=1)
    message = later.wait_for_message()
    assert (message.payload, message.retain) == (b"gone", True)


@scenario("what its DISCONNECT says", versions=[V5])
def test_of_a_client_that_disconnects_and_asks_for_it(library):
    topic = library.topic()
    watcher = library.connect()
    watcher.subscribe(topic, qos=1)
    leaving = library.connect(will=Will(topic, b"gone", qos=1))
    leaving.disconnect(reason=DISCONNECT_WITH_WILL)
    assert watcher.wait_for_message().payload == b"gone"


@scenario(versions=[V5])
def test_with_user_properties(library):
    topic = library.topic()
    watcher = library.connect()
    watcher.subscribe(topic, qos=1)
    properties = {"user_properties": [["cause", "cable"], ["cause", "axe"]]}
    die(library, Will(topic, b"gone", qos=1, properties=properties))
    assert watcher.wait_for_message().properties == properties


@scenario("properties of a will", versions=[V5])
def test_with_properties(library):
    topic = library.topic()
    watcher = library.connect()
    watcher.subscribe(topic, qos=1)
    properties = {
        "payload_format": 1,
        "content_type": "text/plain",
        "response_topic": "answers/here",
        "correlation": b"number-1".hex(),
        "user_properties": [["cause", "cable"], ["cause", "axe"]],
    }
    die(library, Will(topic, b"gone", qos=1, properties=properties))
    assert watcher.wait_for_message().properties == properties


@scenario(versions=[V5])
def test_delayed_and_not_sent_if_the_client_is_back_before(library):
    topic = library.topic()
    watcher = library.connect()
    watcher.subscribe(topic, qos=1)

    def will(payload):
        return Will(topic, payload, qos=1, properties={"will_delay": DELAY_S})

    client_id = die(library, will(b"wrong"), session_expiry=60)
    library.connect(client_id, persistent=True).listen()
    die(library, will(b"gone"), session_expiry=60)
    library.connect().publish(topic, b"before", qos=1)
    # Had the first will been sent, it would have come before the second.
    assert watcher.wait_for_payload(b"gone") == [b"before"]


@scenario(versions=[V5])
def test_at_the_end_of_the_session_whatever_the_delay(library):
    topic = library.topic()
    watcher = library.connect()
    watcher.subscribe(topic, qos=1)
    die(library, Will(topic, b"gone", qos=1, properties={"will_delay": 3600}), session_expiry=0)
    assert watcher.wait_for_message().payload == b"gone"
