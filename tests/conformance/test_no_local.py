"""No local, MQTT 5: a client does not hear itself."""

from conformance.build import V5, Will
from conformance.net import name
from conformance.versions import kept

NO_LOCAL = 0x04


def test_a_client_does_not_hear_itself(net):
    topic, other = name("topic"), net.join(V5)
    client = net.listen(topic, options=NO_LOCAL)
    for qos in range(3):
        client.publish(topic, b"own", qos=qos)
        other.publish(topic, b"other", qos=qos)
    assert [got.payload for got in client.heard(other)] == [b"other"] * 3


def test_others_hear_it(net):
    topic = name("topic")
    client, other = net.listen(topic, options=NO_LOCAL), net.listen(topic, options=NO_LOCAL)
    client.publish(topic, b"m", qos=1)
    assert [got.payload for got in other.heard(client)] == [b"m"]


def test_it_is_of_each_subscription(net):
    base = name("topic")
    client = net.listen(f"{base}/quiet", options=NO_LOCAL)
    client.subscribe(f"{base}/loud")
    client.publish(f"{base}/quiet", b"m", qos=1)
    client.publish(f"{base}/loud", b"m", qos=1)
    assert client.message().topic == f"{base}/loud"


def test_a_subscription_can_lose_it(net):
    topic = name("topic")
    client = net.listen(topic, options=NO_LOCAL)
    client.subscribe(topic)
    client.publish(topic, b"m", qos=1)
    assert client.message().payload == b"m"


def test_it_lasts_for_the_session(net):
    topic, who = name("topic"), name("who")
    client = net.join(V5, who, **kept(V5))
    client.subscribe(topic, options=NO_LOCAL)
    client.disconnect()
    client, other = net.listen(client_id=who, **kept(V5)), net.join(V5)
    client.publish(topic, b"own", qos=1)
    other.publish(topic, b"other", qos=1)
    assert [got.payload for got in client.heard(other)] == [b"other"]


def test_it_is_about_the_client_id_and_not_the_connection(net):
    topic, who = name("topic"), name("who")
    client = net.join(V5, who, **kept(V5))
    client.subscribe(topic, qos=1, options=NO_LOCAL)
    client.publish(topic, b"own", qos=1)
    client.disconnect()
    net.join(V5, who, **kept(V5)).expect_quiet(0.2)


def test_another_subscription_still_hears(net):
    topic = name("topic")
    client = net.listen(topic, options=NO_LOCAL)
    client.subscribe(f"{topic}/#")
    client.publish(topic, b"m", qos=1)
    assert [got.payload for got in client.heard(client)] == [b"m"]


def test_the_will_of_another_connection_is_heard(net):
    will = Will(name("will"))
    listener = net.listen(will.topic, options=NO_LOCAL)
    net.join(V5, will=will).abort()
    assert listener.message().payload == b"gone"
