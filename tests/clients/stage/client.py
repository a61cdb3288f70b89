"""One client of a library under test, as a scenario sees it."""

from dataclasses import dataclass, field

from clients.stage.driver import DriverError
from support.wait import wait_until

#: In a session that is to outlive its connection.
SESSION_EXPIRY_S = 600

#: The reason code of a DISCONNECT that has the will sent.
DISCONNECT_WITH_WILL = 0x04


@dataclass
class Will:
    """A will for `Library.connect`."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    properties: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Filter:
    """A topic filter with the options that MQTT 5.0 has for it."""

    filter: str
    qos: int = 0
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: int = 0


@dataclass
class Message:
    """A message as it reached a client."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    dup: bool
    properties: dict


class Client:
    """A connection, or in MQTT 5.0 an attempt at one that was refused."""

    def __init__(self, library, name, client_id):
        self.library = library
        self.client_id = client_id
        self.reason = None
        self.session_present = None
        self.connack = {}
        self._name = name

    def _call(self, do, **arguments):
        return self.library.driver.call(do, client=self._name, **arguments)

    def open(self, **options):
        answer = self._call("connect", client_id=self.client_id, **options)
        self.reason = answer["reason"]
        self.session_present = answer["session_present"]
        self.connack = answer["properties"]
        return self

    def listen(self):
        """Receives from here on. A program for the command line that only
        receives while it subscribes to something is run by this."""
        self._call("listen")
        return self

    def subscribe(self, *filters, qos=0, **properties):
        """Subscribes and returns the reason codes. `filters` are texts or `Filter`s."""
        filters = [
            (one if isinstance(one, Filter) else Filter(one, qos)).__dict__ for one in filters
        ]
        return self._call("subscribe", filters=filters, properties=properties)["reasons"]

    def unsubscribe(self, *filters):
        """Unsubscribes and returns the reason codes, of which there are none before 5.0."""
        return self._call("unsubscribe", filters=filters)["reasons"]

    def publish(self, topic, payload=b"", qos=0, retain=False, **properties):
        """Publishes, and waits until the message is acknowledged to the end."""
        return self.publish_all(topic, [payload], qos, retain, **properties)[0]

    def publish_all(self, topic, payloads, qos=0, retain=False, **properties):
        """Publishes as fast as the library does, waits for all, returns the reason codes."""
        payloads = [payload.hex() for payload in payloads]
        return self._call(
            "publish",
            topic=topic,
            payloads=payloads,
            qos=qos,
            retain=retain,
            properties=properties,
        )["reasons"]

    def request(self, topic, payload, response_topic, correlation):
        """Hears `response_topic` and publishes a request that names it, both with QoS 1."""
        if self.library.can("subscribe and publish"):
            self.subscribe(response_topic, qos=1)
            self.publish(
                topic, payload, qos=1, response_topic=response_topic, correlation=correlation.hex()
            )
        else:
            # The program for it does both.
            self._call(
                "request",
                topic=topic,
                payloads=[payload.hex()],
                qos=1,
                response_topic=response_topic,
                correlation=correlation.hex(),
            )

    def acknowledge(self, count=1):
        """With `manual_ack`: acknowledges the oldest messages that are not yet."""
        self._call("acknowledge", count=count)

    def disconnect(self, reason=0, **properties):
        """Says DISCONNECT and closes."""
        self._call("disconnect", reason=reason, properties=properties)

    def kill(self):
        """Cuts the connection off without DISCONNECT."""
        self._call("kill")

    def messages(self):
        """What has come so far."""
        return [
            Message(
                said["topic"],
                bytes.fromhex(said["payload"]),
                said["qos"],
                said["retain"],
                said["dup"],
                said["properties"],
            )
            for said in self.library.driver.heard(self._name)
            if said["event"] == "message"
        ]

    def payloads(self):
        return [message.payload for message in self.messages()]

    def wait_for(self, count=1):
        """Waits for that many messages and returns all that came."""
        wait_until(
            lambda: len(self.messages()) >= count,
            f"{count} messages at {self}",
        )
        return self.messages()

    def wait_for_message(self):
        """Waits for the one message that there is to be."""
        messages = self.wait_for(1)
        assert len(messages) == 1, messages
        return messages[0]

    def wait_for_payload(self, payload):
        """Waits for this one and returns what came before it."""
        wait_until(lambda: payload in self.payloads(), f"{payload} at {self}")
        payloads = self.payloads()
        return payloads[: payloads.index(payload)]

    def wait_closed(self):
        """Waits until the broker ends the connection, and returns what it said."""

        def closed():
            heard = self.library.driver.heard(self._name)
            return [said for said in heard if said["event"] == "closed"]

        return wait_until(closed, f"{self} is closed")[0]

    def provoke(self, do, *arguments, **options):
        """Does what the broker is to end the connection for, and returns what it says then."""
        try:
            do(*arguments, **options)
        except DriverError:
            pass  # The connection ended before it was answered.
        return self.wait_closed()

    def __str__(self):
        return f"{self.library}'s client {self.client_id}"
