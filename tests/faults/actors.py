"""Publishers and persistent subscribers that record what they see, and lose their broker.

Each runs in a thread of its own, on a socket. All have sessions that outlive
their connections and do as CONNACK says: where the session is present they go on
with it, and where it is not they begin anew and subscribe again.
"""

import collections
import random
import socket
import threading
from dataclasses import dataclass

from faults import history
from support import wire

#: Between attempts to connect.
_RETRY_S = 0.02
_SESSION_EXPIRY_S = 3600
#: A packet identifier that no publish in flight has.
_SUBSCRIBE_ID = 1
_STUCK_S = 300


class Actor(threading.Thread):
    """What publishers and subscribers have in common."""

    def __init__(self, plan, port, recorder, seed):
        super().__init__(name=plan.client_id, daemon=True)
        self.plan, self.port = plan, port
        self.rng = random.Random(f"{seed} {plan.client_id}")
        self._recorder = recorder
        #: That nothing new is begun any more.
        self.finishing = threading.Event()
        self.stopping = threading.Event()
        self.connections = 0
        #: What ended the thread before its time.
        self.failure = None
        self._received = b""

    def record(self, what, **fields):
        self._recorder.record(what, self.plan.client_id, **fields)

    def run(self):
        try:
            while not self.is_done():
                self._connect_once()
        except Exception as failure:
            self.failure = failure
            raise

    def _connect_once(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), _STUCK_S) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._received = b""
                self._begin(connection)
                self.converse(connection)
                self.record(history.DISCONNECTED, why="left")
        except TimeoutError as error:
            raise AssertionError(f"{self.name} heard nothing for {_STUCK_S} s") from error
        except OSError as error:
            self.record(history.DISCONNECTED, why=str(error))
            self.stopping.wait(_RETRY_S)

    def _begin(self, connection):
        props = []
        if self.plan.version == wire.V5:
            props = [(wire.SESSION_EXPIRY, _SESSION_EXPIRY_S), *self.plan.properties]
        connection.sendall(
            wire.connect(self.plan.client_id, self.plan.version, clean=False, props=props)
        )
        connack = self.read(connection)
        assert connack.type == wire.CONNACK and connack.reason == 0, connack
        self.record(history.CONNECTED, present=connack.session_present)
        self.begin(connection, connack.session_present)
        self.connections += 1

    def read(self, connection):
        """The next packet."""
        while (cut := wire.split(self._received)) is None:
            data = connection.recv(65536)
            if not data:
                raise ConnectionResetError("closed by the broker")
            self._received += data
        first_byte, body, self._received = cut
        packet = wire.decode(first_byte, body, self.plan.version)
        if packet.type == wire.DISCONNECT:
            raise ConnectionResetError(f"DISCONNECT {packet.reason:#x}")
        return packet

    def has_packet(self):
        return wire.split(self._received) is not None

    def is_done(self):
        raise NotImplementedError

    def begin(self, connection, present):
        """What follows CONNACK."""
        raise NotImplementedError

    def converse(self, connection):
        """Returns to leave, and to come again unless it is done."""
        raise NotImplementedError


@dataclass(frozen=True)
class PublisherPlan:
    client_id: str
    version: int
    topics: tuple
    window: int
    payload_bytes: int = 64
    properties: tuple = ()


@dataclass
class _Outgoing:
    id: str
    topic: str
    qos: int
    #: PUBREC came: what is left of it is the handshake.
    is_received: bool = False


