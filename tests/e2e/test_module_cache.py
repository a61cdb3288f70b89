"""Compiled modules are kept: the next start does not compile, and never runs
what it did not compile itself."""

import os
import stat

import pytest

from support.broker import Broker
from support.modules import component, rebuilt
from support.raw import RawClient
from support.rules import LISTENER, POOL, guest, rule

CONFIG = LISTENER + guest() + rule("rewrite", "message.publish", "mine", "rewrite", {"suffix": "!"})


def compiled(broker):
    """What the start says of each module: `compiled before`, or how long it took."""
    said = [line for line in broker.stdout() if line.startswith("module ")]
    return {line.split()[1].rstrip(":"): line.rsplit(", ", 1)[1] for line in said}


def entries(broker):
    return sorted((broker.data / "cache").glob("*.module"))


def assert_serves(broker):
    with RawClient.connected(broker.port, "c") as client:
        client.subscribe("t", qos=0)
        client.publish_qos0("t", b"a")
        assert client.message().payload == b"a!"


@pytest.fixture
def broker(start_broker):
    """A broker that has run once, and is stopped."""
    broker = start_broker(CONFIG)
    assert compiled(broker)["mine"].startswith("compiled in ")
    assert broker.stop() == 0
    return broker


def test_a_second_start_does_not_compile(broker):
    (entry,) = entries(broker)
    written = entry.stat()
    broker.start()
    assert compiled(broker) == {"mine": "compiled before"}
    used = entry.stat()
    assert used.st_ino == written.st_ino, "it is not written anew"
    assert used.st_mtime_ns > written.st_mtime_ns, "it is marked as used"
    assert_serves(broker)


def test_an_entry_is_for_its_owner_alone(broker):
    folder = broker.data / "cache"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def flip(place):
    def damage(entry):
        content = bytearray(entry.read_bytes())
        at = place % len(content)
        content[at] ^= 1
        entry.write_bytes(content)

    return damage


def cut(entry):
    os.truncate(entry, entry.stat().st_size // 2)


def empty(entry):
    entry.write_bytes(b"")


DAMAGES = {
    "magic": flip(0),
    "tag": flip(20),
    "first byte of code": flip(48),
    "middle": flip(100_000),
    "last byte": flip(-1),
    "cut": cut,
    "empty": empty,
    "bytes behind": lambda entry: entry.write_bytes(entry.read_bytes() + b"\0"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_entry_is_compiled_again(broker, damage):
    (entry,) = entries(broker)
    whole = entry.read_bytes()
    damage(entry)
    broker.start()
    assert compiled(broker)["mine"].startswith("compiled in ")
    assert entry.name in broker.stderr(), "the log names it"
    assert_serves(broker)
    assert broker.stop() == 0
    assert len(entry.read_bytes()) == len(whole)
    broker.start()
    assert compiled(broker) == {"mine": "compiled before"}


def test_an_entry_of_another_data_directory_is_not_run(broker, tmp_path):
    """Whoever can write a file there has no key to it."""
    other = Broker(tmp_path / "other", CONFIG)
    try:
        other.start()
        other.stop()
        (entry,), (foreign,) = entries(broker), entries(other)
        assert entry.name == foreign.name
        entry.write_bytes(foreign.read_bytes())
        broker.start()
        assert compiled(broker)["mine"].startswith("compiled in ")
        assert entry.name in broker.stderr()
        assert_serves(broker)
    finally:
        other.discard()


def test_an_entry_of_another_module_is_not_run(broker, tmp_path):
    """Ours, sound, and under the wrong name."""
    another = tmp_path / "another.wasm"
    another.write_bytes(rebuilt(component("testguest").read_bytes(), "another"))
    broker.config.write_text(CONFIG.replace(str(component("testguest")), str(another)))
    (first,) = entries(broker)
    broker.start()
    broker.stop()
    (second,) = set(entries(broker)) - {first}
    first.write_bytes(second.read_bytes())
    broker.config.write_text(CONFIG)
    broker.start()
    assert compiled(broker)["mine"].startswith("compiled in ")
    assert first.name in broker.stderr()
    assert_serves(broker)


def test_without_its_key_nothing_is_run(broker):
    (broker.data / "cache" / "key").unlink()
    broker.start()
    assert compiled(broker)["mine"].startswith("compiled in ")
    assert_serves(broker)


def test_a_cache_that_cannot_be_written_is_told_and_done_without(start_broker, tmp_path):
    data = tmp_path / "broker0" / "data"
    data.mkdir(parents=True)
    (data / "cache").write_text("in the way")
    broker = start_broker(CONFIG)
    assert "cannot keep compiled modules" in broker.stderr()
    assert_serves(broker)


def test_a_reload_uses_the_cache_too(start_broker, tmp_path):
    """Back and forth between two builds compiles each once."""
    file = tmp_path / "mine.wasm"
    builds = [rebuilt(component("testguest").read_bytes(), mark) for mark in ("one", "two")]
    file.write_bytes(builds[0])
    broker = start_broker(LISTENER + POOL + guest(file))
    for build in (builds[1], builds[0], builds[1]):
        file.write_bytes(build)
        broker.ctl("modules", "reload", "mine")
    assert broker.stderr().count("compiled module=") == 2
    assert len(entries(broker)) == 2
