"""Power cuts for a process: `power_loss_disk/` in C, preloaded, and what it leaves.

What the process wrote and did not sync is there while it lives, and gone once
`cut` has put what is on the disk in the place of its folder.
"""

import os
import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).parent / "power_loss_disk"


def build(folder):
    """Compiles the library into a folder, with the C compiler that Rust links with too."""
    library = folder / "power_loss.so"
    sources = sorted(map(str, _SOURCE.glob("*.c")))
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread"]
    subprocess.run(["cc", *flags, "-o", library, *sources, "-ldl"], check=True)
    return library


class Disk:
    """What survives of a folder, which need not exist yet."""

    def __init__(self, library, folder, keeps):
        self.folder = Path(os.path.realpath(folder))
        self.keeps = Path(os.path.realpath(keeps))
        self.keeps.mkdir()
        #: Cuts in which something was forgotten, and the bytes that were.
        self.cuts_that_forgot = 0
        self.bytes_forgotten = 0
        self.environment = {
            "LD_PRELOAD": str(library),
            "POWER_LOSS_ROOT": str(self.folder),
            "POWER_LOSS_DISK": str(self.keeps),
        }

    def ignore_sync(self):
        """The environment of a process whose syncs are answered and not done."""
        return {**self.environment, "POWER_LOSS_IGNORE_SYNC": "1"}

    def cut(self):
        """The process has been killed; its folder becomes what is on the disk."""
        forgotten = sum(self._forgotten(path) for path in self.folder.rglob("*"))
        self.bytes_forgotten += forgotten
        self.cuts_that_forgot += forgotten > 0
        shutil.rmtree(self.folder)
        shutil.copytree(self.keeps, self.folder)

    def _forgotten(self, path):
        """Bytes of a file that are not on the disk as they are in the folder."""
        if not path.is_file() or path.is_symlink() or path.name.endswith("-shm"):
            return 0
        written = path.read_bytes()
        kept = self.keeps / path.relative_to(self.folder)
        synced = kept.read_bytes() if kept.is_file() else b""
        if written == synced:
            return 0
        differing = sum(a != b for a, b in zip(written, synced))
        return differing + abs(len(written) - len(synced))
