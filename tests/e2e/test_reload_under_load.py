"""Reload while clients publish: every message is stored once, in order, and
nobody is disconnected."""

import threading

import pytest

from support.modules import component, rebuilt
from support.paho import PahoClient
from support.rules import LISTENER, POOL, module, rule
from support.wire import V5, V311

MESSAGES = 3000
RELOADS = 12


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sqlite.wasm"
    path.write_bytes(component("sqlite").read_bytes())
    return path


@pytest.fixture
def broker(start_broker, file):
    store = rule("store", "message.publish", "sqlite", "on_message_publish", pool="embedded")
    return start_broker(LISTENER + POOL + module("sqlite", file) + store)


def by_module(broker, file, number):
    """Another build of the module."""
    file.write_bytes(rebuilt(component("sqlite").read_bytes(), f"build {number % 2}"))
    broker.ctl("modules", "reload", "sqlite")


def by_rollback(broker, file, number):
    if number == 0:
        by_module(broker, file, number)
    else:
        broker.ctl("modules", "rollback", "sqlite")


def by_rules(broker, file, number):
    """The rule itself changes."""
    text = broker.config.read_text()
    narrow = '\n  topic = "load/#"'
    if number % 2 == 0:
        text = text.replace('pool = "embedded"', f'pool = "embedded"{narrow}')
    else:
        text = text.replace(narrow, "")
    broker.config.write_text(text)
    assert "rule store has changed" in broker.ctl("reload")


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
@pytest.mark.parametrize("change", [by_module, by_rollback, by_rules])
def test_every_message_is_stored_once_and_in_order(broker, file, unique, change, version):
    topics = [f"load/{number}" for number in range(2)]
    payloads = [str(number).encode() for number in range(MESSAGES)]
    clients = [PahoClient(broker.port, unique("paho"), version).connect() for _ in topics]
    publishers = [
        threading.Thread(target=client.publish_many, args=(topic, payloads))
        for client, topic in zip(clients, topics)
    ]
    for publisher in publishers:
        publisher.start()
    for number in range(RELOADS):
        change(broker, file, number)
    for publisher in publishers:
        publisher.join()
    with broker.store() as store:
        for topic in topics:
            assert store.payloads(topic) == payloads
    for client in clients:
        assert client.disconnects == []
        client.close()
    assert broker.metric("hookwire_reloads_total") >= RELOADS
    assert broker.metric("hookwire_failed_reloads_total") == 0
