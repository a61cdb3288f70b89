"""Mosquitto's command-line clients."""

import os
import subprocess
import threading

from support.wait import DEADLINE_S, wait_until
from support.wire import V5, V311

_VERSIONS = {V311: "mqttv311", V5: "mqttv5"}


def mosquitto_pub_lines(port, topic, payloads, version=V5, qos=1, client_id=None):
    """Publishes texts of one line each, in one connection, and returns when all are acknowledged."""
    arguments = ["-l", *(["-i", client_id] if client_id else [])]
    lines = b"".join(payload + b"\n" for payload in payloads)
    return _mosquitto_pub(port, topic, lines, version, qos, arguments)


def mosquitto_pub(port, topic, payload, version=V5, qos=1, client_id=None, arguments=()):
    """Publishes one message and returns when the client is done, with its output.

    The payload goes through standard input, so that it may be any bytes.
    """
    arguments = [*arguments, "-s" if payload else "-n"]
    if client_id:
        arguments += ["-i", client_id]
    return _mosquitto_pub(port, topic, payload, version, qos, arguments)


def _mosquitto_pub(port, topic, given, version, qos, arguments):
    command = ["mosquitto_pub", "-p", str(port), "-V", _VERSIONS[version], "-q", str(qos)]
    command += ["-t", topic, "-d", *arguments]
    done = subprocess.run(
        command, input=given, capture_output=True, timeout=DEADLINE_S, check=False
    )
    output = (done.stdout + done.stderr).decode(errors="replace")
    assert done.returncode == 0, f"mosquitto_pub ended with {done.returncode}: {output}"
    return output


class MosquittoSub:
    """A running mosquitto_sub, subscribed. Usable as a context manager."""

    def __init__(self, port, *filters, version=V5, qos=1, client_id=None, arguments=()):
        command = ["mosquitto_sub", "-p", str(port), "-V", _VERSIONS[version], "-q", str(qos)]
        command += ["-d", "-F", "message|%t|%q|%r|%x|", *arguments]
        for text in filters:
            command += ["-t", text]
        if client_id:
            command += ["-i", client_id]
        self._lines = []
        # To a pipe it would write nothing before its first message.
        terminal, its_end = os.openpty()
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=its_end, stderr=its_end
        )
        os.close(its_end)
        self._terminal = os.fdopen(terminal, "rb")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(
            lambda: any("received SUBACK" in line for line in list(self._lines)),
            "mosquitto_sub gets a SUBACK",
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        self._terminal.close()

    def _read(self):
        try:
            for line in self._terminal:
                self._lines.append(line.decode(errors="replace").rstrip("\r\n"))
        except OSError:
            pass  # How a terminal says that nobody is at its other end any more.

    def messages(self):
        """(topic, QoS, retain, payload) of each message so far."""
        found = []
        for line in list(self._lines):
            if line.startswith("message|"):
                _, topic, qos, retain, payload, _ = line.split("|")
                found.append((topic, int(qos), int(retain), bytes.fromhex(payload)))
        return found

    def wait_for_messages(self, count):
        wait_until(lambda: len(self.messages()) >= count, f"{count} messages at mosquitto_sub")
        return self.messages()

    def lines(self):
        return list(self._lines)
