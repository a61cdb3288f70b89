"""What is stored and what is live, without a seam: each message of each publisher once, in order.

Publishers publish all the time. In each round a client with a proxy subscription connects and
subscribes to the same in one write; every second subscribes once more while it is sent what is
stored, to the same filter or to one that overlaps; every fourth leaves in the middle, and comes
back. HOOKWIRE_ROUNDS says how many rounds (100). A table says what was seen.
"""

import os
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support import wire
from support.raw import RawClient
from support.wait import DEADLINE_S, wait_until

ROUNDS = int(os.environ.get("HOOKWIRE_ROUNDS", "100"))
AT_ONCE = 6
PUBLISHERS, TOPICS = 3, 2
#: Seconds between two bursts of one publisher.
PACE_S = 0.02
BURST = 3
FILTER = "seam/+"
#: The filter of the second SUBSCRIBE, by turns.
AGAIN = [FILTER, "seam/#", "+/0"]
LASTING = [(wire.SESSION_EXPIRY, 3600)]

_FETCH = """\
  action = "on_message_fetch"
  topic  = "#"
  pool   = "embedded"
"""

_LOOK_UP = """
rule "look-up" {
  hook   = "session.created"
  module = "sqlite"
  action = "on_subscribe_lookup"
  pool   = "embedded"
}
"""


def config():
    """The default one, with proxy subscriptions, small pages and something to fetch."""
    text = (Path(os.environ["HOOKWIRE_CHECKOUT"]) / "etc/hookwire.hcl").read_text()
    assert text.count(_FETCH) == 1
    options = '  options {\n    time_range = "1s"\n    max_returned_count = 16\n  }\n'
    return "workers = 2\n" + text.replace(_FETCH, _FETCH + options) + _LOOK_UP


