"""What is stored for a client reaches it when it is back: in order, from its own position."""

import time

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from contract.conftest import PAGE
from contract.ends import ENDS, PAIRS, away, lasting, pair_name
from contract.store import Capability
from support.mosquitto import MosquittoSub
from support.paho import PahoClient
from support.wait import wait_until
from support.wire import V5, V311

needs = pytest.mark.needs
VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
READING = needs(Capability.MESSAGES, Capability.FETCH, Capability.POSITIONS)


def numbered(first, last):
    return [b"%04d" % number for number in range(first, last)]


def on(topic, payloads):
    return [(topic, payload) for payload in payloads]


def wait_for_position(store, client_id, topic):
    """Until the client's position is at the topic's newest message."""
    newest = store.messages(topic)[-1]
    wait_until(lambda: store.position(client_id, topic) == newest, "the position is kept")


@READING
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("pair", PAIRS, ids=pair_name)
def test_offline_messages_come_in_order_and_once(stage, unique, pair, qos):
    writer, reader = pair
    topic, client_id, writer_id = unique("queue"), unique("reader"), unique("writer")
    writer.write(stage.port, topic, numbered(0, 5), writer_id, qos)
    with reader.reader(stage.port, client_id, topic, qos):
        pass
    writer.write(stage.port, topic, numbered(5, 45), writer_id, qos)
    assert stage.store.payloads(topic) == numbered(0, 45)
    with reader.reader(stage.port, client_id, topic, qos) as back:
        # What was stored before it first subscribed does not come.
        assert back.take(40) == on(topic, numbered(5, 45))
        writer.write(stage.port, topic, numbered(45, 50), writer_id, qos)
        assert back.take(45) == on(topic, numbered(5, 50))
        wait_for_position(stage.store, client_id, topic)
    writer.write(stage.port, topic, numbered(50, 55), writer_id, qos)
    with reader.reader(stage.port, client_id, topic, qos) as back:
        assert back.take(5) == on(topic, numbered(50, 55))


@READING
@pytest.mark.parametrize("pair", PAIRS, ids=pair_name)
def test_each_subscriber_goes_on_from_its_own_position(stage, unique, pair):
    writer, reader = pair
    topic, writer_id = unique("pubsub"), unique("writer")
    often, seldom = unique("often"), unique("seldom")
    for client_id in (often, seldom):
        with reader.reader(stage.port, client_id, topic):
            pass
    writer.write(stage.port, topic, numbered(0, 10), writer_id)
    with reader.reader(stage.port, often, topic) as back:
        assert back.take(10) == on(topic, numbered(0, 10))
        wait_for_position(stage.store, often, topic)
    assert stage.store.position(seldom, topic) is None
    writer.write(stage.port, topic, numbered(10, 15), writer_id)
    for client_id, first in ((often, 10), (seldom, 0)):
        with reader.reader(stage.port, client_id, topic) as back:
            assert back.take(15 - first) == on(topic, numbered(first, 15))
            wait_for_position(stage.store, client_id, topic)
    newest = stage.store.messages(topic)[-1]
    assert stage.store.position(often, topic) == stage.store.position(seldom, topic) == newest


@READING
@needs(Capability.WILDCARD_FETCH)
@pytest.mark.parametrize("filter_", ["{}/#", "{}/+/x", "+/+/x"])
@pytest.mark.parametrize("reader", ENDS, ids=str)
def test_a_wildcard_fetches_what_it_matches(stage, unique, reader, filter_):
    root, client_id = unique("wild"), unique("reader")
    filter_ = filter_.format(root)
    with reader.reader(stage.port, client_id, filter_):
        pass
    matched, others = [f"{root}/a/x", f"{root}/b/x"], [f"{root}x/a", "b/c", f"{root}y"]
    sent = []
    with PahoClient(stage.port, unique("writer")) as writer:
        for number in numbered(0, 3):
            for topic in (*matched, *others):
                writer.publish(topic, number)
            sent += [(topic, number) for topic in matched]
    with reader.reader(stage.port, client_id, filter_) as back:
        got = [message for message in back.take(len(sent)) if message[0].startswith(root)]
        assert got == sent


