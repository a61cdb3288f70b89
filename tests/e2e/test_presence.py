"""Who is online stands in mqtt_client."""

import pytest

from support.mosquitto import MosquittoSub
from support.paho import PahoClient
from support.raw import RawClient
from support.store import seconds_ago
from support.wait import wait_until
from support.wire import V5, V311

VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])


def assert_online(row):
    assert row["state"] == "1"
    assert row["node"]
    assert -2 < seconds_ago(row["online_at"]) < 120
    assert row["offline_at"] is None


def assert_offline(row):
    assert row["state"] == "0"
    assert -2 < seconds_ago(row["offline_at"]) < 120
    assert row["online_at"] <= row["offline_at"]


@VERSIONS
def test_paho_comes_and_goes(broker, store, unique, version):
    client_id = unique("paho")
    with PahoClient(broker.port, client_id, version):
        wait_until(lambda: store.is_online(client_id), "the client is online")
        assert_online(store.client(client_id))
    wait_until(lambda: store.is_offline(client_id), "the client is offline")
    assert_offline(store.client(client_id))


@VERSIONS
def test_mosquitto_sub_comes_and_goes(broker, store, unique, version):
    client_id = unique("mosquitto")
    with MosquittoSub(broker.port, "a/b", version=version, client_id=client_id):
        wait_until(lambda: store.is_online(client_id), "the client is online")
    wait_until(lambda: store.is_offline(client_id), "the client is offline")
    assert_offline(store.client(client_id))


@VERSIONS
@pytest.mark.parametrize("end", ["close", "abort"])
def test_a_client_that_vanishes_goes_offline(broker, store, unique, version, end):
    client_id = unique("raw")
    client = RawClient.connected(broker.port, client_id, version)
    wait_until(lambda: store.is_online(client_id), "the client is online")
    getattr(client, end)()
    wait_until(lambda: store.is_offline(client_id), "the client is offline")


def test_a_client_that_comes_back_keeps_its_row(broker, store, unique):
    client_id = unique("raw")
    for _ in range(3):
        with RawClient.connected(broker.port, client_id) as client:
            wait_until(lambda: store.is_online(client_id), "the client is online")
            row = store.client(client_id)
            assert_online(row)
            first = row["id"], row["created"]
            client.disconnect()
        wait_until(lambda: store.is_offline(client_id), "the client is offline")
        row = store.client(client_id)
        assert (row["id"], row["created"]) == first


@VERSIONS
def test_events_of_a_client_are_stored_in_order(broker, store, unique, version):
    """connected comes before the client's publishes, and after a take-over the
    new connection has the last word."""
    client_id, topic = unique("raw"), unique("t")
    with RawClient.connected(broker.port, client_id, version) as old:
        old.publish(topic, b"1")
        assert_online(store.client(client_id))
        with RawClient.connected(broker.port, client_id, version) as new:
            new.publish(topic, b"2")
            assert_online(store.client(client_id))
            old.expect_disconnect(0x8E)
            assert store.is_online(client_id)
