"""A client id that is connected and connects again."""

from conformance import build
from conformance.net import name
from conformance.properties import PUBLISH, SUBACK, TAKEN_OVER
from conformance.versions import ALL, OASIS, kept


@ALL
def test_the_older_connection_is_closed(net, version):
    who = name("who")
    first = net.join(version, who)
    second = net.join(version, who)
    first.expect_end(TAKEN_OVER)
    second.ping()


@ALL
def test_the_session_goes_over(net, version):
    topic, who = name("topic"), name("who")
    first = net.join(version, who, **kept(version))
    first.subscribe(topic, qos=1)
    second = net.join(version, who, **kept(version))
    first.expect_end(TAKEN_OVER)
    net.join(version).publish(topic, b"m", qos=1)
    assert second.message().payload == b"m"


@OASIS
def test_a_session_taken_over_is_present(net, version):
    who = name("who")
    net.join(version, who, **kept(version))
    assert net.join(version, who, **kept(version)).connack.session_present


@OASIS
def test_a_clean_start_takes_over_nothing_but_the_name(net, version):
    topic, who = name("topic"), name("who")
    first = net.join(version, who, **kept(version))
    first.subscribe(topic, qos=1)
    second = net.listen(client_id=who, version=version, clean=True)
    assert not second.connack.session_present
    first.expect_end(TAKEN_OVER)
    publisher = net.join(version)
    publisher.publish(topic, b"m", qos=1)
    assert second.heard(publisher) == []


@ALL
def test_unacknowledged_messages_are_sent_to_the_new_connection(net, version):
    topic, who = name("topic"), name("who")
    first = net.join(version, who, **kept(version))
    first.subscribe(topic, qos=1)
    net.join(version).publish(topic, b"m", qos=1)
    sent = first.expect(PUBLISH)
    second = net.join(version, who, **kept(version))
    again = second.message()
    assert (again.packet_id, again.payload, again.dup) == (sent.packet_id, b"m", True)


@ALL
def test_many_take_overs_leave_the_last(net, version):
    who = name("who")
    clients = [net.join(version, who, **kept(version)) for _ in range(10)]
    for client in clients[:-1]:
        client.expect_end(TAKEN_OVER)
    clients[-1].ping()


@OASIS
def test_a_take_over_with_packets_behind_connect(net, version):
    topic, who = name("topic"), name("who")
    first = net.join(version, who)
    second = net.open(version)
    second.send(
        build.connect(who, version),
        build.subscribe(1, (topic, 0), version=version),
        build.publish(topic, b"m", version),
    )
    second.accepted()
    second.expect(SUBACK, 1)
    assert second.message().payload == b"m"
    first.expect_end(TAKEN_OVER)
