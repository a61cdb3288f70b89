"""Retained messages: kept one a topic, sent to new subscriptions."""

import pytest

from conformance import build
from conformance.build import V5, V31, V311
from conformance.net import name
from conformance.properties import PUBACK, PUBLISH, SUBACK
from conformance.versions import ALL, kept, versions


def _all_of(net, version, filter_):
    """What a new subscription gets, as {topic: payload}."""
    listener = net.listen(filter_, version=version)
    heard = listener.heard(net.join(version))
    assert all(got.retain for got in heard)
    assert len({got.topic for got in heard}) == len(heard)
    return {got.topic: got.payload for got in heard}


@ALL
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("granted", [0, 1, 2])
def test_a_retained_message_is_sent_to_a_new_subscription(net, version, qos, granted):
    topic, publisher = name("topic"), net.join(version)
    publisher.publish(topic, b"kept", qos=qos, retain=True)
    publisher.ping()
    listener = net.listen(topic, version=version, qos=granted)
    heard = listener.heard(publisher)
    assert [(got.payload, got.retain, got.qos) for got in heard] == [
        (b"kept", True, min(qos, granted))
    ]


@ALL
def test_the_last_one_is_kept(net, version):
    topic, publisher = name("topic"), net.join(version)
    for qos, payload in ((1, b"first"), (2, b"second"), (1, b"third")):
        publisher.publish(topic, payload, qos=qos, retain=True)
    assert _all_of(net, version, topic) == {topic: b"third"}


@ALL
def test_one_of_qos_0_replaces_what_was(net, version):
    topic, publisher = name("topic"), net.join(version)
    publisher.publish(topic, b"old", qos=1, retain=True)
    publisher.publish(topic, b"new", qos=0, retain=True)
    publisher.ping()
    # A server before MQTT 5 may drop one of QoS 0, but never keep the old one.
    assert _all_of(net, version, topic) in ({topic: b"new"}, {} if version != V5 else None)


@ALL
def test_a_message_that_is_not_retained_changes_nothing(net, version):
    topic, publisher = name("topic"), net.join(version)
    publisher.publish(topic, b"plain", qos=1)
    assert _all_of(net, version, topic) == {}
    publisher.publish(topic, b"kept", qos=1, retain=True)
    publisher.publish(topic, b"plain", qos=1)
    publisher.publish(topic, b"", qos=1)
    assert _all_of(net, version, topic) == {topic: b"kept"}


@ALL
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_empty_one_clears(net, version, qos):
    topic, publisher = name("topic"), net.join(version)
    publisher.publish(topic, b"kept", qos=1, retain=True)
    listener = net.listen(topic, version=version)
    assert listener.message().payload == b"kept"
    publisher.publish(topic, b"", qos=qos, retain=True)
    # It is a message like others for those who are subscribed.
    got = listener.message()
    assert (got.payload, got.qos, got.retain) == (b"", qos, False)
    assert _all_of(net, version, topic) == {}


@ALL
def test_an_empty_one_is_not_kept(net, version):
    topic, publisher = name("topic"), net.join(version)
    publisher.publish(topic, b"", qos=1, retain=True)
    assert _all_of(net, version, topic) == {}
    publisher.publish(topic, b"kept", qos=1, retain=True)
    publisher.publish(topic, b"", qos=1, retain=True)
    publisher.publish(topic, b"", qos=1, retain=True)
    assert _all_of(net, version, topic) == {}


@ALL
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_existing_subscriptions_get_it_without_the_flag(net, version, qos):
    topic, publisher = name("topic"), net.join(version)
    listener = net.listen(topic, version=version)
    publisher.publish(topic, b"m", qos=qos, retain=True)
    got = listener.message()
    assert (got.payload, got.retain) == (b"m", False)


WILDCARDS = {
    "all of a level": ("{}/+", {"a", "b", "c"}),
    "all below": ("{}/#", {"", "a", "b", "c", "a/x", "a/y", "b/x/y"}),
    "one level inside": ("{}/+/x", {"a/x"}),
    "below one": ("{}/a/#", {"a", "a/x", "a/y"}),
    "two levels": ("{}/+/+", {"a/x", "a/y"}),
    "nothing": ("{}/d/#", set()),
    "exactly one": ("{}/a", {"a"}),
}


