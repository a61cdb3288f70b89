"""The clients at both ends: a library at a version of MQTT, which reads or writes."""

import contextlib
from dataclasses import dataclass

from support.mosquitto import MosquittoSub, mosquitto_pub, mosquitto_pub_lines
from support.paho import PahoClient
from support.wire import V5, V311

#: Seconds that a session outlives its connection, where a scenario says nothing of it.
LASTING_S = 3600
_VERSIONS = {V311: "v311", V5: "v5"}


@dataclass(frozen=True)
class End:
    """One client library at one version."""

    library: str
    version: int

    def __str__(self):
        return f"{self.library}-{_VERSIONS[self.version]}"

    def write(self, port, topic, payloads, client_id, qos=1):
        """Publishes lines of text without waiting between them; returns when all are acknowledged."""
        if self.library == "mosquitto":
            mosquitto_pub_lines(port, topic, payloads, self.version, qos, client_id)
        else:
            with PahoClient(port, client_id, self.version) as client:
                client.publish_many(topic, payloads, qos)

    def write_retained(self, port, topic, payload, client_id):
        """Publishes one retained message."""
        if self.library == "mosquitto":
            mosquitto_pub(port, topic, payload, self.version, 1, client_id, ["-r"])
        else:
            with PahoClient(port, client_id, self.version) as client:
                assert client.publish(topic, payload, retain=True).reason < 0x80

    def reader(self, port, client_id, filter_, qos=1):
        """A subscriber whose session lasts. Usable as a context manager, which ends the connection
        in order."""
        if self.library == "mosquitto":
            return _MosquittoReader(self.version, port, client_id, filter_, qos)
        return _PahoReader(self.version, port, client_id, filter_, qos)


class _PahoReader:
    def __init__(self, version, port, client_id, filter_, qos):
        self._client = PahoClient(port, client_id, version, clean=False, expiry_s=LASTING_S)
        self._client.connect()
        assert self._client.subscribe(filter_, qos=qos) == [qos]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def take(self, count):
        """(topic, payload) of each message, once there are as many; there may be more."""
        return [(m.topic, m.payload) for m in self._client.wait_for_messages(count)]


class _MosquittoReader:
    def __init__(self, version, port, client_id, filter_, qos):
        arguments = ["-c", *(["-x", str(LASTING_S)] if version == V5 else [])]
        self._client = MosquittoSub(
            port, filter_, version=version, qos=qos, client_id=client_id, arguments=arguments
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.__exit__()

    def take(self, count):
        return [
            (topic, payload) for topic, _, _, payload in self._client.wait_for_messages(count)
        ]


ENDS = [End(library, version) for library in ("paho", "mosquitto") for version in (V311, V5)]

#: (publisher, subscriber): every end on each side, libraries and versions mixed.
PAIRS = [(ENDS[0], ENDS[3]), (ENDS[1], ENDS[0]), (ENDS[2], ENDS[1]), (ENDS[3], ENDS[2])]


def pair_name(pair):
    return "-to-".join(map(str, pair)) if isinstance(pair, tuple) else None


def lasting(port, client_id, version=V5, clean=False, expiry_s=LASTING_S, **options):
    """A paho client with a session that outlives its connection."""
    return PahoClient(port, client_id, version, clean=clean, expiry_s=expiry_s, **options)


@contextlib.contextmanager
def away(port, client_id, filter_, version=V5, qos=1):
    """For its block, a client is away that has subscribed."""
    with lasting(port, client_id, version) as client:
        assert client.subscribe(filter_, qos=qos) == [qos]
    yield
