"""Who is never written to again, and why: counted once, forgiven by hand, over all lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import TYPE_CHECKING, Final

import pytest
from outbox import settle

from digest.bounces import Kind, Report
from digest.store.deliveries import Prepared
from digest.store.suppressions import KEPT, Cause, Taken
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from digest.store import Store

NOW: Final = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
DAY: Final = timedelta(days=1)


def reader(store: Store, address: str = "Ada@example.org", list_name: str = "main") -> Subscriber:
    fresh = Subscriber(address, list_name=list_name).confirm(NOW)
    return store.subscribers.add(fresh, NOW)


def sent(store: Store, to: Subscriber, key: str = "one") -> str:
    """The public id of a delivery frozen for a reader."""
    one = Prepared(to, "digest", key, b"", NOW + 30 * DAY, to.next_due, date(2026, 11, 20))
    store.deliveries.freeze([one], [], channel="smtp", domain="example.org", now=NOW)
    return store.deliveries.history()[0].public_id


def bounce(public_id: str, kind: Kind = Kind.HARD, at: datetime = NOW, **more: str) -> Report:
    return Report(kind, at, "mail", public_id, code=550, enhanced="5.1.1", text="nobody", **more)


def test_two_hard_bounces_on_two_days_suppress_the_address_on_all_lists(store: Store) -> None:
    ada = reader(store)
    other = reader(store, "ada@EXAMPLE.org".lower(), "second")
    first, second = sent(store, ada, "one"), sent(store, ada, "two")

    assert store.suppressions.take(bounce(first), NOW) is Taken.NOTED
    assert store.suppressions.all() == []
    assert store.suppressions.take(bounce(second, at=NOW + DAY), NOW + DAY) is Taken.SUPPRESSED

    (one,) = store.suppressions.all()
    assert (one.address, one.cause, one.since) == ("ada@example.org", Cause.BOUNCES, NOW + DAY)
    assert one.reason == "2 bounces, the last: 550 5.1.1 nobody"
    assert set(store.suppressions.among([ada.address, other.address, "bo@example.org"])) == {
        ada.address,
        other.address,
    }
    assert store.subscribers.by_number(ada.number).status is Status.ACTIVE
    late = sent(store, other, "three")
    store.outbox.lease("sender", 10, NOW + DAY)
    assert store.history.named(late).state == "cancelled"


def test_what_came_back_counts_half_after_a_month_and_not_at_all_once_forgiven(
    store: Store,
) -> None:
    public_id = sent(store, reader(store), "one")
    store.suppressions.take(bounce(public_id), NOW)
    weights = [store.suppressions.weight("ADA@example.org", NOW + n * DAY) for n in (0, 30, 60)]
    assert weights == pytest.approx([1.0, 0.5, 0.25])
    assert store.suppressions.weight("bo@example.org", NOW) == 0
    store.suppressions.remove("ada@example.org")
    assert store.suppressions.weight("ada@example.org", NOW) == 0


def test_the_same_report_told_twice_counts_once(store: Store) -> None:
    public_id = sent(store, reader(store))
    assert store.suppressions.take(bounce(public_id), NOW) is Taken.NOTED
    again = bounce(public_id, Kind.SOFT, NOW + DAY)
    assert store.suppressions.take(again, NOW + DAY) is Taken.REPEATED
    assert len(store.suppressions.returned()) == 1


def test_reports_of_one_event_that_come_in_side_by_side_count_once(store: Store) -> None:
    public_id = sent(store, reader(store))
    taken: list[Taken] = []
    threads = [
        Thread(target=lambda: taken.append(store.suppressions.take(bounce(public_id), NOW)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(taken) == [Taken.NOTED, *[Taken.REPEATED] * 5]


def test_a_complaint_ends_the_subscription_and_suppresses_the_address(store: Store) -> None:
    ada, other = reader(store), reader(store, list_name="second")
    complaint = bounce(sent(store, ada), Kind.COMPLAINT)
    assert store.suppressions.take(complaint, NOW) is Taken.SUPPRESSED
    gone = store.subscribers.by_number(ada.number)
    assert (gone.status, gone.next_due) == (Status.UNSUBSCRIBED, None)
    assert store.subscribers.by_number(other.number).status is Status.ACTIVE
    (one,) = store.suppressions.all()
    assert (one.cause, one.reason) == (Cause.COMPLAINT, "a complaint: nobody")


def test_who_asks_to_leave_leaves_and_may_come_back(store: Store) -> None:
    ada = reader(store)
    leaving = bounce(sent(store, ada), Kind.UNSUBSCRIBE)
    assert store.suppressions.take(leaving, NOW) is Taken.UNSUBSCRIBED
    assert store.suppressions.all() == []
    assert store.subscribers.by_number(ada.number).status is Status.UNSUBSCRIBED


def test_a_provider_s_word_about_an_address_means_every_list_it_is_on(store: Store) -> None:
    ada, other = reader(store), reader(store, list_name="second")
    told = Report(Kind.COMPLAINT, NOW, "ses", address="ADA@example.org", event="e-1")
    assert store.suppressions.take(told, NOW) is Taken.SUPPRESSED
    states = {store.subscribers.by_number(one.number).status for one in (ada, other)}
    assert states == {Status.UNSUBSCRIBED}
    assert store.suppressions.take(told, NOW) is Taken.REPEATED


def test_a_report_about_nobody_here_changes_nothing(store: Store) -> None:
    assert store.suppressions.take(bounce("aaaaaaaaaaaaa"), NOW) is Taken.UNKNOWN
    ada = reader(store)
    public_id = sent(store, ada)
    store.subscribers.erase(ada, b"")
    # The tag is ours, the address is what a stranger wrote.
    victim = bounce(public_id, Kind.COMPLAINT, address="victim@example.net")
    assert store.suppressions.take(victim, NOW) is Taken.UNKNOWN
    assert store.suppressions.all() == []
    assert store.suppressions.returned() == []


@pytest.mark.parametrize("kind", [Kind.BLOCKED, Kind.DELAYED])
def test_what_is_ours_to_mend_is_noted_and_never_suppresses(store: Store, kind: Kind) -> None:
    ada = reader(store)
    for age in range(10):
        at = NOW + age * DAY
        report = bounce(sent(store, ada, f"d{age}"), kind, at)
        assert store.suppressions.take(report, at) is Taken.NOTED
    assert store.suppressions.all() == []
    assert len(store.suppressions.returned(ada.address)) == 10


def test_what_is_forgiven_by_hand_does_not_count_again(store: Store) -> None:
    ada = reader(store)
    for age in range(2):
        store.suppressions.take(bounce(sent(store, ada, f"d{age}"), at=NOW + age * DAY), NOW + DAY)
    assert store.suppressions.remove("ADA@example.org")
    assert not store.suppressions.remove("ADA@example.org")
    third = bounce(sent(store, ada, "d3"), at=NOW + 3 * DAY)
    assert store.suppressions.take(third, NOW + 3 * DAY) is Taken.NOTED
    fourth = bounce(sent(store, ada, "d4"), at=NOW + 4 * DAY)
    assert store.suppressions.take(fourth, NOW + 4 * DAY) is Taken.SUPPRESSED


def test_an_address_is_suppressed_by_hand_once(store: Store) -> None:
    assert store.suppressions.add("ada@example.org", "asked by telephone", NOW)
    assert not store.suppressions.add("ADA@example.org", "again", NOW)
    (one,) = store.suppressions.all()
    assert (one.cause, one.reason) == (Cause.HAND, "asked by telephone")


def test_old_reports_are_forgotten_and_suppressions_are_not(store: Store) -> None:
    ada = reader(store)
    for age in range(2):
        store.suppressions.take(bounce(sent(store, ada, f"d{age}"), at=NOW + age * DAY), NOW + DAY)
    assert store.suppressions.forget_old(NOW + KEPT) == 0
    assert store.suppressions.forget_old(NOW + KEPT + 2 * DAY) == 2
    assert store.suppressions.returned() == []
    assert len(store.suppressions.all()) == 1


def accepted(store: Store, to: Subscriber, key: str) -> str:
    """The public id of a delivery that the relay took."""
    public_id = sent(store, to, key)
    for one in store.outbox.lease("sender", 10, NOW):
        settle(store, one, "sender", "accepted", NOW)
    return public_id


def test_what_comes_back_late_counts_against_the_address_it_was_sent_to(store: Store) -> None:
    ada = reader(store)
    first, second = accepted(store, ada, "one"), accepted(store, ada, "two")
    waiting = sent(store, ada, "three")
    ada = store.subscribers.change(ada.number, lambda one: replace(one, address="ada@new.example"))
    fourth = accepted(store, ada, "four")  # and the one that waited, to the new address

    store.suppressions.take(bounce(first), NOW)
    assert store.suppressions.take(bounce(second, at=NOW + DAY), NOW + DAY) is Taken.SUPPRESSED
    assert set(store.suppressions.among(["Ada@example.org", "ada@new.example"])) == {
        "Ada@example.org"
    }
    assert store.subscribers.by_number(ada.number).status is Status.ACTIVE

    store.suppressions.take(bounce(waiting), NOW)
    assert store.suppressions.take(bounce(fourth, at=NOW + DAY), NOW + DAY) is Taken.SUPPRESSED
    assert store.suppressions.among(["ada@new.example"])
    store.subscribers.erase(ada, b"")
    with store.database.read() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM former_address").scalar()
    assert kept == 0, "who is removed is not remembered"


def test_a_complaint_about_an_old_address_still_ends_the_subscription(store: Store) -> None:
    ada = reader(store)
    public_id = accepted(store, ada, "one")
    store.subscribers.change(ada.number, lambda one: replace(one, address="ada@new.example"))
    assert store.suppressions.take(bounce(public_id, Kind.COMPLAINT), NOW) is Taken.SUPPRESSED
    assert [one.address for one in store.suppressions.all()] == ["ada@example.org"]
    assert store.subscribers.by_number(ada.number).status is Status.UNSUBSCRIBED


def test_a_bounce_of_the_question_to_a_new_address_leaves_the_old_one_alone(store: Store) -> None:
    ada = reader(store)
    for key in ("one", "two"):
        one = Prepared(ada, "move", key, b"Ada@typo.example", NOW + DAY, None, None)
        store.deliveries.freeze([one], [], channel="smtp", domain="example.org", now=NOW)
    first, second = (row.public_id for row in store.deliveries.history())
    store.suppressions.take(bounce(first), NOW)
    assert store.suppressions.take(bounce(second, at=NOW + DAY), NOW + DAY) is Taken.SUPPRESSED
    assert [one.address for one in store.suppressions.all()] == ["ada@typo.example"]
