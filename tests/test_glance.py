"""A glance tells for certain when there is nothing to do, and never wrongly."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest
from outbox import settle

from digest.store import Store, open_store
from digest.store.deliveries import Prepared
from digest.store.glance import Idle, glance
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    from pathlib import Path

DAILY = Schedule(Cadence.DAILY, time(7, 0), "Europe/Paris")


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """A file: a glance looks at SQLite alone."""
    return f"sqlite:///{tmp_path / 'digest.db'}"


def url_of(store: Store) -> str:
    return str(store.database.url)


def reader(store: Store, now: datetime, address: str = "ada@example.org") -> Subscriber:
    ada = Subscriber(address, schedule=DAILY).confirm(now)
    return store.subscribers.add(ada, now)


def test_nobody_reads_and_nothing_is_due(store: Store, now: datetime) -> None:
    assert glance(url_of(store), now) == Idle(0)


def test_before_the_hour_it_says_when_it_comes(store: Store, now: datetime) -> None:
    ada = reader(store, now)
    assert ada.next_due is not None
    assert glance(url_of(store), now) == Idle(1, ada.next_due, "Europe/Paris")
    assert glance(url_of(store), ada.next_due - timedelta(microseconds=1)) is not None


def test_at_the_hour_there_is_something_to_do(store: Store, now: datetime) -> None:
    ada = reader(store, now)
    assert ada.next_due is not None
    assert glance(url_of(store), ada.next_due) is None


def test_a_pause_that_ends_is_something_to_do_and_an_unsubscribed_reader_is_not(
    store: Store, now: datetime
) -> None:
    ada = reader(store, now)
    later = now + timedelta(days=30)
    store.subscribers.update(ada.pause(now + timedelta(days=7), now))
    assert glance(url_of(store), now + timedelta(days=5)) is not None
    assert glance(url_of(store), later) is None
    store.subscribers.update(ada.unsubscribe())
    assert glance(url_of(store), later) == Idle(1)


def test_a_delivery_that_waits_is_something_to_do_until_it_is_settled(
    store: Store, now: datetime
) -> None:
    ada = reader(store, now)
    due = now + timedelta(days=2)
    prepared = Prepared(ada, "digest", "key", b"", next_due=due, last_day=None, expires_at=None)
    store.deliveries.freeze([prepared], [], channel="smtp", domain="example.org", now=now)
    assert glance(url_of(store), now) is None
    (leased,) = store.outbox.lease("me", 1, now)
    assert glance(url_of(store), now) is None
    settle(store, leased, "me", "accepted", now)
    assert glance(url_of(store), now) == Idle(1, due, "Europe/Paris")


def test_what_waits_for_a_person_or_for_the_relay_is_told(store: Store, now: datetime) -> None:
    ada, bo = reader(store, now), reader(store, now, "bo@example.org")
    due, later = now + timedelta(days=2), now + timedelta(minutes=5)
    for one in (ada, bo):
        prepared = Prepared(one, "digest", f"key {one.number}", b"", due, due, None)
        store.deliveries.freeze([prepared], [], channel="smtp", domain="example.org", now=now)
    first, second = sorted(store.deliveries.history(), key=lambda one: one.number)
    store.outbox.pause(first.issue or 0, "a mistake")
    assert glance(url_of(store), now) is None
    (leased,) = store.outbox.lease("me", 2, now)
    assert leased.number == second.number
    settle(store, leased, "me", "deferred", now, not_before=later)
    assert glance(url_of(store), now) == Idle(
        2, due, "Europe/Paris", ((first.issue or 0, 1),), put_off=1, again=later
    )


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://h/d", "sqlite:///none.db", "sqlite:///:memory:"]
)
def test_where_it_cannot_tell_it_says_so(url: str, now: datetime) -> None:
    assert glance(url, now) is None


def test_a_file_that_is_no_database_or_an_older_one_is_left_alone(
    tmp_path: Path, now: datetime
) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"no database at all" * 100)
    assert glance(f"sqlite:///{other}", now) is None
    empty = tmp_path / "empty.db"
    empty.touch()
    assert glance(f"sqlite:///{empty}", now) is None
    assert empty.stat().st_size == 0


def test_a_name_with_odd_characters_is_found(tmp_path: Path, now: datetime) -> None:
    url = f"sqlite:///{tmp_path / 'a b#c.db'}"
    with open_store(url) as store:
        reader(store, now)
    idle = glance(url, now)
    assert idle is not None
    assert replace(idle, next_due=None) == Idle(1, None, "Europe/Paris")
