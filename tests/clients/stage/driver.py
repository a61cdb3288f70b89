"""A driver: a small program in a client library's own language, as a process.

It reads one command a line from its standard input and writes one answer a line,
and between answers what its clients hear. `tests/clients/README.md` has the words.
"""

import json
import os
import queue
import signal
import subprocess
import threading
from pathlib import Path

from support.wait import DEADLINE_S


class DriverError(AssertionError):
    """A driver could not do what it was told, and says why."""


class Driver:
    """One driver for all tests of a run; started again where a test broke it."""

    def __init__(self, name, command, log):
        self.name = name
        self._command = command
        self._log = Path(log)
        self._process = None
        self._answers = None
        self._heard = {}
        self._last_id = 0

    def _start(self):
        self._answers = queue.Queue()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # A group of its own, which `stop` ends with all it started.
                start_new_session=True,
            )
        threading.Thread(
            target=self._read, args=(self._process.stdout, self._answers), daemon=True
        ).start()

    def _read(self, stdout, answers):
        for line in stdout:
            said = json.loads(line)
            if "event" in said:
                self._heard.setdefault(said["client"], []).append(said)
            else:
                answers.put(said)
        answers.put(None)

    def call(self, do, **arguments):
        """Has the driver do something, and returns what came of it."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        self._last_id += 1
        command = {"id": self._last_id, "do": do, **arguments}
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()
        try:
            answer = self._answers.get(timeout=DEADLINE_S)
        except queue.Empty:
            self.stop()
            raise DriverError(f"{self.name} does not end: {do} {arguments}") from None
        if answer is None:
            raise DriverError(f"{self.name} ended at: {do} {arguments}\n{self.log()[-4000:]}")
        assert answer["id"] == self._last_id, f"{self.name} answers something else: {answer}"
        if "error" in answer:
            raise DriverError(f"{self.name}: {do}: {answer['error']}")
        return answer["ok"]

    def heard(self, client):
        """What a client has heard so far, in order."""
        return list(self._heard.get(client, ()))

    def reset(self):
        """Cuts off all clients that are left; for the end of a test."""
        if self._process is not None and self._process.poll() is None:
            self.call("reset")
        self._heard.clear()

    def log(self):
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def stop(self):
        """Ends the process and everything it started."""
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE_S)
        self._process.stdin.close()
        self._process = None
