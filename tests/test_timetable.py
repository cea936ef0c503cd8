"""When a source is asked next: by its own calendar, by its answers, by what the server wants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.sources import FetchState, Options, Window, known, load
from digest.sources.arxiv import ArXiv
from digest.sources.huggingface import HuggingFace
from digest.sources.timetable import (
    RETRY,
    Daily,
    Known,
    Steady,
    Timetable,
    after,
    plan,
    timetable_of,
)

NEW_YORK = ZoneInfo("America/New_York")
FRIDAY = date(2026, 11, 20)
HOUR = timedelta(hours=1)
HF = timetable_of(HuggingFace())
ARXIV = timetable_of(ArXiv(Options(argument="cs.CL")))
INCOMPLETE = [state for state in FetchState if not state.complete]


def new_york(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=NEW_YORK).astimezone(UTC)


def test_daily_papers_are_asked_each_three_hours_until_the_day_is_over_then_for_its_votes() -> None:
    opened = new_york(FRIDAY - timedelta(days=1), 21, 30)
    assert HF.opens(FRIDAY) == opened
    assert HF.again(FRIDAY, opened) == opened + 3 * HOUR
    late = new_york(FRIDAY, 22, 30)
    assert HF.again(FRIDAY, late) == new_york(FRIDAY + timedelta(days=1), 0)
    asked, moment = 0, new_york(FRIDAY + timedelta(days=1), 0)
    while following := HF.again(FRIDAY, moment):
        assert following > moment
        moment, asked = following, asked + 1
    assert asked == 20  # each eight hours for seven days
    assert HF.fills(FRIDAY, late)
    assert not HF.fills(FRIDAY, moment)


@pytest.mark.parametrize("day", [date(2026, 3, 9), date(2026, 11, 2), date(2027, 3, 15), FRIDAY])
def test_arxivs_feed_is_asked_for_a_quarter_past_midnight_in_new_york_whatever_the_season(
    day: date,
) -> None:
    assert ARXIV.opens(day) == new_york(day, 0, 15)
    assert ARXIV.again(day, new_york(day, 0, 15)) is None  # one feed a day, and that is all of it


def test_arxiv_has_no_feed_on_a_weekend() -> None:
    assert ARXIV.opens(date(2026, 11, 21)) is None
    now = new_york(FRIDAY, 9)
    good = Known(good=True, next_at=None)
    week = Window.last(7, now)
    found = plan(ARXIV, dict.fromkeys(week.days, good), week)
    assert (found.due, found.next_at) == (frozenset(), new_york(date(2026, 11, 23), 0, 15))


def test_a_list_that_opens_on_the_day_clocks_change_opens_by_the_clocks_there() -> None:
    autumn, spring = date(2026, 11, 1), date(2027, 3, 14)
    assert HF.opens(autumn) == datetime(2026, 11, 1, 1, 30, tzinfo=UTC)
    assert HF.opens(spring) == datetime(2027, 3, 14, 2, 30, tzinfo=UTC)
    assert not HF.fills(autumn, datetime(2026, 11, 2, 5, 0, tzinfo=UTC))  # a day of 25 hours
    assert HF.fills(autumn, datetime(2026, 11, 2, 4, 59, tzinfo=UTC))
    assert not HF.fills(spring, datetime(2027, 3, 15, 4, 0, tzinfo=UTC))  # a day of 23


def test_what_was_never_asked_is_due_for_all_its_days() -> None:
    window = Window.last(7, new_york(FRIDAY, 9))
    for timetable in (HF, ARXIV, Steady()):
        assert plan(timetable, {}, window).due == frozenset(window.days)


def test_only_the_days_that_are_worth_it_are_asked_for() -> None:
    now = new_york(FRIDAY, 9)
    window = Window.last(7, now)
    closed = Known(good=True, next_at=None)
    missed = Known(good=False, next_at=now - HOUR)
    days = dict.fromkeys(window.days, closed) | {date(2026, 11, 18): missed}
    found = plan(ARXIV, days, window)
    assert found.due == {date(2026, 11, 18)}
    assert date(2026, 11, 18) not in found.have
    assert FRIDAY in found.have


def test_a_server_that_wants_quiet_has_it_on_all_its_days() -> None:
    now = new_york(FRIDAY, 9)
    window = Window.last(7, now)
    quiet = now + 2 * HOUR
    days = {FRIDAY: Known(good=False, next_at=now, quiet_until=quiet)}
    found = plan(HF, days, window)
    assert (found.due, found.next_at) == (frozenset(), quiet)


def test_a_source_without_list_days_waits_its_hour_also_over_midnight() -> None:
    asked = datetime(2026, 11, 20, 23, 50, tzinfo=UTC)
    days = {FRIDAY: Known(good=True, next_at=asked + HOUR)}
    early, late = asked + timedelta(minutes=20), asked + HOUR
    assert plan(Steady(), days, Window.last(7, early)).due == frozenset()
    assert plan(Steady(), days, Window.last(7, late)).due


@pytest.mark.parametrize("state", [FetchState.SUSPICIOUS, FetchState.FAILED, FetchState.PARTIAL])
@pytest.mark.parametrize("timetable", [HF, ARXIV, Steady(), Daily()])
def test_what_was_not_complete_is_asked_for_again_in_under_half_an_hour(
    timetable: Timetable, state: FetchState
) -> None:
    now = new_york(FRIDAY, 9)
    for tries in (1, 3, 40):
        assert after(timetable, FRIDAY, state, now, tries, None) == now + RETRY
    assert timedelta(minutes=20) <= RETRY <= timedelta(minutes=30)


def test_a_past_day_that_never_comes_is_asked_for_ever_more_seldom() -> None:
    now = new_york(FRIDAY, 9)
    past = FRIDAY - timedelta(days=3)
    pauses = []
    for tries in range(1, 12):
        again = after(ARXIV, past, FetchState.SUSPICIOUS, now, tries, None)
        assert again is not None
        pauses.append(again - now)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (RETRY, timedelta(hours=12))


def test_a_throttled_source_comes_back_when_it_was_told_to() -> None:
    now = new_york(FRIDAY, 9)
    for minutes in (1, 90):
        wanted = now + timedelta(minutes=minutes)
        assert after(HF, FRIDAY, FetchState.THROTTLED, now, 1, wanted) == wanted
    assert after(HF, FRIDAY, FetchState.THROTTLED, now, 1, None) == now + RETRY


def test_a_wrong_setting_is_tried_again_in_an_hour() -> None:
    now = new_york(FRIDAY, 9)
    assert after(HF, FRIDAY, FetchState.MISCONFIGURED, now, 9, None) == now + HOUR


def test_what_costs_nobody_anything_is_asked_each_time() -> None:
    now = new_york(FRIDAY, 9)
    free = timetable_of(load(["file:/nowhere"], {})[0])
    for state in FetchState:
        assert after(free, FRIDAY, state, now, 3, None) == now


@pytest.mark.parametrize("name", sorted(known()))
def test_every_source_keeps_an_hour_at_least_between_two_complete_answers(name: str) -> None:
    written = {"arxiv": "arxiv:cs.CL", "feed": "feed:https://example.org/rss", "file": "file:/x"}
    source = load([written.get(name, name if name == "hf" else f"{name}:x")], {f"{name}_key": "k"})
    timetable = timetable_of(source[0])
    following = timetable.again(FRIDAY, new_york(FRIDAY, 9))
    assert name == "file" or following is None or following - new_york(FRIDAY, 9) >= HOUR


@given(
    st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    st.integers(0, 23),
    st.sampled_from(FetchState),
    st.integers(1, 50),
)
def test_whatever_the_hour_the_next_try_lies_ahead_and_the_plan_is_not_due_before_it(
    day: date, hour: int, state: FetchState, tries: int
) -> None:
    now = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    for timetable in (HF, ARXIV, Steady(), Daily(closed=timedelta(days=2))):
        following = after(timetable, day, state, now, tries, None)
        assert following is None or following > now
        window = Window.last(7, now)
        days = dict.fromkeys(window.days, Known(state.complete, following))
        found = plan(timetable, days, window)
        assert not found.due
        assert found.next_at is None or found.next_at > now
