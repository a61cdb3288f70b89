"""A publisher and a subscriber that are Eclipse paho, with its own ideas of sending again.

To `play` they are what the actors on sockets are.
"""

import collections
import random
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from faults import history
from support.wire import V5

#: Long enough that what is published on a connection is not taken for the next.
_RETRY_S = 0.1
_POLL_S = 0.002
#: PUBCOMP of a broker that knows nothing of a message that it once acknowledged.
_PACKET_ID_NOT_FOUND = 0x92


class PahoActor(threading.Thread):
    """What the publisher and the subscriber have in common."""

    def __init__(self, plan, port, recorder, seed):
        super().__init__(name=plan.client_id, daemon=True)
        self.plan, self._port = plan, port
        self.rng = random.Random(f"{seed} {plan.client_id}")
        self._recorder = recorder
        self.finishing = threading.Event()
        self.stopping = threading.Event()
        self.failure = None
        #: From paho's thread: what happened, in order.
        self._events = collections.deque()
        options = {} if plan.version == V5 else {"clean_session": False}
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, plan.client_id, protocol=plan.version, **options
        )
        self.mqtt.reconnect_delay_set(_RETRY_S, _RETRY_S)
        self.mqtt.on_connect = self._on_connect
        self.mqtt.on_disconnect = self._on_disconnect

    def record(self, what, **fields):
        self._recorder.record(what, self.plan.client_id, **fields)

    def _on_connect(self, _client, _userdata, flags, reason, _properties):
        assert reason.value == 0, f"CONNACK {reason}"
        self.record(history.CONNECTED, present=flags.session_present)
        self._events.append(("connect", flags.session_present))

    def _on_disconnect(self, _client, _userdata, _flags, reason, _properties):
        self.record(history.DISCONNECTED, why=str(reason))
        self._events.append(("disconnect", None))

    def run(self):
        options = {}
        if self.plan.version == V5:
            options["clean_start"] = False
            options["properties"] = Properties(PacketTypes.CONNECT)
            options["properties"].SessionExpiryInterval = 3600
        try:
            self.mqtt.connect_async("127.0.0.1", self._port, **options)
            self.mqtt.loop_start()
            self.work()
            self.mqtt.disconnect()
            self.mqtt.loop_stop()
        except Exception as failure:
            self.failure = failure
            raise


class PahoPublisher(PahoActor):
    """As `Publisher`, at QoS 1. Of QoS 2 paho forgets that PUBREC came where a
    connection breaks before its CONNACK (`mqtt_ms_resend_pubrel` becomes
    `mqtt_ms_publish` at the next attempt), and publishes the message anew though its
    exchange is over."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.acknowledged = 0
        self.acknowledged_here = 0
        self.last = {}
        self._numbers = collections.Counter()
        #: mid -> id.
        self._in_flight = {}
        self.mqtt.max_inflight_messages_set(self.plan.window)
        self.mqtt.on_publish = lambda _c, _u, mid, reason, _p: self._events.append(
            (mid, reason.value)
        )

    def work(self):
        is_up = False
        while not self.stopping.is_set():
            is_up = self._take_events(is_up)
            if self.last and not self._in_flight:
                return
            if not is_up or not self._publish_some():
                self.stopping.wait(_POLL_S)

    def _publish_some(self):
        """Whether there was anything to publish."""
        if self.finishing.is_set():
            if self.last or self._in_flight:
                return False
            for topic in self.plan.topics:
                self.last[topic] = self._publish(topic)
        elif len(self._in_flight) < self.plan.window:
            self._publish(self.rng.choice(self.plan.topics))
        else:
            return False
        return True

    def _publish(self, topic):
        self._numbers[topic] += 1
        id = f"{self.plan.client_id}:{topic}:{self._numbers[topic]}"
        qos = 1
        self.record(history.PUBLISHED, id=id, topic=topic, qos=qos)
        info = self.mqtt.publish(topic, f"{id} ".encode(), qos)
        self._in_flight[info.mid] = id
        return id

    def _take_events(self, is_up):
        """Whether something new may be published: paho sends again behind its
        callback, so that is when all it sends again is acknowledged."""
        while self._events:
            what, value = self._events.popleft()
            if what == "connect":
                self.acknowledged_here = 0
                is_up = not self._in_flight
            elif what == "disconnect":
                is_up = False
            else:
                self._take_acknowledgement(self._in_flight.pop(what), value)
                is_up = is_up or not self._in_flight
        return is_up

    def _take_acknowledgement(self, id, reason):
        if reason >= 0x80 and reason != _PACKET_ID_NOT_FOUND:
            self.record(history.REFUSED, id=id, reason=reason)
            return
        self.record(history.ACKNOWLEDGED, id=id)
        self.acknowledged += 1
        self.acknowledged_here += 1


class PahoSubscriber(PahoActor):
    """As `Subscriber`, always there."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.delivered = set()
        self.is_subscribed = False
        self.mqtt.on_message = self._on_message
        self.mqtt.on_subscribe = lambda _c, _u, _mid, reasons, _p: self._on_suback(reasons)

    def work(self):
        self.stopping.wait()

    def _on_connect(self, client, userdata, flags, reason, properties):
        super()._on_connect(client, userdata, flags, reason, properties)
        if not flags.session_present:
            self.record(history.SUBSCRIBING, filter=self.plan.filter)
            client.subscribe(self.plan.filter, self.plan.qos)

    def _on_suback(self, reasons):
        assert [reason.value for reason in reasons] == [self.plan.qos]
        self.record(history.SUBSCRIBED, filter=self.plan.filter)
        self.is_subscribed = True

    def _on_message(self, _client, _userdata, message):
        id = message.payload.split(b" ", 1)[0].decode()
        self.record(
            history.DELIVERED, id=id, topic=message.topic, qos=message.qos, dup=message.dup
        )
        self.delivered.add(id)
