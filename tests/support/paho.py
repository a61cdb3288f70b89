"""Eclipse paho's Python client, waited for instead of called back."""

import threading
from types import SimpleNamespace

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from support import wire
from support.wait import wait_until


class PahoClient:
    """A paho client on a thread of its own. Usable as a context manager."""

    def __init__(self, port, client_id, version=wire.V5, **connect_options):
        self.port = port
        self.messages = []
        self.disconnects = []
        self._connects = []
        self._acks = {}
        self._changed = threading.Lock()
        self.on_puback = None
        options = {} if version == wire.V5 else {"clean_session": True}
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            reconnect_on_failure=False,
            **options,
        )
        self.mqtt.on_connect = lambda _c, _u, _f, reason, _p: self._connects.append(reason)
        self.mqtt.on_disconnect = lambda _c, _u, _f, reason, _p: self.disconnects.append(reason)
        self.mqtt.on_message = lambda _c, _u, message: self.messages.append(message)
        self.mqtt.on_subscribe = self._on_ack
        self.mqtt.on_unsubscribe = self._on_ack
        self.mqtt.on_publish = self._on_publish
        self._connect_options = connect_options

    def __enter__(self):
        return self.connect()

    def __exit__(self, *_):
        self.close()

    def connect(self):
        self.mqtt.connect("127.0.0.1", self.port, **self._connect_options)
        self.mqtt.loop_start()
        wait_until(lambda: self._connects, "paho gets a CONNACK")
        assert self._connects[-1] == "Success", f"refused: {self._connects[-1]}"
        return self

    def close(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def _on_ack(self, _client, _userdata, mid, reasons, _properties):
        with self._changed:
            self._acks[mid] = reasons

    def _on_publish(self, _client, _userdata, mid, reason, properties):
        # Runs when the PUBACK is read, before anything else the client does.
        if self.on_puback:
            self.on_puback(mid)
        with self._changed:
            self._acks[mid] = SimpleNamespace(reason=reason.value, properties=properties)

    def _ack(self, mid, what):
        def taken():
            with self._changed:
                return [self._acks.pop(mid)] if mid in self._acks else None

        return wait_until(taken, what)[0]

    def subscribe(self, *filters, qos=1, options=None):
        """Subscribes and returns the reason codes, as numbers."""
        topics = [(text, options or qos) for text in filters]
        _, mid = self.mqtt.subscribe(topics)
        return [reason.value for reason in self._ack(mid, f"SUBACK for {filters}")]

    def unsubscribe(self, *filters):
        _, mid = self.mqtt.unsubscribe(list(filters))
        reasons = self._ack(mid, f"UNSUBACK for {filters}")
        return [reason.value for reason in reasons]

    def publish(self, topic, payload=b"", qos=1, **options):
        """Publishes; with QoS 1 waits for the PUBACK, and returns it."""
        info = self.mqtt.publish(topic, payload, qos, **options)
        return self._ack(info.mid, f"paho published to {topic}")

    def publish_many(self, topic, payloads, qos=1):
        """Publishes without waiting between them, then waits for all."""
        mids = [self.mqtt.publish(topic, payload, qos).mid for payload in payloads]
        for mid in mids:
            ack = self._ack(mid, f"paho published to {topic}")
            assert ack.reason < 0x80, f"refused: {ack}"

    def wait_for_messages(self, count):
        wait_until(
            lambda: len(self.messages) >= count,
            f"{count} messages at paho, of which some came",
        )
        return list(self.messages)
