"""Retained messages outlive the broker: the later one of what it has and what its store has."""

import os
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from support import wire
from support.paho import PahoClient
from support.raw import RawClient
from support.rules import LISTENER, POOL, module, rule
from support.wait import DEADLINE_S, wait_until
from support.wire import V5, V311


def default():
    """The default configuration."""
    return (Path(os.environ["HOOKWIRE_CHECKOUT"]) / "etc/hookwire.hcl").read_text()


def restart(broker):
    broker.kill()
    broker.start()


def found(broker, name, filter, count, options=None, version=V5):
    """What a new subscriber gets, by topic; all of it is retained."""
    with PahoClient(broker.port, name, version) as reader:
        reader.subscribe(filter, options=options)
        messages = reader.wait_for_messages(count)
        # What would come behind it: a message of its own.
        reader.subscribe("end/" + name)
        reader.publish("end/" + name, b"end")
        messages = reader.wait_for_messages(count + 1)
        assert messages[-1].payload == b"end", "more was found"
        assert all(message.retain for message in messages[:-1])
        return {message.topic: message for message in messages[:-1]}


def payloads(messages):
    return {topic: message.payload for topic, message in messages.items()}


def rows(broker):
    with broker.store() as store:
        found = store.query("SELECT topic, payload FROM mqtt_retain ORDER BY topic")
        return {row["topic"]: bytes(row["payload"]) for row in found}


def publish_properties(**properties):
    made = Properties(PacketTypes.PUBLISH)
    for name, value in properties.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize("version", [V311, V5])
def test_they_are_there_after_the_broker_was_killed(start_broker, version):
    broker = start_broker()
    with PahoClient(broker.port, "writer", version) as writer:
        writer.publish("a/kept", b"kept", retain=True)
        writer.publish("a/replaced", b"old", retain=True)
        writer.publish("a/replaced", b"new", retain=True)
        writer.publish("a/deleted", b"gone", retain=True)
        writer.publish("a/deleted", b"", retain=True)
        writer.publish("a/not", b"not retained")
        writer.publish("b/qos2", b"twice kept", qos=2, retain=True)
        # Not acknowledged, so looked for.
        writer.publish("b/qos0", b"quick", qos=0, retain=True)
    wait_until(lambda: "b/qos0" in rows(broker), "what is sent at QoS 0 is stored")
    restart(broker)
    expected = {"a/kept": b"kept", "a/replaced": b"new"}
    assert payloads(found(broker, "one", "a/#", 2, version=version)) == expected
    all_of_them = expected | {"b/qos2": b"twice kept", "b/qos0": b"quick"}
    assert payloads(found(broker, "two", "#", 4, version=version)) == all_of_them
    assert payloads(found(broker, "three", "a/kept", 1, version=version)) == {"a/kept": b"kept"}
    assert payloads(found(broker, "four", "a/deleted", 0, version=version)) == {}
    # Over another end of it: one is replaced, one deleted, one new.
    with PahoClient(broker.port, "writer", version) as writer:
        writer.publish("a/kept", b"replaced", retain=True)
        writer.publish("a/replaced", b"", retain=True)
        writer.publish("a/deleted", b"back", retain=True)
    now = {"a/kept": b"replaced", "a/deleted": b"back"}
    assert payloads(found(broker, "five", "a/+", 2, version=version)) == now
    restart(broker)
    assert payloads(found(broker, "six", "a/+", 2, version=version)) == now


def test_properties_and_expiry_outlive_it_too(start_broker):
    broker = start_broker()
    with PahoClient(broker.port, "writer") as writer:
        properties = publish_properties(
            MessageExpiryInterval=600,
            ContentType="text/plain",
            ResponseTopic="answers",
            CorrelationData=b"\x00\xff",
            UserProperty=[("unit", "C"), ("unit", "K")],
        )
        writer.publish("t/told", b"x", retain=True, properties=properties)
        short = publish_properties(MessageExpiryInterval=1)
        writer.publish("t/short", b"y", retain=True, properties=short)
        ends = time.time() + 1
    restart(broker)
    wait_until(lambda: time.time() > ends, "the short one is past its time")
    messages = found(broker, "reader", "t/+", 1)
    properties = messages["t/told"].properties
    assert properties.ContentType == "text/plain" and properties.ResponseTopic == "answers"
    assert properties.CorrelationData == b"\x00\xff"
    assert properties.UserProperty == [("unit", "C"), ("unit", "K")]
    assert 500 < properties.MessageExpiryInterval < 600


def test_retain_handling_is_heeded(start_broker):
    broker = start_broker()
    with PahoClient(broker.port, "writer") as writer:
        writer.publish("t", b"kept", retain=True)
    restart(broker)
    options = [SubscribeOptions(qos=1, retainHandling=handling) for handling in range(3)]
    always, if_new, never = options
    with PahoClient(broker.port, "reader") as reader:
        reader.subscribe("end")

        def seen(filter, option):
            before = len(reader.messages)
            reader.subscribe(filter, options=option)
            reader.publish("end", b"end")
            is_over = lambda: [m for m in reader.messages[before:] if m.topic == "end"]
            wait_until(is_over, "what is behind it comes")
            return [m.payload for m in reader.messages[before:] if m.topic != "end"]

        assert seen("t", never) == []
        assert seen("t", if_new) == [], "it is there"
        assert seen("t", always) == [b"kept"]
        assert seen("+", if_new) == [b"kept"]
        assert seen("$share/group/t", always) == []


