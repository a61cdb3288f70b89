"""Publishers that put a broker under load, lose it, and come back.

Each runs in a process of its own. It numbers its messages, keeps a window of
them in flight, and notes which numbers were acknowledged. When the connection
breaks it says how many were in flight, connects again, and sends those again,
as a client with at-least-once delivery does.
"""

import collections
import multiprocessing
import os
import socket
import threading
import time
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from support import wire

TOPIC = "load"
_RETRY_S = 0.01
_PROCESSES = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Plan:
    """What one publisher does."""

    client_id: str
    tool: str
    version: int
    window: int
    payload_bytes: int


class Progress:
    """What a publisher tells while it runs; shared memory, written by it alone."""

    def __init__(self):
        self.acknowledged = _PROCESSES.Value("Q", 0, lock=False)
        #: Times that a connection was up, and acknowledged since it is.
        self.connections = _PROCESSES.Value("Q", 0, lock=False)
        self.acknowledged_here = _PROCESSES.Value("Q", 0, lock=False)
        #: Connections that broke, and what was in flight when the last one did.
        self.breaks = _PROCESSES.Value("Q", 0, lock=False)
        self.in_flight = _PROCESSES.Value("Q", 0, lock=False)

    def connected(self):
        self.acknowledged_here.value = 0
        self.connections.value += 1

    def acknowledge(self):
        self.acknowledged.value += 1
        self.acknowledged_here.value += 1

    def broke(self, in_flight):
        self.in_flight.value = in_flight
        self.breaks.value += 1


class Publisher:
    """The near end of a publisher's process."""

    def __init__(self, plan, port):
        self.plan = plan
        self.progress = Progress()
        self._stop = _PROCESSES.Event()
        self._result, far_end = _PROCESSES.Pipe(duplex=False)
        self._process = _PROCESSES.Process(
            target=_run, args=(plan, port, self.progress, self._stop, far_end), daemon=True
        )
        self._process.start()
        far_end.close()

    def is_alive(self):
        return self._process.is_alive()

    def finish(self, deadline_s):
        """Lets it send nothing new, waits until all is acknowledged, and returns
        the numbers that were, and how many were refused."""
        self._stop.set()
        assert self._result.poll(deadline_s), f"{self.plan} did not end"
        result = self._result.recv()
        self._process.join(deadline_s)
        return result

    def discard(self):
        self._process.kill()
        self._process.join()


def payload(plan, number):
    head = f"{plan.client_id} {number} ".encode()
    return head + b"." * (plan.payload_bytes - len(head))


def _end_with_parent():
    """A test run that is killed takes its publishers with it."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _run(plan, port, progress, stop, result):
    threading.Thread(target=_end_with_parent, daemon=True).start()
    kind = {"raw": RawLoad, "paho": PahoLoad}[plan.tool]
    load = kind(plan, port, progress)
    load.run(stop)
    result.send((sorted(load.acknowledged), load.refused))
    result.close()


class RawLoad:
    """A socket, and as few instructions around it as it takes."""

    def __init__(self, plan, port, progress):
        self.plan, self.port, self.progress = plan, port, progress
        self.acknowledged = set()
        self.refused = 0
        self.next_number = 0
        #: Packet id -> number, in the order sent.
        self.in_flight = collections.OrderedDict()

    def run(self, stop):
        while not (stop.is_set() and not self.in_flight):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
                    self._converse(connection, stop)
            except OSError:
                time.sleep(_RETRY_S)

    def _converse(self, connection, stop):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(wire.connect(self.plan.client_id, self.plan.version))
        received = self._read_packets(connection, b"")
        self.progress.connected()
        try:
            again = [self._publish(i, n, dup=True) for i, n in self.in_flight.items()]
            connection.sendall(b"".join(again))
            while True:
                fresh = [] if stop.is_set() else list(self._fill_window())
                if not self.in_flight:
                    return
                connection.sendall(b"".join(fresh))
                received = self._read_packets(connection, received)
        except OSError:
            self.progress.broke(len(self.in_flight))
            raise

    def _fill_window(self):
        while len(self.in_flight) < self.plan.window:
            packet_id = self.next_number % 0xFFFF + 1
            if packet_id in self.in_flight:
                return
            self.in_flight[packet_id] = self.next_number
            yield self._publish(packet_id, self.next_number)
            self.next_number += 1

    def _publish(self, packet_id, number, dup=False):
        return wire.publish(
            TOPIC, payload(self.plan, number), self.plan.version, 1, packet_id, dup=dup
        )

    def _read_packets(self, connection, received):
        """Waits for some bytes and takes the whole packets; returns what is left."""
        data = connection.recv(65536)
        if not data:
            raise ConnectionResetError("closed by the broker")
        received += data
        while cut := wire.split(received):
            first_byte, body, received = cut
            packet = wire.decode(first_byte, body, self.plan.version)
            if packet.type == wire.PUBACK:
                self._take_puback(packet)
            elif packet.type == wire.CONNACK:
                assert packet.reason == 0, packet
        return received

    def _take_puback(self, packet):
        number = self.in_flight.pop(packet.packet_id)
        if packet.reason >= 0x80:
            self.refused += 1
            return
        self.acknowledged.add(number)
        self.progress.acknowledge()


class PahoLoad:
    """paho's client, with its own ideas of windows and of sending again."""

    def __init__(self, plan, port, progress):
        self.plan, self.progress = plan, progress
        self.acknowledged = set()
        self.refused = 0
        self.in_flight = {}
        #: From paho's thread: what happened, in order.
        self.events = collections.deque()
        options = {} if plan.version == wire.V5 else {"clean_session": True}
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, plan.client_id, protocol=plan.version, **options
        )
        self.mqtt.max_inflight_messages_set(plan.window)
        self.mqtt.reconnect_delay_set(_RETRY_S, _RETRY_S)
        note = self.events.append
        self.mqtt.on_connect = lambda _c, _u, _f, reason, _p: note(("connect", reason.value))
        self.mqtt.on_disconnect = lambda *_: note(("disconnect", None))
        self.mqtt.on_publish = lambda _c, _u, mid, reason, _p: note((mid, reason.value))
        self.mqtt.connect_async("127.0.0.1", port)

    def run(self, stop):
        self.mqtt.loop_start()
        number, is_up = 0, False
        while not (stop.is_set() and not self.in_flight):
            is_up = self._take_events(is_up)
            if is_up and not stop.is_set() and len(self.in_flight) < self.plan.window:
                info = self.mqtt.publish(TOPIC, payload(self.plan, number), qos=1)
                self.in_flight[info.mid] = number
                number += 1
            else:
                time.sleep(0.001)
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def _take_events(self, is_up):
        while self.events:
            what, value = self.events.popleft()
            if what == "connect":
                assert value == 0, f"CONNACK {value:#x}"
                self.progress.connected()
                is_up = True
            elif what == "disconnect":
                if is_up:
                    self.progress.broke(len(self.in_flight))
                is_up = False
            elif value >= 0x80:
                self.refused += 1
                del self.in_flight[what]
            else:
                self.acknowledged.add(self.in_flight.pop(what))
                self.progress.acknowledge()
        return is_up
