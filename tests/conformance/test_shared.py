"""Shared subscriptions, MQTT 5: each message to one of a group."""

import pytest

from conformance import build
from conformance.build import V5
from conformance.net import name
from conformance.properties import (
    FILTER_INVALID,
    MALFORMED,
    PROTOCOL_ERROR,
    PUBLISH,
    PUBREL,
    SUBACK,
    SUBSCRIPTION_ID,
    UNSPECIFIED,
)
from conformance.versions import cases, kept

COUNT = 20


class Group:
    """Members of one group, and a publisher."""

    def __init__(self, net, qos_of_members, filter_="{}"):
        self.topic = name("topic")
        self.filter = f"$share/{name('group')}/{filter_.format(self.topic)}"
        self.publisher = net.join(V5)
        self.members = [net.listen(self.filter, qos=qos) for qos in qos_of_members]

    def heard(self):
        return [member.heard(self.publisher) for member in self.members]


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_each_message_goes_to_one_member(net, qos):
    group = Group(net, [2, 2, 2])
    for index in range(COUNT):
        group.publisher.publish(group.topic, bytes([index]), qos=qos)
    heard = sorted(got.payload[0] for member in group.heard() for got in member)
    assert heard == list(range(COUNT))


def test_a_group_of_one_gets_everything_in_order(net):
    group = Group(net, [1])
    for index in range(COUNT):
        group.publisher.publish(group.topic, bytes([index]), qos=1)
    assert [got.payload[0] for got in group.heard()[0]] == list(range(COUNT))


def test_groups_are_apart(net):
    topic, publisher = name("topic"), net.join(V5)
    groups = [net.listen(f"$share/{name('group')}/{topic}") for _ in range(2)]
    plain = net.listen(topic)
    publisher.publish(topic, b"m", qos=1)
    for listener in (*groups, plain):
        assert [got.payload for got in listener.heard(publisher)] == [b"m"]


def test_filters_of_one_group_are_apart(net):
    topic, group, publisher = name("topic"), name("group"), net.join(V5)
    listeners = [net.listen(f"$share/{group}/{filter_}") for filter_ in (topic, f"{topic}/#")]
    publisher.publish(topic, b"m", qos=1)
    for listener in listeners:
        assert [got.payload for got in listener.heard(publisher)] == [b"m"]


@pytest.mark.parametrize("granted", [0, 1, 2])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_the_granted_qos_is_kept(net, granted, published):
    group = Group(net, [granted])
    group.publisher.publish(group.topic, b"m", qos=published)
    assert [got.qos for got in group.heard()[0]] == [min(granted, published)]


def test_members_have_each_their_qos(net):
    group = Group(net, [0, 1, 2])
    for _ in range(COUNT):
        group.publisher.publish(group.topic, b"m", qos=2)
    for qos, heard in enumerate(group.heard()):
        assert {got.qos for got in heard} <= {qos}


def test_wildcards_in_a_shared_filter(net):
    group = Group(net, [1, 1], "{}/+/#")
    for index in range(6):
        group.publisher.publish(f"{group.topic}/{index}/x", b"m", qos=1)
    group.publisher.publish(group.topic, b"other", qos=1)
    topics = sorted(got.topic for member in group.heard() for got in member)
    assert topics == [f"{group.topic}/{index}/x" for index in range(6)]


def test_a_member_that_unsubscribes_gets_nothing(net):
    group = Group(net, [1, 1])
    assert group.members[0].unsubscribe(group.filter).reasons == [0]
    for index in range(6):
        group.publisher.publish(group.topic, bytes([index]), qos=1)
    heard = group.heard()
    assert heard[0] == []
    assert [got.payload[0] for got in heard[1]] == list(range(6))


def test_subscribing_to_the_topic_is_another_subscription(net):
    group = Group(net, [1])
    member = group.members[0]
    # That there is none of this name does not touch the shared one.
    assert member.unsubscribe(group.topic).reasons == [0x11]
    group.publisher.publish(group.topic, b"m", qos=1)
    assert len(group.heard()[0]) == 1


def test_shared_subscriptions_have_identifiers(net):
    topic, publisher = name("topic"), net.join(V5)
    client = net.join(V5)
    client.subscribe(f"$share/{name('group')}/{topic}", props=[(SUBSCRIPTION_ID, 3)])
    publisher.publish(topic, b"m", qos=1)
    assert client.message().all(SUBSCRIPTION_ID) == [3]


