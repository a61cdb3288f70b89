"""A store that is away, refuses a message or is slow: nothing is acknowledged that is not stored, nothing
stored is lost, and what was refused comes when the store is back."""

import threading

import pytest

from contract.ends import away, lasting
from contract.store import Capability
from support.paho import PahoClient
from support.wait import wait_until
from support.wire import V5, V311

needs = pytest.mark.needs
VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
QOS = pytest.mark.parametrize("qos", [1, 2])
READING = needs(Capability.MESSAGES, Capability.FETCH, Capability.POSITIONS)

#: Rules give up soon, so that what they do then is seen soon.
RETRY_FOR = "100ms"


@pytest.fixture
def stage(own_stage):
    return own_stage(retry_for=RETRY_FOR)


def numbered(first, last):
    return [b"%03d" % number for number in range(first, last)]


def in_order(stored):
    """Each payload where it came first."""
    return list(dict.fromkeys(stored))


def failures(stage, capability):
    """Events on which the capability's first rule failed."""
    rule = stage.store.rule_name(capability)
    return stage.broker.metric("hookwire_rule_errors_total", rule=rule) or 0


@needs(Capability.MESSAGES)
@QOS
def test_a_publisher_of_v5_is_told_that_the_store_is_away(stage, unique, qos):
    topic = unique("t")
    with PahoClient(stage.port, unique("writer")) as writer:
        writer.publish(topic, b"before", qos)
        with stage.store.unavailable():
            # Pipelined: the first is tried for a while, and those behind it in their turn.
            reasons = writer.reasons([(topic, payload) for payload in numbered(0, 5)], qos)
            assert all(reason >= 0x80 for reason in reasons), reasons
        wait_until(lambda: writer.publish(topic, b"after", qos).reason < 0x80, "the store is back")
    stored = stage.store.payloads(topic)
    assert stored[0] == b"before" and stored[-1] == b"after"
    # What was refused may have been stored all the same; it was not told that it was.
    assert set(stored[1:-1]) <= set(numbered(0, 5))


@needs(Capability.MESSAGES)
@QOS
def test_a_publisher_of_v311_is_closed_and_sends_again(stage, unique, qos):
    topic = unique("t")
    writer = lasting(stage.port, unique("writer"), V311).connect()
    writer.publish(topic, b"before", qos)
    expected = numbered(0, 10)
    with stage.store.unavailable():
        mids = [writer.mqtt.publish(topic, payload, qos).mid for payload in expected]
        wait_until(lambda: writer.disconnects, "the client is closed")
        assert not writer.acknowledged(mids)

    def all_acknowledged():
        if writer.disconnects:
            writer.disconnects.clear()
            writer.connack()
        return len(writer.acknowledged(mids)) == len(mids)

    wait_until(all_acknowledged, "what was sent again is acknowledged")
    writer.close()
    assert in_order(stage.store.payloads(topic)) == [b"before", *expected]


@needs(Capability.MESSAGES)
@VERSIONS
def test_what_is_acknowledged_is_stored_while_the_store_comes_and_goes(stage, unique, version):
    topic = unique("t")
    acknowledged = []
    ended = threading.Event()

    def publish():
        writer = lasting(stage.port, unique("writer"), version)
        numbers = iter(range(1_000_000))
        writer.connect()
        while not ended.is_set():
            payloads = [b"%06d" % next(numbers) for _ in range(10)]
            mids = {writer.mqtt.publish(topic, payload, 1).mid: payload for payload in payloads}

            def answered():
                if writer.disconnects:
                    writer.disconnects.clear()
                    wait_until(lambda: writer.connack() == "Success", "the client is back")
                return len(writer.acknowledged(mids)) == len(mids)

            wait_until(answered, "each publish is answered")
            reasons = writer.acknowledged(mids)
            acknowledged.extend(p for mid, p in mids.items() if reasons[mid].reason < 0x80)
        writer.close()

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        for _ in range(3):
            known = len(acknowledged)
            wait_until(lambda k=known: len(acknowledged) > k + 20, "messages are stored")
            with stage.store.unavailable():
                before = failures(stage, Capability.MESSAGES)
                wait_until(
                    lambda b=before: failures(stage, Capability.MESSAGES) > b,
                    "the store is seen to be away",
                )
    finally:
        ended.set()
        thread.join()
    stored = stage.store.payloads(topic)
    assert len(acknowledged) > 60
    assert not set(acknowledged) - set(stored), "acknowledged and not stored"
    assert in_order(stored) == sorted(set(stored)), "in the order published"


