"""The tick of `paper-digest serve`: asks, again and again, whether there is something to do.

What is due stands in the database and not here, so a tick that was missed (a restart, a machine
asleep, a long send) is made up for by the next one. This is the only import of apscheduler.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from apscheduler.executors.pool import BasePoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from digest.errors import PaperDigestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_log = logging.getLogger(__name__)
LOOK_FOR_DUE: Final = timedelta(seconds=10)
"""A glance costs a hundredth of a second, and somebody who signs up waits for a mail."""
READ_BOUNCES: Final = timedelta(minutes=5)
ASK_SOURCES: Final = timedelta(minutes=5)
"""How often is looked whether a source is due; when each is stands in the database."""
WAIT_FOR_SOURCES: Final = timedelta(minutes=10)
"""Digests wait so long for the sources that are being asked; a mail to confirm waits for none."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Work to be done again and again, and the time from one start of it to the next."""

    name: str
    every: timedelta
    work: Callable[[], object]


class _Executor(BasePoolExecutor):  # type: ignore[misc] # it has no types
    """Threads that we can wait for ourselves."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        super().__init__(pool)


class Scheduler:
    """Runs each tick in a thread of its own: none waits for another, none overlaps itself.

    Every tick runs once at the start. One that was missed runs as soon as it can, and once,
    however often it was missed. An error ends neither the thread nor the tick.
    """

    def __init__(self, ticks: Sequence[Tick]) -> None:
        # A tick that finds the one before it still at work is skipped, which is meant.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._threads = {tick.name: ThreadPoolExecutor(1, tick.name) for tick in ticks}
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={name: _Executor(pool) for name, pool in self._threads.items()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        now = datetime.now(UTC)
        for tick in ticks:
            self._scheduler.add_job(
                partial(_run, tick),
                IntervalTrigger(seconds=tick.every.total_seconds(), timezone=UTC),
                id=tick.name,
                name=tick.name,
                executor=tick.name,
                next_run_time=now - timedelta(seconds=1),  # in the past: due at once
            )

    def hurry(self, name: str) -> None:
        """Let a tick come now rather than at its time; nothing where the end has begun."""
        with suppress(JobLookupError):
            self._scheduler.modify_job(name, next_run_time=datetime.now(UTC))

    def __enter__(self) -> Self:
        """Start ticking."""
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop ticking, once the ticks that are running have ended."""
        self._scheduler.shutdown(wait=False)  # waiting, it would hold what `hurry` needs
        for pool in self._threads.values():
            pool.shutdown(wait=True)


def _run(tick: Tick) -> None:
    try:
        tick.work()
    except PaperDigestError as error:
        _log.error("tick failed tick=%s error=%s", tick.name, error)
    except Exception:  # noqa: BLE001 -- one broken tick must not end all the others
        _log.exception("tick broke tick=%s", tick.name)
