"""`hookwire ctl modules`: modules come, change and go while clients stay."""

import pytest

from support import wire
from support.broker import run_hookwire
from support.faults import Locked
from support.modules import component, rebuilt
from support.raw import RawClient
from support.rules import LISTENER, POOL, guest, rule, storing
from support.wait import wait_until

TELL = rule("tell", "message.publish", "mine", "tell", pool="embedded")


@pytest.fixture
def file(tmp_path):
    """The module's file, to be replaced while the broker runs."""
    path = tmp_path / "mine.wasm"
    path.write_bytes(component("testguest").read_bytes())
    return path


@pytest.fixture
def broker(start_broker, file):
    return start_broker(LISTENER + POOL + guest(file) + TELL)


def entry(broker, name="mine"):
    return next(module for module in broker.ctl_json("modules", "list") if module["name"] == name)


def replace(file, mark):
    """Puts another build of the module in the place of the file, in one step."""
    content = rebuilt(component("testguest").read_bytes(), mark)
    following = file.with_suffix(".next")
    following.write_bytes(content)
    following.replace(file)


def told(broker):
    with broker.store() as store:
        return [row["about"] for row in store.query("SELECT about FROM told ORDER BY id")]


def test_list_tells_of_every_module(broker, file, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("t", b"1")
    table = broker.ctl("modules", "list").splitlines()
    assert table[0].split() == [
        "MODULE", "STATE", "GENERATION", "HASH", "RULES", "EVENTS", "TRAPS", "FILE"]  # fmt: skip
    assert len(table) == 2
    mine = entry(broker)
    assert mine["loaded"] and mine["rules"] == 1 and mine["events"] == 1
    assert mine["describes"] == "testguest 1.0.0"
    assert mine["path"] == str(file)
    assert table[1].split()[:4] == ["mine", "loaded", str(mine["generation"]), mine["hash"]]


def test_a_module_is_unloaded_and_loaded_under_a_connected_client(broker, unique):
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("one")
        assert "module mine is unloaded" in broker.ctl("modules", "unload", "mine")
        assert not entry(broker)["loaded"]
        client.publish("two")
        assert "mine" in broker.ctl("modules", "load", "mine")
        assert entry(broker)["loaded"]
        client.publish("three")
    assert told(broker) == ["one", "three"]


def test_a_stock_module_is_loaded_by_name_and_unloaded(start_broker, unique):
    """The plugin commands: a broker that stores nothing begins to."""
    broker = start_broker(LISTENER)
    with RawClient.connected(broker.port, unique("raw")) as client:
        assert broker.ctl_json("modules", "list") == []
        client.publish("t", b"not stored")
        changes = broker.ctl("modules", "load", "sqlite")
        assert "pool embedded is open" in changes
        assert "module sqlite is loaded" in changes
        client.publish("t", b"stored")
        changes = broker.ctl("modules", "unload", "sqlite")
        assert "module sqlite is unloaded" in changes
        client.publish("t", b"not stored either")
    with broker.store() as store:
        assert store.payloads("t") == [b"stored"]


def test_what_a_module_has_taken_is_settled_before_it_goes(start_broker, unique):
    broker = start_broker(LISTENER + POOL + storing(retry_for="1m"))
    with RawClient.connected(broker.port, unique("raw")) as client:
        with Locked(broker):
            client.send(wire.publish("t", b"taken", qos=1, packet_id=7))
            wait_until(
                lambda: broker.metric("hookwire_pool_waiting_rows", pool="embedded") == 1,
                "the message is with the store",
            )
            assert "module sqlite is unloaded" in broker.ctl("modules", "unload", "sqlite")
        ack = client.expect(wire.PUBACK)
        assert ack.packet_id == 7 and ack.reason < 0x80
        client.publish("t", b"not stored")
    with broker.store() as store:
        assert store.payloads("t") == [b"taken"]


def test_a_module_comes_with_a_file_of_its_blocks(start_broker, tmp_path, unique):
    broker = start_broker(LISTENER)
    blocks = tmp_path / "mine.hcl"
    blocks.write_text(POOL + guest() + TELL)
    with RawClient.connected(broker.port, unique("raw")) as client:
        broker.ctl("modules", "load", "mine", "--config", blocks)
        client.publish("told")
    assert told(broker) == ["told"]


def test_reload_takes_the_file_that_is_there_now_and_rollback_the_one_before(
    broker, file, unique
):
    first = entry(broker)
    with RawClient.connected(broker.port, unique("raw")) as client:
        replace(file, "another")
        changes = broker.ctl("modules", "reload", "mine")
        second = entry(broker)
        assert second["hash"] != first["hash"]
        assert second["generation"] > first["generation"]
        assert first["hash"] in changes and second["hash"] in changes
        client.publish("by the second")
        assert first["hash"] in broker.ctl("modules", "rollback", "mine")
        third = entry(broker)
        assert third["hash"] == first["hash"]
        assert third["generation"] > second["generation"]
        client.publish("by the first")
    assert told(broker) == ["by the second", "by the first"]


def test_a_generation_never_comes_again(broker, file):
    """Not by way of unload and load either: rows are told apart by it."""
    generations = [entry(broker)["generation"]]

    def step(*command):
        answer = broker.ctl(*command)
        generations.append(entry(broker)["generation"])
        return answer

    assert generations == [1]
    step("modules", "unload", "mine")
    assert "generation 2" in step("modules", "load", "mine")
    replace(file, "another")
    assert "generation 3" in step("modules", "reload", "mine")
    assert "generation 4" in step("modules", "rollback", "mine")
    step("modules", "unload", "mine")
    assert generations == [1, 1, 2, 3, 4, 4]
    # What was unloaded has nothing to go back to, which is said as it is.
    step("modules", "load", "mine")
    why = broker.ctl_refused("modules", "rollback", "mine")
    assert "no earlier component" in why and "since it was loaded" in why
    assert entry(broker)["generation"] == 5


def test_reload_of_the_same_file_changes_nothing(broker):
    before = entry(broker)
    assert broker.ctl("modules", "reload", "mine") == "nothing has changed\n"
    assert entry(broker) == before


BAD_FILES = {
    "empty": (b"", "WebAssembly"),
    "half": (None, ""),
    "another kind": (b"\x00asm\x01\x00\x00\x00", "component"),
    "without an action that a rule names": ("noop", "tell"),
}


@pytest.mark.parametrize(("content", "word"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_file_that_does_not_load_leaves_what_serves(broker, file, unique, content, word):
    before = entry(broker)
    failed = broker.metric("hookwire_failed_reloads_total")
    if content is None:
        whole = file.read_bytes()
        content = whole[: len(whole) // 2]
    elif isinstance(content, str):
        content = component(content).read_bytes()
    with RawClient.connected(broker.port, unique("raw")) as client:
        file.write_bytes(content)
        why = broker.ctl_refused("modules", "reload", "mine")
        assert "mine" in why and word in why
        assert why.splitlines()[-1].strip() in broker.stderr(), "the log says it as well"
        # The watch has seen the file too, and may have counted it already.
        assert broker.metric("hookwire_failed_reloads_total") >= failed + 1
        assert entry(broker)["hash"] == before["hash"]
        client.publish("served")
    assert told(broker) == ["served"]


@pytest.mark.parametrize("verb", ["unload", "reload", "rollback", "load"])
def test_an_unknown_module_is_refused_with_the_nearest_name(broker, verb):
    why = broker.ctl_refused("modules", verb, "mien")
    assert '"mien"' in why
    assert '"mine"' in why, why


def test_what_cannot_be_done_is_said(broker):
    assert "loaded already" in broker.ctl_refused("modules", "load", "mine")
    assert "no earlier component" in broker.ctl_refused("modules", "rollback", "mine")
    broker.ctl("modules", "unload", "mine")
    assert "not loaded" in broker.ctl_refused("modules", "reload", "mine")


def test_a_broker_that_does_not_run_is_named(tmp_path):
    done = run_hookwire("ctl", "--data", tmp_path / "nowhere", "modules", "list")
    assert done.returncode != 0
    assert "nowhere" in done.stderr


def test_blocks_that_a_command_brought_outlive_unload_and_reload(start_broker, tmp_path):
    broker = start_broker(LISTENER)
    part = tmp_path / "part.hcl"
    part.write_text(POOL + storing())
    broker.ctl("modules", "load", "sqlite")
    broker.ctl("modules", "unload", "sqlite")
    broker.ctl("modules", "load", "sqlite")
    broker.ctl("reload")
    assert entry(broker, "sqlite")["loaded"]
    broker.ctl("modules", "unload", "sqlite")
    # Blocks of a command give way to those of the next.
    broker.ctl("modules", "load", "sqlite", "--config", part)
    broker.ctl("reload")
    assert entry(broker, "sqlite")["rules"] == 1
