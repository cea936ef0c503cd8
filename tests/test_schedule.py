"""The tick comes at once, in order, one at a time, and survives what goes wrong in it."""

from __future__ import annotations

import logging
from datetime import timedelta
from queue import Queue
from threading import Event, Lock
from typing import TYPE_CHECKING

from digest.errors import SourceError
from digest.schedule import Scheduler, Tick

if TYPE_CHECKING:
    import pytest

HOUR = timedelta(hours=1)
MOMENT = timedelta(milliseconds=20)


def test_every_tick_comes_at_the_start_in_the_order_given() -> None:
    seen: Queue[str] = Queue()
    names = ["sources", "due", "third"]
    ticks = [Tick(name, HOUR, lambda name=name: seen.put(name)) for name in names]  # type: ignore[misc]
    with Scheduler(ticks):
        assert [seen.get(timeout=5) for _ in names] == names


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


def test_two_ticks_never_run_at_the_same_time() -> None:
    busy = Lock()
    clashes: Queue[bool] = Queue()

    def work() -> None:
        free = busy.acquire(blocking=False)
        clashes.put(not free)
        if free:
            busy.release()

    with Scheduler([Tick("a", MOMENT, work), Tick("b", MOMENT, work)]):
        assert not any(clashes.get(timeout=5) for _ in range(6))


def test_ticks_missed_during_a_long_one_are_made_up_for_once() -> None:
    begun, go_on = Event(), Event()
    short: Queue[int] = Queue()

    def long_work() -> None:
        begun.set()
        assert go_on.wait(5)

    with Scheduler([Tick("long", HOUR, long_work), Tick("short", HOUR, lambda: short.put(1))]):
        assert begun.wait(5)
        assert short.empty()
        go_on.set()
        assert short.get(timeout=5) == 1
    assert short.empty()


def test_stopping_waits_for_the_tick_that_is_running() -> None:
    begun, ended = Event(), Event()

    def work() -> None:
        begun.set()
        ended.set()

    with Scheduler([Tick("due", HOUR, work)]):
        assert begun.wait(5)
    assert ended.is_set()
