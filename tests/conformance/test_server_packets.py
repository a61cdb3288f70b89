"""Everything a server sends is well-formed.

The reader looks at each byte in every test; here each type of packet comes by,
in each version.
"""

from conformance import build
from conformance.build import V5, V311
from conformance.net import name
from conformance.properties import (
    CONNACK,
    DISCONNECT,
    PACKET_NAMES,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    UNSUBACK,
)
from conformance.versions import ALL, kept

ALL_TYPES = {CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, PINGRESP}


@ALL
def test_every_packet_of_a_server_is_well_formed(net, version):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, **kept(version))
    seen = [client.connack]
    client.send(build.subscribe(1, (topic, 2), version=version))
    seen.append(client.expect(SUBACK, 1))
    for qos, retain in ((0, False), (1, True), (2, False)):
        client.send_publish(topic, b"m" * 200, qos, retain=retain)
        if qos:
            seen.append(client.expect(PUBACK if qos == 1 else PUBREC))
        if qos == 2:
            seen.append(client.release(seen[-1].packet_id))
        got = client.expect(PUBLISH)
        seen.append(got)
        if qos == 1:
            client.send(build.puback(got.packet_id))
        elif qos == 2:
            client.send(build.pubrec(got.packet_id))
            seen.append(client.expect(PUBREL, got.packet_id))
            client.send(build.pubcomp(got.packet_id))
    seen.append(client.unsubscribe(topic))
    seen.append(client.ping())
    assert {got.kind for got in seen} == ALL_TYPES, [PACKET_NAMES[got.kind] for got in seen]
    # Answers have the packet identifier they answer, which the client looks at.
    second = net.join(version, who, **kept(version))
    farewell = client.expect_end(0x8E)
    assert farewell is None or (version == V5 and farewell.kind == DISCONNECT)
    second.disconnect()


@ALL
def test_lengths_are_written_as_short_as_they_can_be(net, version):
    # Right at the bounds of one, two and three bytes.
    topic, publisher = name("topic"), net.join(version)
    client = net.join(version)
    client.subscribe(topic, qos=0)
    head = len(build.publish(topic, b"", version)) - 2
    for length in (127, 128, 16_383, 16_384):
        publisher.publish(topic, b"x" * (length - head))
        got = client.message()
        assert got.size == length + (2 if length < 128 else 3 if length < 16_384 else 4)


@ALL
def test_every_ping_is_answered(net, version):
    client = net.join(version)
    client.send(build.PING * 50)
    for _ in range(50):
        client.expect(PINGRESP)
    client.expect_quiet(0.1)


@ALL
def test_a_ping_is_answered_while_messages_wait(net, version):
    topic, publisher = name("topic"), net.join(version)
    client = net.join(version)
    client.subscribe(topic, qos=1)
    for _ in range(40):
        publisher.publish(topic, b"m", qos=1)
    client.ping()
    client.messages(40)


@ALL
def test_a_client_of_another_version_reads_the_same(net, version):
    topic, publisher = name("topic"), net.join(V5 if version == V311 else V311)
    listener = net.listen(topic, version=version)
    for qos in range(3):
        publisher.publish(topic, b"payload", qos=qos)
        got = listener.message()
        assert (got.topic, got.payload, got.qos) == (topic, b"payload", qos)
