"""The broker under test: Hookwire, or Mosquitto to check the suite itself."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

from support.broker import Broker
from support.wait import DEADLINE_S, wait_until

#: Which one, from CLIENTS_BROKER.
NAME = os.environ.get("CLIENTS_BROKER", "hookwire")

#: Clients that ask for more are told this, MQTT 5.0.
SERVER_KEEP_ALIVE_S = 120

_HOOKWIRE = f"""
listener "tcp" "default" {{
  address = "127.0.0.1:0"
}}
mqtt {{
  max_keep_alive_s = {SERVER_KEEP_ALIVE_S}
}}
"""

# With a bound on messages in flight, Mosquitto 2.0 loses what an MQTT 3 client sends beyond it.
_MOSQUITTO = f"""
allow_anonymous true
max_keepalive {SERVER_KEEP_ALIVE_S}
max_inflight_messages 0
log_dest stderr
log_type all
"""


class Mosquitto:
    """A Mosquitto on a free port of the loopback address."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.port = 0
        self._process = None
        self._stderr = self.directory / "stderr.log"

    def start(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = self.directory / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\n{_MOSQUITTO}")
        # Debian keeps it where an ordinary user's PATH does not lead.
        program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        with self._stderr.open("ab") as stderr:
            self._process = subprocess.Popen(
                [program, "-c", str(config)], stdin=subprocess.DEVNULL, stderr=stderr
            )
        wait_until(self._accepts, "mosquitto listens")
        return self

    def _accepts(self):
        assert self.is_running(), self.stderr()
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0

    def stderr(self):
        return self._stderr.read_text(errors="replace")

    def is_running(self):
        return self._process.poll() is None

    def stop(self):
        self._process.terminate()
        return self._process.wait(DEADLINE_S)

    def discard(self):
        if self._process is not None and self.is_running():
            self._process.kill()
            self._process.wait(DEADLINE_S)


def start(directory):
    """Starts the broker that CLIENTS_BROKER names."""
    if NAME == "mosquitto":
        return Mosquitto(directory).start()
    assert NAME == "hookwire", f"CLIENTS_BROKER is {NAME}: hookwire or mosquitto"
    return Broker(directory, _HOOKWIRE).start()
