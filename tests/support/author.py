"""An author of rule modules, who has no checkout."""

import os
import shutil
import subprocess
import threading
from pathlib import Path

from support.broker import binary

CHECKOUT = Path(__file__).resolve().parents[2]
# Building dependencies of guests takes a minute: kept from run to run.
TARGET = CHECKOUT / "target" / "authors"
DEADLINE_S = 900


class Author:
    """Somebody who has the binary, cargo and an empty folder."""

    def __init__(self, home):
        self.home = home
        self.hookwire = home / "bin" / "hookwire"
        self.hookwire.parent.mkdir()
        shutil.copy2(binary(), self.hookwire)
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HOOKWIRE_")
        } | {"CARGO_TARGET_DIR": str(TARGET)}

    def run(self, *command, cwd=None, **variables):
        """Runs a command to its end; `hookwire` is the copied binary."""
        program, *arguments = map(str, command)
        return subprocess.run(
            [str(self.hookwire) if program == "hookwire" else program, *arguments],
            cwd=cwd or self.home,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def start(self, *command, cwd):
        """Starts the copied binary, its output in one stream of lines."""
        return Started(
            [str(self.hookwire), *map(str, command)],
            cwd=cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def new(self, template):
        """A fresh project from a template."""
        name = f"my-{template}"
        made = self.run("hookwire", "rule", "new", name, "--template", template)
        assert made.returncode == 0, made.stderr
        return self.home / name


class Started(subprocess.Popen):
    """A process whose lines are read as they come."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.lines = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.stdout:
            self.lines.append(line)

    def discard(self):
        """Ends it, whatever it does."""
        self.kill()
        self.wait()
