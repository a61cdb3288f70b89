"""Runs each scenario with every client library that can play it."""

import pytest

from clients.stage import brokers, roster
from clients.stage.driver import Driver
from clients.stage.library import Library
from clients.stage.scenario import cases


def pytest_configure(config):
    config.addinivalue_line("markers", "scenario: which libraries a test is run with")


def pytest_generate_tests(metafunc):
    if "library" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("scenario")
        assert marker, f"{metafunc.definition.nodeid} does not say what it needs: @scenario()"
        found = cases(**marker.kwargs) or [None]
        metafunc.parametrize("library", found, ids=str, indirect=True)


def pytest_collection_modifyitems(config, items):
    """Leaves out what the broker under test is known not to do: only with Mosquitto."""
    failings = roster.FAILINGS[brokers.NAME]
    left_out = [
        item
        for item in items
        if _case(item, item) is None or {item.name, item.originalname} & failings.keys()
    ]
    if left_out:
        assert brokers.NAME != "hookwire", left_out
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def _case(item, default):
    spec = getattr(item, "callspec", None)
    return spec.params.get("library", default) if spec else default


@pytest.fixture(scope="session", autouse=True)
def _tools():
    """Instead of the other suites': what is missing here fails where it is started."""


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """One broker for the whole suite. At the end it still runs, and stops when asked to."""
    shared = brokers.start(tmp_path_factory.mktemp("broker"))
    try:
        yield shared
        assert shared.is_running(), f"the broker ended by itself:\n{shared.stderr()}"
        assert shared.stop() == 0, shared.stderr()
        assert "panicked" not in shared.stderr(), shared.stderr()
    finally:
        shared.discard()


@pytest.fixture(scope="session")
def drivers(tmp_path_factory):
    """The driver of each library, started when first told something."""
    logs = tmp_path_factory.mktemp("drivers")
    commands = {program.driver: program.command for program in roster.PROGRAMS}
    drivers = {
        name: Driver(name, command(), logs / f"{name}.log") for name, command in commands.items()
    }
    try:
        yield drivers
    finally:
        for driver in drivers.values():
            driver.stop()


@pytest.fixture
def everyone(broker, drivers):
    """All libraries, each at every version it has."""
    yield [Library(case, drivers[case.program.driver], broker.port) for case in roster.CASES]
    for driver in drivers.values():
        driver.reset()


@pytest.fixture
def library(request, broker, drivers):
    """The library under test, at one version."""
    driver = drivers[request.param.program.driver]
    stage = Library(request.param, driver, broker.port)
    # For the report of a test that fails.
    stage.brokers = [broker]
    yield stage
    driver.reset()
