"""The suite's own builder, reader and client, without a broker."""

import socket
import threading

import pytest

from conformance import build, read
from conformance.build import PING, V5, V31, V311, Will
from conformance.client import Client
from conformance.properties import (
    CONNACK,
    CONTENT_TYPE,
    MAXIMUM_PACKET_SIZE,
    PINGRESP,
    PROPERTIES,
    PUBLISH,
    PUBREL,
    SUBACK,
    SUBSCRIPTION_ID,
    TOPIC_ALIAS,
    TOPIC_ALIAS_MAXIMUM,
    USER_PROPERTY,
    sample,
)
from conformance.versions import cases

NUMBERS = {0: "00", 127: "7f", 128: "8001", 16_383: "ff7f", 16_384: "808001",
           2_097_151: "ffff7f", 2_097_152: "80808001", 268_435_455: "ffffff7f"}  # fmt: skip


@pytest.mark.parametrize(("number", "written"), NUMBERS.items())
def test_variable_byte_integers(number, written):
    assert build.variable(number).hex() == written
    assert read.Cursor(bytes.fromhex(written)).variable() == number


BUILT = {
    "CONNECT of 3.1": (
        build.connect("c", V31, keep_alive=10),
        "10 0f 0006 4d5149736470 03 02 000a 0001 63",
    ),
    "CONNECT of 3.1.1 with everything": (
        build.connect("c", V311, False, 10, will=Will("t", b"m", 2, True), username="u",
                      password="p"),
        "10 19 0004 4d515454 04 f4 000a 0001 63 0001 74 0001 6d 0001 75 0001 70",
    ),
    "CONNECT of 5": (
        build.connect("c", V5, keep_alive=10, props=[(0x11, 1)], will=Will("t", b"m")),
        "10 1a 0004 4d515454 05 06 000a 05 1100000001 0001 63 00 0001 74 0001 6d",
    ),
    "PUBLISH": (
        build.publish("t", b"m", V5, 1, 10, True, True, [(1, 1)]),
        "3b 09 0001 74 000a 02 0101 6d",
    ),
    "PUBREL": (build.pubrel(10, 0x92, []), "62 04 000a 92 00"),
    "SUBSCRIBE": (build.subscribe(10, ("a", 1), ("b", 2), version=V311),
                  "82 0a 000a 0001 61 01 0001 62 02"),
    "UNSUBSCRIBE": (build.unsubscribe(10, "a"), "a2 06 000a 00 0001 61"),
    "PINGREQ": (PING, "c0 00"),
    "DISCONNECT": (build.disconnect(4, [(0x11, 0)]), "e0 07 04 05 1100000000"),
    "AUTH": (build.auth(0x18, [(0x15, "m")]), "f0 06 18 04 15 0001 6d"),
}  # fmt: skip


@pytest.mark.parametrize(("built", "written"), cases(BUILT))
def test_packets_are_built_as_the_standards_say(built, written):
    assert built == bytes.fromhex(written)


@pytest.mark.parametrize("identifier", PROPERTIES)
def test_properties_are_read_as_they_are_built(identifier):
    kind = min(PROPERTIES[identifier].packets)
    built = build.properties(sample(identifier))
    assert read.Cursor(built).properties(kind) == [sample(identifier)]


def _parse(written, version):
    first_byte, body, size, rest = read.split(bytes.fromhex(written))
    assert rest == b""
    return read.parse(first_byte, body, version, size)


def test_a_publish_is_read():
    got = _parse("3b 13 0001 74 000a 0b 0101 0b01 26 0001 6b 0001 76 6d 6d", V5)
    assert (got.topic, got.packet_id, got.qos, got.retain, got.dup) == ("t", 10, 1, True, True)
    assert (got.payload, got.all(USER_PROPERTY), got.size) == (b"mm", [("k", "v")], 21)


RIGHT = {
    "CONNACK of 3.1.1": ("20 02 01 00", V311),
    "CONNACK of 5": ("20 06 00 00 03 21 0014", V5),
    "a refusal in the form of 3.1.1": ("20 02 00 01", V5),
    "a refusal in the form of 5": ("20 03 00 84 00", V311),
    "PUBACK": ("40 02 0001", V5),
    "PUBACK with a reason": ("40 03 0001 10", V5),
    "PUBREL with DUP of 3.1": ("6a 02 0001", V31),
    "SUBACK": ("90 05 0001 00 01 87", V5),
    "SUBACK with a failure": ("90 03 0001 80", V311),
    "UNSUBACK of 3.1.1": ("b0 02 0001", V311),
    "PINGRESP": ("d0 00", V31),
    "DISCONNECT": ("e0 00", V5),
    "AUTH": ("f0 06 18 04 15 0001 6d", V5),
}


@pytest.mark.parametrize(("written", "version"), cases(RIGHT))
def test_right_packets_are_read(written, version):
    _parse(written, version)


