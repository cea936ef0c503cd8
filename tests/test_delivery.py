"""The sender and the world around it: disks, databases, clocks, second senders, and people."""

from __future__ import annotations

import random
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from recorder import Recorder, Session
from senders import Senders, between_dot_and_answer, freeze, preloaded, states, unknowns
from zygote import Plain

from digest.delivery import Sending, send_all
from digest.errors import Conflict, NotFound, StoreUnavailable
from digest.pace import domain_rates, rates
from digest.smtp.relay import Relay, Relays
from digest.store import open_store
from digest.testing import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from digest.store import Store


@pytest.fixture(scope="module")
def senders() -> Iterator[Senders]:
    with preloaded() as opened:
        yield opened


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Store]:
    """A database in a file, because a file is what these are about."""
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as opened:
        yield opened


def path_of(store: Store) -> Path:
    path = store.database.path
    assert path is not None
    return path


def test_when_the_disk_is_full_nothing_more_is_sent_and_the_log_is_right(
    file: Store, senders: Senders
) -> None:
    frozen = freeze(file, 600)
    file.database.engine.dispose()  # the last connection folds the log of writes into the file
    room = path_of(file).stat().st_size + 20_000
    with Recorder() as relay:
        first = senders.run(file, relay.url, connections=4, most_bytes=room)
        assert any("StoreUnavailable" in line for line in first.said), first.said
        assert 0 < len(relay.dots) < 600
        assert between_dot_and_answer(file) <= 4

        senders.run(file, relay.url, connections=4)

        lost = unknowns(file)
        assert len(lost) <= 4
        assert relay.twice == set()
        assert set(relay.dots) | lost == frozen
        after = states(file)
        assert {after[name] for name in frozen - lost} == {"accepted"}


def test_while_the_database_is_locked_no_dot_is_sent(file: Store) -> None:
    freeze(file, 1)
    reached = threading.Event()

    def seen(stage: str, _: Session) -> None:
        if stage == "data":
            other.execute("BEGIN IMMEDIATE")
            reached.set()

    other = sqlite3.connect(path_of(file), isolation_level=None, check_same_thread=False)
    with Recorder(seen=seen) as relay:
        sending = threading.Thread(
            target=send_all,
            args=(file, Relays([Relay(relay.url)]), Plain(10), lambda: datetime.now(UTC)),
        )
        sending.start()
        assert reached.wait(20)
        sending.join(0.3)
        assert relay.dots == []
        other.execute("ROLLBACK")
        sending.join(30)
        assert relay.dots == ["r0@example.org"]
    other.close()
    assert states(file) == {"r0@example.org": "accepted"}


def test_when_the_database_is_taken_away_nothing_more_is_sent(file: Store) -> None:
    freeze(file, 40)
    path = path_of(file)

    def seen(stage: str, session: Session) -> None:
        if stage == "mail" and session.taken == 10:
            path.rename(path.with_name("gone.db"))

    with Recorder(seen=seen) as relay:
        with pytest.raises(StoreUnavailable, match="gone or was replaced"):
            send_all(
                file,
                Relays([Relay(relay.url)], 1),
                Plain(10),
                lambda: datetime.now(UTC),
                sending=Sending(patience=0.1),
            )
        assert len(relay.dots) == 10
    assert not path.exists(), "an empty one in its place would look like a new installation"


def test_a_second_sender_refuses(store: Store, senders: Senders) -> None:
    freeze(store, 5)
    going, go_on = threading.Event(), threading.Event()

    def seen(stage: str, _: Session) -> None:
        if stage == "data":
            going.set()
            go_on.wait(30)

    with Recorder(seen=seen) as relay:
        first = senders.start(store, relay.url)
        assert going.wait(30)
        with pytest.raises(Conflict, match="another paper-digest is sending"):
            send_all(store, Relays([Relay(relay.url)]), Plain(10), lambda: datetime.now(UTC))
        go_on.set()
        assert senders.wait(first) == 0
    assert len(relay.dots) == 5


