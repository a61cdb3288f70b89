"""Stores that cannot be opened, or not be written any more: what is told, that nothing is
acknowledged which is not stored, and that a broker goes on where the fault passes."""

import shutil
import sqlite3

import pytest

from support import wire
from support.broker import run_hookwire
from support.faults import (
    DiskFull,
    FilesLimited,
    heed_permissions,
    small_disk,
    take_disk_away,
)
from support.raw import RawClient
from support.rules import LISTENER, POOL, storing
from support.wait import wait_until
from support.wire import V5, V311

CONFIG = LISTENER + POOL + storing(topic="#")
LARGE = b"x" * 20_000


class Stopped:
    """A broker's store, with messages in it, while the broker is stopped."""

    def __init__(self, broker, unique):
        self.broker = broker
        with RawClient.connected(broker.port, unique("raw")) as client:
            for number in range(50):
                client.publish("before", b"%d" % number + LARGE)
        assert broker.stop() == 0
        self.file = broker.data / "hookwire.db"
        assert not self.file.with_name("hookwire.db-wal").exists(), "all is in the file"

    def refused(self, **options):
        """Starts the broker, which has to refuse, and returns what it says."""
        arguments = ("--config", self.broker.config, "--data", self.broker.data)
        done = run_hookwire("run", "--listen", "127.0.0.1:0", *arguments, **options)
        assert done.returncode == 1, done.stdout
        assert "listening on" not in done.stdout
        return done.stderr

    def assert_whole_again(self):
        self.broker.start()
        with self.broker.store() as store:
            assert len(store.payloads("before")) == 50


@pytest.fixture
def stopped(start_broker, unique):
    return Stopped(start_broker(CONFIG), unique)


def assert_told(said, file, *words):
    """An error that names the pool with its line, the file, and what to do."""
    told = [line for line in said.splitlines() if str(file) in line]
    assert told, said
    assert any(all(word in line for word in words) for line in told), said


def test_a_file_that_begins_with_something_else_is_refused(stopped):
    whole = stopped.file.read_bytes()
    damaged = b"\xa5" * 4096 + whole[4096:]
    stopped.file.write_bytes(damaged)
    said = stopped.refused()
    assert_told(said, stopped.file, 'hookwire.hcl:4: pool "embedded" cannot be opened')
    assert_told(said, stopped.file, "file is not a database", "take it from a backup")
    assert stopped.file.read_bytes() == damaged, "it is left as it was"
    stopped.file.write_bytes(whole)
    stopped.assert_whole_again()


def test_a_damaged_page_in_the_middle_is_refused(stopped):
    whole = stopped.file.read_bytes()
    middle = len(whole) // 4096 // 2 * 4096
    damaged = whole[:middle] + b"\xa5" * 4096 * 4 + whole[middle + 4096 * 4 :]
    stopped.file.write_bytes(damaged)
    assert_told(stopped.refused(), stopped.file, "damaged", "take it from a backup", ".recover")
    assert stopped.file.read_bytes() == damaged, "it is left as it was"
    stopped.file.write_bytes(whole)
    stopped.assert_whole_again()


