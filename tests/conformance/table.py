"""The statements of the standards, and which tests hold a broker to them."""

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parent.parent

#: Statements in appendix B of MQTT 3.1.1 (OASIS Standard, 29 October 2014) and of
#: MQTT 5.0 (OASIS Standard, 7 March 2019). MQTT 3.1 has none: those are our own.
COUNTS = {"3.1": 18, "3.1.1": 141, "5": 251}

#: Tests of the suite itself.
OWN = {"test_table.py", "test_wire.py"}

#: What brokers are known to fail, a file for each.
FAILURES = sorted(FOLDER.glob("*_failures.toml"))

_RUST = "rust:"


@dataclass
class Statement:
    """One row: what is asked for, and its tests or why it has none."""

    version: str
    id: str
    says: str
    tests: list = field(default_factory=list)
    client: str = ""
    elsewhere: str = ""

    @property
    def python(self):
        return [test for test in self.tests if not test.startswith(_RUST)]

    @property
    def rust(self):
        """(file, function) of tests in the broker's own suites."""
        own = [test.removeprefix(_RUST) for test in self.tests if test.startswith(_RUST)]
        return [tuple(test.split("::")) for test in own]


def statements():
    """All rows, in the order of their files."""
    found = []
    for file in sorted((FOLDER / "statements").glob("*.toml")):
        version = file.stem.split("_")[0]
        for identifier, row in tomllib.loads(file.read_text()).items():
            found.append(Statement(version, identifier, **row))
    return found


def failures(file):
    """{node: why it fails} of one broker."""
    return {
        node: failure
        for failure in tomllib.loads(file.read_text())["failure"]
        for node in failure["nodes"]
    }


def collected():
    """The suite's tests: {"file::function": {names of their cases}}."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", str(FOLDER)],
        cwd=FOLDER.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = {}
    for line in done.stdout.splitlines():
        if match := re.fullmatch(r"(?:\S*/)?(test_\w+\.py::test_\w+)(?:\[(.*)\])?", line):
            found.setdefault(match[1], set()).add(match[2] or "")
    return found


def cases_of(row, named, tests):
    """The cases that a row means: of its version, and of the one it names in brackets, if any."""
    test, _, wanted = named.removesuffix("]").partition("[")
    versions = {f"v{version}" for version in COUNTS}
    found = set()
    for case in tests.get(test, ()):
        words = set(case.split("-"))
        if wanted in {"", case, *words} and (not words & versions or f"v{row.version}" in words):
            found.add(case)
    return found


def has_rust_test(file, function):
    path = REPOSITORY / file
    return path.is_file() and re.search(rf"\bfn {function}\(", path.read_text()) is not None


def lines(outcomes):
    """The table as it is printed. `outcomes` are {"file::function": {case: it passed}}."""
    rows = statements()
    yield "MQTT      statements  tested  client only  elsewhere  failing"
    for version in COUNTS:
        own = [row for row in rows if row.version == version]
        failing = [row.id for row in own if _fails(row, outcomes)]
        yield (
            f"{version:8}{len(own):12}{sum(bool(row.tests) for row in own):8}"
            f"{sum(bool(row.client) for row in own):13}"
            f"{sum(bool(row.elsewhere) for row in own):11}{len(failing):9}"
        )
        if failing:
            yield f"{'':8}failing: {' '.join(failing)}"


def _fails(row, outcomes):
    return any(
        not outcomes[named.partition("[")[0]][case]
        for named in row.python
        for case in cases_of(row, named, outcomes)
    )
