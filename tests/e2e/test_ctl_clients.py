"""`hookwire ctl clients`: who is there, and out with one of them."""

import pytest

from support import wire
from support.paho import PahoClient
from support.raw import RawClient
from support.rules import LISTENER, POOL, module, rule
from support.wait import wait_until
from support.wire import V5, V311


def listed(broker, *arguments):
    return [client["clientid"] for client in broker.ctl_json("clients", "list", *arguments)]


def test_list_and_show_tell_of_a_client(broker, unique):
    client_id = unique("raw")
    props = [(wire.SESSION_EXPIRY, 120)]
    with RawClient.connected(
        broker.port, client_id, keep_alive=300, props=props, username="ada"
    ) as client:
        client.subscribe("a/+", qos=1)
        client.subscribe("b/#", qos=0)
        (entry,) = [
            entry
            for entry in broker.ctl_json("clients", "list", "--limit", 10_000)
            if entry["clientid"] == client_id
        ]
        shown = broker.ctl_json("clients", "show", client_id)
        assert shown.pop("reading")["sources"] == [], "no rule fetches"
        assert entry == shown
        assert entry["connected"]
        assert entry["username"] == "ada"
        assert entry["protocol"] == "5.0"
        assert entry["listener"] == "default"
        assert entry["keep_alive_s"] == 300
        assert entry["session_expiry_s"] == 120
        assert entry["peer"].startswith("127.0.0.1:")
        subscriptions = {sub["filter"]: sub["qos"] for sub in entry["subscriptions"]}
        assert subscriptions == {"a/+": 1, "b/#": 0}
        row = next(
            line for line in broker.ctl("clients", "list").splitlines() if client_id in line
        )
        assert row.split() == [client_id, "online", "ada", entry["peer"], "5.0", "2", "0", "0"]
        shown = broker.ctl("clients", "show", client_id)
        assert "a/+ (QoS 1)" in shown and "120 s" in shown


def test_a_session_without_its_client_is_offline(broker, unique):
    client_id = unique("raw")
    props = [(wire.SESSION_EXPIRY, 120)]
    with RawClient.connected(broker.port, client_id, props=props) as client:
        client.subscribe("t/" + client_id, qos=1)
        client.disconnect()
    wait_until(
        lambda: not broker.ctl_json("clients", "show", client_id)["connected"], "it is offline"
    )
    with RawClient.connected(broker.port, unique("writer")) as writer:
        writer.publish("t/" + client_id, b"waits")
    wait_until(
        lambda: broker.ctl_json("clients", "show", client_id)["queued"] == 1, "a message waits"
    )
    assert "no client" in broker.ctl_refused("clients", "kick", client_id)


def reading(broker, client_id):
    return broker.ctl_json("clients", "show", client_id)["reading"]


