"""`hookwire ctl metrics`: figures in the text format of Prometheus."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.raw import RawClient
from support.rules import LISTENER, POOL, guest, rule, storing


@pytest.fixture
def broker(start_broker):
    more = guest() + rule("look", "message.publish", "mine", "noop")
    return start_broker(LISTENER + POOL + storing() + more)


def samples(broker):
    """(name, labels) -> value, of every line."""
    found = {}
    for family in text_string_to_metric_families(broker.ctl("metrics")):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def test_the_format_is_that_of_prometheus(broker, unique):
    """Each figure has its type, once, before its lines, which stand together."""
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("t")
    types, seen = {}, []
    for line in broker.ctl("metrics").splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"{name} has two types"
            types[name] = kind
        elif not line.startswith("#"):
            name = line.split("{")[0].split(" ")[0]
            for part in ("_bucket", "_sum", "_count"):
                if types.get(name.removesuffix(part)) == "histogram":
                    name = name.removesuffix(part)
            assert name in types, f"{name} has no type"
            if not seen or seen[-1] != name:
                seen.append(name)
    assert len(seen) == len(set(seen)), "lines of one figure stand together"
    assert {"counter", "gauge", "histogram"} == set(types.values())
    assert all(name.startswith("hookwire_") for name in seen)


def test_figures_follow_what_happens(broker, unique):
    before = samples(broker)
    with (
        RawClient.connected(broker.port, unique("reader")) as reader,
        RawClient.connected(broker.port, unique("writer")) as writer,
    ):
        reader.subscribe("t", qos=0)
        for _ in range(10):
            writer.publish("t")
            reader.message()
        after = samples(broker)

    def grew(name, **labels):
        key = name, tuple(sorted(labels.items()))
        return after[key] - before.get(key, 0)

    assert grew("hookwire_publishes_received_total") == 10
    assert grew("hookwire_publishes_sent_total") == 10
    assert grew("hookwire_clients_online") == 2
    assert grew("hookwire_subscriptions") == 1
    store = {"rule": "store", "module": "sqlite"}
    assert grew("hookwire_rule_events_total", **store) == 10
    assert grew("hookwire_rule_errors_total", **store) == 0
    calls = grew("hookwire_rule_calls_total", **store)
    assert grew("hookwire_rule_call_seconds_count", **store) == calls
    assert grew("hookwire_rule_call_seconds_bucket", **store, le="+Inf") == calls
    assert 0 < grew("hookwire_rule_call_seconds_sum", **store) < 60
    assert grew("hookwire_rule_events_total", rule="look", module="mine") == 10
    assert grew("hookwire_pool_rows_total", pool="embedded") == 10


def test_no_client_id_and_no_topic_is_a_label(broker, unique):
    client_id = unique("raw")
    with RawClient.connected(broker.port, client_id) as client:
        client.publish("secret/topic")
        text = broker.ctl("metrics")
    assert client_id not in text
    assert "secret" not in text


def test_buckets_only_grow(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        for _ in range(50):
            client.publish("t")
    last = {}
    for family in text_string_to_metric_families(broker.ctl("metrics")):
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                labels = dict(sample.labels)
                bound = float(labels.pop("le"))
                key = sample.name, tuple(sorted(labels.items()))
                if key in last:
                    assert bound > last[key][0] and sample.value >= last[key][1]
                last[key] = bound, sample.value
    assert last
    assert all(bound == float("inf") for bound, _ in last.values())
