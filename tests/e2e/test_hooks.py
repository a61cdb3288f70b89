"""Every hook, on real connections, in the order in which things happen."""

import pytest

from support import wire
from support.raw import RawClient
from support.rules import LISTENER, POOL, guest, rule
from support.wait import wait_until
from support.wire import V5, V311

HOOKS = [
    "client.connect", "client.authenticate", "client.authorize", "client.connack",
    "client.connected", "client.disconnected", "client.subscribe", "client.unsubscribe",
    "session.created", "session.resumed", "session.subscribed", "session.unsubscribed",
    "session.discarded", "session.takenover", "session.terminated",
    "message.publish", "message.deliver", "message.acked", "message.dropped",
]  # fmt: skip

# What everybody waits for is written in order. What only tells of it has a
# place of its own behind what caused it, and is told apart.
WAITED_FOR = {
    "client.connect", "client.authenticate", "client.authorize", "session.created",
    "client.subscribe", "client.unsubscribe", "message.publish", "message.deliver",
}  # fmt: skip


@pytest.fixture
def broker(start_broker):
    """Every hook has a rule, in an order that says nothing."""
    rules = [rule(hook, hook, "mine", "tell", pool="embedded") for hook in sorted(HOOKS)]
    return start_broker("workers = 1\n" + LISTENER + POOL + guest(lanes=1) + "".join(rules))


class Told:
    """What the rules saw, client by client."""

    def __init__(self, broker):
        self.store = broker.store()

    def of(self, client_id):
        rows = self.store.query(
            "SELECT hook, about FROM told WHERE clientid = ? ORDER BY id", client_id
        )
        return [(row["hook"], row["about"]) for row in rows]

    def wait(self, client_id, hook, about=None):
        def there():
            return any(
                found == hook and about in (None, text) for found, text in self.of(client_id)
            )

        wait_until(there, f"{hook} is told of {client_id}")
        return self.of(client_id)


@pytest.fixture
def told(broker):
    # The table is there when the first event was told.
    RawClient.connected(broker.port, "first").close()
    reader = Told(broker)
    yield reader
    reader.store.close()


def only(events, hooks):
    return [event for event in events if event[0] in hooks]


@pytest.mark.parametrize("version", [V311, V5], ids=["v311", "v5"])
def test_a_client_comes_subscribes_and_goes(broker, told, version):
    with RawClient.connected(broker.port, "c", version) as client:
        client.subscribe("t", qos=1)
        client.send(wire.unsubscribe(9, "t", version=version))
        client.expect(wire.UNSUBACK)
        client.disconnect()
    events = told.wait("c", "session.terminated")
    assert only(events, WAITED_FOR) == [
        ("client.connect", ""),
        ("client.authenticate", "connect"),
        ("session.created", ""),
        ("client.authorize", "subscribe t"),
        ("client.subscribe", "t"),
        ("client.unsubscribe", "t"),
    ]
    assert [hook for hook, _ in events if hook not in WAITED_FOR] == [
        "client.connack",
        "client.connected",
        "session.subscribed",
        "session.unsubscribed",
        "client.disconnected",
        "session.terminated",
    ]
    assert ("client.disconnected", "normal") in events
    order = [hook for hook, _ in events]
    assert order.index("session.created") < order.index("client.connack")
    assert order.index("client.subscribe") < order.index("session.subscribed")


def test_a_message_is_published_delivered_and_acknowledged(broker, told):
    with (
        RawClient.connected(broker.port, "reader") as reader,
        RawClient.connected(broker.port, "writer") as writer,
    ):
        reader.subscribe("t", qos=1)
        writer.publish("t", b"1")
        reader.message()
        events = told.wait("reader", "message.acked")
        assert events[-2:] == [("message.deliver", "t"), ("message.acked", "t")]
        published = [event for event in told.of("writer") if "t" in event[1].split()]
        assert published == [("client.authorize", "publish t"), ("message.publish", "t")]


def test_messages_that_go_nowhere_are_dropped_for_a_reason(broker, told):
    with RawClient.connected(broker.port, "writer") as writer:
        writer.publish("nobody/listens")
        told.wait("", "message.dropped", "nobody/listens no-subscriber")


def test_a_session_is_resumed_taken_over_and_discarded(broker, told):
    lasting = {"props": [(wire.SESSION_EXPIRY, 600)], "clean": False}
    first = RawClient.connected(broker.port, "c", **lasting)
    second = RawClient.connected(broker.port, "c", **lasting)
    assert second.connack.session_present
    first.expect_disconnect(0x8E)
    told.wait("c", "session.takenover")
    events = told.wait("c", "session.resumed")
    assert [hook for hook, _ in events].count("session.created") == 1
    third = RawClient.connected(broker.port, "c", clean=True)
    events = told.wait("c", "session.discarded")
    assert not third.connack.session_present
    wait_until(
        lambda: [hook for hook, _ in told.of("c")].count("session.created") == 2,
        "there is a new session",
    )
    third.close()
    assert ("client.disconnected", "taken-over") in events


def test_a_will_passes_authorize_and_publish(broker, told):
    will = wire.Will("last/words", b"bye", qos=1)
    with RawClient.connected(broker.port, "c", will=will) as client:
        assert ("client.authorize", "publish-will last/words") in told.of("c")
        client.abort()
    told.wait("c", "message.publish", "last/words")


def test_authorize_is_asked_once_for_what_is_kept(broker, told):
    """And again when rules have changed; what no rule decided is asked each time."""

    def add(name, hook, action):
        text = broker.config.read_text()
        broker.config.write_text(text + rule(name, hook, "mine", action))
        assert f"rule {name} is new" in broker.ctl("reload")

    def asked(topic):
        return told.of("c").count(("client.authorize", f"publish {topic}"))

    add("judge", "client.authorize", "judge")
    with RawClient.connected(broker.port, "c") as client:
        for _ in range(3):
            client.publish("open/t")
            client.publish("undecided")
        assert asked("open/t") == 1
        assert asked("undecided") == 3
        add("more", "message.publish", "noop")
        client.publish("open/t")
        assert asked("open/t") == 2


def test_every_hook_was_seen(broker, told):
    """In one life of two clients there is each of them."""
    lasting = {"props": [(wire.SESSION_EXPIRY, 600)], "clean": False}
    with RawClient.connected(broker.port, "a", **lasting) as first:
        first.subscribe("t", qos=1)
        first.publish("u")
        with RawClient.connected(broker.port, "a", **lasting) as second:
            second.send(wire.publish("t", b"", qos=1, packet_id=7))
            got = {second.read().type for _ in range(2)}
            assert got == {wire.PUBLISH, wire.PUBACK}
            second.send(wire.puback(1))
            second.send(wire.unsubscribe(9, "t"))
            second.expect(wire.UNSUBACK)
    with RawClient.connected(broker.port, "a", clean=True) as third:
        third.disconnect()
    told.wait("a", "session.terminated")

    def missing():
        rows = told.store.query("SELECT DISTINCT hook FROM told")
        return set(HOOKS) - {row["hook"] for row in rows}

    wait_until(lambda: not missing(), f"every hook is told, but {missing()}")