def test_show_tells_what_a_client_reads_from_its_store_and_how_far(start_broker):
    actions = [
        ("store", "message.publish", "on_message_publish"),
        ("fetch", "session.subscribed", "on_message_fetch"),
        ("acked", "message.acked", "on_message_acked"),
    ]
    rules = [rule(name, hook, "sqlite", action, pool="embedded") for name, hook, action in actions]
    window = "mqtt {\n  max_inflight = 64\n}\n"
    broker = start_broker(LISTENER + window + POOL + module("sqlite") + "".join(rules))
    props = [(wire.SESSION_EXPIRY, 120)]
    with RawClient.connected(broker.port, "writer") as writer:
        writer.publish("t/a", b"before")
        with RawClient.connected(broker.port, "reader", props=props) as reader:
            reader.subscribe("t/#", qos=1)
            reader.subscribe("t/a", qos=1)
            reader.close()
        for _ in range(6):
            ids = [writer.next_packet_id() for _ in range(100)]
            writer.send(*[wire.publish("t/a", b"x", qos=1, packet_id=id) for id in ids])
            assert [writer.expect(wire.PUBACK).packet_id for _ in ids] == ids
        before = reading(broker, "reader")
        assert not before["barrier"] and before["barriers"] == 2 and before["positions"] == []
        floors = {source["filter"]: source["floor"] for source in before["sources"]}
        assert floors == {"t/#": "1", "t/a": "1"}
        assert {source["rule"] for source in before["sources"]} == {"fetch"}

        # It is back, and acknowledges nothing: its window is full.
        with RawClient.connected(broker.port, "reader", clean=False, props=props) as reader:
            first = [reader.expect(wire.PUBLISH) for _ in range(64)]
            up = reading(broker, "reader")
            assert up["barrier"] and up["barriers"] == 3 and up["page_left"] == 256 - 64
            assert up["barrier_since_ms"] > 0
            states = {source["filter"]: source["state"] for source in up["sources"]}
            assert states == {"t/#": "waits", "t/a": "waits"}
            assert "257" in {source["cursor"] for source in up["sources"]}
            (position,) = up["positions"]
            assert position["topic"] == "t/a" and position["sender"] == "writer"
            assert position["outstanding"] == 64 and position["reached"] is None
            writer.publish("t/a", b"live")
            assert reading(broker, "reader")["parked"] == 1
            assert broker.metric("hookwire_fetch_barriers_total") == 3

            # The second is acknowledged, and the first is not.
            reader.send(wire.puback(first[1].packet_id))
            wait_until(
                lambda: reading(broker, "reader")["positions"][0]["behind"] == 1,
                "what is behind the first is seen",
            )
            (position,) = reading(broker, "reader")["positions"]
            assert position["reached"] is None and position["waits_for"]
            text = broker.ctl("clients", "show", "reader")
            assert "barrier         up since" in text and "1 acknowledged behind it" in text
            assert "t/a by fetch: waits" in text and "floor 1" in text

            for got in [first[0], *first[2:]]:
                reader.send(wire.puback(got.packet_id))
            payloads = [reader.message().payload for _ in range(600 + 1 - 64)]
            assert payloads[-1] == b"live"
            wait_until(
                lambda: not reading(broker, "reader")["barrier"], "what is live waits no more"
            )
        down = reading(broker, "reader")
        assert [source["state"] for source in down["sources"]] == ["done", "done"]
        (position,) = down["positions"]
        assert position["outstanding"] == 0 and position["reached"] and not position["waits_for"]
        with broker.store() as store:
            newest = store.query("SELECT msgid FROM mqtt_msg ORDER BY id DESC LIMIT 1")[0][0]
        assert position["reached"] == newest
        assert "barrier         down" in broker.ctl("clients", "show", "reader")


def test_a_list_is_sorted_and_read_page_by_page(start_broker):
    broker = start_broker()
    names = [f"client-{number:02}" for number in range(12)]
    clients = [RawClient.connected(broker.port, name) for name in reversed(names)]
    try:
        assert listed(broker) == names
        assert listed(broker, "--limit", 5) == names[:5]
        assert listed(broker, "--limit", 5, "--after", names[4]) == names[5:10]
        assert listed(broker, "--after", names[-1]) == []
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_a_client_is_kicked_and_no_other(broker, unique, version):
    client_id = unique("raw")
    with (
        RawClient.connected(broker.port, client_id, version) as client,
        RawClient.connected(broker.port, unique("raw"), version) as other,
    ):
        assert client_id in broker.ctl("clients", "kick", client_id)
        client.expect_disconnect(0x98)
        other.ping()
    assert "no client" in broker.ctl_refused("clients", "show", client_id)


def test_a_kicked_client_has_its_will_published(broker, unique):
    topic, client_id = unique("will"), unique("paho")
    with PahoClient(broker.port, unique("reader")) as reader:
        reader.subscribe(topic)
        will = wire.Will(topic, b"gone", qos=1)
        with RawClient.connected(broker.port, client_id, will=will):
            broker.ctl("clients", "kick", client_id)
            (message,) = reader.wait_for_messages(1)
            assert message.payload == b"gone"


def test_a_client_that_is_not_there_is_named(broker, unique):
    client_id = unique("thermometer")
    with RawClient.connected(broker.port, client_id):
        for verb in ("show", "kick"):
            refused = broker.ctl_refused("clients", verb, "nobody")
            assert '"nobody"' in refused and "ctl clients list" in refused
            refused = broker.ctl_refused("clients", verb, client_id[:-1] + "\x1b")
            assert f'did you mean "{client_id}"?' in refused and "\x1b" not in refused


def test_a_client_cannot_steer_the_terminal_of_who_looks(broker):
    """Nor pass for two: it chooses its id, its name and its filters."""
    client_id = "a\x1b[31m\nb offline"
    with RawClient.connected(broker.port, client_id, username="u\x07") as client:
        client.subscribe("t\x1b[2J")
        for arguments in (["list"], ["show", client_id], ["kick", client_id]):
            told = broker.ctl("clients", *arguments)
            assert "\x1b" not in told and "\x07" not in told
            assert not any(line.startswith("b offline") for line in told.splitlines())
            assert "a\\u{1b}[31m\\nb offline" in told
