"""The retention of a store: what is past its time goes, under load, and nothing
that is younger; said, logged and counted."""

import sqlite3
import threading
import time

import pytest

from support import wire
from support.broker import run_hookwire
from support.raw import RawClient
from support.rules import LISTENER, rule, storing
from support.store import seconds_ago
from support.wait import wait_until
from support.wire import V5

POOL = """\
pool "sqlite" "embedded" {
  file = "hookwire.db"
  retention {
    %s
  }
}
"""

AWAY = [(wire.SESSION_EXPIRY, 3600)]


def config(*keys):
    return LISTENER + POOL % "\n    ".join(keys) + storing(topic="#")


class Load:
    """A publisher at QoS 1 that remembers what was acknowledged, and when it was sent."""

    def __init__(self, broker, name, payload_bytes=100):
        self.topic = f"load/{name}"
        self.acknowledged = []
        self._payload = b"x" * payload_bytes
        self._client = RawClient.connected(broker.port, name)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._publish)

    def _publish(self):
        while not self._is_over.is_set():
            sent_at = time.time()
            number = len(self.acknowledged)
            ack = self._client.publish(self.topic, b"%08d" % number + self._payload)
            assert ack.reason in (0, 0x10), ack
            self.acknowledged.append(sent_at)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        self._client.socket.close()


def removed(broker, table, reason):
    return broker.metric(
        "hookwire_pool_removed_rows_total", pool="embedded", table=table, reason=reason
    )


def numbers(store, topic):
    return [int(payload[:8]) for payload in store.payloads(topic)]


def test_under_load_what_is_too_old_goes_and_nothing_younger(start_broker, unique):
    max_age_s = 4
    broker = start_broker(config(f'max_age = "{max_age_s}s"', "max_bytes = 0", "slice_rows = 50"))
    names = [unique("load") for _ in range(3)]
    with broker.store() as store:
        with Load(broker, names[0]) as a, Load(broker, names[1]) as b, Load(broker, names[2]) as c:
            loads = (a, b, c)
            wait_until(lambda: removed(broker, "mqtt_msg", "age") > 500, "messages go")
            for load in loads:
                # What was acknowledged by now, and is younger than the bound by two seconds:
                # times of the tables have no fractions, and time goes on.
                count, now = len(load.acknowledged), time.time()
                kept = set(numbers(store, load.topic))
                young = [n for n in range(count) if now - load.acknowledged[n] < max_age_s - 2]
                assert young, "the load is there"
                assert kept.issuperset(young), sorted(set(young) - kept)[:5]
        for load in loads:
            # In the order stored, without a gap, to the last.
            left = numbers(store, load.topic)
            end = len(load.acknowledged)
            assert left == list(range(end - len(left), end))
        wait_until(lambda: not store.query("SELECT 1 FROM mqtt_msg LIMIT 1"), "all of it is old")
        assert removed(broker, "mqtt_msg", "age") == sum(len(x.acknowledged) for x in loads)
    assert removed(broker, "mqtt_msg", "size") == 0
    assert broker.metric("hookwire_pool_retention_slices_total", pool="embedded") > 10
    assert broker.metric("hookwire_pool_longest_retention_slice_seconds", pool="embedded") > 0
    assert "the store was cleaned" in broker.stderr()
    assert "the oldest messages were removed" not in broker.stderr()