@needs(Capability.MESSAGES)
@VERSIONS
@QOS
def test_a_message_that_the_store_refuses_fails_alone(stage, unique, version, qos):
    topic, refused, reader_id = unique("t"), unique("refused"), unique("reader")
    with (
        stage.store.refusing(refused),
        PahoClient(stage.port, reader_id) as reader,
        PahoClient(stage.port, unique("writer"), version) as writer,
    ):
        reader.subscribe(topic, refused)
        messages = [(topic, payload) for payload in numbered(0, 30)]
        messages[10:10] = [(refused, b"never")]
        messages[20:20] = [(refused, b"never either")]
        reasons = writer.reasons(messages, qos)
        # 3.1.1 cannot be told, and would send it again for ever.
        expected = [version == V5 and name == refused for name, _ in messages]
        assert [reason >= 0x80 for reason in reasons] == expected
        assert not writer.disconnects
        got = reader.wait_for_messages(30)
        assert [(m.topic, m.payload) for m in got] == [m for m in messages if m[0] == topic]
    assert stage.store.payloads(topic) == numbered(0, 30)
    assert stage.store.payloads(refused) == []
    letters = stage.broker.ctl_json("deadletters", "list")
    assert [letter["topic"] for letter in letters] == [refused, refused]
    # Kept, and stored when the store takes it.
    stage.broker.ctl("deadletters", "replay", "--all")
    assert stage.store.payloads(refused) == [b"never", b"never either"]


@READING
@VERSIONS
def test_subscribing_is_refused_while_the_store_is_away(stage, unique, version):
    topic = unique("t")
    with lasting(stage.port, unique("reader"), version) as reader:
        with stage.store.unavailable():
            (reason,) = reader.subscribe(topic)
            assert reason >= 0x80
            if version == V311:
                assert reason == 0x80
        assert reader.subscribe(topic) == [1]
        with PahoClient(stage.port, unique("writer"), version) as writer:
            writer.publish(topic, b"served")
        assert reader.wait_for_messages(1)[0].payload == b"served"


@READING
@VERSIONS
def test_a_fetch_is_tried_again_until_the_store_is_back(stage, unique, version):
    topic, client_id = unique("t"), unique("reader")
    with away(stage.port, client_id, topic, version):
        with PahoClient(stage.port, unique("writer"), version) as writer:
            writer.publish_many(topic, numbered(0, 20))
    with stage.store.unreadable():
        before = failures(stage, Capability.FETCH)
        reader = lasting(stage.port, client_id, version).connect()
        assert reader.session_present
        wait_until(lambda: failures(stage, Capability.FETCH) > before, "the fetch fails")
        assert not reader.messages
    assert [m.payload for m in reader.wait_for_messages(20)] == numbered(0, 20)
    reader.close()


@READING
@needs(Capability.SESSIONS)
@VERSIONS
def test_a_kept_session_is_refused_while_the_store_is_away(stage, unique, version):
    topic, client_id = unique("t"), unique("reader")
    with away(stage.port, client_id, topic, version):
        with PahoClient(stage.port, unique("writer"), version) as writer:
            writer.publish_many(topic, numbered(0, 3))
        # What it was is in the store alone.
        stage.kill()
    reader = lasting(stage.port, client_id, version)
    with stage.store.unavailable():
        # 0x88, and 3 in MQTT 3.1.1.
        assert reader.connack() == "Server unavailable"
    wait_until(lambda: reader.connack() == "Success", "the store is back")
    assert reader.session_present, "it was not taken for a new one meanwhile"
    assert [m.payload for m in reader.wait_for_messages(3)] == numbered(0, 3)
    reader.close()


@READING
@VERSIONS
def test_positions_hold_where_the_store_was_away_at_a_kill(stage, unique, version):
    topic, client_id = unique("t"), unique("reader")
    reader = lasting(stage.port, client_id, version, manual_ack=True).connect()
    reader.subscribe(topic)
    with PahoClient(stage.port, unique("writer"), version) as writer:
        writer.publish_many(topic, numbered(0, 10))
    first = reader.wait_for_messages(10)
    for message in first[:4]:
        reader.mqtt.ack(message.mid, message.qos)
    fourth = stage.store.messages(topic)[3]
    wait_until(lambda: stage.store.position(client_id, topic) == fourth, "the position is kept")
    with stage.store.unavailable():
        # Acknowledged, and not kept.
        reader.mqtt.ack(first[4].mid, first[4].qos)
        stage.broker.kill()
        wait_until(lambda: reader.disconnects, "the connection is gone")
    reader.close()
    assert stage.store.position(client_id, topic) == fourth
    stage.broker.start()
    with lasting(stage.port, client_id, version) as reader:
        assert [m.payload for m in reader.wait_for_messages(6)] == numbered(4, 10)


@READING
@VERSIONS
def test_a_slow_store_keeps_promises_and_order(stage, unique, version):
    topic, client_id = unique("t"), unique("reader")
    with away(stage.port, client_id, topic, version), stage.store.slow():
        with PahoClient(stage.port, unique("writer"), version) as writer:
            for payload in numbered(0, 5):
                assert writer.publish(topic, payload).reason < 0x80
                assert stage.store.payloads(topic)[-1] == payload, "acknowledged is stored"
            writer.publish_many(topic, numbered(5, 25))
        with lasting(stage.port, client_id, version) as reader:
            assert [m.payload for m in reader.wait_for_messages(25)] == numbered(0, 25)
