"""Stores that cannot be written for a while. Usable as context managers."""

import ctypes
import os
import resource
import shutil
import sqlite3
import subprocess


def heed_permissions():
    """Has the process, though it be root's, keep to the permissions of files; to be called
    in it before it becomes the broker."""
    drop_from_bounding_set, override_permissions = 24, 1
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(drop_from_bounding_set, override_permissions, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


class FilesLimited:
    """The broker's files may not become larger than they are."""

    def __init__(self, broker):
        self._broker = broker

    def __enter__(self):
        sizes = [path.stat().st_size for path in self._broker.data.glob("*.db*")]
        self._limit(max(sizes))

    def __exit__(self, *_):
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size):
        resource.prlimit(self._broker.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class DiskFull:
    """There is no room on the broker's disk: a small one of its own (`small_disk`)."""

    def __init__(self, broker):
        self._filler = broker.data / "filler"

    def __enter__(self):
        with self._filler.open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass

    def __exit__(self, *_):
        self._filler.unlink()


def small_disk(directory):
    """Mounts a disk of a few megabytes on the directory; False where that is not allowed."""
    directory.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=48m,mode=700", "tmpfs", str(directory)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


def take_disk_away(directory):
    subprocess.run(["umount", "--lazy", str(directory)], check=True)


class Locked:
    """Somebody else holds the store's only write lock."""

    def __init__(self, broker):
        self._connection = sqlite3.connect(
            broker.data / "hookwire.db", timeout=30, isolation_level=None
        )

    def __enter__(self):
        self._connection.execute("BEGIN EXCLUSIVE")

    def __exit__(self, *_):
        self._connection.execute("ROLLBACK")
        self._connection.close()


class TableGone:
    """Somebody renamed the table of messages."""

    def __init__(self, broker):
        self._connection = sqlite3.connect(
            broker.data / "hookwire.db", timeout=30, isolation_level=None
        )

    def __enter__(self):
        self._connection.execute("ALTER TABLE mqtt_msg RENAME TO mqtt_msg_elsewhere")

    def __exit__(self, *_):
        self._connection.execute("ALTER TABLE mqtt_msg_elsewhere RENAME TO mqtt_msg")
        self._connection.close()
