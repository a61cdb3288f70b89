"""A connection to the broker under test: it sends bytes, and reads strictly."""

import os
import socket
import struct
import time

from conformance import build, read
from conformance.build import V5
from conformance.properties import (
    CONNACK,
    DISCONNECT,
    MAXIMUM_PACKET_SIZE,
    PACKET_NAMES,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    SUBACK,
    TOPIC_ALIAS,
    TOPIC_ALIAS_MAXIMUM,
    UNSUBACK,
)

#: Seconds until what has to come counts as missing. A broker that keeps to the
#: standard never makes a test wait for it.
DEADLINE_S = float(os.environ.get("CONFORMANCE_DEADLINE", "10"))

#: Seconds of silence that show that nothing comes, where nothing can follow it.
QUIET_S = 0.3


class Client:
    """One connection. What comes unasked, PUBLISH and PUBREL, waits for its turn.

    A server may send those at any time, before a SUBACK too; so a test that
    expects an answer finds it behind them, and they are kept in their order.
    """

    def __init__(self, address, version, explains=False):
        self.version = version
        self.explains = explains
        self.connack = None
        self.socket = socket.create_connection(address, DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._kept = []
        self._last_packet_id = 0
        self._maximum_packet_size = None
        self._alias_maximum = 0
        self._aliases = {}

    # Bytes and packets.

    def send(self, *packets):
        """Sends the packets in one write."""
        self.socket.settimeout(DEADLINE_S)
        self.socket.sendall(b"".join(packets))
        return self

    def try_send(self, *packets):
        """Sends to a server that may have closed already."""
        try:
            self.send(*packets)
        except OSError:
            pass
        return self

    def close(self):
        """Closes without DISCONNECT."""
        self.socket.close()

    def abort(self):
        """Resets the connection, if it is open."""
        if self.socket.fileno() == -1:
            return
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _next(self, deadline_s=DEADLINE_S):
        """The next packet as it came, or None if the server closed."""
        end = time.monotonic() + deadline_s
        while (cut := read.split(self._received)) is None:
            self.socket.settimeout(max(end - time.monotonic(), 0.001))
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self._received += data
        first_byte, body, size, self._received = cut
        limit = self._maximum_packet_size
        read.check(limit is None or size <= limit, f"{size} bytes, where {limit} are the maximum")
        got = read.parse(first_byte, body, self.version, size)
        if got.kind == PUBLISH and self.version == V5:
            self._resolve(got)
        return got

    def _resolve(self, got):
        alias = got.get(TOPIC_ALIAS)
        if alias is None:
            return
        read.check(alias <= self._alias_maximum, f"alias {alias} of {self._alias_maximum}")
        if got.topic:
            self._aliases[alias] = got.topic
        read.check(alias in self._aliases, f"alias {alias} was never set")
        got.topic = self._aliases[alias]

    def read(self, deadline_s=DEADLINE_S):
        """The next packet, kept ones first, or None if the server closed."""
        return self._kept.pop(0) if self._kept else self._next(deadline_s)

    def expect(self, kind, packet_id=None, deadline_s=DEADLINE_S):
        """The next packet of a type; PUBLISH and PUBREL that come before it are kept."""
        unasked = (PUBLISH, PUBREL)
        if kind in unasked:
            got = self._take_kept(kind) or self._skip_kept(kind, unasked, deadline_s)
        else:
            while (got := self._next(deadline_s)) and got.kind in unasked:
                self._kept.append(got)
        assert got is not None, f"closed, where {PACKET_NAMES[kind]} was to come"
        assert got.kind == kind, f"{PACKET_NAMES[kind]} was to come: {got}"
        assert packet_id in (None, got.packet_id), f"{packet_id} is the packet id: {got}"
        return got

    def _take_kept(self, kind):
        for index, kept in enumerate(self._kept):
            if kept.kind == kind:
                return self._kept.pop(index)
        return None

    def _skip_kept(self, kind, unasked, deadline_s):
        while (got := self._next(deadline_s)) and got.kind != kind and got.kind in unasked:
            self._kept.append(got)
        return got

    # Ends.

    def expect_end(self, *reasons, deadline_s=DEADLINE_S):
        """The server closes and sends nothing more.

        With MQTT 5 it should say why first, with one of `reasons`; without
        reasons it may not.
        """
        got = self._next(deadline_s)
        while got is not None and got.kind in (PUBLISH, PUBREL):
            got = self._next(deadline_s)
        if got is None:
            assert not (self.explains and reasons and self.version == V5), "closed without a word"
            return None
        assert got.kind == DISCONNECT and reasons, f"the end was to come: {got}"
        assert got.reason in reasons, f"{[hex(code) for code in reasons]} was to come: {got}"
        more = self._next(deadline_s)
        assert more is None, f"a packet behind DISCONNECT: {more}"
        return got

    def breaks(self, *bad, reasons):
        """Sends what breaks the protocol: it is the end.

        A PINGREQ goes after it, so that a server which finds nothing wrong says
        so at once.
        """
        return self.try_send(*bad).try_send(build.PING).expect_end(*reasons)

    # Connecting.

    def connect(self, client_id="", **options):
        """Sends CONNECT and takes a CONNACK that accepts."""
        self.send(build.connect(client_id, self.version, **options))
        self.note(options.get("props", ()))
        return self.accepted()

    def note(self, props):
        """Remembers what a CONNECT allowed the server to send."""
        granted = dict(entry for entry in props if isinstance(entry[1], int))
        self._maximum_packet_size = granted.get(MAXIMUM_PACKET_SIZE)
        self._alias_maximum = granted.get(TOPIC_ALIAS_MAXIMUM, 0)

    def accepted(self):
        got = self._next()
        assert got is not None and got.kind == CONNACK, f"CONNACK was to come: {got}"
        assert got.reason == 0, f"refused: {got}"
        self.connack = got
        return self

    def expect_refusal(self, *reasons, said=False):
        """CONNACK with one of `reasons`, then the end. Unless `said`, the end is enough."""
        got = self._next()
        if got is None:
            assert not said, "closed without CONNACK"
            return None
        assert got.kind == CONNACK, f"CONNACK was to come: {got}"
        assert got.reason in reasons, f"{[hex(code) for code in reasons]} was to come: {got}"
        self.expect_end()
        return got

    def disconnect(self, *arguments):
        """DISCONNECT; the server closes."""
        self.send(build.disconnect(*arguments))
        self.socket.shutdown(socket.SHUT_WR)
        self.expect_end()
        self.socket.close()

    # What connected clients do.

    def packet_id(self):
        self._last_packet_id = self._last_packet_id % 0xFFFF + 1
        return self._last_packet_id

    def ping(self):
        self.send(build.PING)
        return self.expect(PINGRESP)

    def subscribe(self, *filters, qos=2, options=0, props=()):
        """Subscribes to filters with the same options, all granted, and returns the SUBACK."""
        packet_id = self.packet_id()
        entries = [(filter_, qos | options) for filter_ in filters]
        self.send(build.subscribe(packet_id, *entries, version=self.version, props=props))
        got = self.expect(SUBACK, packet_id)
        assert got.reasons == [qos] * len(filters), f"QoS {qos} was to be granted: {got}"
        return got

    def unsubscribe(self, *filters):
        packet_id = self.packet_id()
        self.send(build.unsubscribe(packet_id, *filters, version=self.version))
        return self.expect(UNSUBACK, packet_id)

    def send_publish(self, topic, payload=b"", qos=0, **options):
        """Sends PUBLISH alone, and returns its packet id."""
        if qos and "packet_id" not in options:
            options["packet_id"] = self.packet_id()
        self.send(build.publish(topic, payload, self.version, qos, **options))
        return options.get("packet_id")

    def publish(self, topic, payload=b"", qos=0, **options):
        """Publishes to the end of its handshake, and returns its first answer."""
        packet_id = self.send_publish(topic, payload, qos, **options)
        if not qos:
            return None
        got = self.expect(PUBACK if qos == 1 else PUBREC, packet_id)
        assert got.reason < 0x80, f"not taken: {got}"
        if qos == 2:
            self.release(packet_id)
        return got

    def release(self, packet_id):
        """PUBREL, and its PUBCOMP."""
        self.send(build.pubrel(packet_id))
        got = self.expect(PUBCOMP, packet_id)
        assert got.reason == 0, f"not known any more: {got}"
        return got

    def acknowledge(self, message):
        """Ends the handshake of a message received."""
        if message.qos == 1:
            self.send(build.puback(message.packet_id))
        elif message.qos == 2:
            self.send(build.pubrec(message.packet_id))
            released = self.expect(PUBREL, message.packet_id)
            assert released.reason == 0, f"not known any more: {released}"
            self.send(build.pubcomp(message.packet_id))

    def message(self, deadline_s=DEADLINE_S):
        """The next message, acknowledged."""
        got = self.expect(PUBLISH, deadline_s=deadline_s)
        self.acknowledge(got)
        return got

    def messages(self, count):
        return [self.message() for _ in range(count)]

    def expect_quiet(self, for_s=QUIET_S):
        """Nothing comes, and the connection stays."""
        try:
            got = self.read(for_s)
        except TimeoutError:
            return
        raise AssertionError(f"nothing was to come: {got or 'the end'}")


class Listener(Client):
    """A client that can say what it got so far, and that there was no more."""

    def __init__(self, address, version, mark):
        super().__init__(address, version)
        self.mark = mark

    def heard(self, publisher, quiet_s=0):
        """What came before a message that `publisher` sends now; acknowledged.

        With `quiet_s` it first listens for that long: for what no client
        sends, such as a will.
        """
        found = []
        end = time.monotonic() + quiet_s
        while (left := end - time.monotonic()) > 0:
            try:
                found.append(self.message(left))
            except TimeoutError:
                break
        # With QoS 1, so that it waits its turn behind whatever waits for this client.
        publisher.publish(self.mark, b"mark", qos=1)
        while (got := self.message()).topic != self.mark:
            found.append(got)
        return found