def _interrupted(net, qos):
    """A group whose first member is gone in the middle of a message."""
    topic, who = name("topic"), name("who")
    filter_ = f"$share/{name('group')}/{topic}"
    first = net.join(V5, who, **kept(V5))
    first.subscribe(filter_, qos=qos)
    publisher = net.join(V5)
    publisher.publish(topic, b"m", qos=qos)
    held = first.expect(PUBLISH)
    other = net.listen(filter_, qos=qos)
    return who, first, held, other, publisher


@pytest.mark.parametrize("state", ["PUBLISH", "PUBREL"])
def test_a_qos_2_message_is_finished_with_its_member(net, state):
    who, first, held, other, publisher = _interrupted(net, 2)
    if state == "PUBREL":
        first.send(build.pubrec(held.packet_id))
        first.expect(PUBREL, held.packet_id)
    first.abort()
    assert other.heard(publisher, 0.3) == []
    first = net.join(V5, who, **kept(V5))
    if state == "PUBREL":
        first.expect(PUBREL, held.packet_id)
        first.send(build.pubcomp(held.packet_id))
    else:
        again = first.message()
        assert (again.packet_id, again.dup, again.payload) == (held.packet_id, True, b"m")
    first.ping()
    assert other.heard(publisher) == []


@pytest.mark.parametrize("state", ["PUBLISH", "PUBREL"])
def test_a_qos_2_message_ends_with_the_session_of_its_member(net, state):
    who, first, held, other, publisher = _interrupted(net, 2)
    if state == "PUBREL":
        first.send(build.pubrec(held.packet_id))
        first.expect(PUBREL, held.packet_id)
    first.abort()
    net.join(V5, who, clean=True).disconnect()
    assert other.heard(publisher, 0.3) == []


@pytest.mark.parametrize("qos", [1, 2])
def test_a_refused_message_goes_to_nobody_else(net, qos):
    _, first, held, other, publisher = _interrupted(net, qos)
    refuse = build.puback if qos == 1 else build.pubrec
    first.send(refuse(held.packet_id, UNSPECIFIED))
    first.ping()
    assert other.heard(publisher, 0.3) == []


def test_a_qos_1_message_reaches_somebody(net):
    # If a member goes before its PUBACK, a server may choose another or wait.
    who, first, held, other, publisher = _interrupted(net, 1)
    first.abort()
    moved = other.heard(publisher, 0.3)
    first = net.listen(client_id=who, **kept(V5))
    payloads = [got.payload for got in moved + first.heard(publisher)]
    assert set(payloads) == {b"m"}


BAD = {
    "no filter": "$share/group",
    "an empty filter": "$share/group/",
    "an empty name": "$share//{}",
    "a name with +": "$share/+/{}",
    "a name with + inside": "$share/a+b/{}",
    "a name with #": "$share/#/{}",
    "a name with # inside": "$share/a#/{}",
}


@pytest.mark.parametrize("filter_", cases(BAD))
def test_malformed_shared_filters_are_not_granted(net, filter_):
    client = net.join(V5)
    bad = build.subscribe(1, (filter_.format(name("topic")), 1))
    client.try_send(bad).try_send(build.PING)
    got = client.read()
    if got is not None and got.kind == SUBACK:
        assert got.reasons[0] >= 0x80
    else:
        assert got is None or got.reason in (MALFORMED, PROTOCOL_ERROR, FILTER_INVALID), got


def test_no_local_on_a_shared_subscription_is_the_end(net):
    bad = build.subscribe(1, (f"$share/{name('group')}/t", 0x04))
    net.join(V5).breaks(bad, reasons=(PROTOCOL_ERROR,))


def test_names_of_groups_are_compared_letter_by_letter(net):
    topic, group, publisher = name("topic"), name("group"), net.join(V5)
    names = (group, group.upper(), group + " ", group + "\u00e9")
    listeners = [net.listen(f"$share/{each}/{topic}") for each in names]
    publisher.publish(topic, b"m", qos=1)
    for listener in listeners:
        assert len(listener.heard(publisher)) == 1


def test_a_persistent_member_that_is_away_does_not_stop_the_group(net):
    topic, who = name("topic"), name("who")
    filter_ = f"$share/{name('group')}/{topic}"
    away = net.join(V5, who, **kept(V5))
    away.subscribe(filter_, qos=1)
    away.disconnect()
    other, publisher = net.listen(filter_, qos=1), net.join(V5)
    for index in range(COUNT):
        publisher.publish(topic, bytes([index]), qos=1)
    found = [got.payload[0] for got in other.heard(publisher)]
    # Some may wait for the one that is away.
    back = net.listen(client_id=who, **kept(V5))
    found += [got.payload[0] for got in back.heard(publisher)]
    assert sorted(found) == list(range(COUNT))
