"""Runs each scenario on each store that offers what it needs, and prints which was passed where."""

import collections

import pytest

from contract.sqlite import SqliteStore
from support.broker import Broker

STORES = [SqliteStore]

_table = pytest.StashKey[dict]()


def pytest_configure(config):
    config.addinivalue_line("markers", "needs: the capabilities that a scenario takes")
    config.stash[_table] = collections.defaultdict(lambda: collections.defaultdict(list))


def pytest_generate_tests(metafunc):
    if "store_class" in metafunc.fixturenames:
        metafunc.parametrize("store_class", STORES, ids=lambda store: store.name, scope="session")


def pytest_collection_modifyitems(config, items):
    """Takes out what a store does not offer, which stands in the table instead."""
    not_offered = [item for item in items if not _is_offered(item)]
    for item in not_offered:
        _note(item, "not offered")
    items[:] = [item for item in items if item not in not_offered]
    config.hook.pytest_deselected(items=not_offered)


def _store(item):
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("store_class") if callspec else None


def _is_offered(item):
    store = _store(item)
    markers = item.iter_markers("needs")
    return store is None or all(store.offers(*marker.args) for marker in markers)


def _note(item, outcome):
    name = item.originalname.removeprefix("test_").replace("_", " ")
    item.config.stash[_table][name][_store(item).name].append(outcome)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if _store(item) and (call.when == "call" or report.failed):
        _note(item, report.outcome)
    return report


def pytest_terminal_summary(terminalreporter, config):
    table = config.stash[_table]
    if not table:
        return
    width = max(map(len, table))
    terminalreporter.section("scenario x store", sep="-")
    titles = "".join(f"  {store.name:<16}" for store in STORES)
    terminalreporter.line(f"{'':<{width}}{titles}")
    for name, cells in table.items():
        row = "".join(f"  {_cell(cells[store.name]):<16}" for store in STORES)
        terminalreporter.line(f"{name:<{width}}{row}")


def _cell(outcomes):
    if set(outcomes) <= {"not offered"}:
        return "not offered" if outcomes else ""
    passed = outcomes.count("passed")
    if passed == len(outcomes):
        return f"passed ({passed})"
    return f"FAILED {len(outcomes) - passed} of {len(outcomes)}"


class Stage:
    """A store of its own, and a broker that has nothing else."""

    def __init__(self, store_class, folder, more=lambda _store: "", **keys):
        folder.mkdir(parents=True, exist_ok=True)
        self.store = store_class(folder)
        configuration = self.store.configuration(more(self.store), **keys)
        self.broker = Broker(folder / "broker", configuration).start()
        # For the report of a test that fails.
        self.brokers = [self.broker]

    @property
    def port(self):
        return self.broker.port

    def restart(self):
        assert self.broker.stop() == 0, self.broker.stderr()
        self.broker.start()

    def kill(self):
        """SIGKILL, and another start."""
        self.broker.kill()
        self.broker.start()

    def close(self):
        try:
            assert self.broker.is_running(), f"the broker ended by itself:\n{self.broker.stderr()}"
            assert not self.broker.panics(), self.broker.stderr()
        finally:
            self.broker.discard()
            self.store.close()


#: Messages of one fetched page on the shared stage.
PAGE = 32


@pytest.fixture(scope="session")
def stage(store_class, tmp_path_factory):
    """A broker for all scenarios of a store that need none of their own."""
    options = {"on_message_fetch": {"max_returned_count": PAGE}}
    shared = Stage(store_class, tmp_path_factory.mktemp(store_class.name), options=options)
    yield shared
    shared.close()


@pytest.fixture
def own_stage(store_class, tmp_path):
    """Makes stages of the test's own: `own_stage(more=, options=, keys of each rule)`."""
    made = []

    def make(**keys):
        made.append(Stage(store_class, tmp_path / f"stage{len(made)}", **keys))
        make.brokers.append(made[-1].broker)
        return made[-1]

    make.brokers = []
    yield make
    for own in made:
        own.close()
