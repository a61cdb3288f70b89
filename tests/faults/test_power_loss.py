"""What is acknowledged reaches its readers, though the power goes.

The play of `test_history.py` on a disk that forgets what was not synced when the
broker is killed. And once on a disk that answers a sync and does nothing, as good
as `synchronous = OFF`, which the broker itself has no switch for: the same check has
to find losses there, or the disk would forget nothing that matters.
"""

import os
import random
import subprocess
import sys
import time

import pytest

from faults import power_loss
from faults.history import History
from faults.play import assert_kept, config, play

KILLS = int(os.environ.get("HOOKWIRE_KILLS", "20"))
KILLS_WITHOUT_SYNC = 3


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return power_loss.build(tmp_path_factory.mktemp("library"))


@pytest.fixture
def disk(library, tmp_path):
    # Where `start_broker` puts the data of the first broker of a test.
    return power_loss.Disk(library, tmp_path / "broker0" / "data", tmp_path / "disk")


def play_with_cuts(start_broker, environment, disk, kills, report, tmp_path):
    seed = int(os.environ.get("HOOKWIRE_SEED") or random.SystemRandom().randrange(2**32))
    report(f"{kills} power cuts, seed {seed}")
    started = time.monotonic()
    broker = start_broker(config(), environment=environment)
    assert broker.data.resolve() == disk.folder
    findings = play(
        broker, History(tmp_path / "history"), kills, random.Random(seed), after_kill=disk.cut
    )
    for line in [*findings.table(), *findings.examples()]:
        report(line)
    report(
        f"{disk.cuts_that_forgot} of {kills} cuts forgot something, {disk.bytes_forgotten} "
        f"bytes together; {time.monotonic() - started:.1f} s"
    )
    return findings


def test_what_is_acknowledged_survives_a_power_cut(start_broker, disk, report, tmp_path):
    findings = play_with_cuts(start_broker, disk.environment, disk, KILLS, report, tmp_path)
    assert_kept(findings)
    assert disk.cuts_that_forgot > 0, "nothing was written that was not synced"


def test_without_sync_acknowledged_messages_are_lost(start_broker, disk, report, tmp_path):
    findings = play_with_cuts(
        start_broker, disk.ignore_sync(), disk, KILLS_WITHOUT_SYNC, report, tmp_path
    )
    assert findings.lost


def run_on(disk, program, environment=None):
    """Runs a program in the disk's folder, and cuts the power."""
    disk.folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-S", "-c", f"import os\n{program}\nos._exit(0)"],
        cwd=disk.folder,
        env={**os.environ, **(environment or disk.environment), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    disk.cut()
    return {str(p.relative_to(disk.folder)): p.read_bytes() for p in disk.folder.rglob("*") if p.is_file()}


OPEN = "def file(name, more=0): return os.open(name, os.O_RDWR | os.O_CREAT | more)\n"
BEGUN = OPEN + "f = file('f'); os.write(f, b'0123456789'); os.fsync(f)\n"
SYNC_FOLDER = "os.fsync(os.open('.', os.O_RDONLY))\n"


@pytest.mark.parametrize(
    ("program", "left"),
    [
        ("pass", {"f": b"0123456789"}),
        ("os.write(f, b'more')", {"f": b"0123456789"}),
        ("os.write(f, b'more'); os.fdatasync(f)", {"f": b"0123456789more"}),
        ("os.pwrite(f, b'xx', 2)", {"f": b"0123456789"}),
        ("os.pwrite(f, b'xx', 2); os.pwrite(f, b'y', 8); os.fsync(f)", {"f": b"01xx4567y9"}),
        ("os.writev(f, [b'a', b'b'])", {"f": b"0123456789"}),
        ("os.pwrite(f, b'x', 12); os.fsync(f)", {"f": b"0123456789\0\0x"}),
        ("os.fsync(f); os.pwrite(f, b'x', 0)", {"f": b"0123456789"}),
        ("os.ftruncate(f, 4)", {"f": b"0123456789"}),
        ("os.ftruncate(f, 4); os.fsync(f)", {"f": b"0123"}),
        ("os.ftruncate(f, 4); os.ftruncate(f, 6); os.fsync(f)", {"f": b"0123\0\0"}),
        ("file('f', os.O_TRUNC)", {"f": b"0123456789"}),
        ("os.fsync(file('f', os.O_TRUNC))", {"f": b""}),
        ("g = file('f', os.O_APPEND); os.write(g, b'a'); os.fsync(g)", {"f": b"0123456789a"}),
        ("os.write(file('g'), b'new')", {"f": b"0123456789"}),
        ("os.unlink('f')", {"f": b"0123456789"}),
        (f"os.unlink('f'); {SYNC_FOLDER}", {}),
        ("os.rename('f', 'g')", {"f": b"0123456789"}),
        (f"os.rename('f', 'g'); {SYNC_FOLDER}", {"g": b"0123456789"}),
        ("os.rename('f', 'g'); os.write(f, b'+'); os.fsync(f)", {"g": b"0123456789+"}),
        ("os.unlink('f'); g = file('f'); os.write(g, b'n'); os.fsync(g)", {"f": b"n"}),
        ("os.unlink('f'); g = file('f'); os.write(g, b'n')", {"f": b"0123456789"}),
        ("os.close(f); os.unlink('f'); g = file('x-shm'); os.write(g, b'n')\n"
         "import mmap; mmap.mmap(g, 1)", {"f": b"0123456789"}),
        ("g = file('g'); os.write(g, b'n'); os.fsync(g); os.rename('g', 'f')",
         {"f": b"0123456789", "g": b"n"}),
        (f"g = file('g'); os.write(g, b'n'); os.fsync(g); os.rename('g', 'f'); {SYNC_FOLDER}",
         {"f": b"n"}),
        ("os.mkdir('d'); g = file('d/g'); os.write(g, b'n'); os.fsync(g); file('d/h')",
         {"f": b"0123456789", "d/g": b"n"}),
    ],
)  # fmt: skip
def test_the_disk_keeps_what_was_synced_and_no_more(disk, program, left):
    assert run_on(disk, BEGUN + program) == left


def test_the_disk_goes_on_from_what_it_kept(disk):
    assert run_on(disk, BEGUN + "os.write(f, b'lost')") == {"f": b"0123456789"}
    more = OPEN + "f = file('f'); os.pwrite(f, b'x', 3); os.fsync(f); os.pwrite(f, b'y', 4)"
    assert run_on(disk, more) == {"f": b"012x456789"}
    assert run_on(disk, OPEN + f"os.unlink('f'); {SYNC_FOLDER}") == {}


def test_a_disk_that_ignores_sync_keeps_nothing(disk):
    assert run_on(disk, BEGUN + SYNC_FOLDER, disk.ignore_sync()) == {}
