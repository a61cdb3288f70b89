"""Session Present is told where there is a session, and what belongs to it is there."""

import time

import pytest

from contract.conftest import Stage
from contract.ends import LASTING_S, lasting
from contract.store import Capability
from support.paho import PahoClient
from support.wait import wait_until
from support.wire import V5, V311

needs = pytest.mark.needs
VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])


class Coming:
    """What a client does before the CONNACK that counts: it comes, and the broker ends, in turn."""

    def __init__(self, stage, client_id, version):
        self._stage = stage
        self._client_id = client_id
        self._version = version
        self._left = []

    def come(self, clean=False, expiry_s=LASTING_S):
        """Connects, subscribes, and goes in order; whether a session was present."""
        client = lasting(self._stage.port, self._client_id, self._version, clean, expiry_s)
        with client:
            client.subscribe("t")
        return client.session_present

    def stay(self):
        """Is connected when the broker ends."""
        client = lasting(self._stage.port, self._client_id, self._version).connect()
        client.subscribe("t")
        self._left.append(client)

    def proxy(self):
        self._stage.store.subscribe_by_proxy(self._client_id, "proxy", 1)

    def expire(self):
        # Whose second is over is looked up every quarter of a second.
        over_at = time.time() + 1.6
        wait_until(lambda: time.time() > over_at, "a second has passed")

    def restart(self):
        self._stage.restart()
        self._gone()

    def kill(self):
        self._stage.kill()
        self._gone()

    def expire_while_stopped(self):
        assert self._stage.broker.stop() == 0
        self.expire()
        self._stage.broker.start()

    def _gone(self):
        for client in self._left:
            wait_until(lambda: client.disconnects, "the connection is gone")
            client.close()


FRESH = {"clean": True, "expiry_s": 0}
FRESH_LASTING = {"clean": True}
BRIEF = {"expiry_s": 1}
PASSING = {"expiry_s": 0}
BOTH, ONLY_V5 = (V311, V5), (V5,)

