"""Who is on stage: client libraries, the versions they speak, what they cannot do.

A scenario says which abilities it needs, and is run with every library that has
them. What a library cannot do stands here with its reason, and is printed with
the results; it is not found out by a test that skips itself.
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from clients.stage import brokers

V31, V311, V5 = "3.1", "3.1.1", "5.0"
VERSIONS = (V31, V311, V5)

#: What not every library can do, or not in every version.
ABILITIES = {
    "session present": "shows whether CONNACK says that the session was there",
    "CONNACK properties": "shows what else CONNACK says",
    "subscribe again": "subscribes and unsubscribes while it runs",
    "subscribe and publish": "does both on one connection",
    "manual acknowledgement": "leaves a message unacknowledged",
    "several held acknowledgements": "receives on while messages are unacknowledged",
    "end of connection": "shows that the broker ended the connection, and stays away",
    "DISCONNECT properties": "shows the reason string of a DISCONNECT",
    "what its DISCONNECT says": "chooses the reason code and the session expiry",
    "properties of a will": "sends all of them",
    "binary will": "sends any bytes as the payload of a will",
    "user properties by order": "keeps the order of user properties of different names",
    "binary correlation data": "sends any bytes as correlation data",
    "alias beyond the maximum": "sends a topic alias that the broker did not allow",
    "topic alias in": "knows the topic when the broker sends an alias",
    "several subscription identifiers": "shows all of them when several match",
    "no local": "subscribes with no local",
    "retain handling": "subscribes with a retain handling",
    "no local on a shared subscription": "lets that mistake through to the broker",
}

#: What a broker may do and the standard does not ask of it.
PROMISES = {
    "$queue": "takes $queue/FILTER as a shared subscription of one group",
    "reason strings": "gives a reason string with a refusal",
}

_VERSION_LIMITS = {
    V31: {"session present": "CONNACK of MQTT 3.1 has no such flag"},
}

_BROKER_LIMITS = {
    "hookwire": {},
    "mosquitto": {
        "$queue": "not known to it",
        "reason strings": "sends none",
    },
}

_WINDOW = "sends more messages of QoS 2 than the client's receive maximum"

#: Scenarios, or single tests of them, in which a broker does not do as the standard says.
FAILINGS = {
    "hookwire": {},
    # 2.0.11, of Debian 12.
    "mosquitto": {
        "test_many_messages_arrive_once_and_in_order[mosquitto-clients-5.0-2]": _WINDOW,
        "test_messages_wait_for_the_client[mosquitto-clients-5.0-2]": _WINDOW,
        "test_messages_wait_for_a_client_cut_off[mosquitto-clients-5.0]": _WINDOW,
        "test_a_group[mosquitto-clients-5.0-2]": _WINDOW,
        "test_receive_maximum": "sends two messages for each that is acknowledged",
        "test_who_is_taken_over_is_told": "closes without DISCONNECT",
        "test_no_retained_messages": "sends retained messages to shared subscriptions",
        "test_no_local_on_a_shared_subscription_is_an_error": "takes it",
        "test_at_the_end_of_the_session_whatever_the_delay": "waits for the will delay",
    },
}


def _path(variable):
    """A path that `cargo xtask test clients` gives."""
    path = os.environ.get(variable)
    if not path:
        raise RuntimeError(f"{variable} is not set: run `cargo xtask test clients`")
    return path


_DRIVERS = Path(__file__).parent.parent / "drivers"


def _python(name):
    return lambda: [sys.executable, str(_DRIVERS / name)]


def _node():
    modules = _path("CLIENTS_NODE_MODULES")
    return ["env", f"NODE_PATH={modules}", "node", str(_DRIVERS / "mqttjs" / "driver.js")]


@dataclass(frozen=True)
class Program:
    """A client library: its driver, its versions, and what it cannot do."""

    name: str
    driver: str
    command: object
    versions: tuple
    limits: dict = field(default_factory=dict)


PROGRAMS = (
    Program(
        "paho-python",
        "paho-python",
        _python("paho_python.py"),
        VERSIONS,
        {
            "topic alias in": "hands over an empty topic",
        },
    ),
    Program(
        "paho.mqtt.golang",
        "go",
        lambda: [_path("CLIENTS_GO_DRIVER")],
        (V31, V311),
    ),
    Program(
        "paho.golang",
        "go",
        lambda: [_path("CLIENTS_GO_DRIVER")],
        (V5,),
        {
            "topic alias in": "hands over an empty topic",
            "several subscription identifiers": "keeps one of them",
            "properties of a will": "sends the delay and user properties alone",
            "alias beyond the maximum": "refuses it itself",
        },
    ),
    Program(
        "mqtt.js",
        "mqtt.js",
        _node,
        VERSIONS,
        {
            "several held acknowledgements": "takes the next packet when the last is acknowledged",
            "user properties by order": "groups them by name",
            "alias beyond the maximum": "refuses it itself",
        },
    ),
    Program(
        "rumqttc",
        "rumqttc",
        lambda: [_path("CLIENTS_RUMQTTC_DRIVER")],
        (V311, V5),
        {
            "topic alias in": "hands over an empty topic",
            "what its DISCONNECT says": "sends 0x00 and no properties",
            "alias beyond the maximum": "refuses it itself",
        },
    ),
    Program(
        "mosquitto-clients",
        "mosquitto-clients",
        _python("mosquitto_clients.py"),
        VERSIONS,
        {
            "session present": "does not print it",
            "CONNACK properties": "does not print them",
            "subscribe again": "subscribes once, at its start",
            "subscribe and publish": "is a program for each",
            "manual acknowledgement": "acknowledges what it reads",
            "several held acknowledgements": "acknowledges what it reads",
            "end of connection": "connects again by itself",
            "DISCONNECT properties": "does not print them",
            "what its DISCONNECT says": "has no option for the reason code",
            "binary will": "takes the payload as an argument",
            "binary correlation data": "takes it as an argument",
            "topic alias in": "prints an empty topic",
            "several subscription identifiers": "prints one of them",
            "no local": "has no option for it",
            "retain handling": "has no option for it",
            "no local on a shared subscription": "has no option for it",
        },
    ),
)


@dataclass(frozen=True)
class Case:
    """A library at one version."""

    program: Program
    version: str

    def why_not(self, ability):
        """Why it cannot do this, or None."""
        assert ability in ABILITIES, ability
        by_version = _VERSION_LIMITS.get(self.version, {})
        return self.program.limits.get(ability) or by_version.get(ability)

    def can(self, ability):
        return self.why_not(ability) is None

    def __str__(self):
        return f"{self.program.name}-{self.version}"


CASES = tuple(Case(program, version) for program in PROGRAMS for version in program.versions)


def broker_keeps(promise):
    """Whether the broker under test does this."""
    assert promise in PROMISES, promise
    return promise not in _BROKER_LIMITS[brokers.NAME]


for _limits in (*(program.limits for program in PROGRAMS), *_VERSION_LIMITS.values()):
    assert not _limits.keys() - ABILITIES.keys(), _limits
