"""Reload while clients publish: every message is stored once, in order, and
nobody is disconnected. Each row says by which of two modules, or of two forms of a
rule, it was stored: by the name in its column `node`."""

import threading
from itertools import pairwise

import pytest

from support.modules import component
from support.paho import PahoClient
from support.rules import LISTENER, POOL, module, rule
from support.wait import wait_until
from support.wire import V5, V311

RELOADS = 12
#: Messages that are acknowledged between two reloads, at least.
BETWEEN = 50
#: Messages that a publisher puts down before it waits for their acknowledgements.
CHUNK = 500
MARKS = ["hookwire-rule-generation-a", "hookwire-rule-generation-b"]
#: A rule's own statement with a name in it.
SIGNED = (
    "INSERT INTO mqtt_msg (msgid, sender, topic, node, qos, payload, arrived) VALUES "
    "(${msgid}, ${clientid}, ${topic}, '%s', ${qos}, ${payload}, '2026-01-01 00:00:00')"
)


def content(number):
    """A module that stores messages and signs their rows with its name."""
    return component(["generation-a", "generation-b"][number % 2]).read_bytes()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "generation.wasm"
    path.write_bytes(content(0))
    return path


@pytest.fixture
def broker(start_broker, file, change):
    if change is by_rules:
        options = {"sql": SIGNED % MARKS[0]}
        store = rule("store", "message.publish", "sqlite", "sql", options, pool="embedded")
        return start_broker(LISTENER + POOL + module("sqlite") + store)
    store = rule("store", "message.publish", "mine", "store", pool="embedded")
    return start_broker(LISTENER + POOL + module("mine", file) + store)


def by_module(broker, file, number):
    """Another module takes the file's place."""
    file.write_bytes(content(number + 1))
    broker.ctl("modules", "reload", "mine")


def by_rollback(broker, file, number):
    if number == 0:
        by_module(broker, file, number)
    else:
        broker.ctl("modules", "rollback", "mine")


def by_rules(broker, file, number):
    """The rule itself changes: it signs with the other name."""
    here, there = MARKS[number % 2], MARKS[(number + 1) % 2]
    text = broker.config.read_text()
    assert here in text
    broker.config.write_text(text.replace(here, there))
    assert "rule store has changed" in broker.ctl("reload")


class Load:
    """A client that publishes numbers to a topic until it is told to end."""

    def __init__(self, client, topic):
        self.client, self.topic = client, topic
        self.sent = self.acknowledged = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._publish, daemon=True)
        client.on_puback = self._count

    def start(self):
        self._thread.start()

    def end(self):
        """Returns when everything that it sent is acknowledged."""
        self._ends.set()
        self._thread.join()
        assert self.acknowledged == self.sent
        assert self.client.disconnects == []
        self.client.close()

    def payloads(self):
        return [str(number).encode() for number in range(self.sent)]

    def _publish(self):
        while not self._ends.is_set():
            numbers = range(self.sent, self.sent + CHUNK)
            self.sent += CHUNK
            self.client.publish_many(self.topic, [str(number).encode() for number in numbers])

    def _count(self, _mid):
        self.acknowledged += 1


def acknowledged(loads):
    return [load.acknowledged for load in loads]


def wait_for_more(loads):
    """Waits until each of them goes on, and answers where they are."""
    before = acknowledged(loads)
    wait_until(
        lambda: all(now >= then + BETWEEN for now, then in zip(acknowledged(loads), before)),
        "messages are acknowledged between two reloads",
    )
    return acknowledged(loads)


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
@pytest.mark.parametrize("change", [by_module, by_rollback, by_rules])
def test_every_message_is_stored_once_and_in_order(broker, file, unique, change, version):
    clients = [PahoClient(broker.port, unique("paho"), version).connect() for _ in range(2)]
    loads = [Load(client, f"load/{number}") for number, client in enumerate(clients)]
    for load in loads:
        load.start()
    reloaded = []
    for number in range(RELOADS):
        began = wait_for_more(loads)
        change(broker, file, number)
        reloaded.append((began, acknowledged(loads)))
    wait_for_more(loads)
    for load in loads:
        load.end()
    with broker.store() as store:
        for number, load in enumerate(loads):
            rows = store.messages(load.topic)
            assert [bytes(row["payload"]) for row in rows] == load.payloads()
            # What was acknowledged when a reload began is by the module before it, and
            # what was sent after it ended by the one behind it.
            assert {row["node"] for row in rows} == set(MARKS)
            marks = [row["node"] for row in rows]
            switches = [at for at, (a, b) in enumerate(pairwise(marks), 1) if a != b]
            assert len(switches) == RELOADS, "each reload has messages on both sides"
            for at, (began, ended) in zip(switches, reloaded):
                assert began[number] <= at, "the module before it stored what was acknowledged"
                assert at <= ended[number] + CHUNK, "it was gone over to under the load"
            assert marks[0] == MARKS[0]
    assert broker.metric("hookwire_reloads_total") >= RELOADS
    assert broker.metric("hookwire_failed_reloads_total") == 0
