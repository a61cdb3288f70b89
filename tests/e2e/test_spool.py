"""A store that is away: `on_error = "spool"` takes what comes and stores it
later, `"retry"` waits for the store. Nothing is lost, and order is kept."""

import signal

import pytest

from support import wire
from support.faults import Locked, TableGone
from support.raw import RawClient
from support.rules import LISTENER, POOL, storing
from support.wait import wait_until

SPOOLING = LISTENER + POOL + storing(on_error="spool", retry_for="100ms")
RETRYING = LISTENER + POOL + storing(on_error="retry", retry_for="1m")


def numbers(first, last):
    return [str(number).encode() for number in range(first, last)]


def assert_stored(broker, topic, expected):
    with broker.store() as store:
        wait_until(lambda: len(store.payloads(topic)) >= len(expected), "all is stored")
        assert store.payloads(topic) == expected


def test_what_is_spooled_is_acknowledged_and_stored_later_in_order(start_broker, unique):
    broker = start_broker(SPOOLING)
    with RawClient.connected(broker.port, unique("raw")) as client:
        assert client.publish("t", b"0").reason < 0x80
        with Locked(broker):
            for payload in numbers(1, 6):
                assert client.publish("t", payload).reason < 0x80
            assert broker.metric("hookwire_spooled_events") == 5
            assert broker.metric("hookwire_spool_bytes") > 0
        # What comes now goes behind what waits.
        for payload in numbers(6, 11):
            assert client.publish("t", payload).reason < 0x80
    assert_stored(broker, "t", numbers(0, 11))
    wait_until(lambda: broker.metric("hookwire_spooled_events") == 0, "the spool is empty")
    assert broker.metric("hookwire_spool_bytes") == 0
    assert broker.metric("hookwire_dead_letters") == 0


def test_beyond_its_bound_nothing_is_spooled(start_broker, unique):
    broker = start_broker('max_spool_bytes = "2KiB"\n' + SPOOLING)
    with RawClient.connected(broker.port, unique("raw")) as client:
        with Locked(broker):
            acks = [client.publish("t", payload) for payload in (b"0", bytes(4096), b"2")]
            assert [ack.reason < 0x80 for ack in acks] == [True, False, True]
            assert broker.metric("hookwire_spooled_events") == 2
            assert broker.metric("hookwire_spool_bytes") <= 2048
    assert_stored(broker, "t", [b"0", b"2"])


