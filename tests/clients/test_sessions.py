"""Sessions: what outlives a connection, for how long, and what ends it."""

import pytest

from clients.stage.client import DISCONNECT_WITH_WILL, Will
from clients.stage.roster import V5
from clients.stage.scenario import scenario
from clients.stage.waiting import let_pass

MANY = 50

SESSION_TAKEN_OVER = 0x8E


def go_offline(library, topic, qos=1, **options):
    """A session with a subscription and nobody connected to it; its client id."""
    client = library.connect(persistent=True, **options)
    assert client.subscribe(topic, qos=qos) == [qos]
    client.disconnect()
    return client.client_id


@pytest.mark.parametrize("qos", [1, 2])
@scenario()
def test_messages_wait_for_the_client(library, qos):
    topic = library.topic()
    client_id = go_offline(library, topic, qos=qos)
    sent = [f"message {number}".encode() for number in range(MANY)]
    publisher = library.connect()
    publisher.publish_all(topic, sent, qos=qos)
    back = library.connect(client_id, persistent=True).listen()
    if library.can("session present"):
        assert back.session_present
    # The subscription is still there too. More than once is nothing.
    publisher.publish(topic, b"end", qos=qos)
    assert back.wait_for_payload(b"end") == sent
    assert {message.qos for message in back.messages()} == {qos}


@scenario()
def test_messages_wait_for_a_client_cut_off(library):
    topic = library.topic()
    client = library.connect(persistent=True)
    client.subscribe(topic, qos=2)
    client.kill()
    publisher = library.connect()
    sent = [f"message {number}".encode() for number in range(MANY)]
    publisher.publish_all(topic, sent, qos=2)
    back = library.connect(client.client_id, persistent=True).listen()
    publisher.publish(topic, b"end", qos=2)
    assert back.wait_for_payload(b"end") == sent


@scenario("session present")
def test_a_new_session_is_not_there_before(library):
    assert library.connect().session_present is False
    assert library.connect(persistent=True).session_present is False


@scenario()
def test_a_clean_start_discards_it(library):
    topic, other = library.topic(), library.topic("other")
    client_id = go_offline(library, topic)
    publisher = library.connect()
    publisher.publish(topic, b"lost", qos=1)
    clean = library.connect(client_id)
    if library.can("session present"):
        assert clean.session_present is False
    clean.subscribe(other, qos=1)
    # Neither what waited nor the subscription is left.
    publisher.publish(topic, b"unheard", qos=1)
    publisher.publish(other, b"end", qos=1)
    assert clean.wait_for_payload(b"end") == []


@scenario()
def test_a_clean_session_ends_with_its_connection(library):
    topic, other = library.topic(), library.topic("other")
    client = library.connect()
    client.subscribe(topic, qos=1)
    client.disconnect()
    back = library.connect(client.client_id, persistent=True)
    if library.can("session present"):
        assert back.session_present is False
    publisher = library.connect()
    back.subscribe(other, qos=1)
    publisher.publish(topic, b"unheard", qos=1)
    publisher.publish(other, b"end", qos=1)
    assert back.wait_for_payload(b"end") == []


@scenario("manual acknowledgement")
def test_what_was_not_acknowledged_comes_again_marked(library):
    topic = library.topic()
    client = library.connect(persistent=True, manual_ack=True)
    client.subscribe(topic, qos=1)
    publisher = library.connect()
    publisher.publish(topic, b"hello", qos=1)
    assert not client.wait_for_message().dup
    client.kill()
    back = library.connect(client.client_id, persistent=True)
    assert back.wait_for_message().dup
    # It was acknowledged before anything that came behind it, and comes no third time.
    publisher.publish(topic, b"behind", qos=1)
    back.wait_for_payload(b"behind")
    back.disconnect()
    last = library.connect(client.client_id, persistent=True)
    publisher.publish(topic, b"end", qos=1)
    assert b"hello" not in last.wait_for_payload(b"end")


@scenario("end of connection")
def test_the_same_client_id_takes_over(library):
    topic = library.topic()
    first = library.connect(persistent=True)
    first.subscribe(topic, qos=1)
    second = library.connect(first.client_id, persistent=True)
    first.wait_closed()
    if library.can("session present"):
        assert second.session_present
    library.connect().publish(topic, b"hello", qos=1)
    assert second.wait_for_message().payload == b"hello"
    assert first.messages() == []


@scenario("end of connection", versions=[V5])
def test_who_is_taken_over_is_told(library):
    first = library.connect()
    library.connect(first.client_id)
    assert first.wait_closed()["reason"] == SESSION_TAKEN_OVER


@scenario(versions=[V5])
def test_a_session_expires(library):
    topic, other = library.topic(), library.topic("other")
    client_id = go_offline(library, topic, session_expiry=1)
    let_pass(seconds=1)
    check_gone(library, client_id, topic, other)


@scenario("what its DISCONNECT says", versions=[V5])
def test_disconnect_sets_another_expiry(library):
    topic, other, will = library.topic(), library.topic("other"), library.topic("will")
    watcher = library.connect()
    watcher.subscribe(will, qos=1)
    client = library.connect(persistent=True, session_expiry=600, will=Will(will, b"gone", qos=1))
    client.subscribe(topic, qos=1)
    client.disconnect(reason=DISCONNECT_WITH_WILL, session_expiry=0)
    # The will says that the DISCONNECT was read. Nothing else orders it before what comes
    # over another connection.
    watcher.wait_for_message()
    check_gone(library, client.client_id, topic, other)


def check_gone(library, client_id, topic, other):
    """The session that subscribed to `topic` is no more."""
    back = library.connect(client_id, persistent=True)
    if library.can("session present"):
        assert back.session_present is False
    back.subscribe(other, qos=1)
    publisher = library.connect()
    publisher.publish(topic, b"unheard", qos=1)
    publisher.publish(other, b"end", qos=1)
    assert back.wait_for_payload(b"end") == []