def test_under_load_the_oldest_go_where_there_is_no_room(start_broker, unique):
    max_bytes = 4 * 1024 * 1024
    broker = start_broker(config("max_age = 0", f"max_bytes = {max_bytes}"))
    with broker.store() as store, Load(broker, unique("load"), 8_000) as load:
        wait_until(lambda: removed(broker, "mqtt_msg", "size") > 100, "messages go", 60)
        # The youngest stay: as many as half of the room holds, at the least.
        count = len(load.acknowledged)
        kept = set(numbers(store, load.topic))
        young = range(max(0, count - max_bytes // 2 // 8_200), count)
        assert kept.issuperset(young), sorted(set(young) - kept)[:5]
    with broker.store() as store:
        left = numbers(store, load.topic)
        assert left == list(range(left[0], len(load.acknowledged)))
        assert left[0] > 0
    wait_until(
        lambda: 0 < broker.metric("hookwire_pool_used_bytes", pool="embedded") <= max_bytes,
        "the store has the size it may have",
    )
    warned = [line for line in broker.stderr().splitlines() if "the oldest messages were" in line]
    assert warned and all("WARN" in line and "mqtt_msg" in line for line in warned)


def test_the_start_says_what_is_kept_and_what_is_there(start_broker, unique):
    broker = start_broker(config('max_age = "2d"', 'max_bytes = "1GiB"'))
    begins = "retention embedded: messages for 2d, up to 1GiB; "
    assert any(line.startswith(begins) and "no message" in line for line in broker.stdout())
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("t", b"x")
    with broker.store() as store:
        arrived = store.messages("t")[0]["arrived"]
    assert broker.stop() == 0
    broker.start()
    [line] = [line for line in broker.stdout() if line.startswith(begins)]
    assert line.endswith(f"the oldest message of {arrived}"), line
    assert seconds_ago(arrived) < 60


def test_sessions_that_may_wait_longer_than_messages_are_warned_of(start_broker):
    def warned(broker):
        return [line for line in broker.stderr().splitlines() if "sessions may last longer" in line]

    assert not warned(start_broker(config('max_age = "7d"')))
    short = start_broker(config('max_age = "6d"'))
    [line] = warned(short)
    assert "WARN" in line and 'hookwire.hcl:4: pool "embedded" keeps messages for 6d' in line


def test_what_expires_by_itself_and_ended_sessions_go(start_broker, unique):
    # Looked for every second with so small a bound.
    text = config('max_age = "8s"') + "".join(
        rule(name, hook, "sqlite", action, pool="embedded")
        for name, hook, action in [
            ("retain", "message.publish", "on_message_retain"),
            ("restore", "session.created", "on_session_restore"),
            ("left", "client.disconnected", "on_session_store"),
            ("subscribed", "session.subscribed", "on_subscription_store"),
        ]
    )
    broker = start_broker(text)
    away, stays = unique("away"), unique("stays")
    with broker.store() as store:
        for client_id in (away, stays):
            with RawClient.connected(broker.port, client_id, V5, props=AWAY) as client:
                client.subscribe(f"t/{client_id}")
                client.disconnect()
        with RawClient.connected(broker.port, unique("raw"), V5) as client:
            expiring = [(wire.MESSAGE_EXPIRY, 1)]
            client.publish("expires", b"x", retain=True, props=expiring)
            client.publish("stays", b"x", retain=True)

        def topics(table):
            return [row["topic"] for row in store.query(f"SELECT topic FROM {table}")]

        wait_until(lambda: topics("mqtt_retain") == ["stays"], "the expired one is gone")
        assert removed(broker, "mqtt_retain", "expired") == 1

        def sessions():
            rows = store.query("SELECT clientid, ends_at_ms FROM hookwire_session")
            return {row["clientid"]: row["ends_at_ms"] for row in rows}

        wait_until(lambda: all(len(sessions()) == 2 and ends for ends in sessions().values()), "away")
        end_session(broker, away)
        wait_until(lambda: list(sessions()) == [stays], "the session is over")
        assert topics("hookwire_sub") == topics("mqtt_sub") == [f"t/{stays}"]
    assert removed(broker, "hookwire_session", "expired") == 1


def end_session(broker, client_id):
    with sqlite3.connect(broker.data / "hookwire.db", timeout=30) as server:
        server.execute("UPDATE hookwire_session SET ends_at_ms = 5 WHERE clientid = ?", [client_id])
    server.close()


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ('max_age = "soon"', ':7: pool "embedded": retention: max_age: "soon" is not a time'),
        ('max_size = "1GiB"', ':7: pool "embedded": retention: no key is called "max_size"'),
        ("max_bytes = 5", ':7: pool "embedded": retention: max_bytes: 5 is out of range'),
    ],
)
def test_a_retention_that_cannot_be_is_refused_with_its_line(tmp_path, block, message):
    file = tmp_path / "x.hcl"
    file.write_text(config(block))
    done = run_hookwire("run", "--config", file, "--data", tmp_path / "data")
    assert done.returncode == 2
    assert f"{file}{message}" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_reload_changes_what_is_kept(start_broker, unique):
    broker = start_broker(config("max_age = 0"))
    with RawClient.connected(broker.port, unique("raw")) as client, broker.store() as store:
        client.publish("t", b"x")
        broker.config.write_text(config('max_age = "1s"'))
        assert "pool embedded is open: messages for 1s, up to 8GiB" in broker.ctl("reload")
        wait_until(lambda: not store.messages("t"), "the message is too old now")
        broker.config.write_text(config("max_age = 0"))
        broker.ctl("reload")
        # The old pool is still open for what was under way, and removes nothing.
        client.publish("t", b"y")
        client.publish("t", b"z")
        wait_until(lambda: seconds_ago(store.messages("t")[0]["arrived"]) > 3, "time has passed")
        assert store.payloads("t") == [b"y", b"z"]
