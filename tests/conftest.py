"""Fixtures of all suites, and the reports that tests leave behind."""

import itertools
import re

import pytest

from support import broker as broker_process
from support.rules import PLAIN

_reports = pytest.StashKey[list]()


@pytest.fixture(scope="session", autouse=True)
def _tools():
    broker_process.binary()
    broker_process.require_mosquitto()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the brokers' logs to the report of a test that failed."""
    report = yield
    if report.failed:
        for started in getattr(item, "funcargs", {}).values():
            for broker in getattr(started, "brokers", [started]):
                if isinstance(broker, broker_process.Broker):
                    report.sections.append((f"log of {broker.directory}", broker.stderr()[-20_000:]))
    return report


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker that stores presence and messages, shared by the tests of one file.

    At the end it still runs, and stops when asked to.
    """
    shared = broker_process.Broker(tmp_path_factory.mktemp("broker"), PLAIN).start()
    try:
        yield shared
        assert shared.is_running(), f"the broker ended by itself:\n{shared.stderr()}"
        assert shared.stop() == 0, shared.stderr()
        assert not shared.panics(), shared.stderr()
    finally:
        shared.discard()


@pytest.fixture
def start_broker(tmp_path):
    """Starts brokers of the test's own: `start_broker(config, arguments, environment)`."""
    started = []

    def start(config=None, arguments=(), environment=None):
        folder = tmp_path / f"broker{len(started)}"
        own = broker_process.Broker(folder, config, arguments, environment)
        started.append(own)
        return own.start()

    start.brokers = started
    try:
        yield start
        for own in started:
            assert not own.panics(), own.stderr()
    finally:
        for own in started:
            own.discard()


@pytest.fixture
def store(broker):
    """A reader of the shared broker's store."""
    reader = broker.store()
    yield reader
    reader.close()


_numbers = itertools.count(1)


@pytest.fixture
def unique(request):
    """Makes client ids and topics that no other test uses."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:30]

    def name(word):
        return f"{word}-{next(_numbers)}-{test}"

    return name


@pytest.fixture
def report(request):
    """Adds a line to what is printed at the end of the run, whatever is captured."""
    reports = request.config.stash.setdefault(_reports, [])
    lines = []
    reports.append((request.node.name, lines))

    def add(line=""):
        lines.append(line)
        print(line, flush=True)

    return add


def pytest_terminal_summary(terminalreporter, config):
    for name, lines in config.stash.get(_reports, []):
        terminalreporter.section(name, sep="-")
        for line in lines:
            terminalreporter.line(line)
