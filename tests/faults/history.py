"""What publishers and subscribers saw, written down, and a check of it.

Every client appends what happens to it to one `History`. `check` reads what was
recorded and nothing else: what was in flight at each kill, acknowledged and
delivered, and what a broker must not do: lose, reorder, deliver twice at QoS 2,
deliver what nobody published or to a topic that was not meant.

An entry is `[what, who, fields]`; their order is the order of the file. What a
client does is recorded before it does it, what it is told after it was told:
so a subscription that stands before a publish was there before it.
"""

import collections
import json
import threading
from dataclasses import dataclass, field

#: A message is handed over for the first time: id, topic, qos.
PUBLISHED = "published"
#: It is sent again, after a connection broke: id.
SENT_AGAIN = "sent again"
#: PUBACK or PUBREC says that the broker has it: id. Or that it has not: id, reason.
ACKNOWLEDGED, REFUSED = "acknowledged", "refused"
#: CONNACK: present. The connection ends: why.
CONNECTED, DISCONNECTED = "connected", "disconnected"
#: SUBSCRIBE, behind which messages may come, and SUBACK, behind which they have to: filter.
SUBSCRIBING, SUBSCRIBED = "subscribing", "subscribed"
#: A message reaches the application: id, topic, qos, dup. A packet that a QoS 2
#: subscriber knows from before, and so keeps to itself: id.
DELIVERED, REPEATED = "delivered", "repeated"
#: The broker, by SIGKILL, and on the same data again.
KILLED, STARTED = "killed", "started"


class History:
    """Appends to a file, from any thread."""

    def __init__(self, path):
        self.path = path
        self._file = open(path, "w", encoding="utf-8")
        self._order = threading.Lock()

    def record(self, what, who, **fields):
        line = json.dumps([what, who, fields]) + "\n"
        with self._order:
            self._file.write(line)

    def close(self):
        with self._order:
            self._file.close()


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@dataclass
class Findings:
    """What a history shows. A list has one entry for each time that it happened."""

    #: Per kill: messages handed over and not acknowledged, acknowledged so far.
    kills: list = field(default_factory=list)
    published: int = 0
    acknowledged: int = 0
    refused: int = 0
    delivered: int = 0
    #: CONNACKs after the first of a client, with Session Present and without.
    resumed: int = 0
    began_anew: int = 0
    #: Deliveries of a message beyond the first to a subscriber: (who, id), by QoS.
    duplicated: dict = field(default_factory=lambda: {1: [], 2: []})
    #: First deliveries behind a later message of the same publisher and topic: (who, id).
    reordered: list = field(default_factory=list)
    #: Acknowledged, subscribed to before, and never delivered: (who, id).
    lost: list = field(default_factory=list)
    #: Delivered, and published by nobody: (who, id).
    unknown: list = field(default_factory=list)
    #: Delivered to another topic than published, or to none of the filters: (who, id, topic).
    misdirected: list = field(default_factory=list)

    def table(self):
        """As lines."""
        lines = [f"{'kill':>5} {'in flight':>10} {'acknowledged so far':>20}"]
        for number, (in_flight, acknowledged) in enumerate(self.kills, 1):
            lines.append(f"{number:>5} {in_flight:>10} {acknowledged:>20}")
        lines.append(
            f"published {self.published}, acknowledged {self.acknowledged}, refused "
            f"{self.refused}; delivered {self.delivered}; sessions resumed {self.resumed}, "
            f"begun anew {self.began_anew}"
        )
        lines.append(
            f"duplicated at QoS 1 {len(self.duplicated[1])}, at QoS 2 {len(self.duplicated[2])}; "
            f"reordered {len(self.reordered)}; lost {len(self.lost)}; unknown "
            f"{len(self.unknown)}; misdirected {len(self.misdirected)}"
        )
        return lines

    def examples(self, most=10):
        """What went wrong, a few of each kind."""
        wrong = {
            "duplicated at QoS 2": self.duplicated[2],
            "reordered": self.reordered,
            "lost": self.lost,
            "unknown": self.unknown,
            "misdirected": self.misdirected,
        }
        return [f"{what}: {found[:most]}" for what, found in wrong.items() if found]


