"""What the contract suite needs of a store: its configuration, its contents in neutral terms, and ways
to break it."""

import abc
import enum
from dataclasses import dataclass

from support.rules import LISTENER, rule


class Capability(enum.Enum):
    """A group of functions that a store may offer; the value is its name in the table."""

    PRESENCE = "presence"
    MESSAGES = "messages above QoS 0"
    ANY_QOS = "messages of any QoS"
    FETCH = "fetch"
    WILDCARD_FETCH = "fetch by wildcards"
    REACH = "fetch from before the first subscription"
    POSITIONS = "positions"
    POSITION_DELETION = "deletion of positions"
    PLACES = "order of places, whatever the message ids"
    PROPERTIES = "properties and expiry of MQTT 5"
    RETAINED = "retained messages"
    RETAINED_LOOKUP = "look-up of retained messages"
    PROXY_SUBSCRIPTIONS = "proxy subscriptions"
    SUBSCRIPTIONS = "subscriptions of clients"
    SESSIONS = "sessions"
    EXCHANGES = "QoS 2 exchanges"
    TEMPLATES = "templates"


#: What a template may use on each hook.
HOOK_PARAMETERS = {
    "client.connected": ("clientid",),
    "session.created": ("clientid",),
    "client.disconnected": ("clientid",),
    "session.subscribed": ("clientid", "topic", "qos"),
    "session.unsubscribed": ("clientid", "topic"),
    "message.publish": ("msgid", "topic", "payload", "qos", "clientid"),
    "message.acked": ("msgid", "topic", "clientid"),
    "message.deliver": ("msgid", "topic", "clientid"),
}


@dataclass(frozen=True)
class Function:
    """An action on a hook, as a rule binds it."""

    hook: str
    action: str
    topic: str | None = None


@dataclass(frozen=True)
class Message:
    """A stored message, whether of a topic's row or retained."""

    msgid: str | None
    topic: str
    sender: str
    qos: int
    retain: bool
    payload: bytes


@dataclass(frozen=True)
class ClientState:
    """What a store says of a client's presence. Times are seconds since the Unix epoch, or None."""

    online: bool
    node: str
    online_at: float | None
    offline_at: float | None


class Store(abc.ABC):
    """One store of a test's own, empty at first, and the business server beside it."""

    #: In the table, and in the names of tests.
    name: str
    #: Functions of each capability; one without functions is a trait of others.
    functions: dict[Capability, tuple[Function, ...]]
    #: The name of its pool and of its module.
    pool: str
    module: str

    @classmethod
    def offers(cls, *capabilities):
        return all(capability in cls.functions for capability in capabilities)

    @abc.abstractmethod
    def blocks(self):
        """The blocks of its pool and module."""

    @abc.abstractmethod
    def close(self):
        """Ends what it holds; for the end of a test."""

    def configuration(self, more="", options=None, **keys):
        """A broker on this store, with every function it has.

        `options` are those of actions; `keys` stand in each rule.
        """
        text = "workers = 2\n" + LISTENER + self.blocks()
        for capability, functions in self.functions.items():
            if capability is Capability.TEMPLATES:
                continue
            for number, function in enumerate(functions):
                text += self._rule(self.rule_name(capability, number), function, options or {}, keys)
        return text + more

    @staticmethod
    def rule_name(capability, number=0):
        """The name of the rule that binds this function of the capability."""
        return f"{capability.name.lower()}-{number}"

    def _rule(self, name, function, options, keys):
        topic = {"topic": function.topic} if function.topic else {}
        own = options.get(function.action)
        keys = {"pool": self.pool, **topic, **keys}
        return rule(name, function.hook, self.module, function.action, own, **keys)

    def template_rule(self, name, hook, options, **keys):
        """A rule that runs the business's own statements, of `noting` or `keeping_last`."""
        (function,) = (f for f in self.functions[Capability.TEMPLATES] if f.hook == hook)
        return rule(name, hook, self.module, function.action, options, pool=self.pool, **keys)

    # What a business server reads.

    @abc.abstractmethod
    def client_state(self, client_id) -> ClientState | None:
        """What is stored of the client's presence."""

    @abc.abstractmethod
    def subscriptions(self, client_id) -> dict[str, int]:
        """QoS of each of the client's subscriptions, by topic filter: its own and those by proxy."""

    @abc.abstractmethod
    def messages(self, topic) -> list[Message]:
        """Messages of the topic, in the order in which they are fetched."""

    @abc.abstractmethod
    def retained(self, topic) -> Message | None:
        """The topic's retained message."""

    @abc.abstractmethod
    def position(self, client_id, topic) -> Message | None:
        """The newest message on the topic that the client has acknowledged."""

    def payloads(self, topic):
        return [message.payload for message in self.messages(topic)]

    # What a business server writes.

    @abc.abstractmethod
    def subscribe_by_proxy(self, client_id, topic, qos):
        """Subscribes a client, from its next session on."""

    @abc.abstractmethod
    def insert_message(self, topic, payload, sender, msgid):
        """Another writer's message, QoS 1, behind all that are there; `msgid` may be None."""

    @abc.abstractmethod
    def insert_retained(self, topic, payload, msgid):
        """Another writer's retained message, QoS 1; `msgid` may be None."""

    # A business's own statements.

    @abc.abstractmethod
    def noting(self, hook) -> dict:
        """Options of a template that notes all that the hook offers; at least two statements, of
        which the last needs those before it."""

    @abc.abstractmethod
    def notes(self) -> list[dict]:
        """What was noted, in its order: `hook`, and its parameters by name; payloads are bytes."""

    @abc.abstractmethod
    def keeping_last(self) -> dict:
        """Options of a template of message.publish that deletes what it has of the topic, then
        writes the payload; the other way round nothing stays."""

    @abc.abstractmethod
    def last(self) -> dict[str, bytes]:
        """The payload that `keeping_last` has of each topic."""

    # Faults; each is a context manager.

    @abc.abstractmethod
    def unavailable(self):
        """Nothing can be written for now."""

    @abc.abstractmethod
    def unreadable(self):
        """Messages cannot be read for now."""

    @abc.abstractmethod
    def refusing(self, topic):
        """Messages of the topic cannot be stored, now or later."""

    @abc.abstractmethod
    def slow(self):
        """Each message takes a time that is many times what it takes otherwise."""
