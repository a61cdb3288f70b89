"""The metrics that etc/running.md lists are those that `hookwire ctl metrics` prints:
name, type and labels."""

import re
from typing import NamedTuple

import pytest

from support.modules import CHECKOUT, component
from support.raw import RawClient
from support.rules import LISTENER, POOL, module, rule, storing
from support.wait import wait_until

#: A row: `name{labels}`, more of them, the type and its unit.
ROW = re.compile(r"\| (`hookwire_[^|]*`) \| (\w[\w ]*)(?:, \w+)? \| \S")
NAME = re.compile(r"`(\w+)(?:\{([\w,]+)\})?`")
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="(?:[^"\\]|\\.)*"')

#: How the table writes what a module keeps itself.
OWN = {"hookwire_module_NAME", "hookwire_module_NAME_total"}
#: What the module of this test keeps (examples/temperature-alert).
KEPT = {"hookwire_module_unreadable_total", "hookwire_module_dropped_total"}


class Metric(NamedTuple):
    name: str
    kind: str
    labels: frozenset

    @classmethod
    def of(cls, name, kind, labels):
        return cls(name, kind, frozenset(labels))


@pytest.fixture(scope="module")
def table():
    """What is documented, by name."""
    text = (CHECKOUT / "etc/running.md").read_text()
    (section,) = re.findall(r"^## Metrics$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    found = {}
    for row in rows:
        cells = ROW.match(row)
        assert cells, f"a row that cannot be read: {row}"
        names, kind = cells.groups()
        for name, labels in NAME.findall(names):
            assert name not in found, f"{name} is in the table twice"
            found[name] = Metric.of(name, kind, labels.split(",") if labels else ())
    return found


def documented(table):
    """All but what modules keep."""
    return {metric for name, metric in table.items() if name not in OWN}


def printed(broker):
    """What a broker prints, without values. A figure has the same labels in each line."""
    kinds, labels = {}, {}
    for line in broker.ctl("metrics").splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            kinds[name] = kind
            continue
        name, inner, _ = SAMPLE.fullmatch(line).groups()
        if name not in kinds:
            name = re.sub("_(bucket|sum|count)$", "", name)
            assert kinds[name] == "histogram", line
        has = frozenset(LABEL.findall(inner or "")) - {"le"}
        assert labels.setdefault(name, has) == has, line
    return {Metric.of(name, kind, labels[name]) for name, kind in kinds.items()}


@pytest.fixture
def broker(start_broker):
    own = module(
        "temperature-alert",
        component("temperature-alert"),
        grants=["broker.publish", "key-value"],
    )
    check = rule("check", "message.publish", "temperature-alert", "check_reading", topic="warm")
    return start_broker(LISTENER + POOL + storing() + own + check)


def test_a_broker_that_nobody_uses_prints_all_that_has_no_cause_to_wait_for(broker, table):
    wait = {metric for metric in documented(table) if "kind" in metric.labels}
    assert {metric.name for metric in wait} == {
        "hookwire_failed_greetings_total",
        "hookwire_protocol_errors_total",
    }
    assert printed(broker) == documented(table) - wait


def test_a_broker_that_is_used_prints_what_the_table_has_and_nothing_else(broker, table, unique):
    with RawClient(broker.port) as greeting:
        greeting.send(b"GET / HTTP/1.1\r\n\r\n")
        greeting.expect_closed()
    with RawClient.connected(broker.port, unique("raw")) as client:
        assert client.publish("warm", b"hot").reason == 0x99
        assert client.publish("warm", b'{"celsius": -90}').reason < 0x80
        client.send(b"\xf0\x00")
        wait_until(
            lambda: {metric.name for metric in printed(broker)}
            >= {"hookwire_failed_greetings_total", "hookwire_protocol_errors_total"},
            "both clients are counted",
        )
    kept = {Metric.of(name, "counter", ["module"]) for name in KEPT}
    assert printed(broker) == documented(table) | kept
    assert {table[name].labels for name in OWN} == {frozenset(["module"])}