def test_senders_that_are_forced_together_send_nothing_twice(file: Store, senders: Senders) -> None:
    frozen = freeze(file, 300)
    with Recorder() as relay, preloaded() as others:
        for _ in range(3):
            first = senders.start(file, relay.url, connections=3, forced=True)
            second = others.start(file, relay.url, connections=3, forced=True)
            senders.wait(first)
            others.wait(second)
    assert relay.twice == set()
    assert set(relay.dots) | unknowns(file) == frozen


def test_pausing_resuming_and_cancelling_at_any_instant_loses_and_doubles_nothing(
    store: Store, senders: Senders
) -> None:
    frozen = freeze(store, 150)
    issue = store.outbox.issues()[0].number
    chance = random.Random(7)  # noqa: S311 -- repeatable is what is wanted
    with Recorder() as relay:
        relay.seen = lambda stage, _: (
            stir(store, issue, chance) if stage == "dot" and chance.random() < 0.1 else None
        )
        for _ in range(30):
            senders.run(store, relay.url, connections=4)
            if "ready" not in states(store).values():
                break
            store.outbox.resume(issue) if store.outbox.issue(issue).state == "paused" else None
        relay.seen = lambda *_: None
        with suppress(Conflict):
            store.outbox.cancel(issue, "enough", datetime.now(UTC))
    after = states(store)
    cancelled = {name for name, state in after.items() if state == "cancelled"}
    assert set(after.values()) <= {"accepted", "cancelled"}
    assert relay.twice == set()
    assert set(relay.dots) == frozen - cancelled
    assert len(frozen) == 150


def stir(store: Store, issue: int, chance: random.Random) -> None:
    with suppress(Conflict):
        (
            store.outbox.pause(issue, "stirred")
            if chance.random() < 0.5
            else store.outbox.resume(issue)
        )


def test_an_issue_is_ended_with_all_that_waits_of_it_or_not_at_all(
    file: Store, now: datetime
) -> None:
    freeze(file, 2, now=now)
    issue = file.outbox.issues()[0].number
    breaks = "BEGIN SELECT RAISE(ABORT, 'the power failed'); END"
    with closing(sqlite3.connect(path_of(file))) as other:
        other.execute(f"CREATE TRIGGER fails BEFORE UPDATE ON delivery {breaks}")
        with pytest.raises(StoreUnavailable, match="the power failed"):
            file.outbox.cancel(issue, "wrong note", now)
        assert file.outbox.issue(issue).state == "sending"
        other.execute("DROP TRIGGER fails")
    assert file.outbox.cancel(issue, "wrong note", now) == 2


def test_a_lock_that_is_somebody_elses_is_told_with_what_to_do(file: Store, now: datetime) -> None:
    freeze(file, 1, now=now)
    path_of(file).with_name(f"{path_of(file).name}.sender").mkdir()
    with pytest.raises(StoreUnavailable, match=r"\.sender cannot be written .*: delete it"):
        send_all(file, Relays([Relay("smtp://127.0.0.1:1")]), Plain(10), Clock(now).now)


def test_a_paused_issue_stops_at_once_and_a_cancelled_one_for_good(
    store: Store, now: datetime
) -> None:
    freeze(store, 20, now=now)
    issue = store.outbox.issues()[0].number

    def seen(stage: str, session: Session) -> None:
        if stage == "dot" and session.taken == 4:
            store.outbox.pause(issue, "wrong note")

    with Recorder(seen=seen) as relay:
        relays = Relays([Relay(relay.url)], 1)
        send_all(store, relays, Plain(10), Clock(now).now)
        assert len(relay.dots) == 5
        assert len(relay.sessions) <= 2, "what is not to be sent costs the relay no connection"
        assert store.outbox.issue(issue).states == {"accepted": 5, "ready": 15}
        assert store.outbox.waiting(now) == 0

        assert store.outbox.cancel(issue, "wrong note", now) == 15
        send_all(store, relays, Plain(10), Clock(now).now)
        assert len(relay.dots) == 5
    with pytest.raises(Conflict, match="is cancelled"):
        store.outbox.resume(issue)
    with pytest.raises(NotFound, match="there is no issue 99"):
        store.outbox.pause(99, "")
    # What was cancelled is offered again.
    numbers = [one.number for one in store.subscribers.all()]
    ledger = store.deliveries.ledger(numbers, now - timedelta(days=1))
    assert sum(map(len, ledger.values())) == 5