@READING
@pytest.mark.parametrize("reader", ENDS, ids=str)
def test_more_than_several_pages_come_in_order(stage, unique, reader):
    topic, client_id = unique("pages"), unique("reader")
    with reader.reader(stage.port, client_id, topic):
        pass
    expected = numbered(0, 5 * PAGE + 7)
    with PahoClient(stage.port, unique("writer")) as writer:
        writer.publish_many(topic, expected)
    with reader.reader(stage.port, client_id, topic) as back:
        assert back.take(len(expected)) == on(topic, expected)


@needs(Capability.MESSAGES, Capability.ANY_QOS)
def test_qos_0_is_stored_where_a_rule_stores_any(stage, unique):
    some, any_ = unique("some"), unique("any/")
    with PahoClient(stage.port, unique("writer")) as writer:
        for topic in (some, any_):
            for qos in (0, 1, 2):
                writer.publish(topic, b"%d" % qos, qos)
    stored = {topic: stage.store.messages(topic) for topic in (some, any_)}
    assert [message.qos for message in stored[some]] == [1, 2]
    assert [message.qos for message in stored[any_]] == [0, 1, 2]
    assert [message.payload for message in stored[any_]] == [b"0", b"1", b"2"]


@READING
@needs(Capability.REACH)
def test_a_first_subscription_reaches_as_far_back_as_its_rule_says(own_stage, unique):
    stage = own_stage(options={"on_message_fetch": {"time_range": "2h"}})
    topic, client_id = unique("reach"), unique("reader")
    with PahoClient(stage.port, unique("writer")) as writer:
        writer.publish_many(topic, numbered(0, 3))
    with lasting(stage.port, client_id) as client:
        client.subscribe(topic)
        assert [message.payload for message in client.wait_for_messages(3)] == numbered(0, 3)


@READING
@needs(Capability.PROPERTIES)
@VERSIONS
def test_expired_messages_do_not_come(stage, unique, version):
    topic, client_id = unique("expiry"), unique("reader")
    with away(stage.port, client_id, topic, version):
        with PahoClient(stage.port, unique("writer")) as writer:
            for payload, expiry_s in ((b"brief", 1), (b"long", 3600), (b"ever", None)):
                writer.publish(topic, payload, properties=_expiry(expiry_s))
        over_at = time.time() + 1.1
        wait_until(lambda: time.time() > over_at, "the first has expired")
    with lasting(stage.port, client_id, version) as client:
        got = client.wait_for_messages(2)
        assert [message.payload for message in got] == [b"long", b"ever"]
        if version == V5:
            assert 3500 < got[0].properties.MessageExpiryInterval < 3600
            assert not hasattr(got[1].properties, "MessageExpiryInterval")


def _expiry(seconds):
    properties = Properties(PacketTypes.PUBLISH)
    if seconds is not None:
        properties.MessageExpiryInterval = seconds
    return properties


PROPERTIES = {
    "PayloadFormatIndicator": 1,
    "ContentType": "application/json",
    "ResponseTopic": "answers/ü",
    "CorrelationData": b"correlation",
    "UserProperty": [("unit", "C"), ("unit", "K"), ("", "x'; drop table t")],
}


@READING
def test_what_is_fetched_has_the_retain_flag_for_who_asks_for_it(stage, unique):
    topic, client_id = unique("t"), unique("reader")
    for as_published in (True, False):
        options = SubscribeOptions(qos=1, retainAsPublished=as_published)
        with lasting(stage.port, client_id) as reader:
            reader.subscribe(topic, options=options)
        with PahoClient(stage.port, unique("writer")) as writer:
            writer.publish(topic, b"kept", retain=True)
            writer.publish(topic, b"", retain=True)
        with lasting(stage.port, client_id) as reader:
            got = [message.retain for message in reader.wait_for_messages(2)]
            assert got == [as_published] * 2
            reader.unsubscribe(topic)


