"""Will delay, MQTT 5. The tests wait for seconds and so run ahead of their turn."""

import time

import pytest

from conformance.build import V5, Will
from conformance.net import name
from conformance.properties import SESSION_EXPIRY, TAKEN_OVER, WILL_DELAY
from conformance.versions import kept

#: A broker may count whole seconds, so that an interval is up to one shorter.
WHOLE_S = 1


def _will(delay_s):
    return Will(name("will"), b"gone", qos=1, props=((WILL_DELAY, delay_s),))


@pytest.mark.ahead
def test_a_will_is_delayed(net):
    will = _will(3)
    listener = net.listen(will.topic)
    client = net.join(V5, will=will, **kept(V5))
    start = time.monotonic()
    client.abort()
    assert listener.message().payload == b"gone"
    assert time.monotonic() - start >= 3 - WHOLE_S


@pytest.mark.ahead
def test_a_will_is_published_when_its_session_ends_before(net):
    will = _will(3600)
    listener = net.listen(will.topic)
    client = net.join(V5, will=will, **kept(V5, 2))
    start = time.monotonic()
    client.abort()
    assert listener.message().payload == b"gone"
    assert time.monotonic() - start >= 2 - WHOLE_S


@pytest.mark.ahead
def test_a_will_is_not_delayed_beyond_a_session_that_ends_at_once(net):
    will = _will(3600)
    listener = net.listen(will.topic)
    net.join(V5, will=will).abort()
    assert listener.message().payload == b"gone"


@pytest.mark.ahead
def test_a_delay_of_0_is_none(net):
    will = _will(0)
    listener = net.listen(will.topic)
    net.join(V5, will=will, **kept(V5)).abort()
    assert listener.message().payload == b"gone"


@pytest.mark.ahead
def test_a_client_that_comes_back_in_time_has_no_will_published(net):
    will, who = _will(5), name("who")
    listener = net.listen(will.topic)
    net.join(V5, who, will=will, **kept(V5)).abort()
    time.sleep(0.5)
    again = net.join(V5, who, **kept(V5))
    assert listener.heard(net.join(V5), 8) == []
    again.ping()


@pytest.mark.ahead
def test_a_take_over_in_time_has_no_will_published(net):
    will, who = _will(2), name("who")
    listener = net.listen(will.topic)
    first = net.join(V5, who, will=will, **kept(V5))
    net.join(V5, who, **kept(V5))
    first.expect_end(TAKEN_OVER)
    assert listener.heard(net.join(V5), 5) == []


@pytest.mark.ahead
def test_a_new_delay_replaces_the_old(net):
    first, who = _will(5), name("who")
    second = Will(first.topic, b"second", props=((WILL_DELAY, 3600),))
    listener = net.listen(first.topic)
    net.join(V5, who, will=first, **kept(V5)).abort()
    time.sleep(0.5)
    net.join(V5, who, will=second, **kept(V5)).abort()
    assert listener.heard(net.join(V5), 8) == []


@pytest.mark.ahead
def test_a_delayed_will_outlives_a_disconnect_with_will(net):
    will = _will(3)
    listener = net.listen(will.topic)
    client = net.join(V5, will=will, clean=False, props=[(SESSION_EXPIRY, 3600)])
    start = time.monotonic()
    client.disconnect(0x04)
    assert listener.message().payload == b"gone"
    assert time.monotonic() - start >= 3 - WHOLE_S
