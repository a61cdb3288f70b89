"""No acknowledged message is lost when the broker is killed.

Publishers keep hundreds of QoS 1 messages in flight while the broker is killed
with SIGKILL at random moments and started again on the same data. In the end
every message that any PUBACK was received for has to be in the store.
HOOKWIRE_KILLS sets how often (20), HOOKWIRE_SEED repeats a run's random choices.
"""

import collections
import os
import random
import time

from faults.publishers import TOPIC, Plan, Publisher
from support.wait import DEADLINE_S, wait_until
from support.wire import V5, V311

KILLS = int(os.environ.get("HOOKWIRE_KILLS", "20"))

# Windows stay below the Receive Maximum that the broker grants.
PLANS = [
    Plan("raw-a", "raw", V311, 120, 100),
    Plan("raw-b", "raw", V5, 120, 100),
    Plan("raw-c", "raw", V311, 100, 1000),
    Plan("raw-d", "raw", V5, 16, 5000),
    Plan("paho-a", "paho", V311, 50, 200),
    Plan("paho-b", "paho", V5, 50, 200),
]


def total_acknowledged(publishers):
    return sum(publisher.progress.acknowledged.value for publisher in publishers)


def wait_until_all_publish(publishers):
    """Until each is connected to this run of the broker and was acknowledged by it."""

    def all_publish():
        assert all(publisher.is_alive() for publisher in publishers)
        return all(
            p.progress.connections.value > p.progress.breaks.value
            and p.progress.acknowledged_here.value > 0
            for p in publishers
        )

    wait_until(all_publish, "every publisher gets acknowledgements")


def kill_under_load(broker, publishers, rng):
    """Kills at a random moment; returns what was in flight, and acknowledged."""
    wait_until_all_publish(publishers)
    breaks = [publisher.progress.breaks.value for publisher in publishers]
    # A random number of acknowledgements later, and then a random instant of
    # the work that the next one takes.
    target = total_acknowledged(publishers) + rng.randrange(2000)
    wait_until(lambda: total_acknowledged(publishers) >= target, "acknowledgements go on")
    instant = time.perf_counter() + rng.random() * 0.02
    while time.perf_counter() < instant:
        pass
    broker.kill()
    wait_until(
        lambda: all(
            publisher.progress.breaks.value > before
            for publisher, before in zip(publishers, breaks, strict=True)
        ),
        "every publisher notices",
    )
    in_flight = sum(publisher.progress.in_flight.value for publisher in publishers)
    return in_flight, total_acknowledged(publishers)


def stored_numbers(broker):
    """Client id -> number -> how often it is stored."""
    found = collections.defaultdict(collections.Counter)
    with broker.store() as store:
        for row in store.query("SELECT sender, payload FROM mqtt_msg WHERE topic = ?", TOPIC):
            client_id, number, _ = bytes(row["payload"]).split(b" ", 2)
            assert client_id.decode() == row["sender"]
            found[row["sender"]][int(number)] += 1
    return found


def test_no_acknowledged_message_is_lost(start_broker, report):
    seed = int(os.environ.get("HOOKWIRE_SEED") or random.SystemRandom().randrange(2**32))
    rng = random.Random(seed)
    report(f"{len(PLANS)} publishers at QoS 1, {KILLS} times SIGKILL, seed {seed}")
    started = time.monotonic()
    broker = start_broker()
    publishers = [Publisher(plan, broker.port) for plan in PLANS]
    in_flight_at_kills = []
    try:
        report(f"{'kill':>5} {'in flight':>10} {'acknowledged so far':>20}")
        for kill in range(1, KILLS + 1):
            in_flight, acknowledged = kill_under_load(broker, publishers, rng)
            in_flight_at_kills.append(in_flight)
            report(f"{kill:>5} {in_flight:>10} {acknowledged:>20}")
            broker.start()
        wait_until_all_publish(publishers)
        results = [publisher.finish(DEADLINE_S) for publisher in publishers]
    finally:
        for publisher in publishers:
            publisher.discard()
    broker.kill()
    found = stored_numbers(broker)
    acknowledged = found_acknowledged = refused = lost = 0
    for plan, (numbers, refused_here) in zip(PLANS, results, strict=True):
        stored = found[plan.client_id]
        missing = [number for number in numbers if number not in stored]
        if missing:
            report(f"lost of {plan.client_id}: {missing[:20]}")
        acknowledged += len(numbers)
        found_acknowledged += len(numbers) - len(missing)
        lost += len(missing)
        refused += refused_here
    duplicated = sum(times - 1 for numbers in found.values() for times in numbers.values())
    report(
        f"acknowledged {acknowledged}, found {found_acknowledged}, duplicated {duplicated}, "
        f"lost {lost}; refused {refused}; {time.monotonic() - started:.1f} s"
    )
    assert lost == 0
    assert acknowledged > 0
    assert refused == 0
    loaded = sum(in_flight > 0 for in_flight in in_flight_at_kills)
    assert loaded >= 0.9 * KILLS, f"something was in flight at {loaded} of {KILLS} kills only"
