"""Keep alive: silence is answered after one and a half times the interval."""

import time

import pytest

from conformance.build import Will
from conformance.client import DEADLINE_S
from conformance.net import name
from conformance.properties import DISCONNECT, KEEP_ALIVE_TIMEOUT, PUBLISH
from conformance.versions import ALL, kept

#: How much later than asked a broker may look at its clock, on a busy machine.
LATE_S = 6


def _closed_after(client, start):
    client.expect_end(KEEP_ALIVE_TIMEOUT, deadline_s=DEADLINE_S + LATE_S)
    return time.monotonic() - start


@pytest.mark.ahead
@ALL
def test_a_silent_client_is_closed(net, version):
    start = time.monotonic()
    took = _closed_after(net.join(version, keep_alive=2), start)
    # The grace of half the interval is the client's; a broker may count whole seconds.
    assert 2 <= took <= 3 + LATE_S


@pytest.mark.ahead
@ALL
def test_the_interval_begins_anew_with_each_packet(net, version):
    client, topic = net.join(version, keep_alive=2), name("topic")
    for again in (client.ping, lambda: client.publish(topic, b"m", qos=1), client.ping):
        time.sleep(1.4)
        again()
    time.sleep(1.4)
    start = time.monotonic()
    client.publish(topic, b"m")
    assert _closed_after(client, start) >= 2


@pytest.mark.ahead
@ALL
def test_what_the_server_sends_does_not_count(net, version):
    topic = name("topic")
    start = time.monotonic()
    client = net.join(version, keep_alive=1)
    client.subscribe(topic, qos=0)
    publisher = net.join(version)
    end = time.monotonic() + 3 + LATE_S
    while time.monotonic() < end:
        publisher.publish(topic, b"m")
        got = _read_for(client, 0.2)
        if got != PUBLISH:
            break
    else:
        pytest.fail("a client that was silent for long is still connected")
    assert got in (None, DISCONNECT)
    assert time.monotonic() - start >= 1


def _read_for(client, for_s):
    """The type of the next packet; PUBLISH where none came in time, None at the end."""
    try:
        got = client.read(for_s)
    except TimeoutError:
        return PUBLISH
    return got and got.kind


@pytest.mark.ahead
@ALL
def test_keep_alive_0_is_no_keep_alive(net, version):
    client = net.join(version, keep_alive=0)
    time.sleep(4)
    client.ping()


@pytest.mark.ahead
@ALL
def test_the_longest_keep_alive_is_granted(net, version):
    client = net.join(version, keep_alive=65535)
    time.sleep(2)
    client.ping()


@pytest.mark.ahead
@ALL
def test_a_silent_client_has_its_will_published(net, version):
    will = Will(name("will"), b"silent", qos=1)
    listener = net.listen(will.topic, version=version)
    start = time.monotonic()
    net.join(version, keep_alive=1, will=will)
    assert listener.message(DEADLINE_S + LATE_S).payload == b"silent"
    assert time.monotonic() - start >= 1


@pytest.mark.ahead
@ALL
def test_a_silent_client_keeps_its_session(net, version):
    topic, who = name("topic"), name("who")
    client = net.join(version, who, keep_alive=1, **kept(version))
    client.subscribe(topic, qos=1)
    _closed_after(client, time.monotonic())
    net.join(version).publish(topic, b"m", qos=1)
    assert net.join(version, who, **kept(version)).message().payload == b"m"