WRONG = {
    "a packet of a client": ("c0 00", V5),
    "flags": ("d1 00", V5),
    "PUBREL without its flags": ("60 02 0001", V311),
    "PUBREL with DUP": ("6a 02 0001", V311),
    "a long length": ("d0 80 00", V5),
    "a long number inside": ("30 06 0001 74 8000 6d", V5),
    "a body of PINGRESP": ("d0 01 00", V5),
    "CONNACK flags": ("20 02 02 00", V311),
    "session present of 3.1": ("20 02 01 00", V31),
    "session present in a refusal": ("20 02 01 02", V311),
    "return code 6": ("20 02 00 06", V311),
    "a reason CONNACK does not have": ("20 03 00 8e 00", V5),
    "QoS 3": ("36 06 0001 74 0001 00", V5),
    "DUP of QoS 0": ("38 04 0001 74 00", V5),
    "packet id 0": ("32 05 0001 74 0000", V311),
    "a wildcard": ("30 03 0001 2b", V311),
    "no topic": ("30 02 0000", V311),
    "U+0000": ("30 03 0001 00", V311),
    "a surrogate": ("30 05 0003 eda080", V311),
    "an unknown property": ("30 06 0001 74 02 7f 00", V5),
    "a property of another packet": ("40 09 0001 00 05 1100000001", V5),
    "a property twice": ("30 08 0001 74 04 0101 0101", V5),
    "a value out of range": ("30 06 0001 74 02 01 02", V5),
    "alias 0": ("30 07 0001 74 03 23 0000", V5),
    "properties cut off": ("30 05 0001 74 05 01", V5),
    "bytes left over": ("40 03 0001 00", V311),
    "a reason PUBACK does not have": ("40 03 0001 92", V5),
    "a failure of 3.1": ("90 03 0001 80", V31),
    "a code of UNSUBACK before 5": ("b0 03 0001 00", V311),
    "DISCONNECT before 5": ("e0 00", V311),
    "a reason of clients": ("e0 01 04", V5),
    "session expiry of a server": ("e0 07 82 05 1100000000", V5),
}


@pytest.mark.parametrize(("written", "version"), cases(WRONG))
def test_wrong_packets_are_not(written, version):
    with pytest.raises(read.Wrong):
        _parse(written, version)


def test_packets_are_split_where_they_end():
    data = bytes.fromhex("d000 4002 0001 30")
    assert read.split(data) == (0xD0, b"", 2, data[2:])
    assert read.split(data[2:]) == (0x40, b"\0\1", 4, b"\x30")
    assert read.split(data[6:]) is None
    assert read.split(bytes.fromhex("30 80")) is None
    assert read.split(bytes.fromhex("30 05 00")) is None
    with pytest.raises(read.Wrong):
        read.split(bytes.fromhex("30 ff ff ff ff 01"))


# The client, against a server that says what a test tells it to.


@pytest.fixture
def served():
    """`served(bytes, version)` makes a client of a server that sends them and closes."""
    listener = socket.create_server(("127.0.0.1", 0))
    clients = []

    def serve(said, version=V5):
        def answer():
            connection, _ = listener.accept()
            connection.sendall(bytes.fromhex(said))
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        clients.append(Client(listener.getsockname(), version))
        return clients[-1]

    yield serve
    for client in clients:
        client.close()
    listener.close()


M1, M2 = "30 05 0001 74 00 31 ", "30 05 0001 74 00 32 "


def test_messages_before_an_answer_are_kept_in_order(served):
    client = served(M1 + M2 + "62 02 0007 90 04 0001 00 00 d0 00")
    client.expect(SUBACK, 1)
    client.expect(PINGRESP)
    assert client.expect(PUBREL).packet_id == 7
    assert [client.expect(PUBLISH).payload for _ in range(2)] == [b"1", b"2"]


def test_another_packet_is_not_what_was_expected(served):
    with pytest.raises(AssertionError, match="PUBLISH was to come"):
        served("d0 00").expect(PUBLISH)
    with pytest.raises(AssertionError, match="closed"):
        served("").expect(PUBLISH)


def test_the_end_is_seen(served):
    served("").expect_end(0x82)
    assert served(M1 + "e0 01 82").expect_end(0x81, 0x82).reason == 0x82
    for said in ("e0 01 81", "d0 00", "e0 01 82 d0 00"):
        with pytest.raises(AssertionError):
            served(said).expect_end(0x82)
    with pytest.raises(AssertionError):
        served("e0 01 82").expect_end()


def test_a_server_that_should_explain_itself_has_to(served):
    client = served("")
    client.explains = True
    with pytest.raises(AssertionError, match="without a word"):
        client.expect_end(0x82)


def test_refusals_are_seen(served):
    assert served("20 03 00 82 00").expect_refusal(0x82).kind == CONNACK
    served("").expect_refusal(0x82)
    for said in ("20 03 00 00 00", "20 03 00 81 00", "20 03 00 82 00 d0 00"):
        with pytest.raises(AssertionError):
            served(said).expect_refusal(0x82)
    with pytest.raises(AssertionError):
        served("").expect_refusal(0x82, said=True)


def test_packets_above_the_maximum_are_wrong(served):
    client = served(M1)
    client.note([(MAXIMUM_PACKET_SIZE, 6)])
    with pytest.raises(read.Wrong, match="maximum"):
        client.read()


def test_aliases_are_resolved_and_held_to_their_maximum(served):
    client = served("30 07 0001 74 03 23 0001 30 06 0000 03 23 0001 30 07 0001 74 03 23 0002")
    client.note([(TOPIC_ALIAS_MAXIMUM, 1)])
    assert [client.read().topic for _ in range(2)] == ["t", "t"]
    with pytest.raises(read.Wrong, match="alias"):
        client.read()


def test_quiet_is_seen(served):
    with pytest.raises(AssertionError, match="nothing was to come"):
        served(M1).expect_quiet()
    with pytest.raises(AssertionError, match="the end"):
        served("").expect_quiet()


def test_samples_are_right():
    found = read.Cursor(
        build.properties((CONTENT_TYPE, "a"), (SUBSCRIPTION_ID, 1), (TOPIC_ALIAS, 1))
    )
    assert len(found.properties(PUBLISH)) == 3