@ALL
@pytest.mark.parametrize(
    ("filter_", "below"), [pytest.param(*row, id=key) for key, row in WILDCARDS.items()]
)
def test_wildcards_find_retained_messages(net, version, filter_, below):
    base, publisher = name("topic"), net.join(version)
    for each in WILDCARDS["all below"][1]:
        topic = f"{base}/{each}" if each else base
        publisher.publish(topic, each.encode() or b"base", qos=1, retain=True)
    found = _all_of(net, version, filter_.format(base))
    assert found == {f"{base}/{each}" if each else base: each.encode() or b"base" for each in below}


@ALL
def test_wildcards_at_the_front_find_no_dollar_topics(net, version):
    listener = net.listen("#", "+/#", version=version, qos=0)
    assert not [got for got in listener.heard(net.join(version)) if got.topic.startswith("$")]


@ALL
def test_subscribing_again_sends_it_again(net, version):
    topic, publisher = name("topic"), net.join(version)
    publisher.publish(topic, b"kept", qos=1, retain=True)
    client = net.join(version)
    for qos in (1, 1, 0, 2):
        client.subscribe(topic, qos=qos)
        got = client.message()
        assert (got.payload, got.retain, got.qos) == (b"kept", True, min(1, qos))
    client.unsubscribe(topic)
    client.subscribe(topic)
    assert client.message().payload == b"kept"


@ALL
def test_each_filter_of_a_subscribe_sends_its_own(net, version):
    base, publisher = name("topic"), net.join(version)
    for each in "abc":
        publisher.publish(f"{base}/{each}", each.encode(), qos=1, retain=True)
    client = net.join(version)
    client.subscribe(f"{base}/a", f"{base}/b", f"{base}/none")
    assert {client.message().payload for _ in range(2)} == {b"a", b"b"}
    client.expect_quiet(0.1)


@ALL
def test_a_returning_session_does_not_get_it_again(net, version):
    topic, who, publisher = name("topic"), name("who"), net.join(version)
    publisher.publish(topic, b"kept", qos=1, retain=True)
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=1)
    client.message()
    client.ping()
    client.disconnect()
    net.join(version, who, **kept(version)).expect_quiet(0.2)


@ALL
def test_retained_messages_are_acknowledged_and_sent_again_like_others(net, version):
    topic, who = name("topic"), name("who")
    net.join(version).publish(topic, b"kept", qos=1, retain=True)
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=1)
    first = client.expect(PUBLISH)
    client.abort()
    again = net.join(version, who, **kept(version)).message()
    assert (again.packet_id, again.dup, again.payload) == (first.packet_id, True, b"kept")


@ALL
def test_the_end_of_its_publisher_does_not_clear_it(net, version):
    topic, publisher = name("topic"), net.join(version)
    publisher.publish(topic, b"kept", qos=1, retain=True)
    publisher.abort()
    assert _all_of(net, version, topic) == {topic: b"kept"}


@versions(V31, V311)
def test_a_client_of_mqtt_5_reads_what_an_older_one_retained(net, version):
    topic, publisher = name("topic"), net.join(version)
    publisher.publish(topic, b"kept", qos=2, retain=True)
    assert _all_of(net, V5, topic) == {topic: b"kept"}
    net.join(V5).publish(topic, b"newer", qos=1, retain=True)
    assert _all_of(net, version, topic) == {topic: b"newer"}


@ALL
def test_retaining_and_subscribing_in_one_breath(net, version):
    topic, client = name("topic"), net.join(version)
    client.send(
        build.publish(topic, b"kept", version, 1, 1, retain=True),
        build.subscribe(2, (topic, 0), version=version),
    )
    client.expect(PUBACK, 1)
    client.expect(SUBACK, 2)
    got = client.message()
    assert (got.payload, got.retain) == (b"kept", True)
