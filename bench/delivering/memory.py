"""What a process and all it started take of the memory, shared pages counted once."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

EVERY = 0.5
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


class Memory:
    """The most megabytes at any instant, looked at every half second; 0 where /proc has none."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.most = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(process.pid,))
        self._thread.start()

    def end(self) -> float:
        """Look no more; the most there was."""
        self._ended.set()
        self._thread.join()
        return self.most

    def _look(self, pid: int) -> None:
        while not self._ended.wait(EVERY):
            self.most = max(self.most, sum(map(_megabytes, _family(pid))))


def _megabytes(pid: int) -> float:
    with suppress(OSError):
        if found := _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")):
            return int(found[1]) / 1024
    return 0.0


def _family(pid: int) -> list[int]:
    family = [pid]
    for one in family:  # it grows meanwhile
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                family += map(int, (task / "children").read_text("ascii").split())
    return family
