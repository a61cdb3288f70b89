"""SUBSCRIBE and SUBACK: what is granted, replaced, and answered."""

import pytest

from conformance import build
from conformance.build import V5, V31, V311
from conformance.net import name
from conformance.properties import PINGRESP, PUBLISH, SUBACK, SUBSCRIPTION_ID
from conformance.versions import ALL, OASIS, kept, versions


@ALL
@pytest.mark.parametrize("packet_id", [1, 255, 256, 0xFFFF])
def test_subscribe_is_answered(net, version, packet_id):
    client = net.join(version)
    client.send(build.subscribe(packet_id, (name("topic"), 1), version=version))
    assert client.expect(SUBACK, packet_id).reasons == [1]


@ALL
def test_each_filter_is_answered_in_order(net, version):
    client = net.join(version)
    asked = [2, 0, 1, 1, 0, 2, 0]
    filters = [(name("topic"), qos) for qos in asked]
    client.send(build.subscribe(1, *filters, version=version))
    granted = client.expect(SUBACK, 1).reasons
    assert len(granted) == len(asked)
    # A server may grant less than what was asked for.
    assert all(got <= qos or got >= 0x80 for got, qos in zip(granted, asked, strict=True))
    assert granted == asked, "the broker under test grants every QoS"


@ALL
def test_many_filters_are_like_many_subscribes(net, version):
    base, publisher = name("topic"), net.join(version)
    client = net.listen(version=version)
    filters = [(f"{base}/{index}", index % 3) for index in range(50)]
    client.send(build.subscribe(9, *filters, version=version))
    assert client.expect(SUBACK, 9).reasons == [qos for _, qos in filters]
    for topic, _ in filters:
        publisher.publish(topic, b"m", qos=2)
    assert sorted((got.topic, got.qos) for got in client.heard(publisher)) == sorted(filters)


@ALL
def test_the_last_of_two_equal_filters_counts(net, version):
    topic = name("topic")
    client = net.join(version)
    client.send(build.subscribe(1, (topic, 2), (topic, 0), version=version))
    assert client.expect(SUBACK, 1).reasons == [2, 0]
    net.join(version).publish(topic, b"m", qos=2)
    assert client.message().qos == 0


@ALL
@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("second", [0, 1, 2])
def test_a_new_subscription_replaces_the_old(net, version, first, second):
    topic, publisher = name("topic"), net.join(version)
    listener = net.listen(topic, version=version, qos=first)
    listener.subscribe(topic, qos=second)
    publisher.publish(topic, b"m", qos=2)
    # Once, and with the new QoS.
    assert [got.qos for got in listener.heard(publisher)] == [second]


@versions(V31, V311)
def test_replacing_a_subscription_interrupts_nothing(net, version):
    topic, publisher = name("topic"), net.join(version)
    publisher.publish(topic, b"kept", qos=1, retain=True)
    listener = net.listen(topic, version=version, qos=1)
    for index in range(30):
        # The two are on their way at once.
        listener.send(build.subscribe(index + 1, (topic, 1), version=version))
        publisher.publish(topic, bytes([index]), qos=1)
        listener.expect(SUBACK, index + 1)
    heard = listener.heard(publisher)
    assert [got.payload for got in heard if got.retain] == [b"kept"] * 31
    assert [got.payload[0] for got in heard if not got.retain] == list(range(30))


@ALL
def test_messages_come_at_once(net, version):
    topic, client = name("topic"), net.join(version)
    client.send(
        build.subscribe(1, (topic, 0), version=version),
        build.publish(topic, b"m", version),
        build.PING,
    )
    client.expect(SUBACK, 1)
    assert client.expect(PUBLISH).payload == b"m"
    client.expect(PINGRESP)


@ALL
def test_subscriptions_of_others_are_their_own(net, version):
    topic, publisher = name("topic"), net.join(version)
    listener, other = net.listen(topic, version=version), net.listen(version=version)
    publisher.publish(topic, b"m", qos=1)
    assert len(listener.heard(publisher)) == 1
    assert other.heard(publisher) == []