class Publisher(Actor):
    """Keeps a window of messages of QoS 1 and 2 in flight, and sends again what broke off.

    The payload of a message begins with its id, which stays the same when it is
    sent again. `last` has the ids that end each topic, once it has finished.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.acknowledged = 0
        self.acknowledged_here = 0
        self.last = {}
        self._numbers = collections.Counter()
        self._next_packet_id = 1
        #: Packet id -> message, in the order sent.
        self._in_flight = {}

    def is_done(self):
        return self.stopping.is_set() or (
            len(self.last) == len(self.plan.topics) and not self._in_flight
        )

    def begin(self, connection, present):
        self.acknowledged_here = 0
        if not present:
            # The broker answers for what it has acknowledged; there is no
            # handshake to go on with.
            self._in_flight = {i: m for i, m in self._in_flight.items() if not m.is_received}
        again = []
        for packet_id, message in self._in_flight.items():
            if message.is_received:
                again.append(wire.pubrel(packet_id))
            else:
                self.record(history.SENT_AGAIN, id=message.id)
                # In a session that is new it is a message that is new.
                again.append(self._packet(packet_id, message, dup=present))
        connection.sendall(b"".join(again))

    def converse(self, connection):
        while not self.is_done():
            fresh = self._finish() if self.finishing.is_set() else self._fill()
            if fresh:
                connection.sendall(b"".join(fresh))
            self._take(connection, self.read(connection))
            while self.has_packet():
                self._take(connection, self.read(connection))

    def _fill(self):
        fresh = []
        while len(self._in_flight) < self.plan.window:
            fresh.append(self._new(self.rng.choice(self.plan.topics)))
        return fresh

    def _finish(self):
        """The last message of each topic, once all else is acknowledged."""
        if self.last or self._in_flight:
            return []
        fresh = []
        for topic in self.plan.topics:
            fresh.append(self._new(topic))
            self.last[topic] = next(reversed(self._in_flight.values())).id
        return fresh

    def _new(self, topic):
        self._numbers[topic] += 1
        message = _Outgoing(
            f"{self.plan.client_id}:{topic}:{self._numbers[topic]}", topic, self.rng.choice((1, 2))
        )
        while self._next_packet_id in self._in_flight:
            self._next_packet_id = self._next_packet_id % 0xFFFF + 1
        packet_id = self._next_packet_id
        self._next_packet_id = packet_id % 0xFFFF + 1
        self._in_flight[packet_id] = message
        self.record(history.PUBLISHED, id=message.id, topic=topic, qos=message.qos)
        return self._packet(packet_id, message)

    def _packet(self, packet_id, message, dup=False):
        payload = message.id.encode() + b" "
        payload += b"." * (self.plan.payload_bytes - len(payload))
        return wire.publish(
            message.topic, payload, self.plan.version, message.qos, packet_id, dup=dup
        )

    def _take(self, connection, packet):
        if packet.type in (wire.PUBACK, wire.PUBREC):
            message = self._in_flight[packet.packet_id]
            if packet.reason >= 0x80:
                self.record(history.REFUSED, id=message.id, reason=packet.reason)
                del self._in_flight[packet.packet_id]
                return
            if not message.is_received:
                self.record(history.ACKNOWLEDGED, id=message.id)
                self.acknowledged += 1
                self.acknowledged_here += 1
            if packet.type == wire.PUBREC:
                message.is_received = True
                connection.sendall(wire.pubrel(packet.packet_id))
            else:
                del self._in_flight[packet.packet_id]
        else:
            assert packet.type == wire.PUBCOMP, packet
            del self._in_flight[packet.packet_id]


@dataclass(frozen=True)
class SubscriberPlan:
    client_id: str
    version: int
    filter: str
    qos: int
    #: Messages until it leaves, and seconds until it is back, at most; None: it stays.
    leaves_after: int = None
    away_s: float = 0.0
    #: Seconds that it takes over each message.
    pause_s: float = 0.0
    properties: tuple = ()


class Subscriber(Actor):
    """A reader with a session that outlives its connections.

    It subscribes where CONNACK says that there is no session, and only there.
    Once it is to finish it neither leaves nor takes its time.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        #: Ids that were delivered.
        self.delivered = set()
        #: QoS 2: packet id -> message id, until PUBREL.
        self._received_ids = {}
        self.is_subscribed = False

    def is_done(self):
        return self.stopping.is_set()

    def begin(self, connection, present):
        if present:
            return
        self._received_ids = {}
        self.record(history.SUBSCRIBING, filter=self.plan.filter)
        entry = (self.plan.filter, self.plan.qos)
        connection.sendall(wire.subscribe(_SUBSCRIBE_ID, entry, version=self.plan.version))

    def converse(self, connection):
        left = None
        if self.plan.leaves_after is not None:
            left = self.rng.randrange(self.plan.leaves_after) + 1
        while not self.is_done():
            packet = self.read(connection)
            self._take(connection, packet)
            if self.finishing.is_set() or packet.type != wire.PUBLISH:
                continue
            if self.plan.pause_s:
                self.finishing.wait(self.plan.pause_s)
            if left is not None:
                left -= 1
                if left == 0:
                    self._leave(connection)
                    return

    def _leave(self, connection):
        """By DISCONNECT or without, as it comes; and stays away for a while."""
        if self.rng.random() < 0.5:
            connection.sendall(wire.disconnect())
        connection.close()
        self.finishing.wait(self.rng.random() * self.plan.away_s)

    def _take(self, connection, packet):
        if packet.type == wire.PUBLISH:
            self._take_publish(packet)
            if packet.qos == 1:
                connection.sendall(wire.puback(packet.packet_id))
            elif packet.qos == 2:
                connection.sendall(wire.pubrec(packet.packet_id))
        elif packet.type == wire.PUBREL:
            self._received_ids.pop(packet.packet_id, None)
            connection.sendall(wire.pubcomp(packet.packet_id))
        else:
            assert packet.type == wire.SUBACK, packet
            assert packet.reasons == [self.plan.qos], packet
            self.record(history.SUBSCRIBED, filter=self.plan.filter)
            self.is_subscribed = True

    def _take_publish(self, packet):
        id = packet.payload.split(b" ", 1)[0].decode()
        assert packet.qos > 0, packet
        if packet.qos == 2:
            if self._received_ids.get(packet.packet_id) is not None:
                self.record(history.REPEATED, id=id)
                return
            self._received_ids[packet.packet_id] = id
        self.record(
            history.DELIVERED, id=id, topic=packet.topic, qos=packet.qos, dup=packet.dup
        )
        self.delivered.add(id)
