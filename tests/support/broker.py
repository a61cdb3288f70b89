"""A broker of the tests' own: its process, its data directory, its logs."""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from support.store import Store
from support.wait import DEADLINE_S, wait_until

_LISTENING = re.compile(r"listening on (\S+):(\d+) \(tcp, (\S+)\)")


def binary():
    """The broker under test, from HOOKWIRE_BIN."""
    path = os.environ.get("HOOKWIRE_BIN")
    if not path:
        raise RuntimeError(
            "HOOKWIRE_BIN is not set: give it the path of the hookwire binary, "
            "or run `cargo xtask test`, which builds one"
        )
    if not os.access(path, os.X_OK):
        raise RuntimeError(f"HOOKWIRE_BIN is {path}, which is not an executable file")
    # Brokers run in folders of their own.
    return os.path.abspath(path)


def require_mosquitto():
    """Fails unless mosquitto's command-line clients are there."""
    for tool in ("mosquitto_pub", "mosquitto_sub"):
        if shutil.which(tool) is None:
            raise RuntimeError(f"{tool} is not on PATH: install mosquitto-clients")


def run_hookwire(*arguments, deadline_s=DEADLINE_S, before=None):
    """Runs the binary to its end and returns the completed process, as text.

    `before` is called in the new process, before it becomes the binary.
    """
    return subprocess.run(
        [binary(), *map(str, arguments)],
        preexec_fn=before,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        check=False,
    )


class Broker:
    """One broker, started and ended as often as a test likes, on one data directory.

    The first start takes any free port; later ones take the same.
    """

    def __init__(self, directory, config=None, arguments=(), environment=None):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = self.directory / "data"
        self.port = 0
        self.process = None
        self._lines = []
        self._reader = None
        self._stderr = self.directory / "stderr.log"
        self.arguments = arguments
        #: Called in the new process at each start, before it becomes the broker.
        self.before = None
        #: Variables beside those of the tests; what is set here counts at the next start.
        self.environment = dict(environment or {})
        self.config = None
        if config is not None:
            self.config = self.directory / "hookwire.hcl"
            self.config.write_text(config)

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Starts it and waits until it listens."""
        command = [binary(), "run", "--listen", f"127.0.0.1:{self.port}", "--data", self.data]
        if self.config:
            command += ["--config", self.config]
        command += self.arguments
        self._lines = []
        with self._stderr.open("ab") as stderr:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                cwd=self.directory,
                env={**os.environ, **self.environment},
                preexec_fn=self.before,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self._reader = threading.Thread(
            target=self._read_stdout, args=(self.process.stdout, self._lines), daemon=True
        )
        self._reader.start()
        match = wait_until(self._listening, "the broker says where it listens")
        self.port = int(match.group(2))
        return self

    def _read_stdout(self, stdout, lines):
        for line in stdout:
            lines.append(line.rstrip("\n"))

    def _listening(self):
        for line in list(self._lines):
            if match := _LISTENING.search(line):
                return match
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"the broker ended with {code} at its start:\n{self.stderr()}")
        return None

    def stdout(self):
        """Lines written so far to standard output since the last start."""
        return list(self._lines)

    def stderr(self):
        """Everything logged, over all starts."""
        return self._stderr.read_text(errors="replace") if self._stderr.exists() else ""

    def panics(self):
        """Lines that tell of a panic of the broker itself; a module's name it."""
        lines = self.stderr().splitlines()
        return [line for line in lines if "panicked" in line and "module=" not in line]

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL, and waits until the process is gone."""
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def stop(self, by=signal.SIGTERM):
        """Asks it to stop and returns its exit code."""
        self.process.send_signal(by)
        return self._ended()

    def _ended(self):
        code = self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        self.process.stdout.close()
        return code

    def ctl(self, *arguments):
        """Runs `hookwire ctl` on this broker and returns what it prints."""
        done = run_hookwire("ctl", "--data", self.data, *arguments)
        assert done.returncode == 0, f"ctl {arguments} ended with {done.returncode}: {done.stderr}"
        return done.stdout

    def ctl_json(self, *arguments):
        """As `ctl`, with the answer as JSON."""
        return json.loads(self.ctl("--json", *arguments))

    def ctl_refused(self, *arguments):
        """Runs a command that has to be refused, and returns why it was."""
        done = run_hookwire("ctl", "--data", self.data, *arguments)
        assert done.returncode != 0, f"ctl {arguments} was carried out: {done.stdout}"
        return done.stderr

    def metric(self, name, **labels):
        """The value of a figure, or None where it has none with these labels."""
        for family in text_string_to_metric_families(self.ctl("metrics")):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return sample.value
        return None

    def discard(self):
        """Ends whatever still runs; for the end of a test."""
        if self.is_running():
            self.kill()

    def store(self, file="hookwire.db"):
        """A reader of its store, or of another file in its data directory."""
        return Store(self.data / file)
