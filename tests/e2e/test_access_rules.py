"""Rules that decide who may connect, and who may do what."""

import pytest

from support import wire
from support.paho import PahoClient
from support.raw import RawClient
from support.rules import LISTENER, POOL, guest, rule, storing
from support.wire import V5, V311

AUTHENTICATE = rule("who", "client.authenticate", "mine", "judge")
AUTHORIZE = rule("what", "client.authorize", "mine", "judge")
# Listeners that refuse what no rule speaks of.
STRICT = LISTENER.replace("}", "  allow_unknown_clients = false\n}")
LISTED = LISTENER.replace("}", "  allow_unlisted_access = false\n}")

VERSIONS = pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])


def connack(port, version, password=None, **options):
    """The reason of CONNACK."""
    with RawClient(port, version) as client:
        packet = wire.connect(
            "c", version, username="u" if password else None, password=password, **options
        )
        client.send(packet)
        return client.expect(wire.CONNACK).reason


@VERSIONS
@pytest.mark.parametrize("listener", [LISTENER, STRICT], ids=["open", "strict"])
def test_allow_deny_and_defer(start_broker, version, listener):
    broker = start_broker(listener + guest() + AUTHENTICATE)
    assert connack(broker.port, version, b"right") == 0
    # Bad user name or password; before MQTT 5 it has another number.
    assert connack(broker.port, version, b"wrong") == (0x86 if version == V5 else 4)
    deferred = 0 if listener == LISTENER else (0x87 if version == V5 else 5)
    assert connack(broker.port, version, b"neither") == deferred
    assert connack(broker.port, version) == deferred


def test_a_paho_client_logs_in(start_broker, unique):
    broker = start_broker(STRICT + guest() + AUTHENTICATE)
    client = PahoClient(broker.port, unique("paho"))
    client.mqtt.username_pw_set("ada", "right")
    with client:
        assert client.mqtt.is_connected()


def test_the_next_rule_is_asked_where_one_defers(start_broker):
    """A chain: the first that knows decides."""
    chain = rule("first", "client.authenticate", "mine", "noop") + AUTHENTICATE
    broker = start_broker(STRICT + guest() + chain)
    assert connack(broker.port, V5, b"right") == 0
    assert connack(broker.port, V5, b"wrong") == 0x86
    assert connack(broker.port, V5, b"neither") == 0x87


@VERSIONS
def test_a_rule_that_fails_lets_nobody_in(start_broker, version):
    fails = rule("fails", "client.authenticate", "mine", "fail", {"kind": "other"})
    broker = start_broker(LISTENER + guest() + fails + AUTHENTICATE)
    assert connack(broker.port, version, b"right") != 0


def enhanced(client, answer):
    """CONNECT with a method; the answer to the challenge; what comes then."""
    method = (wire.AUTH_METHOD, "TEST")
    client.send(wire.connect("c", props=[method, (wire.AUTH_DATA, b"hello")]))
    challenge = client.expect(wire.AUTH)
    assert challenge.reason == 0x18
    assert challenge.property(wire.AUTH_METHOD) == "TEST"
    assert challenge.property(wire.AUTH_DATA) == b"prove it"
    client.send(wire.auth(0x18, method, (wire.AUTH_DATA, answer)))
    return client.expect(wire.CONNACK)


def test_enhanced_authentication_asks_and_takes_the_answer(start_broker):
    broker = start_broker(STRICT + guest() + AUTHENTICATE)
    with RawClient(broker.port) as client:
        ack = enhanced(client, b"proof")
        assert ack.reason == 0
        assert ack.property(wire.AUTH_METHOD) == "TEST"
        assert ack.property(wire.AUTH_DATA) == b"welcome"
        client.ping()
        # Once connected, the client may begin anew.
        method = (wire.AUTH_METHOD, "TEST")
        client.send(wire.auth(0x19, method, (wire.AUTH_DATA, b"hello")))
        assert client.expect(wire.AUTH).reason == 0x18
        client.send(wire.auth(0x18, method, (wire.AUTH_DATA, b"proof")))
        assert client.expect(wire.AUTH).reason == 0
        client.ping()
        client.send(wire.auth(0x19, method, (wire.AUTH_DATA, b"hello")))
        client.expect(wire.AUTH)
        client.send(wire.auth(0x18, method, (wire.AUTH_DATA, b"forged")))
        client.expect_disconnect(0x87)


def test_enhanced_authentication_refuses_the_wrong_answer(start_broker):
    broker = start_broker(STRICT + guest() + AUTHENTICATE)
    with RawClient(broker.port) as client:
        assert enhanced(client, b"forged").reason == 0x87
        client.expect_closed()


@pytest.mark.parametrize("listener", [LISTENER, LISTED], ids=["open", "listed"])
def test_publish_and_subscribe_are_authorized(start_broker, unique, listener):
    broker = start_broker(listener + guest() + AUTHORIZE)
    unlisted = listener == LISTENER
    with RawClient.connected(broker.port, unique("raw")) as client:
        granted = client.subscribe("open/a", "closed/a", "else/a")
        assert granted == [1, 0x87, 1 if unlisted else 0x87]
        assert client.publish("closed/a").reason == 0x87
        assert (client.publish("else/b").reason < 0x80) == unlisted
        client.send(wire.publish("open/a", b"in", qos=1, packet_id=77))
        got = {client.read().type for _ in range(2)}
        assert got == {wire.PUBLISH, wire.PUBACK}


def test_what_is_denied_is_not_stored_and_v311_is_not_told(start_broker, unique):
    broker = start_broker(LISTENER + POOL + guest() + AUTHORIZE + storing())
    with RawClient.connected(broker.port, unique("raw"), V311) as client:
        client.publish("closed/a", b"ignored")
        client.publish("open/a", b"stored")
    with broker.store() as store:
        assert store.payloads("closed/a") == []
        assert store.payloads("open/a") == [b"stored"]


def test_deny_action_disconnect_closes_a_v311_client(start_broker, unique):
    action = 'mqtt {\n  deny_action = "disconnect"\n}\n'
    broker = start_broker(LISTENER + action + guest() + AUTHORIZE)
    with RawClient.connected(broker.port, unique("raw"), V311) as client:
        client.send(wire.publish("closed/a", b"", V311, qos=1, packet_id=1))
        client.expect_closed()


def test_a_will_is_authorized_before_the_client_is_let_in(start_broker):
    broker = start_broker(LISTENER + guest() + AUTHORIZE)
    assert connack(broker.port, V5, will=wire.Will("open/w", b"")) == 0
    assert connack(broker.port, V5, will=wire.Will("closed/w", b"")) == 0x87


def test_a_reload_counts_for_clients_that_are_connected(start_broker, unique):
    """What was allowed is asked again when there is a rule for it."""
    broker = start_broker(LISTENER + guest())
    with RawClient.connected(broker.port, unique("raw")) as client:
        assert client.publish("closed/a").reason < 0x80
        broker.config.write_text(LISTENER + guest() + AUTHORIZE)
        broker.ctl("reload")
        assert client.publish("closed/a").reason == 0x87
        broker.config.write_text(LISTENER + guest())
        broker.ctl("reload")
        assert client.publish("closed/a").reason < 0x80