def test_a_signal_lets_what_is_at_the_relay_finish_and_frees_the_rest(
    store: Store,
) -> None:
    freeze(store, 50)
    signalled, noticed = threading.Event(), threading.Event()

    def seen(stage: str, _: Session) -> None:
        if stage == "dot":
            signalled.set()
            noticed.wait(30)  # no answer before the sender knows

    def ending() -> bool:
        if signalled.is_set():
            noticed.set()
        return signalled.is_set()

    with Recorder(seen=seen) as relay:
        report = send_all(
            store,
            Relays([Relay(relay.url)]),
            Plain(10),
            lambda: datetime.now(UTC),
            ending=ending,
        )
        assert 1 <= report.attempts < 50
        counts = store.outbox.issues()[0].states
        assert counts == {"accepted": report.attempts, "ready": 50 - report.attempts}
        assert set(relay.dots) == set(relay.replied)
        send_all(store, Relays([Relay(relay.url)]), Plain(10), lambda: datetime.now(UTC))
    assert len(relay.dots) == 50
    assert relay.twice == set()


def test_the_pace_holds_for_the_relay_and_across_restarts(store: Store, now: datetime) -> None:
    freeze(store, 25, now=now)
    clock = Clock(now)
    sending = Sending(relay_rates=rates("10/hour"), rest=0.01)
    with Recorder() as relay:
        relays = Relays([Relay(relay.url)])
        first = send_all(store, relays, Plain(10), clock.now, sending=sending)
        assert first.attempts == 10
        assert first.held.startswith("the pace lets the next message go at 2026-11-20 ")
        clock.advance(timedelta(minutes=30))
        assert send_all(store, relays, Plain(10), clock.now, sending=sending).attempts == 0
        clock.advance(timedelta(minutes=31, seconds=1))
        assert send_all(store, relays, Plain(10), clock.now, sending=sending).attempts == 10
        clock.advance(timedelta(minutes=62))
        assert send_all(store, relays, Plain(10), clock.now, sending=sending).attempts == 5
    assert relay.twice == set()


def test_the_pace_of_a_domain_holds_nobody_else_up(store: Store, now: datetime) -> None:
    freeze(store, 20, now=now)
    for reader in store.subscribers.all()[:15]:
        name = reader.address.partition("@")[0]
        store.subscribers.change(
            reader.number,
            lambda one, name=name: type(one)(  # type: ignore[misc]
                **{
                    field: getattr(one, field)
                    for field in type(one).__dataclass_fields__
                    if field != "address"
                },
                address=f"{name}@slow.example",
            ),
        )
    sending = Sending(domain_rates=domain_rates("slow.example 4/day"), rest=0.01)
    with Recorder() as relay:
        send_all(store, Relays([Relay(relay.url)], 3), Plain(10), Clock(now).now, sending=sending)
    slow = [to for to in relay.replied if to.endswith("@slow.example")]
    assert (len(slow), len(relay.replied)) == (4, 9)
    assert sorted(states(store).values()) == ["accepted"] * 9 + ["ready"] * 11


def test_a_message_that_cannot_be_made_takes_nothing_from_the_others(
    store: Store, now: datetime
) -> None:
    freeze(store, 5, now=now)

    class Picky(Plain):
        def build(self, delivery):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            if delivery.address.startswith("r3"):
                raise ValueError("no paper has that number")
            return super().build(delivery)

    with Recorder() as relay:
        send_all(store, Relays([Relay(relay.url)]), Picky(10), Clock(now).now)
    assert len(relay.dots) == 4
    broken = next(row for row in store.deliveries.history() if row.state == "rejected")
    assert broken.text == "the message could not be made: no paper has that number"
