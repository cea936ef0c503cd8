"""One queue for each group of hosts: its gap, its connections, and when it asked for quiet.

Threads queue in memory. Processes queue too where a directory is given: a lock file
(flock(2)) for each group that allows one connection also carries when it was last asked.
"""

from __future__ import annotations

import fcntl
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from digest.errors import SourceError, why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

    from digest.sources import Pace
    from digest.sources.http import Clock

_MOST_STRIKES: Final = 10
_SMALL_FILE: Final = 1000


@dataclass(slots=True)
class _Memory:
    """Unix times of the last request and of the end of a throttled phase, and how often it came."""

    last: float = 0.0
    until: float = 0.0
    strikes: int = 0


class Queue:
    """The queue before one group of hosts."""

    def __init__(self, pace: Pace, clock: Clock, directory: Path | None) -> None:
        self._pace = pace
        self._clock = clock
        self._slots = threading.BoundedSemaphore(pace.connections)
        self._lock = threading.Lock()
        self._memory = _Memory()
        self._path: Path | None = None
        if directory is not None and pace.connections == 1:
            self._path = directory / (re.sub(r"[^A-Za-z0-9.-]", "_", pace.group)[:100] + ".queue")

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Wait until it is our turn and, for as long as the block runs, have it."""
        with self._slots:
            if self._path is None:
                yield Turn(self._pace, self._clock, self._memory, self._lock)
                return
            with _opened(self._path) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                _recall(self._memory, file.read(_SMALL_FILE))
                try:
                    yield Turn(self._pace, self._clock, self._memory, self._lock)
                finally:
                    memory = self._memory
                    file.seek(0)
                    file.truncate()
                    json.dump([memory.last, memory.until, memory.strikes], file)


def _opened(path: Path) -> TextIO:
    """The queue's file at its beginning; raises SourceError when there can be none."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise SourceError(
            f"{path} cannot be written ({why(error)}), where the queue of sources is kept"
        ) from error
    file.seek(0)
    return file


class Turn:
    """Our turn before a group of hosts."""

    def __init__(self, pace: Pace, clock: Clock, memory: _Memory, lock: threading.Lock) -> None:
        self._pace = pace
        self._clock = clock
        self._memory = memory
        self._lock = lock

    @property
    def strikes(self) -> int:
        """How often in a row we were told to go slower."""
        return self._memory.strikes

    def closed_for(self) -> float:
        """Seconds until the group wants to be asked again; 0 when it does not mind."""
        return max(0.0, self._memory.until - self._clock.now().timestamp())

    def wait(self, seconds: float) -> None:
        """Let a throttled phase end, and the gap behind the last request."""
        if seconds > 0:
            self._clock.sleep(seconds)
        self.wait_gap()

    def wait_gap(self) -> None:
        """Let the gap behind the last request pass, and take the next place."""
        with self._lock:
            now = self._clock.now().timestamp()
            # Bounded by the gap: a wall clock that was set back must not hold us for hours.
            due = min(max(now, self._memory.last + self._pace.gap), now + self._pace.gap)
            self._memory.last = due
        if due > now:
            self._clock.sleep(due - now)
            with self._lock:  # a machine that slept longer must not make it up to the server
                self._memory.last = max(self._memory.last, self._clock.now().timestamp())

    def close(self, until: datetime) -> None:
        """Nobody asks this group before then."""
        self._memory.until = until.timestamp()
        self._memory.strikes = min(_MOST_STRIKES, self._memory.strikes + 1)

    def reopen(self, spent_until: datetime | None) -> None:
        """It answered; where that used up a quota, it is quiet until the next one."""
        self._memory.strikes = 0
        self._memory.until = (spent_until or datetime.fromtimestamp(0, UTC)).timestamp()


def _recall(memory: _Memory, text: str) -> None:
    """Take over what another process wrote; a file that says nothing changes nothing."""
    try:
        last, until, strikes = json.loads(text)
        memory.last, memory.until = float(last), float(until)
        memory.strikes = min(_MOST_STRIKES, max(0, int(strikes)))
    except (ValueError, TypeError):
        return
