"""A broker under load that loses its life again and again, and who watches it.

`play` puts publishers and persistent subscribers to work on a broker, kills it
at random moments, and in the end lets everything arrive. What happened stands in
the history; what it means is for `history.check`.
"""

import time

from faults import history
from faults.actors import Publisher, PublisherPlan, Subscriber, SubscriberPlan
from faults.paho_actors import PahoPublisher, PahoSubscriber
from support import wire
from support.rules import LISTENER, POOL, module, rule
from support.wait import DEADLINE_S, wait_until
from support.wire import V5, V311

TOPICS = ("load/a", "load/b", "load/c/d", "other")

PUBLISHERS = [
    PublisherPlan("p-1", V311, TOPICS, 40),
    PublisherPlan("p-2", V5, TOPICS, 40),
    PublisherPlan("p-3", V5, TOPICS[:2], 5, payload_bytes=5000),
]
PAHO_PUBLISHERS = [PublisherPlan("p-paho", V311, TOPICS[1:], 20)]

_SMALL_WINDOW = ((wire.RECEIVE_MAXIMUM, 8),)
SUBSCRIBERS = [
    SubscriberPlan("online-1-exact", V5, "load/a", 1),
    SubscriberPlan("online-2-wild", V311, "load/#", 2),
    SubscriberPlan("resuming-1-wild", V311, "+/b", 1, leaves_after=300),
    SubscriberPlan("resuming-2-exact", V5, "load/b", 2, leaves_after=300),
    SubscriberPlan("away-1-exact", V311, "load/a", 1, leaves_after=600, away_s=3.0),
    SubscriberPlan("away-2-wild", V5, "load/c/#", 2, leaves_after=200, away_s=3.0),
    SubscriberPlan("slow-1-wild", V5, "load/+", 1, pause_s=0.004, properties=_SMALL_WINDOW),
    SubscriberPlan("slow-2-exact", V311, "other", 2, pause_s=0.008),
]
#: At QoS 1: paho hands a QoS 2 message over at PUBREL, so that one which the
#: broker knows to be received does not reach the application where a session ends.
PAHO_SUBSCRIBERS = [SubscriberPlan("paho-1-wild", V5, "#", 1)]

#: What the clients of this play want of the broker. The short queue makes the
#: slow ones overflow, and go on from the store.
BINDINGS = [
    ("message.publish", "on_message_publish", {}),
    ("message.acked", "on_message_acked", {"topic": "#"}),
    ("node.started", "on_node_started", {}),
    ("node.started", "on_session_store", {}),
    ("session.created", "on_session_restore", {}),
    ("session.resumed", "on_session_store", {}),
    ("client.disconnected", "on_session_store", {}),
    ("session.discarded", "on_session_store", {}),
    ("session.terminated", "on_session_store", {}),
    ("session.exchange", "on_session_exchange", {}),
    ("session.subscribed", "on_message_fetch", {"topic": "#"}),
    ("session.subscribed", "on_subscription_store", {}),
    ("session.unsubscribed", "on_subscription_delete", {}),
    ("client.connected", "on_client_connected", {}),
    ("client.disconnected", "on_client_disconnected", {}),
]


def config():
    rules = [
        rule(f"{hook}-{action}", hook, "sqlite", action, pool="embedded", **keys)
        for hook, action, keys in BINDINGS
    ]
    return (
        "workers = 2\nmqtt {\n  max_queued_messages = 200\n}\n"
        + LISTENER + POOL + module("sqlite") + "".join(rules)
    )  # fmt: skip


class Play:
    """The actors of one broker, and its life."""

    def __init__(self, broker, recorder, rng):
        self.broker, self.recorder, self.rng = broker, recorder, rng
        seed = rng.randrange(2**32)

        def actors(kind, plans):
            return [kind(plan, broker.port, recorder, seed) for plan in plans]

        self.publishers = actors(Publisher, PUBLISHERS) + actors(PahoPublisher, PAHO_PUBLISHERS)
        self.subscribers = actors(Subscriber, SUBSCRIBERS) + actors(
            PahoSubscriber, PAHO_SUBSCRIBERS
        )

    def begin(self):
        """Everybody has subscribed before anything is published."""
        for subscriber in self.subscribers:
            subscriber.start()
        self._wait(lambda: all(s.is_subscribed for s in self.subscribers), "all subscribe")
        for publisher in self.publishers:
            publisher.start()

    def kill(self):
        """At a random moment of the load: in two of three cases after some
        acknowledgements of everybody, else while clients come back."""
        if self.rng.randrange(3):
            self.wait_for_load()
        instant = time.perf_counter() + self.rng.random() * 0.1
        while time.perf_counter() < instant:
            pass
        self.recorder.record(history.KILLED, "broker")
        self.broker.kill()

    def revive(self):
        self.broker.start()
        self.recorder.record(history.STARTED, "broker")

    def finish(self):
        """Lets publishers end, and subscribers come to the last of their messages."""
        for actor in self.publishers + self.subscribers:
            actor.finishing.set()
        self._wait(lambda: not any(p.is_alive() for p in self.publishers), "publishers end")
        awaited = [
            (subscriber, id)
            for publisher in self.publishers
            for topic, id in publisher.last.items()
            for subscriber in self.subscribers
            if history.matches(subscriber.plan.filter, topic)
        ]
        self._wait_while_it_goes_on(lambda: all(id in s.delivered for s, id in awaited))
        for subscriber in self.subscribers:
            subscriber.stopping.set()
        assert self.broker.stop() == 0, self.broker.stderr()
        for subscriber in self.subscribers:
            subscriber.join(DEADLINE_S)
            assert not subscriber.is_alive(), f"{subscriber.name} did not end"

    def discard(self):
        """Whatever still runs ends with its connection."""
        for actor in self.publishers + self.subscribers:
            actor.finishing.set()
            actor.stopping.set()

    def wait_for_load(self):
        def total():
            return sum(publisher.acknowledged for publisher in self.publishers)

        self._wait(
            lambda: all(p.acknowledged_here > 0 for p in self.publishers),
            "every publisher gets acknowledgements",
        )
        target = total() + self.rng.randrange(2000)
        self._wait(lambda: total() >= target, "acknowledgements go on")

    def _wait(self, condition, what):
        def holds():
            for actor in self.publishers + self.subscribers:
                assert actor.failure is None, f"{actor.name}: {actor.failure!r}"
            return condition()

        wait_until(holds, what)

    def _wait_while_it_goes_on(self, condition):
        """Until the condition holds, or nothing has been delivered for the deadline:
        what did not come by then is lost, and the check will say what it was."""
        while not condition():
            before = self._delivered()
            try:
                self._wait(lambda: condition() or self._delivered() > before, "deliveries go on")
            except AssertionError:
                if any(actor.failure for actor in self.subscribers):
                    raise
                return

    def _delivered(self):
        return sum(len(subscriber.delivered) for subscriber in self.subscribers)


def play(broker, recorder, kills, rng, after_kill=lambda: None):
    """Plays it with so many kills; the broker has stopped at the end."""
    acting = Play(broker, recorder, rng)
    try:
        acting.begin()
        for _ in range(kills):
            acting.kill()
            after_kill()
            acting.revive()
        acting.wait_for_load()
        acting.finish()
    finally:
        acting.discard()
        recorder.close()
    return history.check(history.read(recorder.path))


def assert_kept(findings):
    """The promise: what is acknowledged reaches its readers, in order, and at QoS 2 once."""
    assert not findings.lost
    assert not findings.reordered
    assert not findings.unknown
    assert not findings.misdirected
    assert not findings.duplicated[2]