def test_a_wildcard_finds_hundreds_in_pages(start_broker):
    broker = start_broker()
    count = 500
    expected = {f"rooms/{number}/{number % 7}": str(number).encode() for number in range(count)}
    with RawClient.connected(broker.port, "writer") as writer:
        topics = list(expected)
        for first in range(0, count, 100):
            some = topics[first : first + 100]
            packets = [
                wire.publish(topic, expected[topic], qos=1, packet_id=id, retain=True)
                for id, topic in enumerate(some, 1)
            ]
            writer.send(*packets)
            for _ in some:
                writer.expect(wire.PUBACK)
    restart(broker)
    assert payloads(found(broker, "all", "#", count)) == expected
    threes = {topic: payload for topic, payload in expected.items() if topic.endswith("/3")}
    assert payloads(found(broker, "threes", "rooms/+/3", len(threes))) == threes
    assert broker.metric("hookwire_rule_errors_total", rule="look-up-retained") == 0


def test_a_row_of_a_business_server_is_found_and_replaced(start_broker):
    broker = start_broker()
    with sqlite3.connect(broker.data / "hookwire.db", timeout=DEADLINE_S) as store:
        store.execute("INSERT INTO mqtt_retain (topic, qos, payload) VALUES ('t', 1, 'theirs')")
    store.close()
    assert payloads(found(broker, "one", "t", 1)) == {"t": b"theirs"}
    assert payloads(found(broker, "two", "#", 1)) == {"t": b"theirs"}
    with PahoClient(broker.port, "writer") as writer:
        writer.publish("t", b"ours", retain=True)
    assert payloads(found(broker, "three", "t", 1)) == {"t": b"ours"}
    assert rows(broker) == {"t": b"ours"}
    with PahoClient(broker.port, "writer") as writer:
        writer.publish("t", b"", retain=True)
    assert payloads(found(broker, "four", "t", 0)) == {} and rows(broker) == {}


def test_what_is_published_while_it_is_looked_up_comes_once_and_behind(start_broker):
    broker = start_broker("workers = 2\n" + default())
    stopping = threading.Event()

    def publish():
        with RawClient.connected(broker.port, "writer") as writer:
            number = 0
            while not stopping.is_set():
                number += 1
                writer.publish("t", str(number).encode(), retain=True)

    writer = threading.Thread(target=publish, daemon=True)
    writer.start()
    try:
        wait_until(lambda: rows(broker), "something is retained")
        retained = 0
        for number in range(60):
            with RawClient.connected(broker.port, f"reader-{number}") as reader:
                reader.send(wire.subscribe(1, ("t", 1)))
                reader.expect(wire.SUBACK)
                messages = [reader.message() for _ in range(5)]
            numbers = [int(message.payload) for message in messages]
            # What was published before SUBACK is retained, or not for this client.
            assert numbers[0] < numbers[1], numbers
            assert numbers[1:] == list(range(numbers[1], numbers[1] + 4)), numbers
            assert not any(message.retain for message in messages[1:])
            retained += messages[0].retain
        assert retained > 30, "the look-up was too early or too late each time"
    finally:
        stopping.set()
        writer.join(DEADLINE_S)


def test_what_is_retained_and_not_fetched_waits_for_a_client_that_is_away(start_broker):
    """A row of mqtt_retain is no place in the client's queue."""
    rules = [
        rule("retain", "message.publish", "sqlite", "on_message_retain", pool="embedded"),
        rule("store", "message.publish", "sqlite", "on_message_publish", topic="a/#", pool="embedded"),
        rule("fetch", "session.fetch", "sqlite", "on_message_fetch", topic="#", pool="embedded"),
        rule("acked", "message.acked", "sqlite", "on_message_acked", topic="#", pool="embedded"),
    ]
    broker = start_broker(LISTENER + POOL + module("sqlite") + "".join(rules))
    props = [(wire.SESSION_EXPIRY, 120)]
    with RawClient.connected(broker.port, "reader", props=props) as reader:
        reader.subscribe("#", qos=1)
    wait_until(
        lambda: not broker.ctl_json("clients", "show", "reader")["connected"], "it is away"
    )
    with RawClient.connected(broker.port, "writer") as writer:
        writer.publish("a/1", b"stored", retain=True)
        writer.publish("b/1", b"retained alone", retain=True)
    with RawClient.connected(broker.port, "reader", clean=False, props=props) as reader:
        assert {reader.message().payload for _ in range(2)} == {b"stored", b"retained alone"}
        reader.expect_quiet()

