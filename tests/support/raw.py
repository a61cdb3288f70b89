"""A client that is a socket and nothing more: it sends what a test hands it."""

import socket
import struct
import time

from support import wire
from support.wait import DEADLINE_S, QUIET_S


class RawClient:
    """A TCP connection to the broker. Usable as a context manager."""

    def __init__(self, port, version=wire.V5):
        self.version = version
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        self._last_packet_id = 0

    @classmethod
    def connected(cls, port, client_id, version=wire.V5, **options):
        """Connects and takes the CONNACK, which is kept as `connack`."""
        client = cls(port, version)
        client.send(wire.connect(client_id, version, **options))
        client.connack = client.expect(wire.CONNACK)
        assert client.connack.reason == 0, f"refused: {client.connack}"
        return client

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def close(self):
        """Closes the socket without DISCONNECT."""
        self.socket.close()

    def abort(self):
        """Resets the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, *packets):
        """Sends the packets in one write."""
        self.socket.settimeout(DEADLINE_S)
        self.socket.sendall(b"".join(packets))

    def next_packet_id(self):
        self._last_packet_id = self._last_packet_id % 0xFFFF + 1
        return self._last_packet_id

    def read(self, deadline_s=DEADLINE_S):
        """The next packet, or None if the server closed. Fails at the deadline."""
        end = time.monotonic() + deadline_s
        while (cut := wire.split(self._received)) is None:
            data = self._read_some(end)
            if not data:
                assert not self._received, f"closed within a packet: {self._received!r}"
                return None
            self._received += data
        first_byte, body, self._received = cut
        return wire.decode(first_byte, body, self.version)

    def _read_some(self, end):
        self.socket.settimeout(max(end - time.monotonic(), 0.001))
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""

    def expect(self, packet_type, deadline_s=DEADLINE_S):
        """The next packet, which has to be of this type."""
        got = self.read(deadline_s)
        assert got is not None, f"closed, and packet type {packet_type} was expected"
        assert got.type == packet_type, f"packet type {packet_type} was expected: {got}"
        return got

    def expect_closed(self, deadline_s=DEADLINE_S):
        """The server closes, and sends nothing before it."""
        got = self.read(deadline_s)
        assert got is None, f"nothing more was expected: {got}"

    def expect_disconnect(self, reason, deadline_s=DEADLINE_S):
        """MQTT 5: DISCONNECT with this reason code, then the end; 3.1.1: the end."""
        got = None
        if self.version == wire.V5:
            got = self.expect(wire.DISCONNECT, deadline_s)
            assert got.reason == reason, f"{reason:#x} was expected: {got}"
        self.expect_closed(deadline_s)
        return got

    def expect_quiet(self, for_s=QUIET_S):
        """Nothing comes, and the connection stays open, for a while."""
        try:
            got = self.read(for_s)
        except TimeoutError:
            return
        raise AssertionError(f"nothing was expected: {got or 'the server closed'}")

    def subscribe(self, *filters, qos=1):
        """Subscribes and returns the SUBACK's reason codes."""
        packet_id = self.next_packet_id()
        entries = [(text, qos) for text in filters]
        self.send(wire.subscribe(packet_id, *entries, version=self.version))
        ack = self.expect(wire.SUBACK)
        assert ack.packet_id == packet_id
        return ack.reasons

    def publish(self, topic, payload=b"", **options):
        """Publishes with QoS 1 and returns the PUBACK."""
        packet_id = self.next_packet_id()
        self.send(
            wire.publish(topic, payload, self.version, qos=1, packet_id=packet_id, **options)
        )
        ack = self.expect(wire.PUBACK)
        assert ack.packet_id == packet_id
        return ack

    def publish_qos0(self, topic, payload=b"", **options):
        self.send(wire.publish(topic, payload, self.version, **options))

    def message(self, deadline_s=DEADLINE_S):
        """The next packet, which has to be a PUBLISH; acknowledged if it has QoS 1."""
        got = self.expect(wire.PUBLISH, deadline_s)
        if got.qos:
            self.send(wire.puback(got.packet_id))
        return got

    def ping(self):
        self.send(wire.PINGREQ)
        self.expect(wire.PINGRESP)

    def disconnect(self):
        """DISCONNECT, and waits for the server to close."""
        self.send(wire.disconnect())
        self.expect_closed()
        self.socket.close()
