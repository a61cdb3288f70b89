"""Subscriptions of one client that match one message more than once.

A server may send the message once, or once for each subscription.
"""

import pytest

from conformance.build import V5
from conformance.net import name
from conformance.properties import SUBSCRIPTION_ID
from conformance.versions import ALL, kept


@ALL
@pytest.mark.parametrize("published", [0, 1, 2])
def test_the_highest_qos_counts(net, version, published):
    base, publisher = name("topic"), net.join(version)
    listener = net.listen(version=version)
    for filter_, qos in ((f"{base}/a", 0), (f"{base}/+", 2), (f"{base}/#", 1)):
        listener.subscribe(filter_, qos=qos)
    publisher.publish(f"{base}/a", b"m", qos=published)
    heard = listener.heard(publisher)
    assert max(got.qos for got in heard) == published
    # More copies are those of the other subscriptions.
    each = sorted(min(qos, published) for qos in (0, 1, 2))
    assert sorted(got.qos for got in heard) in ([published], each)


def _identifiers(net, subscriptions):
    """What a message that matches all of them says; as lists of identifiers."""
    base, publisher = name("topic"), net.join(V5)
    listener = net.listen()
    for (filter_, identifier), qos in zip(subscriptions, (1, 2, 0), strict=False):
        props = [] if identifier is None else [(SUBSCRIPTION_ID, identifier)]
        listener.subscribe(filter_.format(base), qos=qos, props=props)
    publisher.publish(f"{base}/a", b"m", qos=2)
    return [got.all(SUBSCRIPTION_ID) for got in listener.heard(publisher)]


def test_all_identifiers_are_there(net):
    found = _identifiers(net, [("{}/a", 1), ("{}/+", 2), ("{}/#", 3)])
    if len(found) == 1:
        assert sorted(found[0]) == [1, 2, 3]
    else:
        assert sorted(found) == [[1], [2], [3]]


def test_subscriptions_without_an_identifier_add_none(net):
    found = _identifiers(net, [("{}/a", None), ("{}/+", 2), ("{}/#", None)])
    if len(found) == 1:
        assert found == [[2]]
    else:
        assert sorted(found) == [[], [], [2]]


def test_equal_identifiers_may_stand_twice(net):
    found = _identifiers(net, [("{}/a", 7), ("{}/+", 7)])
    assert found in ([[7]], [[7, 7]], [[7], [7]])


def test_all_identifiers_wait_with_a_message(net):
    base, who = name("topic"), name("who")
    client = net.join(V5, who, **kept(V5))
    client.subscribe(f"{base}/a", qos=1, props=[(SUBSCRIPTION_ID, 1)])
    client.subscribe(f"{base}/+", qos=1, props=[(SUBSCRIPTION_ID, 2)])
    client.disconnect()
    publisher = net.join(V5)
    publisher.publish(f"{base}/a", b"m", qos=1)
    client = net.listen(client_id=who, **kept(V5))
    found = [got.all(SUBSCRIPTION_ID) for got in client.heard(publisher)]
    assert found == [[1, 2]] or found == [[2, 1]] or sorted(found) == [[1], [2]]


@ALL
def test_unsubscribing_from_one_leaves_the_other(net, version):
    base, publisher = name("topic"), net.join(version)
    listener = net.listen(f"{base}/a", version=version, qos=2)
    listener.subscribe(f"{base}/+", qos=1)
    listener.unsubscribe(f"{base}/a")
    publisher.publish(f"{base}/a", b"m", qos=2)
    assert [got.qos for got in listener.heard(publisher)] == [1]


def test_a_shared_subscription_is_one_of_its_own(net):
    topic, publisher = name("topic"), net.join(V5)
    listener = net.listen(topic, f"$share/{name('group')}/{topic}")
    publisher.publish(topic, b"m", qos=1)
    assert [got.payload for got in listener.heard(publisher)] in ([b"m"], [b"m", b"m"])