def test_a_file_that_was_cut_off_is_refused(stopped):
    whole = stopped.file.read_bytes()
    stopped.file.write_bytes(whole[: len(whole) // 4096 // 2 * 4096])
    assert_told(stopped.refused(), stopped.file, "damaged", "take it from a backup")
    stopped.file.write_bytes(whole)
    stopped.assert_whole_again()


def test_what_was_given_up_is_not_begun_anew_either(stopped):
    house = stopped.broker.data / "house.db"
    house.write_bytes(b"\xa5" * 8192)
    said = stopped.refused()
    assert_told(said, house, "the file of spooled events and dead letters", "take it from a backup")
    assert house.read_bytes() == b"\xa5" * 8192


def test_tables_of_another_version_are_refused_with_what_to_do(stopped):
    server = sqlite3.connect(stopped.file)
    server.execute("UPDATE hookwire_meta SET value = 9 WHERE name = 'schema'")
    server.commit()
    said = stopped.refused()
    assert_told(said, stopped.file, "another version; this one knows schema 1", "another file")
    server.execute("UPDATE hookwire_meta SET value = 1 WHERE name = 'schema'")
    server.commit()
    server.close()
    stopped.assert_whole_again()


def test_a_file_that_another_process_keeps_for_itself_is_refused(stopped):
    server = sqlite3.connect(stopped.file, isolation_level=None)
    server.execute("PRAGMA locking_mode = EXCLUSIVE")
    server.execute("BEGIN EXCLUSIVE")
    said = stopped.refused()
    assert_told(said, stopped.file, "database is locked", "another process has the file locked")
    server.execute("ROLLBACK")
    server.close()
    stopped.assert_whole_again()


def test_a_broker_starts_while_another_process_writes(stopped, unique):
    server = sqlite3.connect(stopped.file, isolation_level=None)
    server.execute("BEGIN IMMEDIATE")
    stopped.broker.start()
    with RawClient.connected(stopped.broker.port, unique("raw")) as client:
        client.send(wire.publish("t", b"waits", qos=1, packet_id=1))
        client.expect_quiet(0.2)
        server.execute("ROLLBACK")
        ack = client.expect(wire.PUBACK)
        assert ack.packet_id == 1 and ack.reason in (0, 0x10)
    server.close()
    with stopped.broker.store() as store:
        assert store.payloads("t") == [b"waits"]


def test_a_file_that_may_not_be_written_is_refused(stopped):
    stopped.file.chmod(0o444)
    said = stopped.refused(before=heed_permissions)
    assert_told(said, stopped.file, "readonly", "the user that runs the broker has to be able")
    stopped.file.chmod(0o600)
    stopped.assert_whole_again()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    config = tmp_path / "x.hcl"
    file = tmp_path / "nowhere" / "a.db"
    config.write_text(LISTENER + POOL.replace("hookwire.db", str(file)) + storing())
    done = run_hookwire("run", "--config", config, "--data", tmp_path / "data")
    assert done.returncode == 1
    assert_told(done.stderr, file, "unable to open", "(-wal, -shm) and its folder")


def test_a_data_directory_of_another_broker_is_refused_with_its_process_id(start_broker):
    broker = start_broker(CONFIG)
    done = run_hookwire("run", "--listen", "127.0.0.1:0", "--data", broker.data)
    assert done.returncode == 1
    assert f"the data directory {broker.data} is held by the broker" in done.stderr
    assert f"process id {broker.pid}" in done.stderr
    assert "--data" in done.stderr
    assert broker.is_running()


class Writers:
    """A publisher of each version, and what was acknowledged to them."""

    def __init__(self, broker, unique):
        self._broker = broker
        self._names = {V5: unique("v5"), V311: unique("v311")}
        self._numbers = iter(range(1_000_000))
        self.acknowledged = []

    def publish(self, version):
        """Publishes once; whether it was acknowledged as stored."""
        payload = b"%08d" % next(self._numbers) + LARGE
        with RawClient.connected(self._broker.port, self._names[version], version) as client:
            packet_id = client.next_packet_id()
            client.send(wire.publish("t", payload, version, qos=1, packet_id=packet_id))
            ack = client.read()
        if version == V311 and ack is None:
            return False
        assert (ack.type, ack.packet_id) == (wire.PUBACK, packet_id)
        if ack.reason >= 0x80:
            assert ack.property(wire.REASON_STRING), "why is told"
            return False
        self.acknowledged.append(payload)
        return True

    def assert_stored(self):
        with self._broker.store() as store:
            stored = store.payloads("t")
        lost = [payload[:8] for payload in self.acknowledged if payload not in stored]
        assert not lost, f"acknowledged and not stored: {lost}"


def outlives(broker, unique, fault):
    """Publishers are refused while the fault is there, and served when it has passed."""
    writers = Writers(broker, unique)
    for version in (V5, V311):
        assert writers.publish(version)
    with fault(broker):
        for version in (V5, V311):
            # What was taken into the log before may be written over for a while.
            wait_until(lambda v=version: not writers.publish(v), "a publisher is refused")
        assert broker.is_running()
    for version in (V5, V311):
        wait_until(lambda v=version: writers.publish(v), "the store is back")
    writers.assert_stored()
    # Also what is read anew.
    broker.kill()
    broker.start()
    writers.assert_stored()
    logged = [line for line in broker.stderr().splitlines() if "SQLite does not write" in line]
    assert logged and all("hookwire.db" in line for line in logged)
    assert "SQLite writes again" in broker.stderr()
    return logged


def test_a_limit_of_file_sizes_is_outlived(start_broker, unique):
    logged = outlives(start_broker(CONFIG), unique, FilesLimited)
    assert any("limits of file sizes" in line for line in logged)


def test_a_full_disk_is_outlived(start_broker, tmp_path, unique):
    data = tmp_path / "broker0" / "data"
    has_disk = small_disk(data)
    try:
        # Where no disk can be mounted, files that cannot grow stand for one that is full.
        logged = outlives(start_broker(CONFIG), unique, DiskFull if has_disk else FilesLimited)
        assert not has_disk or any("is full: make room" in line for line in logged)
    finally:
        for broker in start_broker.brokers:
            broker.discard()
        if has_disk:
            take_disk_away(data)


class Replaced:
    """Somebody puts a copy of the store in its place that cannot be written."""

    def __init__(self, broker):
        self._file = broker.data / "hookwire.db"

    def __enter__(self):
        copy = self._file.with_name("copy.db")
        source, target = sqlite3.connect(self._file), sqlite3.connect(copy)
        source.backup(target)
        source.close()
        target.close()
        copy.chmod(0o444)
        for suffix in ("-wal", "-shm"):
            self._file.with_name(f"hookwire.db{suffix}").unlink()
        shutil.move(copy, self._file)

    def __exit__(self, *_):
        # What SQLite has made beside it took its permissions.
        for file in self._file.parent.glob("hookwire.db*"):
            file.chmod(0o600)


def test_a_store_that_becomes_read_only_is_outlived(start_broker, unique, tmp_path):
    broker = start_broker(CONFIG)
    assert broker.stop() == 0
    broker.before = heed_permissions
    broker.start()
    logged = outlives(broker, unique, Replaced)
    assert any("has to be able to write the file" in line for line in logged)