@ALL
def test_a_subscription_replaced_while_messages_are_unacknowledged(net, version):
    topic, publisher = name("topic"), net.join(version)
    client = net.join(version)
    client.subscribe(topic, qos=2)
    publisher.publish(topic, b"m", qos=2)
    held = client.expect(PUBLISH)
    client.subscribe(topic, qos=0)
    client.acknowledge(held)
    publisher.publish(topic, b"after", qos=2)
    got = client.message()
    assert (got.payload, got.qos) == (b"after", 0)


@versions(V311)
@pytest.mark.parametrize("filter_", ["$SYS/#", "#", "+/+", "/", "//", "$share/g/t", "a b"])
def test_suback_has_only_the_codes_there_are(net, version, filter_):
    # The reader fails on any other code.
    client = net.join(version)
    client.send(build.subscribe(1, (filter_, 2), version=version))
    assert len(client.expect(SUBACK, 1).reasons) == 1


@ALL
def test_wildcards_work_or_are_refused(net, version):
    base, publisher = name("topic"), net.join(version)
    listener = net.listen(version=version)
    listener.send(build.subscribe(1, (f"{base}/+", 1), version=version))
    refused = listener.expect(SUBACK, 1).reasons[0] >= 0x80
    publisher.publish(f"{base}/a", b"m", qos=1)
    assert len(listener.heard(publisher)) == (0 if refused else 1)


@OASIS
def test_refused_filters_do_not_spoil_the_others(net, version):
    topic, publisher = name("topic"), net.join(version)
    listener = net.listen(version=version)
    refused = f"$share//{topic}x"
    listener.send(build.subscribe(1, (topic, 1), (refused, 1), (topic + "y", 1), version=version))
    got = listener.read()
    if got is None or got.kind != SUBACK:
        # That filter may also be the end.
        assert version == V5
        assert got is None or got.reason >= 0x80
        return
    assert (got.reasons[0], got.reasons[2]) == (1, 1)
    publisher.publish(topic, b"m", qos=1)
    publisher.publish(topic + "y", b"m", qos=1)
    assert len(listener.heard(publisher)) == 2


# Subscription identifiers, MQTT 5.


@pytest.mark.parametrize("identifier", [1, 127, 128, 16_384, 2_097_152, 268_435_455])
def test_a_message_has_the_identifier_of_its_subscription(net, identifier):
    topic, publisher = name("topic"), net.join(V5)
    client = net.join(V5)
    client.subscribe(topic, props=[(SUBSCRIPTION_ID, identifier)])
    publisher.publish(topic, b"m", qos=1)
    assert client.message().all(SUBSCRIPTION_ID) == [identifier]


def test_one_identifier_for_many_filters(net):
    base, publisher = name("topic"), net.join(V5)
    client = net.join(V5)
    client.subscribe(f"{base}/1", f"{base}/2", props=[(SUBSCRIPTION_ID, 9)])
    for index in (1, 2):
        publisher.publish(f"{base}/{index}", b"m", qos=1)
        assert client.message().all(SUBSCRIPTION_ID) == [9]


def test_a_new_subscription_replaces_the_identifier(net):
    topic, publisher = name("topic"), net.join(V5)
    client = net.join(V5)
    for props, expected in (([(SUBSCRIPTION_ID, 1)], [1]), ([(SUBSCRIPTION_ID, 2)], [2]), ([], [])):
        client.subscribe(topic, props=props)
        publisher.publish(topic, b"m", qos=1)
        assert client.message().all(SUBSCRIPTION_ID) == expected


def test_identifiers_stay_with_the_session(net):
    topic, who = name("topic"), name("who")
    client = net.join(V5, who, **kept(V5))
    client.subscribe(topic, qos=1, props=[(SUBSCRIPTION_ID, 5)])
    client.disconnect()
    net.join(V5).publish(topic, b"m", qos=1)
    assert net.join(V5, who, **kept(V5)).message().all(SUBSCRIPTION_ID) == [5]


def test_identifiers_are_of_each_client_for_itself(net):
    topic, publisher = name("topic"), net.join(V5)
    clients = [net.join(V5) for _ in range(3)]
    for identifier, client in enumerate(clients, 1):
        client.subscribe(topic, props=[(SUBSCRIPTION_ID, identifier)])
    publisher.publish(topic, b"m", qos=1)
    for identifier, client in enumerate(clients, 1):
        assert client.message().all(SUBSCRIPTION_ID) == [identifier]
