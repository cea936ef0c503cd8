"""Notices as stored: their pace; and what is forgotten, moved and erased of a reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from outbox import intend, settle

from digest.errors import Conflict, NotFound
from digest.store.deliveries import Prepared
from digest.store.history import Sought
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from digest.store import Store


def post(store: Store, reader: Subscriber, kind: str, now: datetime) -> bool:
    return store.notices.post(
        reader, kind, channel="eml", domain="example.org", now=now, lasts=timedelta(days=7)
    )


def test_a_pace_holds_for_a_day_a_week_and_a_month(store: Store, now: datetime) -> None:
    reader = store.subscribers.add(Subscriber("ada@example.org"), now)
    days = [now + timedelta(days=number) for number in range(32)]
    confirmed = [day for day in days if post(store, reader, "confirm", day)]
    assert [(day - now).days for day in confirmed] == [0, 1, 2, 30, 31]
    quiet = [day for day in days if post(store, reader, "quiet", day)]
    assert [(day - now).days for day in quiet] == [0, 7, 14, 21, 28]


def test_a_pace_is_each_readers_own_and_each_kinds(store: Store, now: datetime) -> None:
    ada = store.subscribers.add(Subscriber("ada@example.org"), now)
    bo = store.subscribers.add(Subscriber("bo@example.org"), now)
    assert post(store, ada, "confirm", now)
    assert not post(store, ada, "confirm", now + timedelta(hours=23))
    assert post(store, bo, "confirm", now)
    assert post(store, ada, "link", now)


def test_nobody_is_written_to_who_is_gone(store: Store, now: datetime) -> None:
    reader = store.subscribers.add(Subscriber("ada@example.org"), now)
    store.subscribers.erase(reader, b"")
    assert not post(store, reader, "confirm", now)


def test_only_who_never_confirmed_is_forgotten(store: Store, now: datetime) -> None:
    for name, status in (("new", "pending"), ("on", "active"), ("gone", "unsubscribed")):
        store.subscribers.add(Subscriber(f"{name}@example.org", status=Status(status)), now)
    assert store.subscribers.forget_pending(now) == 0
    assert store.subscribers.forget_pending(now + timedelta(seconds=1)) == 1
    left = {reader.address for reader in store.subscribers.all()}
    assert left == {"on@example.org", "gone@example.org"}


def test_an_address_that_is_taken_is_not_moved_to(store: Store, now: datetime) -> None:
    ada = store.subscribers.add(Subscriber("ada@example.org"), now)
    store.subscribers.add(Subscriber("Bo@example.org"), now)
    store.subscribers.add(Subscriber("free@example.org", list_name="other"), now)

    def move(to: str) -> Subscriber:
        return store.subscribers.change(ada.number, lambda one: replace(one, address=to))

    for taken in ("bo@example.org", "BO@example.org"):
        with pytest.raises(Conflict):
            move(taken)
    for free in ("ADA@example.org", "free@example.org"):
        assert move(free).address == free
        assert store.subscribers.by_number(ada.number).address == free


def test_erasing_takes_every_word_of_a_reader_and_leaves_the_counts(
    store: Store, now: datetime
) -> None:
    ada = store.subscribers.add(Subscriber("ada@example.org").confirm(now), now)
    bo = store.subscribers.add(Subscriber("bo@example.org").confirm(now), now)
    for reader in (ada, bo):
        one = Prepared(reader, "digest", reader.address, b"words", None, None, None)
        store.deliveries.freeze([one], [], channel="eml", domain="example.org", now=now)
    store.subscribers.erase(ada, b"nothing")
    with pytest.raises(NotFound):
        store.subscribers.by_number(ada.number)
    kept = {one.subscriber: one.selection for one in store.deliveries.history()}
    assert kept == {None: b"nothing", bo.number: b"words"}


def test_what_a_relay_says_of_who_was_forgotten_meanwhile_is_not_kept(
    store: Store, now: datetime
) -> None:
    ada = store.subscribers.add(Subscriber("ada@example.org").confirm(now), now)
    one = Prepared(ada, "digest", "ada", b"words", None, None, None)
    store.deliveries.freeze([one], [], channel="smtp", domain="example.org", now=now)
    (leased,) = store.outbox.lease("sender", 1, now)
    assert intend(store, leased, "sender", now)
    store.subscribers.erase(ada, b"nothing")
    settle(store, leased, "sender", "accepted", now, code=250, text="<ada@example.org> is fine")
    (kept,) = store.history.find(Sought(), 9)
    assert (kept.state, kept.code, kept.text) == ("accepted", 250, "")
    assert [(one.state, one.text) for one in kept.attempts] == [("accepted", "")]