@READING
@VERSIONS
def test_what_is_fetched_has_the_highest_qos_of_all_that_match(stage, unique, version):
    root, client_id = unique("t"), unique("reader")
    with lasting(stage.port, client_id, version) as reader:
        reader.subscribe(f"{root}/+", qos=0)
        reader.subscribe(f"{root}/#", qos=1)
    payloads = [b"%d" % number for number in range(10)]
    with PahoClient(stage.port, unique("writer")) as writer:
        writer.publish_many(f"{root}/a", payloads, qos=2)
    with lasting(stage.port, client_id, version) as reader:
        got = [(message.payload, message.qos) for message in reader.wait_for_messages(10)]
    assert got == [(payload, 1) for payload in payloads]


@READING
@needs(Capability.PROPERTIES)
@pytest.mark.parametrize("reader", ["paho", "mosquitto"])
def test_properties_survive_a_kill(own_stage, unique, reader):
    stage = own_stage()
    topic, client_id = unique("props"), unique("reader")
    properties = _expiry(3600)
    for name, value in PROPERTIES.items():
        setattr(properties, name, value)
    with away(stage.port, client_id, topic):
        with PahoClient(stage.port, unique("writer")) as writer:
            writer.publish(topic, b"{}", properties=properties)
        stage.kill()
    if reader == "paho":
        with lasting(stage.port, client_id) as client:
            (got,) = client.wait_for_messages(1)
        assert {name: getattr(got.properties, name) for name in PROPERTIES} == PROPERTIES
        assert 3500 < got.properties.MessageExpiryInterval <= 3600
        return
    wanted = ["-c", "-x", "3600", "-F", "message|%t|%q|%r|%x|%C|%R|%D|%P|"]
    with MosquittoSub(stage.port, topic, client_id=client_id, arguments=wanted) as client:
        wait_until(lambda: _lines(client), "the message comes")
        (line,) = _lines(client)
    expected = "application/json|answers/ü|correlation|unit:C unit:K :x'; drop table t|"
    assert line.endswith(expected), line


def _lines(client):
    return [line for line in client.lines() if line.startswith("message|")]


@READING
@needs(Capability.POSITION_DELETION)
@VERSIONS
def test_unsubscribing_deletes_the_position(stage, unique, version):
    topic, leaving, staying = unique("left"), unique("leaving"), unique("staying")
    with (
        lasting(stage.port, leaving, version) as client,
        lasting(stage.port, staying, version) as other,
        PahoClient(stage.port, unique("writer")) as writer,
    ):
        for reader in (client, other):
            reader.subscribe(topic)
        writer.publish(topic, b"read")
        for reader, reader_id in ((client, leaving), (other, staying)):
            reader.wait_for_messages(1)
            wait_for_position(stage.store, reader_id, topic)
        client.unsubscribe(topic)
        position = stage.store.position
        wait_until(lambda: position(leaving, topic) is None, "the position is deleted")
        assert position(staying, topic) is not None
        writer.publish(topic, b"missed")
        client.subscribe(topic)
        writer.publish(topic, b"after")
        assert [m.payload for m in client.wait_for_messages(2)] == [b"read", b"after"]


@READING
@VERSIONS
def test_positions_hold_over_kills(own_stage, unique, version):
    stage = own_stage()
    topic, client_id, writer_id = unique("kills"), unique("reader"), unique("writer")
    reader = lasting(stage.port, client_id, version).connect()
    reader.subscribe(topic)
    for turn in range(3):
        with PahoClient(stage.port, writer_id, version) as writer:
            writer.publish_many(topic, numbered(10 * turn, 10 * turn + 5))
        reader.wait_for_messages(len(reader.messages))
        wait_for_position(stage.store, client_id, topic)
        # While the reader is connected; what follows comes before it is back.
        stage.kill()
        wait_until(lambda: reader.disconnects, "the connection is gone")
        reader.close()
        assert stage.store.position(client_id, topic) == stage.store.messages(topic)[-1]
        with PahoClient(stage.port, writer_id, version) as writer:
            writer.publish_many(topic, numbered(10 * turn + 5, 10 * turn + 10))
        reader = lasting(stage.port, client_id, version).connect()
        got = [message.payload for message in reader.wait_for_messages(5)]
        assert got == numbered(10 * turn + 5, 10 * turn + 10)
        wait_for_position(stage.store, client_id, topic)
    reader.close()
