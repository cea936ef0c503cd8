"""What is stored comes back, nothing is written twice, and the log survives a crash."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from outbox import intend, settle

import digest.store.migrate as migrations
from digest.errors import Conflict, NotFound, StoreNewer, StoreUnavailable
from digest.papers import Author, Listing, ListingKind, Paper, PaperId, Signals
from digest.store import Store, open_store
from digest.store.columns import from_micros, to_micros
from digest.store.deliveries import Delivery, Excluded, Prepared
from digest.store.outbox import Recovered
from digest.store.packing import pack, unpack
from digest.store.tables import metadata
from subscribers.profile import Layout, Order, Profile
from subscribers.subscriber import Cadence, Schedule, Status, Subscriber

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 11, 20)


def paper(number: str = "2611.90001", source: str = "arxiv", **more: object) -> Paper:
    return replace(
        Paper(
            PaperId("arxiv", number),
            "Routing Without Regret",
            authors=(Author("Ines Harrow", orcid="0000-0001"), Author("Oda Brandl")),
            abstract="A mixture of experts.",
            categories=("cs.LG",),
            published_at=datetime(2026, 11, 19, tzinfo=UTC),
            listings=(Listing(source, source, DAY, ListingKind.NEW),),
        ),
        **more,  # type: ignore[arg-type]
    )


def stored(store: Store, subscriber: Subscriber, now: datetime) -> Subscriber:
    return store.subscribers.add(subscriber.confirm(now), now)


def frozen(store: Store, reader: Subscriber, now: datetime, key: str = "one") -> Delivery:
    prepared = Prepared(reader, "digest", key, b"picks", now + timedelta(hours=20), None, DAY)
    store.deliveries.freeze([prepared], [], channel="smtp", domain="example.org", now=now)
    return store.deliveries.history()[0]


def test_a_paper_comes_back_as_it_was_stored(store: Store, now: datetime) -> None:
    said = paper(signals=Signals(upvotes=48, comments=7))
    assert store.papers.ingest([said], now).new == 1
    (found,) = store.papers.between(DAY, DAY)
    assert found.signals == Signals(48, 7, None, now)
    assert found.listings[0].first_seen_at == now
    plain = replace(found, signals=said.signals, listings=said.listings)
    assert plain == replace(said, number=found.number, first_seen_at=now)


def test_the_same_listing_again_writes_nothing(store: Store, now: datetime) -> None:
    store.papers.ingest([paper()], now)
    again = store.papers.ingest([paper()], now + timedelta(hours=3))
    assert (again.new, again.changed, again.same) == (0, 0, 1)


def test_two_sources_of_one_paper_make_one_paper(store: Store, now: datetime) -> None:
    store.papers.ingest([paper()], now)
    featured = paper(source="hf", organization="Northfen Labs", abstract="")
    assert store.papers.ingest([featured], now).changed == 1
    (found,) = store.papers.between(DAY, DAY)
    assert [listing.source for listing in found.listings] == ["arxiv", "hf"]
    assert (found.organization, found.abstract) == ("Northfen Labs", "A mixture of experts.")


def test_counts_that_moved_are_known_with_their_instant(store: Store, now: datetime) -> None:
    later = now + timedelta(days=1)
    store.papers.ingest([paper(signals=Signals(upvotes=3))], now)
    store.papers.ingest([paper(signals=Signals(upvotes=30))], later)
    store.papers.ingest([paper()], later + timedelta(hours=1))  # silence moves nothing
    (found,) = store.papers.between(DAY, DAY)
    assert found.signals.upvotes == 30
    then = store.papers.signals_at([found.number], now + timedelta(hours=1))
    assert then[found.number].upvotes == 3


@given(st.text(min_size=1), st.text(), st.lists(st.text()))
def test_any_text_survives_packing(title: str, abstract: str, names: list[str]) -> None:
    names = [name for name in names if name.isprintable()]
    said = Paper(PaperId("arxiv", "2611.90001"), title, tuple(map(Author, names)), abstract)
    surrogate = any("\ud800" <= one <= "\udfff" for one in title + abstract + "".join(names))
    if not surrogate:
        assert unpack(pack(said)) == said


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001 -- bounds are naive there
def test_an_instant_survives_as_microseconds(moment: datetime) -> None:
    assert from_micros(to_micros(moment)) == moment
    elsewhere = moment.astimezone(timezone(timedelta(hours=5)))
    assert to_micros(elsewhere) == to_micros(moment)


def test_a_reader_comes_back_as_stored(store: Store, now: datetime) -> None:
    reader = stored(
        store,
        Subscriber(
            "Ada@example.org",
            profiles=(Profile("agents", name="Agents", limit=0, order=Order.TRENDING),),
            schedule=Schedule(Cadence.WEEKLY, zone="Europe/Paris", weekday=4),
            layout=Layout.TITLES,
            muted_words=("survey",),
        ),
        now,
    )
    assert store.subscribers.by_address("ada@example.org") == reader
    assert store.subscribers.by_public_id(reader.public_id) == reader
    assert len(reader.public_id) == 13


def test_an_address_is_on_a_list_once(store: Store, now: datetime) -> None:
    stored(store, Subscriber("ada@example.org"), now)
    with pytest.raises(Conflict, match=r"is on the list 'main' already"):
        stored(store, Subscriber("ADA@example.org"), now)
    stored(store, Subscriber("ada@example.org", list_name="other"), now)


def test_two_changes_at_once_are_both_kept(store: Store, now: datetime) -> None:
    reader = stored(store, Subscriber("ada@example.org", next_due=now), now)
    started, go = Event(), Event()

    def slowly(current: Subscriber) -> Subscriber:
        started.set()
        go.wait(5)
        return replace(current, name="Ada")

    first = Thread(target=store.subscribers.change, args=(reader.number, slowly))
    first.start()
    started.wait(5)
    second = Thread(
        target=store.subscribers.change,
        args=(reader.number, lambda current: replace(current, muted_words=("image",))),
    )
    second.start()
    go.set()
    first.join()
    second.join()

    after = store.subscribers.by_number(reader.number)
    assert (after.name, after.muted_words) == ("Ada", ("image",))


def test_a_change_that_fails_changes_nothing(store: Store, now: datetime) -> None:
    reader = stored(store, Subscriber("ada@example.org"), now)

    def wrong(_: Subscriber) -> Subscriber:
        raise Conflict("no")

    with pytest.raises(Conflict):
        store.subscribers.change(reader.number, wrong)
    with pytest.raises(NotFound):
        store.subscribers.change(reader.number + 1, lambda current: current)
    assert store.subscribers.by_number(reader.number) == reader


def test_a_reader_who_is_gone_is_named(store: Store) -> None:
    with pytest.raises(NotFound, match=r"there is no reader ada@example\.org"):
        store.subscribers.by_address("ada@example.org")


def test_candidates_are_prepared_and_excluded(store: Store, now: datetime) -> None:
    ada, bo = (stored(store, Subscriber(f"{name}@example.org"), now) for name in ("ada", "bo"))
    prepared = [Prepared(ada, "digest", "1", b"", None, None, DAY)]
    audience = store.deliveries.freeze(
        prepared, [Excluded(bo, "nothing matched", None)], channel="smtp", domain="x.org", now=now
    )
    assert (audience.candidates, audience.prepared, audience.excluded) == (2, 1, 1)
    assert store.deliveries.excluded(audience.issue) == [(bo.number, "nothing matched")]


def test_freezing_a_digest_again_adds_nothing(store: Store, now: datetime) -> None:
    ada = stored(store, Subscriber("ada@example.org"), now)
    frozen(store, ada, now)
    again = [Prepared(ada, "digest", "one", b"", None, None, DAY)]
    audience = store.deliveries.freeze(again, [], channel="smtp", domain="x.org", now=now)
    assert (audience.prepared, audience.excluded) == (0, 1)
    assert len(store.deliveries.history()) == 1


def test_who_left_or_moved_while_the_audience_was_frozen_keeps_what_they_asked_for(
    store: Store, now: datetime
) -> None:
    names = ("gone", "moved", "over")
    gone, moved, over = (stored(store, Subscriber(f"{name}@example.org"), now) for name in names)
    over = replace(over, status=Status.PAUSED, paused_until=now)
    store.subscribers.update(over)
    store.subscribers.update(gone.unsubscribe())
    later = now + timedelta(hours=5)
    store.subscribers.update(replace(moved, next_due=later))

    due = now + timedelta(days=1)
    prepared = [
        Prepared(
            one, "digest", one.address, b"", expires_at=None, next_due=due, last_day=now.date()
        )
        for one in (gone, moved, over)
    ]
    store.deliveries.freeze(prepared, [], channel="eml", domain="example.org", now=now)

    after = [store.subscribers.by_number(one.number) for one in (gone, moved, over)]
    assert [one.status for one in after] == [Status.UNSUBSCRIBED, Status.ACTIVE, Status.ACTIVE]
    assert [one.next_due for one in after] == [None, later, due]
    assert [one.last_day for one in after] == [now.date()] * 3
    assert after[2].paused_until is None


def test_a_leased_delivery_is_nobody_elses(store: Store, now: datetime) -> None:
    frozen(store, stored(store, Subscriber("ada@example.org"), now), now)
    (mine,) = store.outbox.lease("me", 10, now)
    assert store.outbox.lease("you", 10, now) == []
    assert not intend(store, mine, "you", now)
    assert intend(store, mine, "me", now)
    settle(store, mine, "you", "rejected", now, code=550)
    settle(store, mine, "me", "accepted", now, code=250)
    assert store.deliveries.history()[0].state == "accepted"


def test_before_the_intent_a_crash_is_sent_again_after_it_unknown(
    store: Store, now: datetime
) -> None:
    for name in ("ada", "bo"):
        frozen(store, stored(store, Subscriber(f"{name}@example.org"), now), now, key=name)
    ada, bo = store.outbox.lease("me", 10, now)
    intend(store, bo, "me", now)

    assert store.outbox.recover(now) == Recovered(freed=1, unknown=1)

    states = {one.address: one.state for one in store.deliveries.history()}
    assert states == {"ada@example.org": "ready", "bo@example.org": "unknown"}
    settle(store, ada, "me", "accepted", now)
    settle(store, bo, "me", "accepted", now)  # the late answer still counts
    states = {one.address: one.state for one in store.deliveries.history()}
    assert states == {"ada@example.org": "ready", "bo@example.org": "accepted"}


def test_unknown_counts_as_sent_and_rejected_does_not(store: Store, now: datetime) -> None:
    for name, state in (("ada", "unknown"), ("bo", "rejected")):
        reader = stored(store, Subscriber(f"{name}@example.org"), now)
        frozen(store, reader, now, key=name)
        (leased,) = store.outbox.lease("me", 10, now)
        settle(store, leased, "me", state, now)
    numbers = [one.number for one in store.subscribers.all()]
    ledger = store.deliveries.ledger(numbers, now - timedelta(days=1))
    assert [ledger[number] for number in numbers] == [[b"picks"], []]


def test_a_digest_whose_time_is_over_expires(store: Store, now: datetime) -> None:
    frozen(store, stored(store, Subscriber("ada@example.org"), now), now)
    assert store.outbox.lease("me", 10, now + timedelta(days=2)) == []
    assert store.deliveries.history()[0].state == "expired"


def test_a_suppressed_address_is_never_written_to(store: Store, now: datetime) -> None:
    frozen(store, stored(store, Subscriber("Ada@example.org"), now), now)
    store.suppressions.add("ada@example.org", "complained", now)
    assert store.outbox.lease("me", 10, now) == []
    assert store.deliveries.history()[0].state == "cancelled"


def test_what_was_deferred_waits_for_its_time(store: Store, now: datetime) -> None:
    frozen(store, stored(store, Subscriber("ada@example.org"), now), now)
    (first,) = store.outbox.lease("me", 10, now)
    later = now + timedelta(minutes=5)
    settle(store, first, "me", "deferred", now, code=451, not_before=later)
    assert store.outbox.lease("me", 10, now) == []
    (second,) = store.outbox.lease("me", 10, later)
    assert (second.attempt, second.message_id) == (2, first.message_id)


def test_the_migrations_make_exactly_the_tables(store: Store) -> None:
    with store.database.read() as connection:
        # Alembic sees only what is ours to compare: names, columns, keys and indexes; the index
        # of words is each database's own, and no table or column of ours.
        opts = {"include_name": lambda name, *_: not (name or "").startswith("search")}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, metadata) == []
    config = Config()
    folder = migrations.__file__.removesuffix("migrate.py") + "migrations"
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'digest.db'}"
    with open_store(url) as opened, opened.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreNewer, match="revision 9999"):
        open_store(url)


def test_a_database_that_cannot_be_opened_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "digest.db").write_bytes(b"this is no database at all, " * 100)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        open_store(f"sqlite:///{tmp_path / 'digest.db'}")
    with pytest.raises(StoreUnavailable, match="is no database this program can open"):
        open_store("nonsense")
    with pytest.raises(StoreUnavailable, match="there is no database"):
        open_store(f"sqlite:///{tmp_path / 'none.db'}", create=False)


def test_what_belongs_to_no_issue_is_leased_before_all_digests(store: Store, now: datetime) -> None:
    ada = stored(store, Subscriber("ada@example.org").confirm(now), now)
    for number in range(30):
        frozen(store, ada, now, key=str(number))
    store.notices.post(
        ada, "link", channel="smtp", domain="example.org", now=now + timedelta(minutes=1),
        lasts=timedelta(hours=1),
    )  # fmt: skip
    later = now + timedelta(minutes=2)
    first, *others = store.outbox.lease("me", 10, later)
    assert first.kind == "link"
    assert [one.kind for one in others] == ["digest"] * 9
    assert len(store.outbox.lease("me", 100, later)) == 21


def test_the_newest_digest_that_was_sent_is_found_whatever_the_clock_did(
    store: Store, now: datetime
) -> None:
    ada, bo = (stored(store, Subscriber(f"{name}@example.org"), now) for name in ("ada", "bo"))
    days = [*range(12), 10]  # the last one by a clock that was set back
    for n, day in enumerate(days):
        then = now + timedelta(days=day)
        one = Prepared(ada, "digest", f"{n}", b"", None, None, DAY)
        store.deliveries.freeze([one], [], channel="eml", domain="example.org", now=then)
    assert store.deliveries.last_sent([ada.number, bo.number]) == {
        ada.number: now + timedelta(days=11)
    }
    before = now + timedelta(days=3)
    assert store.deliveries.last_sent([ada.number], before) == {ada.number: now + timedelta(days=2)}
    with store.database.write() as connection:
        connection.exec_driver_sql("UPDATE delivery SET state = 'expired' WHERE dedupe_key <> '4'")
    assert store.deliveries.last_sent([ada.number]) == {ada.number: now + timedelta(days=4)}