class Publisher(threading.Thread):
    """Publishes numbers to each topic by turns, until it is told to stop."""

    def __init__(self, port, name):
        super().__init__(daemon=True)
        self.name = name
        self.client = RawClient.connected(port, name)
        self.stopping = threading.Event()
        self.acknowledged = Counter()
        self.failure = None

    def run(self):
        number = 0
        try:
            while not self.stopping.wait(PACE_S):
                ids = []
                for _ in range(BURST):
                    topic = f"seam/{number % TOPICS}"
                    payload = f"{self.name} {number // TOPICS}"
                    ids.append((self.client.next_packet_id(), topic, number // TOPICS))
                    packet = wire.publish(topic, payload, qos=1, packet_id=ids[-1][0])
                    self.client.send(packet)
                    number += 1
                for packet_id, topic, line_number in ids:
                    assert self.client.expect(wire.PUBACK).packet_id == packet_id
                    self.acknowledged[topic] = line_number
        except Exception as error:  # Told by the test.
            self.failure = error
        self.client.close()

    def stop(self):
        self.stopping.set()
        self.join(DEADLINE_S)


class Reader:
    """One round: what it received, line by line, and what is wrong with it."""

    def __init__(self, broker, number):
        self.broker = broker
        self.number = number
        self.client_id = f"reader-{number}"
        self.lines = defaultdict(list)
        self.acknowledged = set()
        #: Those that came on this connection.
        self.came = set()
        self.unacknowledged = []
        self.subacks = 0
        self.subscribes = 0
        self.wrong = []
        self.client = None

    def connect(self):
        self.came = set()
        self.unacknowledged = []
        self.subacks = self.subscribes = 0
        self.client = RawClient(self.broker.port)
        connect = wire.connect(self.client_id, clean=False, props=LASTING)
        self.client.send(connect, self._subscribe(FILTER))
        assert self.client.expect(wire.CONNACK).reason == 0

    def _subscribe(self, text):
        self.subscribes += 1
        return wire.subscribe(self.client.next_packet_id(), (text, 1))

    def subscribe_again(self):
        self.client.send(self._subscribe(AGAIN[self.number // 2 % len(AGAIN)]))

    def take(self, keep=False):
        """The next packet; acknowledged unless it is to be kept."""
        got = self.client.read()
        assert got is not None, f"{self.client_id} was disconnected"
        if got.type == wire.SUBACK:
            assert got.reasons == [1]
            self.subacks += 1
            return
        assert got.type == wire.PUBLISH, got
        sender, number = got.payload.decode().split()
        message = (got.topic, sender, int(number))
        if message in self.acknowledged or message in self.came:
            self.wrong.append(("duplicate", message))
        line = self.lines[got.topic, sender]
        if message[2] not in line:
            if line and message[2] != line[-1] + 1:
                self.wrong.append(("gap" if message[2] > line[-1] else "reordered", message))
            line.append(message[2])
        self.came.add(message)
        if keep:
            self.unacknowledged.append((got.packet_id, message))
        else:
            self.client.send(wire.puback(got.packet_id))
            self.acknowledged.add(message)

    def take_publishes(self, count, keep=False):
        before = len(self.came)
        while len(self.came) < before + count and not self.wrong:
            self.take(keep)

    def leave(self):
        """In the middle: some are acknowledged, and known to be, and some are not."""
        self.take_publishes(5, keep=True)
        for packet_id, message in self.unacknowledged[:2]:
            self.client.send(wire.puback(packet_id))
            self.acknowledged.add(message)
        self.client.send(wire.PINGREQ)
        while (got := self.client.read()).type != wire.PINGRESP:
            assert got.type in (wire.PUBLISH, wire.SUBACK), got
        self.client.close()

    def catch_up(self, publishers):
        """Takes all that was acknowledged to publishers after SUBACK."""
        while self.subacks < self.subscribes and not self.wrong:
            self.take()
        owed = {
            (topic, publisher.name): number
            for publisher in publishers
            for topic, number in list(publisher.acknowledged.items())
        }
        is_owed = lambda: any(
            not self.lines[line] or self.lines[line][-1] < number for line, number in owed.items()
        )
        while not self.wrong and is_owed():
            self.take()

    def check_beginning(self, store):
        """Nothing behind the subscription's floor is missing before what came first."""
        (floor,) = store.query(
            "SELECT mid FROM hookwire_floor WHERE clientid = ? AND filter = ?",
            self.client_id,
            FILTER,
        )
        for (topic, sender), numbers in self.lines.items():
            first = store.query(
                "SELECT payload FROM mqtt_msg WHERE id > ? AND topic = ? AND sender = ? "
                "ORDER BY id LIMIT 1",
                floor[0],
                topic,
                sender,
            )
            if first and numbers and numbers[0] > int(bytes(first[0][0]).split()[1]):
                self.wrong.append(("missing at the beginning", (topic, sender, numbers[0])))

    def end(self):
        """DISCONNECT that ends the session with the connection."""
        self.client.send(wire.disconnect(0, [(wire.SESSION_EXPIRY, 0)]))
        self.client.close()


def play(broker, publishers, number):
    reader = Reader(broker, number)
    reader.connect()
    reader.take_publishes(3)
    seen = {"again": number % 2 == 1, "back": number % 4 == 3}
    if seen["again"]:
        reader.subscribe_again()
    if seen["back"]:
        reader.take_publishes(20)
        reader.leave()
        reader.connect()
    reader.catch_up(publishers)
    reading = broker.ctl_json("clients", "show", reader.client_id)["reading"]
    seen |= {"barriers": reading["barriers"], "parked": reading["parked"]}
    with broker.store() as store:
        reader.check_beginning(store)
    reader.end()
    seen |= {"wrong": reader.wrong, "messages": sum(map(len, reader.lines.values()))}
    return seen


def proxy_subscriptions(broker):
    """As a business server makes them."""
    rows = [(f"reader-{number}", FILTER, 1) for number in range(ROUNDS)]
    with sqlite3.connect(broker.data / "hookwire.db", timeout=DEADLINE_S) as store:
        store.executemany("INSERT INTO mqtt_sub (clientid, topic, qos) VALUES (?, ?, ?)", rows)
    store.close()


def test_each_message_comes_once_and_in_order(start_broker, report):
    broker = start_broker(config())
    proxy_subscriptions(broker)
    publishers = [Publisher(broker.port, f"publisher-{n}") for n in range(PUBLISHERS)]
    for publisher in publishers:
        publisher.start()
    wait_until(
        lambda: all(len(publisher.acknowledged) == TOPICS for publisher in publishers),
        "every publisher publishes to every topic",
    )
    began = time.monotonic()
    try:
        with ThreadPoolExecutor(AT_ONCE) as rounds:
            seen = list(rounds.map(lambda n: play(broker, publishers, n), range(ROUNDS)))
    finally:
        for publisher in publishers:
            publisher.stop()
    took_s = time.monotonic() - began
    wrong = [fault for one in seen for fault in one["wrong"]]
    kinds = Counter(kind for kind, _ in wrong)
    lines = {
        "rounds": len(seen),
        "seconds": f"{took_s:.0f}",
        "published": sum(sum(publisher.acknowledged.values()) for publisher in publishers),
        "received": sum(one["messages"] for one in seen),
        "subscribed once more in the middle": sum(one["again"] for one in seen),
        "left, and came back": sum(one["back"] for one in seen),
        "barriers raised": int(broker.metric("hookwire_fetch_barriers_total")),
        "rounds with the barrier up": sum(one["barriers"] > 0 for one in seen),
        "rounds with live messages behind it": sum(one["parked"] > 0 for one in seen),
        "live messages behind it": sum(one["parked"] for one in seen),
        "duplicates": kinds["duplicate"],
        "gaps": kinds["gap"],
        "out of order": kinds["reordered"],
        "missing at the beginning": kinds["missing at the beginning"],
    }
    for name, value in lines.items():
        report(f"{name:<38}{value:>10}")
    assert not any(publisher.failure for publisher in publishers)
    assert not wrong, wrong[:20]
    assert lines["rounds with live messages behind it"] > ROUNDS // 10, "there was no seam to cross"
    assert lines["barriers raised"] >= ROUNDS
