"""Eclipse paho's Python client, waited for instead of called back."""

import threading
from types import SimpleNamespace

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from support import wire
from support.wait import wait_until


class PahoClient:
    """A paho client on a thread of its own. Usable as a context manager.

    `expiry_s` is that of the session, in MQTT 5; in 3.1.1 one that is not `clean` lasts as long as
    the broker has it.
    """

    def __init__(
        self, port, client_id, version=wire.V5, clean=True, expiry_s=0, manual_ack=False,
        **connect_options,
    ):  # fmt: skip
        self.port = port
        #: Of the last CONNACK.
        self.session_present = None
        self.messages = []
        self.disconnects = []
        self._connects = []
        self._acks = {}
        self._changed = threading.Lock()
        self.on_puback = None
        options = {} if version == wire.V5 else {"clean_session": clean}
        if version == wire.V5:
            props = Properties(PacketTypes.CONNECT)
            props.SessionExpiryInterval = expiry_s
            connect_options = {"clean_start": clean, "properties": props, **connect_options}
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            reconnect_on_failure=False,
            manual_ack=manual_ack,
            **options,
        )
        self.mqtt.on_connect = self._on_connect
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
        reason = self.connack()
        assert reason == "Success", f"refused: {reason}"
        return self

    def connack(self):
        """Connects, whether anew or for the first time, and returns the CONNACK's reason code.

        What was published and not acknowledged is sent again then. In MQTT 3.1.1 the reason
        code is the one that MQTT 5 has for the return code.
        """
        self.mqtt.loop_stop()
        known = len(self._connects)
        self.mqtt.connect("127.0.0.1", self.port, **self._connect_options)
        self.mqtt.loop_start()
        wait_until(lambda: len(self._connects) > known, "paho gets a CONNACK")
        return self._connects[-1]

    def close(self):
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def _on_connect(self, _client, _userdata, flags, reason, _properties):
        self.session_present = flags.session_present
        self._connects.append(reason)

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
        for reason in self.reasons([(topic, payload) for payload in payloads], qos):
            assert reason < 0x80, f"refused: {reason:#x}"

    def reasons(self, messages, qos=1):
        """Publishes (topic, payload) without waiting between them; the reason code of each."""
        mids = [self.mqtt.publish(topic, payload, qos).mid for topic, payload in messages]
        return [self._ack(mid, "paho gets its acknowledgements").reason for mid in mids]

    def acknowledged(self, mids):
        """Of these publishes, those acknowledged so far: their acknowledgements, by mid."""
        with self._changed:
            return {mid: self._acks[mid] for mid in mids if mid in self._acks}

    def wait_for_messages(self, count):
        wait_until(
            lambda: len(self.messages) >= count,
            f"{count} messages at paho, of which some came",
        )
        return list(self.messages)