#: Steps, each with arguments; how the client comes in the end; whether a session is present; versions.
CASES = {
    "the first time": ([], {}, False, BOTH),
    "the second time": ([("come", {})], {}, True, BOTH),
    "at a clean start": ([("come", {})], FRESH, False, BOTH),
    "after a clean start": ([("come", {}), ("come", FRESH)], {}, False, BOTH),
    "after a clean start that lasts": ([("come", {}), ("come", FRESH_LASTING)], {}, True, ONLY_V5),
    "after an expiry of 0": ([("come", PASSING)], {}, False, ONLY_V5),
    "after the last expiry was 0": ([("come", {}), ("come", PASSING)], {}, False, ONLY_V5),
    "in time": ([("come", {"expiry_s": 60}), ("expire", {})], {}, True, ONLY_V5),
    "after it expired": ([("come", BRIEF), ("expire", {})], {}, False, ONLY_V5),
    "after it expired meanwhile": (
        [("come", BRIEF), ("expire_while_stopped", {})], {}, False, ONLY_V5,
    ),
    "after a restart": ([("come", {}), ("restart", {})], {}, True, BOTH),
    "after a restart while there": ([("stay", {}), ("restart", {})], {}, True, BOTH),
    "after a kill": ([("come", {}), ("kill", {})], {}, True, BOTH),
    "after a kill while there": ([("stay", {}), ("kill", {})], {}, True, BOTH),
    "after two kills": ([("stay", {}), ("kill", {}), ("come", {}), ("kill", {})], {}, True, BOTH),
    "at a clean start after a kill": ([("come", {}), ("kill", {})], FRESH, False, BOTH),
    "after a clean start and a kill": (
        [("come", {}), ("come", FRESH), ("kill", {})], {}, False, BOTH,
    ),
    "after a clean start behind a kill": (
        [("come", {}), ("kill", {}), ("come", FRESH)], {}, False, BOTH,
    ),
    "with a proxy subscription": ([("proxy", {})], {}, False, BOTH),
    "with a proxy subscription after a kill": (
        [("proxy", {}), ("come", {}), ("kill", {})], {}, True, BOTH,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def restarted(store_class, tmp_path_factory):
    """A stage whose broker is ended again and again."""
    stage = Stage(store_class, tmp_path_factory.mktemp("restarted"))
    yield stage
    stage.close()


@needs(Capability.SESSIONS, Capability.SUBSCRIPTIONS, Capability.PROXY_SUBSCRIPTIONS)
@pytest.mark.parametrize(
    ("case", "version"),
    [(case, version) for case in CASES for version in CASES[case][3]],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else f"v{value}",
)
def test_session_present_is_right(restarted, unique, case, version):
    steps, last, expected, _ = CASES[case]
    coming = Coming(restarted, unique("client"), version)
    for step, arguments in steps:
        getattr(coming, step)(**arguments)
    assert coming.come(**last) is expected


@needs(Capability.SESSIONS, Capability.SUBSCRIPTIONS, Capability.MESSAGES, Capability.FETCH)
@VERSIONS
def test_a_client_resumes_after_a_kill_without_subscribing(restarted, unique, version):
    stage, topic, client_id = restarted, unique("t"), unique("client")
    with lasting(stage.port, client_id, version) as client:
        client.subscribe(topic, qos=2)
        client.subscribe(f"{topic}/gone")
        client.unsubscribe(f"{topic}/gone")
    # UNSUBACK does not wait for the store.
    stored = stage.store.subscriptions
    wait_until(lambda: stored(client_id) == {topic: 2}, "the one subscription is left")
    with PahoClient(stage.port, unique("writer"), version) as writer:
        writer.publish_many(topic, [b"0", b"1"], qos=2)
        stage.kill()
    with PahoClient(stage.port, unique("writer"), version) as writer:
        writer.publish(topic, b"2", qos=2)
        writer.publish(f"{topic}/gone", b"not subscribed to")
        with lasting(stage.port, client_id, version) as client:
            assert client.session_present
            client.wait_for_messages(3)
            writer.publish(topic, b"3", qos=2)
            got = [(m.topic, m.payload, m.qos) for m in client.wait_for_messages(4)]
    assert got == [(topic, b"%d" % number, 2) for number in range(4)]


@needs(Capability.PROXY_SUBSCRIPTIONS)
@VERSIONS
def test_a_business_server_subscribes_a_client(stage, unique, version):
    topic, client_id = unique("proxy"), unique("device")
    stage.store.subscribe_by_proxy(client_id, f"{topic}/#", 1)
    with PahoClient(stage.port, client_id, version) as device:
        assert device.session_present is False
        with PahoClient(stage.port, unique("writer"), version) as writer:
            writer.publish(f"{topic}/a", b"at once", qos=2)
        (message,) = device.wait_for_messages(1)
        assert (message.topic, message.payload, message.qos) == (f"{topic}/a", b"at once", 1)


@needs(Capability.PROXY_SUBSCRIPTIONS, Capability.FETCH, Capability.MESSAGES, Capability.POSITIONS)
@VERSIONS
def test_what_came_while_it_was_away_reaches_a_client_by_proxy(stage, unique, version):
    topic, client_id = unique("proxy"), unique("device")
    stage.store.subscribe_by_proxy(client_id, topic, 1)
    with lasting(stage.port, client_id, version):
        pass
    expected = [b"%d" % number for number in range(10)]
    with PahoClient(stage.port, unique("writer"), version) as writer:
        writer.publish_many(topic, expected)
    with lasting(stage.port, client_id, version) as device:
        assert device.session_present
        # To subscribe to the same as well fetches nothing a second time.
        device.subscribe(topic)
        with PahoClient(stage.port, unique("writer"), version) as writer:
            writer.publish(topic, b"live")
        got = [message.payload for message in device.wait_for_messages(11)]
    assert got == [*expected, b"live"]


@needs(Capability.SUBSCRIPTIONS, Capability.PROXY_SUBSCRIPTIONS)
@VERSIONS
def test_what_a_client_subscribes_to_leaves_a_business_servers_rows(stage, unique, version):
    client_id, own, theirs = unique("client"), unique("own") + "/+", unique("theirs")
    stage.store.subscribe_by_proxy(client_id, theirs, 0)
    stored = stage.store.subscriptions
    with PahoClient(stage.port, client_id, version) as client:
        client.subscribe(own, theirs, qos=2)
        wait_until(lambda: stored(client_id) == {own: 2, theirs: 0}, "one row is added")
        client.subscribe(own, qos=1)
        wait_until(lambda: stored(client_id) == {own: 1, theirs: 0}, "the row is changed")
        client.unsubscribe(own, theirs)
        wait_until(lambda: stored(client_id) == {theirs: 0}, "the own row is deleted")


@needs(Capability.EXCHANGES, Capability.SESSIONS, Capability.FETCH, Capability.POSITIONS)
@VERSIONS
def test_qos_2_messages_come_once_over_kills(own_stage, unique, version):
    stage, topic = own_stage(), unique("once")
    reader = lasting(stage.port, unique("reader"), version).connect()
    reader.subscribe(topic, qos=2)
    writer = lasting(stage.port, unique("writer"), version).connect()
    expected = [b"%03d" % number for number in range(240)]
    for turn in range(3):
        before = len(reader.messages)
        for payload in expected[80 * turn : 80 * (turn + 1)]:
            writer.mqtt.publish(topic, payload, 2)
        # Amid it, exchanges of all states under way on both sides.
        wait_until(lambda: len(reader.messages) > before + 20, "messages come")
        stage.kill()
        for client in (reader, writer):
            wait_until(lambda c=client: c.disconnects, "the connection is gone")
            client.disconnects.clear()
            client.connect()
            assert client.session_present
    got = [message.payload for message in reader.wait_for_messages(240)]
    reader.close()
    writer.close()
    assert got == expected
    assert stage.store.payloads(topic) == expected
