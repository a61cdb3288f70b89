"""The broker under test, slow tests ahead of their turn, and what may fail."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conformance import brokers, table
from conformance.net import Net

_FOLDER = Path(__file__).parent
_LISTED_VERSION = "2.0.11"
_ahead = pytest.StashKey[dict]()


def _node(item):
    """A node's id from its file on; a case may have a slash in its name."""
    file, _, rest = item.nodeid.partition("::")
    return f"{file.rsplit('/', 1)[-1]}::{rest}"


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        "ahead: waits for seconds; runs beside the other tests, from the start of the run. "
        "It has `net` and its parameters, and no other fixture.",
    )


def pytest_collection_modifyitems(config, items):
    """Marks what the broker under test is known to fail.

    The list is that of one version: on another, what is mended there does not
    fail the run, and what is newly wrong does.
    """
    known = _FOLDER / f"{brokers.chosen().name}_failures.toml"
    failures = table.failures(known) if known in table.FAILURES else {}
    strict = bool(failures) and _LISTED_VERSION in brokers.version()
    for item in items:
        node = _node(item)
        if item.path.parent == _FOLDER and node in failures:
            reason = failures[node]["does"]
            item.add_marker(pytest.mark.xfail(reason=reason, strict=strict))
            # Many failures are something that never comes.
            item.add_marker("ahead")


@pytest.fixture(scope="session", autouse=True)
def _tools():
    """The suite needs nothing but the broker under test."""


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    running = brokers.Running(tmp_path_factory.mktemp("conformance"))
    yield running
    running.stop()


@pytest.fixture(scope="session", autouse=True)
def _started_ahead(request):
    """Starts every slow test that this run will come to."""
    items = [item for item in request.session.items if item.get_closest_marker("ahead")]
    if not items:
        yield
        return
    broker = request.getfixturevalue("broker")
    with ThreadPoolExecutor(len(items)) as threads:
        request.session.stash[_ahead] = {
            item.nodeid: threads.submit(_run_ahead, item, broker) for item in items
        }
        yield


def _run_ahead(item, broker):
    net = Net(broker)
    try:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        item.function(net=net, **parameters)
    finally:
        net.close()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    running = pyfuncitem.session.stash.get(_ahead, {}).get(pyfuncitem.nodeid)
    if running is None:
        return None
    running.result()
    return True


@pytest.fixture
def net(broker):
    own = Net(broker)
    yield own
    own.close()


def pytest_terminal_summary(terminalreporter):
    """Prints the table, with what failed in this run."""
    outcomes = {}
    for kind in ("passed", "failed", "error", "xfailed", "xpassed"):
        for report in terminalreporter.stats.get(kind, ()):
            test, _, case = _node(report).removesuffix("]").partition("[")
            outcomes.setdefault(test, {})[case] = kind in ("passed", "xpassed")
    if not outcomes.keys() - {test for test in outcomes if test.split("::")[0] in table.OWN}:
        return
    terminalreporter.section(f"statements, held against {brokers.version()}", sep="-")
    for line in table.lines(outcomes):
        terminalreporter.line(line)
