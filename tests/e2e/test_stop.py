"""A graceful stop: everybody is told, and nothing acknowledged is missing."""

import signal
import socket
import subprocess
import threading

import pytest

from support import wire
from support.broker import binary
from support.paho import PahoClient
from support.raw import RawClient
from support.wait import DEADLINE_S, wait_until
from support.wire import V5, V311

SERVER_SHUTTING_DOWN = 0x8B


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "sigint"])
def test_clients_are_told_and_the_exit_code_is_0(start_broker, unique, by):
    broker = start_broker()
    ids = [unique("v5"), unique("v311"), unique("paho")]
    new = RawClient.connected(broker.port, ids[0], V5)
    old = RawClient.connected(broker.port, ids[1], V311)
    paho = PahoClient(broker.port, ids[2], V5).connect()
    assert broker.stop(by) == 0, broker.stderr()
    new.expect_disconnect(SERVER_SHUTTING_DOWN)
    old.expect_disconnect(SERVER_SHUTTING_DOWN)
    wait_until(lambda: paho.disconnects, "paho is disconnected")
    assert paho.disconnects[0].value == SERVER_SHUTTING_DOWN
    paho.close()
    with broker.store() as store:
        assert all(map(store.is_offline, ids))
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", broker.port), 5)


def test_wills_are_published_and_stored_at_the_stop(start_broker, unique):
    broker, client_id = start_broker(), unique("mortal")
    will = wire.Will("will", b"last words", 1)
    mortal = RawClient.connected(broker.port, client_id, will=will)
    assert broker.stop() == 0, broker.stderr()
    mortal.expect_disconnect(SERVER_SHUTTING_DOWN)
    with broker.store() as store:
        assert store.payloads("will") == [b"last words"]


def test_a_client_that_does_not_read_holds_no_stop_up(start_broker, unique):
    broker = start_broker()
    deaf = RawClient.connected(broker.port, unique("deaf"))
    deaf.subscribe("t", qos=0)
    with RawClient.connected(broker.port, unique("writer")) as writer:
        for _ in range(300):
            writer.publish_qos0("t", b"x" * 50_000)
        writer.publish("end")
        assert broker.stop() == 0, broker.stderr()
    deaf.abort()


def publish_until_closed(port, client_id, version, acknowledged):
    """Publishes with a window of 50 and notes what is acknowledged."""
    client = RawClient.connected(port, client_id, version)
    window, sent, last = 50, 0, 0
    while True:
        try:
            while sent - last < window:
                sent += 1
                client.send(
                    wire.publish(client_id, str(sent), version, qos=1, packet_id=sent % 0xFFFF + 1)
                )
        except OSError:
            pass  # What was acknowledged before is still to be read.
        packet = client.read()
        if packet is None or packet.type == wire.DISCONNECT:
            return
        last += 1
        assert packet.packet_id == last % 0xFFFF + 1
        if packet.reason < 0x80:
            acknowledged.append(str(last).encode())


def test_what_was_acknowledged_before_the_stop_is_stored(start_broker, unique):
    broker = start_broker()
    publishers = {}
    for version in (V311, V5, V311, V5):
        client_id, acknowledged = unique(f"pub{version}"), []
        thread = threading.Thread(
            target=publish_until_closed, args=(broker.port, client_id, version, acknowledged)
        )
        publishers[client_id] = (thread, acknowledged)
        thread.start()
    wait_until(lambda: all(len(a) > 100 for _, a in publishers.values()), "publishes are under way")
    assert broker.stop() == 0, broker.stderr()
    with broker.store() as store:
        for client_id, (thread, acknowledged) in publishers.items():
            thread.join(30)
            assert not thread.is_alive()
            stored = store.payloads(client_id)
            assert set(acknowledged) <= set(stored)
            assert len(stored) == len(set(stored))
            assert store.is_offline(client_id)


def test_the_store_is_read_again_after_a_stop(start_broker, unique):
    broker, client_id = start_broker(), unique("raw")
    with RawClient.connected(broker.port, client_id) as client:
        client.publish("t", b"before")
    assert broker.stop() == 0
    broker.start()
    with RawClient.connected(broker.port, client_id) as client:
        client.publish("t", b"after")
        with broker.store() as store:
            assert store.payloads("t") == [b"before", b"after"]
            assert store.is_online(client_id)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "sigint"])
def test_who_reads_that_it_listens_may_stop_it_at_once(tmp_path, by):
    """And may have it read its configuration again, which is SIGHUP."""
    command = [binary(), "run", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data")]
    for _ in range(10):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                while b"listening" not in (line := process.stdout.readline()):
                    assert line, process.stderr.read()
                process.send_signal(signal.SIGHUP)
                process.send_signal(by)
                _, stderr = process.communicate(timeout=DEADLINE_S)
            finally:
                process.kill()
        assert process.returncode == 0, stderr
        assert b"stopped" in stderr