def test_a_subscriber_does_not_wait_for_the_spool(start_broker, unique):
    broker = start_broker(SPOOLING)
    with (
        RawClient.connected(broker.port, unique("reader")) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        reader.subscribe("t")
        with Locked(broker):
            writer.publish("t", b"spooled")
            assert reader.message().payload == b"spooled"
    assert_stored(broker, "t", [b"spooled"])


def test_each_client_has_its_order(start_broker, unique):
    broker = start_broker(SPOOLING)
    names = [unique("raw") for _ in range(4)]
    clients = [RawClient.connected(broker.port, name) for name in names]
    with Locked(broker):
        for number in range(5):
            for client, name in zip(clients, names):
                client.publish(name, str(number))
    for client in clients:
        client.close()
    for name in names:
        assert_stored(broker, name, numbers(0, 5))


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_the_spool_outlives_the_broker(start_broker, unique, end):
    broker = start_broker(SPOOLING)
    with Locked(broker):
        with RawClient.connected(broker.port, unique("raw")) as client:
            for payload in numbers(0, 5):
                assert client.publish("t", payload).reason < 0x80
        broker.stop(end)
    broker.start()
    assert_stored(broker, "t", numbers(0, 5))
    wait_until(lambda: broker.metric("hookwire_spooled_events") == 0, "the spool is empty")


def test_a_reload_keeps_what_is_spooled(start_broker, unique):
    broker = start_broker(SPOOLING)
    with RawClient.connected(broker.port, unique("raw")) as client:
        with Locked(broker):
            client.publish("t", b"0")
            broker.config.write_text(SPOOLING.replace('"100ms"', '"200ms"'))
            assert "rule store" in broker.ctl("reload")
            client.publish("t", b"1")
        client.publish("t", b"2")
    assert_stored(broker, "t", numbers(0, 3))


def test_what_will_not_mend_itself_is_a_dead_letter(start_broker, unique):
    """It is acknowledged all the same, and does not hold up what comes behind."""
    broker = start_broker(SPOOLING)
    with RawClient.connected(broker.port, unique("raw")) as client:
        with TableGone(broker):
            assert client.publish("t", b"0").reason < 0x80
        assert client.publish("t", b"1").reason < 0x80
    assert_stored(broker, "t", [b"1"])
    assert "1 went through" in broker.ctl("deadletters", "replay", "--all")
    assert_stored(broker, "t", [b"1", b"0"])


def test_what_is_spooled_for_a_rule_that_is_gone_waits_for_it(start_broker, unique):
    broker = start_broker(SPOOLING)
    with RawClient.connected(broker.port, unique("raw")) as client:
        with Locked(broker):
            assert client.publish("t", b"0").reason < 0x80
            broker.config.write_text(LISTENER + POOL)
            assert "rule store is gone" in broker.ctl("reload")
        # Not spooled and not stored: it has no rule.
        client.publish("t", b"1")
        assert broker.metric("hookwire_spooled_events") == 1
        broker.config.write_text(SPOOLING)
        broker.ctl("reload")
        assert_stored(broker, "t", [b"0"])
        wait_until(lambda: broker.metric("hookwire_spooled_events") == 0, "the spool is empty")
        client.publish("t", b"2")
    assert_stored(broker, "t", [b"0", b"2"])


def test_what_is_spooled_for_a_rule_that_is_gone_is_listed_and_purged(start_broker, unique):
    broker = start_broker(SPOOLING)
    assert broker.ctl_json("spool", "list") == []
    assert "nothing is spooled" in broker.ctl_refused("spool", "purge", "store")
    with RawClient.connected(broker.port, unique("raw")) as client:
        with Locked(broker):
            for payload in numbers(0, 2):
                assert client.publish("t", payload).reason < 0x80
            (entry,) = broker.ctl_json("spool", "list")
            assert (entry["rule"], entry["has_rule"]) == ("store", True)
            assert (entry["events"], entry["clients"]) == (2, 1)
            broker.config.write_text(LISTENER + POOL)
            broker.ctl("reload")
    wait_until(
        lambda: broker.metric("hookwire_spooled_events_without_rule") == 2, "it is noticed"
    )
    titles, row = broker.ctl("spool", "list").splitlines()
    assert titles.split() == ["RULE", "EVENTS", "CLIENTS", "BYTES", "STATE"]
    assert row.split()[:3] == ["store", "2", "1"] and "not there" in row
    assert '"store"' in broker.ctl_refused("spool", "purge", "stroe")
    assert broker.ctl("spool", "purge", "store") == "2 deleted\n"
    assert broker.ctl_json("spool", "list") == []
    assert broker.metric("hookwire_spooled_events") == 0


def test_retry_waits_for_the_store_and_keeps_order(start_broker, unique):
    """Longer than the module's deadline, which is a second."""
    broker = start_broker(RETRYING)
    with RawClient.connected(broker.port, unique("raw")) as client:
        with Locked(broker):
            client.send(*(
                wire.publish("t", str(number), qos=1, packet_id=number + 1)
                for number in range(5)
            ))  # fmt: skip
            wait_until(
                lambda: broker.metric("hookwire_rule_errors_total", rule="store") >= 3,
                "the store is asked again and again",
            )
            client.expect_quiet(0.05)
        for number in range(5):
            ack = client.expect(wire.PUBACK)
            assert ack.packet_id == number + 1 and ack.reason < 0x80
    assert_stored(broker, "t", numbers(0, 5))


def test_retry_ends_when_its_time_is_over(start_broker, unique):
    broker = start_broker(RETRYING.replace('"1m"', '"300ms"'))
    with RawClient.connected(broker.port, unique("raw")) as client:
        with Locked(broker):
            assert client.publish("t", b"0").reason >= 0x80
        assert client.publish("t", b"1").reason < 0x80
    assert_stored(broker, "t", [b"1"])


def test_other_clients_are_served_while_one_waits(start_broker, unique):
    broker = start_broker(RETRYING)
    with (
        RawClient.connected(broker.port, unique("waits")) as waits,
        RawClient.connected(broker.port, unique("other")) as other,
    ):
        with Locked(broker):
            waits.send(wire.publish("t", b"0", qos=1, packet_id=1))
            other.subscribe("u", qos=0)
            for _ in range(20):
                other.publish_qos0("u", b"passes")
                assert other.message().payload == b"passes"
        assert waits.expect(wire.PUBACK).reason < 0x80
