"""The brokers under test, and what each of them is configured with."""

import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support import broker as hookwire
from support.wait import DEADLINE_S, wait_until

#: Small limits, so that tests reach them: packets, and publishes in flight.
MAXIMUM_PACKET_BYTES = 200_000
RECEIVE_MAXIMUM = 20
LONGEST_KEEP_ALIVE_S = 30

_HOOKWIRE = f"""
listener "tcp" "default" {{
  address = "127.0.0.1:0"
}}

mqtt {{
  max_packet_bytes = {MAXIMUM_PACKET_BYTES}
  receive_maximum = {RECEIVE_MAXIMUM}
  # As the specification has it; most devices and brokers do otherwise.
  short_client_ids_in_mqtt31 = true
}}
"""

_HOOKWIRE_LIMITED = f"""
listener "tcp" "default" {{
  address = "127.0.0.1:0"
}}

mqtt {{
  max_keep_alive_s = {LONGEST_KEEP_ALIVE_S}
  max_topic_aliases = 0
}}
"""

_MOSQUITTO = f"""
listener {{port}} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_packet_size {MAXIMUM_PACKET_BYTES}
max_inflight_messages {RECEIVE_MAXIMUM}
"""

_MOSQUITTO_LIMITED = f"""
listener {{port}} 127.0.0.1
max_qos 0
max_topic_alias 0
allow_anonymous true
retain_available false
max_keepalive {LONGEST_KEEP_ALIVE_S}
"""


@dataclass(frozen=True)
class Profile:
    """What the suite knows of a broker beside what its CONNACK says."""

    name: str
    #: Says why before it closes, as an MQTT 5 server should.
    explains: bool = False
    #: The longest keep alive of the limited broker, where there is one.
    longest_keep_alive_s: int | None = LONGEST_KEEP_ALIVE_S


PROFILES = {
    "hookwire": Profile("hookwire", explains=True),
    "mosquitto": Profile("mosquitto"),
}


def chosen():
    """The profile of the broker under test, from CONFORMANCE_BROKER.

    A name of PROFILES, or the HOST:PORT of a broker that runs already.
    """
    name = os.environ.get("CONFORMANCE_BROKER", "hookwire")
    if name in PROFILES:
        return PROFILES[name]
    if re.fullmatch(r"\S+:\d+", name):
        return Profile(name, longest_keep_alive_s=None)
    raise RuntimeError(f"CONFORMANCE_BROKER is {name}, which is no broker and no HOST:PORT")


def _mosquitto():
    binary = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if binary is None:
        raise RuntimeError("mosquitto is not on PATH: install mosquitto 2")
    return binary


class Mosquitto:
    """A mosquitto on a port of its own."""

    def __init__(self, directory, config):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.log = directory / "mosquitto.log"
        config_file = directory / "mosquitto.conf"
        config_file.write_text(config.format(port=self.port))
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [_mosquitto(), "-c", str(config_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_until(self._listens, "mosquitto listens")

    def _listens(self):
        if self._process.poll() is not None:
            raise AssertionError(f"mosquitto ended at its start:\n{self.log.read_text()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), DEADLINE_S).close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self):
        code = self._process.poll()
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        assert code is None, f"mosquitto ended by itself with {code}:\n{self.log.read_text()}"


def version():
    """What the broker under test says that it is."""
    name = chosen().name
    if name == "hookwire":
        return hookwire.run_hookwire("--version").stdout.strip()
    if name == "mosquitto":
        said = subprocess.run([_mosquitto(), "-h"], capture_output=True, text=True, check=False)
        return said.stdout.splitlines()[0]
    return f"a broker at {name}"


class Hookwire:
    """A Hookwire on a port of its own, which must not panic."""

    def __init__(self, directory, config):
        self.broker = hookwire.Broker(directory, config).start()
        self.port = self.broker.port

    def stop(self):
        try:
            log = self.broker.stderr()
            assert self.broker.is_running(), f"the broker ended by itself:\n{log}"
            assert self.broker.stop() == 0, log
            assert "panicked" not in log, log
        finally:
            self.broker.discard()


class Running:
    """The broker under test: `address`, and `limited`, the same one with little to offer."""

    def __init__(self, directory):
        self.profile = chosen()
        self._started = []
        if self.profile.name == "hookwire":
            kind, configs = Hookwire, (_HOOKWIRE, _HOOKWIRE_LIMITED)
        elif self.profile.name == "mosquitto":
            kind, configs = Mosquitto, (_MOSQUITTO, _MOSQUITTO_LIMITED)
        else:
            host, port = self.profile.name.rsplit(":", 1)
            self.address = self.limited = (host, int(port))
            return
        try:
            for part, config in zip(("main", "limited"), configs, strict=True):
                self._started.append(kind(directory / part, config))
        except BaseException:
            self.stop()
            raise
        self.address, self.limited = (("127.0.0.1", each.port) for each in self._started)

    @property
    def brokers(self):
        """Hookwires that this run has started."""
        return [each.broker for each in self._started if isinstance(each, Hookwire)]

    def stop(self):
        while self._started:
            self._started.pop().stop()
