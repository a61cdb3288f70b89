"""A module's file that changes is loaded, whole or not at all."""

import re
import threading
from pathlib import Path

import pytest

from support.broker import run_hookwire
from support.modules import component, rebuilt, with_fixtures
from support.raw import RawClient
from support.rules import LISTENER, POOL, guest, module, rule
from support.wait import wait_until


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.wasm"
    path.write_bytes(component("testguest").read_bytes())
    return path


@pytest.fixture
def broker(start_broker, file):
    tell = rule("tell", "message.publish", "mine", "tell", pool="embedded")
    return start_broker(LISTENER + POOL + guest(file) + tell)


def loaded_hash(broker):
    (mine,) = broker.ctl_json("modules", "list")
    return mine["hash"]


def test_a_file_that_is_written_in_place_is_loaded(broker, file, unique):
    before = loaded_hash(broker)
    with RawClient.connected(broker.port, unique("raw")) as client:
        file.write_bytes(rebuilt(file.read_bytes(), "another"))
        wait_until(lambda: loaded_hash(broker) != before, "the file is loaded")
        client.publish("t")
    assert broker.metric("hookwire_failed_reloads_total") == 0


def test_a_file_that_is_renamed_into_place_is_loaded(broker, file):
    before = loaded_hash(broker)
    following = file.with_suffix(".next")
    following.write_bytes(rebuilt(file.read_bytes(), "another"))
    following.replace(file)
    wait_until(lambda: loaded_hash(broker) != before, "the file is loaded")


def test_a_file_that_is_still_being_written_is_not_taken(broker, file):
    """It grows for longer than two looks at it, and is loaded once, whole."""
    before = loaded_hash(broker)
    whole = rebuilt(file.read_bytes(), "another")
    size = len(whole) // 2
    file.write_bytes(whole[:size])

    def grown():
        nonlocal size
        # A writer that is slow, but never stands still.
        size += 1
        with file.open("ab") as writer:
            writer.write(whole[size - 1 : size])
        return size >= len(whole) // 2 + 200

    wait_until(grown, "the file grows")
    file.write_bytes(whole)
    wait_until(lambda: loaded_hash(broker) != before, "the file is loaded")
    assert broker.metric("hookwire_failed_reloads_total") == 0, broker.stderr()
    assert broker.metric("hookwire_reloads_total") == 1


def test_a_file_that_is_broken_leaves_what_serves_and_is_told_once(broker, file, unique):
    whole = file.read_bytes()
    before = loaded_hash(broker)
    with RawClient.connected(broker.port, unique("raw")) as client:
        file.write_bytes(whole[: len(whole) // 2])
        wait_until(
            lambda: broker.metric("hookwire_failed_reloads_total") == 1, "the file is refused"
        )
        assert loaded_hash(broker) == before
        client.publish("t")
        # A later, good file is taken; the broken one was not tried a second time.
        file.write_bytes(rebuilt(whole, "mended"))
        wait_until(lambda: loaded_hash(broker) != before, "the mended file is loaded")
        client.publish("t")
    assert broker.metric("hookwire_failed_reloads_total") == 1
    told = re.findall(r".*the file of mine has changed.*", broker.stderr())
    assert any(str(file) in line for line in told), told


def test_a_file_that_goes_away_leaves_what_serves(broker, file, unique):
    before = loaded_hash(broker)
    whole = file.read_bytes()
    file.unlink()
    with RawClient.connected(broker.port, unique("raw")) as client:
        client.publish("t")
        file.write_bytes(rebuilt(whole, "back"))
        wait_until(lambda: loaded_hash(broker) != before, "the file that came back is loaded")
        client.publish("t")
    assert broker.metric("hookwire_failed_reloads_total") == 0


def test_two_modules_of_one_file_are_both_loaded(start_broker, file):
    twin = module("twin", file, grants=["clock", "broker.publish"])
    noop = rule("noop", "client.connected", "twin", "noop")
    tell = rule("tell", "message.publish", "mine", "tell", pool="embedded")
    broker = start_broker(LISTENER + POOL + guest(file) + tell + twin + noop)
    before = {entry["name"]: entry["hash"] for entry in broker.ctl_json("modules", "list")}
    file.write_bytes(rebuilt(file.read_bytes(), "another"))

    def changed():
        entries = broker.ctl_json("modules", "list")
        return all(entry["hash"] != before[entry["name"]] for entry in entries)

    wait_until(changed, "both are loaded")


#: Running it takes the broker a moment between reading the file and watching it.
FIXTURE = """\
module "m" {
  grants = ["clock", "broker.publish"]
}
rule "r" {
  hook   = "message.publish"
  module = "m"
  action = "noop"
}
event "message.publish" {
  topic = "t"
}
"""


def test_a_file_that_changes_during_the_start_is_loaded(broker, file):
    assert broker.stop() == 0
    file.write_bytes(with_fixtures(component("testguest").read_bytes(), {"tests/a.hcl": FIXTURE}))
    ended = broker.process
    starting = threading.Thread(target=broker.start)
    starting.start()

    def is_read():
        if broker.process is ended:
            return False
        tasks = Path(f"/proc/{broker.pid}/task").glob("*/children")
        return any(task.read_text() for task in tasks)

    wait_until(is_read, "the fixture of the old file runs")
    file.write_bytes(rebuilt(component("testguest").read_bytes(), "another"))
    starting.join()
    before = re.search(r"module mine: (\w+)", "\n".join(broker.stdout())).group(1)
    wait_until(lambda: loaded_hash(broker) != before, "the new file is loaded")


def test_a_file_above_the_bound_is_not_read(start_broker, file):
    whole = file.read_bytes()
    bound = len(whole) + 1024
    tell = rule("tell", "message.publish", "mine", "noop")
    broker = start_broker(f"max_component_bytes = {bound}\n" + LISTENER + guest(file) + tell)
    before = loaded_hash(broker)
    large = rebuilt(whole, "x" * 2000)
    file.write_bytes(large)
    said = f"{file} has {len(large)} bytes, and max_component_bytes is {bound}"
    for command in (["reload"], ["modules", "reload", "mine"]):
        assert said in broker.ctl_refused(*command)
    broker.ctl("modules", "unload", "mine")
    assert said in broker.ctl_refused("modules", "load", "mine")
    file.write_bytes(whole)
    broker.ctl("modules", "load", "mine")
    refused = broker.metric("hookwire_failed_reloads_total")
    file.write_bytes(rebuilt(whole, "y" * 2000))
    wait_until(
        lambda: broker.metric("hookwire_failed_reloads_total") > refused, "the file is refused"
    )
    assert loaded_hash(broker) == before
    assert broker.stop() == 0
    ended = run_hookwire("check", broker.config)
    assert ended.returncode == 2 and f"max_component_bytes is {bound}" in ended.stderr
