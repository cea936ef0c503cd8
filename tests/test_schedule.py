"""The tick comes at once, beside the others, and survives what goes wrong in it."""

from __future__ import annotations

import logging
from datetime import timedelta
from queue import Queue
from threading import Event, Semaphore, Timer
from typing import TYPE_CHECKING

from digest.errors import SourceError
from digest.schedule import Scheduler, Tick

if TYPE_CHECKING:
    import pytest

HOUR = timedelta(hours=1)
MOMENT = timedelta(milliseconds=20)


def test_every_tick_comes_at_the_start() -> None:
    seen: Queue[str] = Queue()
    names = ["sources", "due", "third"]
    ticks = [Tick(name, HOUR, lambda name=name: seen.put(name)) for name in names]  # type: ignore[misc]
    with Scheduler(ticks):
        assert sorted(seen.get(timeout=5) for _ in names) == sorted(names)


def test_a_tick_comes_again_and_again() -> None:
    seen: Queue[int] = Queue()
    with Scheduler([Tick("due", MOMENT, lambda: seen.put(1))]):
        assert [seen.get(timeout=5) for _ in range(3)] == [1, 1, 1]


def test_an_error_is_logged_and_the_tick_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    calls: Queue[Exception] = Queue()
    errors = iter([SourceError("it did not answer"), ZeroDivisionError("ours to mend")])

    def work() -> None:
        calls.put(error := next(errors, StopIteration()))
        if not isinstance(error, StopIteration):
            raise error

    with caplog.at_level(logging.ERROR, "digest.schedule"), Scheduler([Tick("due", MOMENT, work)]):
        assert [type(calls.get(timeout=5)) for _ in range(3)] == [
            SourceError,
            ZeroDivisionError,
            StopIteration,
        ]
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["tick failed tick=due error=it did not answer", "tick broke tick=due"]


def test_a_tick_that_takes_long_holds_up_no_other_and_never_overlaps_itself() -> None:
    begun, go_on = Semaphore(0), Event()
    short: Queue[int] = Queue()

    def long_work() -> None:
        begun.release()
        assert go_on.wait(5)

    with Scheduler([Tick("long", MOMENT, long_work), Tick("short", MOMENT, lambda: short.put(1))]):
        assert begun.acquire(timeout=5)
        assert [short.get(timeout=5) for _ in range(5)] == [1] * 5
        assert not begun.acquire(blocking=False), "it began again although it had not ended"
        go_on.set()
        assert begun.acquire(timeout=5), "what was missed is made up for"


def test_a_tick_can_be_hurried() -> None:
    seen: Queue[int] = Queue()
    with Scheduler([Tick("due", HOUR, lambda: seen.put(1))]) as scheduler:
        assert seen.get(timeout=5) == 1
        scheduler.hurry("due")
        assert seen.get(timeout=5) == 1


def test_stopping_waits_for_the_tick_that_is_running_whatever_it_hurries() -> None:
    begun, ending, ended = Event(), Event(), Event()

    def work() -> None:
        begun.set()
        assert ending.wait(5)
        scheduler.hurry("other")
        ended.set()

    ticks = [Tick("due", HOUR, work), Tick("other", HOUR, lambda: None)]
    with Scheduler(ticks) as scheduler:
        assert begun.wait(5)
        Timer(0.05, ending.set).start()
    assert ended.is_set()