def matches(topic_filter, topic):
    """Whether a filter takes a topic; neither begins with $."""
    levels = topic.split("/")
    for at, wanted in enumerate(topic_filter.split("/")):
        if wanted == "#":
            return True
        if at >= len(levels) or wanted not in ("+", levels[at]):
            return False
    return len(levels) == topic_filter.count("/") + 1


@dataclass
class _Message:
    publisher: str
    topic: str
    #: Its place among what was published, and in the history.
    number: int
    at: int
    acknowledged: bool = False


class _Reader:
    """A subscriber."""

    def __init__(self):
        #: Filters asked for, and where in the history each was first granted.
        self.asked = set()
        self.granted = {}
        #: Message id -> deliveries.
        self.delivered = collections.Counter()
        #: (publisher, topic) -> number of the newest message delivered.
        self.newest = collections.defaultdict(lambda: -1)

    def awaits(self, message):
        """Whether it subscribed to the message's topic before that was published."""
        return any(
            since < message.at and matches(topic_filter, message.topic)
            for topic_filter, since in self.granted.items()
        )


class _Checker:
    def __init__(self):
        self.findings = Findings()
        self.messages = {}
        self.in_flight = set()
        self.readers = collections.defaultdict(_Reader)
        self.seen = set()

    def step(self, at, what, who, fields):
        steps = {
            PUBLISHED: self._published,
            ACKNOWLEDGED: self._acknowledged,
            REFUSED: self._refused,
            CONNECTED: self._connected,
            SUBSCRIBING: self._subscribing,
            SUBSCRIBED: self._subscribed,
            DELIVERED: self._delivered,
            KILLED: self._killed,
        }
        if what in steps:
            steps[what](at, who, **fields)
        else:
            assert what in (SENT_AGAIN, DISCONNECTED, REPEATED, STARTED), what

    def _published(self, at, who, id, topic, qos):
        assert id not in self.messages, f"{id} is published twice"
        assert qos in (1, 2), f"{id} has QoS {qos}"
        self.messages[id] = _Message(who, topic, len(self.messages), at)
        self.in_flight.add(id)

    def _acknowledged(self, _at, who, id):
        message = self.messages[id]
        assert message.publisher == who, f"{id} is acknowledged to {who}"
        assert not message.acknowledged, f"{id} is acknowledged twice"
        message.acknowledged = True
        self.in_flight.discard(id)
        self.findings.acknowledged += 1

    def _refused(self, _at, _who, id, **_reason):
        self.in_flight.discard(id)
        self.findings.refused += 1

    def _connected(self, _at, who, present):
        if who in self.seen:
            self.findings.resumed += present
            self.findings.began_anew += not present
        self.seen.add(who)

    def _subscribing(self, _at, who, filter):
        self.readers[who].asked.add(filter)

    def _subscribed(self, at, who, filter):
        self.readers[who].granted.setdefault(filter, at)

    def _delivered(self, _at, who, id, topic, qos, **_dup):
        self.findings.delivered += 1
        reader = self.readers[who]
        message = self.messages.get(id)
        if message is None:
            self.findings.unknown.append((who, id))
            return
        if topic != message.topic or not any(matches(f, topic) for f in reader.asked):
            self.findings.misdirected.append((who, id, topic))
        reader.delivered[id] += 1
        if reader.delivered[id] > 1:
            self.findings.duplicated[qos].append((who, id))
            return
        source = message.publisher, message.topic
        if message.number < reader.newest[source]:
            self.findings.reordered.append((who, id))
        reader.newest[source] = max(reader.newest[source], message.number)

    def _killed(self, _at, _who):
        self.findings.kills.append((len(self.in_flight), self.findings.acknowledged))

    def finish(self):
        self.findings.published = len(self.messages)
        for who, reader in self.readers.items():
            for id, message in self.messages.items():
                if message.acknowledged and not reader.delivered[id] and reader.awaits(message):
                    self.findings.lost.append((who, id))
        return self.findings


def check(entries):
    """What a history, as `read` gives it, shows."""
    checker = _Checker()
    for at, (what, who, fields) in enumerate(entries):
        checker.step(at, what, who, fields)
    return checker.finish()
