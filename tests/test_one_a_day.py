"""One digest a local date: whatever the clock does, whoever ticks, however late."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime, time, timedelta
from threading import Barrier
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from digest import run
from digest.app import App, open_app
from digest.papers import Listing, Paper, PaperId
from digest.settings import load
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

HOURS = (0, 2, 3, 7, 23)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo")


def house(database_url: str) -> App:
    settings = load({"DIGEST_DATABASE_URL": database_url, "DIGEST_SMTP_URL": "eml:outbox"})
    return open_app(settings)


@pytest.fixture
def app(database_url: str) -> Iterator[App]:
    with house(database_url) as opened:
        yield opened


def at(app: App, moment: datetime) -> None:
    """Set an installation's clock."""
    app.clock = lambda: moment


def join(app: App, name: str, now: datetime, schedule: Schedule) -> None:
    reader = Subscriber(f"{name}@example.org", schedule=schedule)
    app.store.subscribers.add(reader.confirm(now), now)


def list_one_more(app: App, number: int) -> None:
    """A paper nobody has seen, so that there is something to send at any time."""
    now = app.clock()
    listing = Listing("arxiv", "arXiv", now.date())
    paper = Paper(PaperId("arxiv", f"2611.{number:05}"), f"Paper {number}", listings=(listing,))
    app.store.papers.ingest([paper], now)


def digests(app: App) -> dict[str, list[str]]:
    """The keys of each reader's digests, one for each date."""
    found: dict[str, list[str]] = {}
    with app.store.database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT address, dedupe_key FROM delivery"
            " JOIN subscriber ON subscriber.id = delivery.subscriber ORDER BY delivery.id"
        )
        for address, key in rows:
            found.setdefault(address, []).append(key)
    return found


def spans(schedule: Schedule, first: date, days: int) -> list[datetime]:
    """When each day's digest is due, by another way of reckoning: minute by minute."""
    zone = ZoneInfo(schedule.zone)
    due = []
    for day in (first + timedelta(days=n) for n in range(days)):
        wall = datetime.combine(day, schedule.at)
        minute = datetime.combine(day, time(), UTC) - timedelta(hours=15)
        while minute.astimezone(zone).replace(tzinfo=None) < wall:
            minute += timedelta(minutes=1)
        due.append(minute)
    return due


def instants(first: datetime, seed: int) -> list[datetime]:
    """Five days of ticks about every hour, with a clock that jumps and a machine that sleeps.

    Sometimes the clock is a day ahead, or hours behind, for a while.
    """
    chance = random.Random(seed)  # noqa: S311 -- repeatable is what is wanted
    ticks: list[datetime] = []
    moment = first
    while moment < first + timedelta(days=5):
        wrong = timedelta()
        if chance.random() < 0.04:
            wrong = timedelta(hours=chance.choice([-30, -5, -1, 1, 5]))
        ticks += [moment + wrong + timedelta(minutes=n) for n in range(chance.randint(1, 2))]
        asleep = chance.random() < 0.05
        moment += timedelta(minutes=chance.randint(40, 80) if not asleep else 60 * 11)
    return ticks


@pytest.mark.slow
@pytest.mark.parametrize(
    "first",
    [datetime(2026, 3, 27, 9, tzinfo=UTC), datetime(2026, 10, 23, 9, tzinfo=UTC)],
    ids=["into summer time", "out of it"],
)
def test_whatever_the_clock_does_each_local_date_has_one_digest(app: App, first: datetime) -> None:
    at(app, first)
    schedules = {
        f"r{len(HOURS) * z + h}": Schedule(Cadence.DAILY, time(hour), zone)
        for z, zone in enumerate(ZONES)
        for h, hour in enumerate(HOURS)
    }
    for name, schedule in schedules.items():
        join(app, name, first, schedule)
    ticks = instants(first, seed=first.month)
    for number, moment in enumerate(ticks):
        at(app, moment)
        list_one_more(app, number)
        run.issue(app)

    found = digests(app)
    for name, schedule in schedules.items():
        keys = found[f"{name}@example.org"]
        assert len(keys) == len(set(keys)), "one a local date"
        # Who looks at least once between two due instants makes one digest in between.
        edges = [edge for edge in spans(schedule, first.date(), 9) if edge > first]
        looked = {sum(edge <= moment for edge in edges) for moment in ticks} - {0}
        assert len(keys) == len(looked), (name, schedule)


@pytest.mark.slow
@pytest.mark.parametrize("everybody", [False, True], ids=["due", "run --now"])
def test_three_that_tick_at_once_make_one_digest_for_each_reader(
    app: App, database_url: str, now: datetime, everybody: bool
) -> None:
    at(app, now)
    for number in range(30):
        join(app, f"r{number}", now, Schedule(Cadence.DAILY, time(7)))
    with ExitStack() as open_ones, ThreadPoolExecutor(3) as threads:
        houses = [app, *(open_ones.enter_context(house(database_url)) for _ in range(2))]
        for day in range(1, 6):
            for n, one in enumerate(houses):
                at(one, now + timedelta(days=day, seconds=n))  # no two clocks agree
            list_one_more(app, day)
            start = Barrier(len(houses))

            def tick(one: App, start: Barrier = start) -> int:
                start.wait()
                frozen = run.issue(one, everybody=everybody).frozen
                return frozen.prepared if frozen else 0

            assert sum(threads.map(tick, houses)) == 30

    assert [len(made) for made in digests(app).values()] == [5] * 30
