"""UNSUBSCRIBE and UNSUBACK."""

import pytest

from conformance import build
from conformance.build import V5
from conformance.net import name
from conformance.properties import NO_SUBSCRIPTION, PUBLISH, PUBREL, UNSUBACK
from conformance.versions import ALL, kept


@ALL
@pytest.mark.parametrize("packet_id", [1, 255, 256, 0xFFFF])
def test_unsubscribe_is_answered(net, version, packet_id):
    client = net.join(version)
    client.send(build.unsubscribe(packet_id, name("never"), version=version))
    client.expect(UNSUBACK, packet_id)


@ALL
def test_nothing_comes_any_more(net, version):
    topic, publisher = name("topic"), net.join(version)
    listener = net.listen(topic, version=version)
    publisher.publish(topic, b"before", qos=1)
    assert listener.message().payload == b"before"
    listener.unsubscribe(topic)
    publisher.publish(topic, b"after", qos=1)
    assert listener.heard(publisher) == []


@ALL
def test_filters_are_compared_letter_by_letter(net, version):
    base, publisher = name("topic"), net.join(version)
    listener = net.listen(f"{base}/+", version=version)
    # Each of them matches what it does, or looks like it, and is not it.
    listener.unsubscribe(f"{base}/a", f"{base}/#", f"{base}/+/", base.upper() + "/+", "#", "+/+")
    publisher.publish(f"{base}/a", b"m", qos=1)
    assert len(listener.heard(publisher)) == 1
    listener.unsubscribe(f"{base}/+")
    publisher.publish(f"{base}/a", b"m", qos=1)
    assert listener.heard(publisher) == []


@ALL
def test_many_filters_are_like_many_unsubscribes(net, version):
    base, publisher = name("topic"), net.join(version)
    filters = [f"{base}/{index}" for index in range(10)]
    listener = net.listen(*filters, version=version)
    gone = filters[::2]
    listener.send(build.unsubscribe(9, *gone, version=version))
    listener.expect(UNSUBACK, 9)
    for topic in filters:
        publisher.publish(topic, b"m", qos=1)
    assert [got.topic for got in listener.heard(publisher)] == filters[1::2]


def test_each_filter_has_its_reason_code_in_order(net):
    base = name("topic")
    client = net.join(V5)
    client.subscribe(f"{base}/1", f"{base}/3")
    got = client.unsubscribe(*(f"{base}/{index}" for index in range(5)))
    assert got.reasons == [NO_SUBSCRIPTION if index in (0, 2, 4) else 0 for index in range(5)]
    assert client.unsubscribe(f"{base}/1").reasons == [NO_SUBSCRIPTION]


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_sent_is_finished(net, version, qos):
    topic = name("topic")
    client = net.join(version)
    client.subscribe(topic, qos=qos)
    net.join(version).publish(topic, b"m", qos=qos)
    held = client.expect(PUBLISH)
    client.unsubscribe(topic)
    client.acknowledge(held)
    client.ping()


@ALL
@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_sent_is_sent_again_after_a_return(net, version, qos):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=qos)
    net.join(version).publish(topic, b"m", qos=qos)
    held = client.expect(PUBLISH)
    client.unsubscribe(topic)
    client.abort()
    again = net.join(version, who, **kept(version)).message()
    assert (again.packet_id, again.dup, again.payload) == (held.packet_id, True, b"m")


@ALL
def test_a_release_that_was_sent_is_sent_again(net, version):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=2)
    net.join(version).publish(topic, b"m", qos=2)
    packet_id = client.expect(PUBLISH).packet_id
    client.send(build.pubrec(packet_id))
    client.expect(PUBREL, packet_id)
    client.unsubscribe(topic)
    client.abort()
    net.join(version, who, **kept(version)).expect(PUBREL, packet_id)


@ALL
def test_it_lasts_for_the_session(net, version):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    client.subscribe(topic, qos=1)
    client.unsubscribe(topic)
    client.disconnect()
    publisher = net.join(version)
    publisher.publish(topic, b"m", qos=1)
    client = net.listen(client_id=who, version=version, **kept(version))
    publisher.publish(topic, b"m", qos=1)
    assert client.heard(publisher) == []


@ALL
def test_others_keep_their_subscriptions(net, version):
    topic, publisher = name("topic"), net.join(version)
    first, second = net.listen(topic, version=version), net.listen(topic, version=version)
    first.unsubscribe(topic)
    publisher.publish(topic, b"m", qos=1)
    assert len(second.heard(publisher)) == 1


@ALL
def test_subscribing_again_is_a_new_subscription(net, version):
    topic, publisher = name("topic"), net.join(version)
    listener = net.listen(topic, version=version, qos=0)
    listener.unsubscribe(topic)
    listener.subscribe(topic, qos=2)
    publisher.publish(topic, b"m", qos=2)
    assert [got.qos for got in listener.heard(publisher)] == [2]
