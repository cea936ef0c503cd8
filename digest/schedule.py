"""The tick of `paper-digest serve`: asks, again and again, whether there is something to do.

What is due stands in the database and not here, so a tick that was missed (a restart, a machine
asleep, a long send) is made up for by the next one. This is the only import of apscheduler.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from digest.errors import PaperDigestError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

_log = logging.getLogger(__name__)
LOOK_FOR_DUE: Final = timedelta(seconds=10)
"""A glance costs a hundredth of a second, and somebody who signs up waits for a mail."""
READ_BOUNCES: Final = timedelta(minutes=5)
ASK_SOURCES: Final = timedelta(minutes=5)
"""How often is looked whether a source is due; when each is stands in the database."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Work to be done again and again, and the time from one start of it to the next."""

    name: str
    every: timedelta
    work: Callable[[], object]


class Scheduler:
    """Runs ticks in one thread of its own: never two at a time, in the order they are given.

    Every tick runs once at the start. One that comes late runs as soon as the thread is free,
    and once, however often it was missed. An error ends neither the thread nor the tick.
    """

    def __init__(self, ticks: Sequence[Tick]) -> None:
        # A tick that finds the one before it still at work is skipped, which is meant.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(max_workers=1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        now = datetime.now(UTC)
        for position, tick in enumerate(ticks):
            self._scheduler.add_job(
                partial(_run, tick),
                IntervalTrigger(seconds=tick.every.total_seconds(), timezone=UTC),
                id=tick.name,
                name=tick.name,
                # In the past, so that it is due at once; a little apart, so that the order holds.
                next_run_time=now - timedelta(seconds=len(ticks) - position),
            )

    def __enter__(self) -> Self:
        """Start ticking."""
        self._scheduler.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop ticking, once the tick that is running has ended."""
        self._scheduler.shutdown(wait=True)


def _run(tick: Tick) -> None:
    try:
        tick.work()
    except PaperDigestError as error:
        _log.error("tick failed tick=%s error=%s", tick.name, error)
    except Exception:  # noqa: BLE001 -- one broken tick must not end all the others
        _log.exception("tick broke tick=%s", tick.name)
