"""A pace means what it says: never more than so many in any stretch of that length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.pace import Pace, Rate, counts_still, domain_rates, rates

STEPS = st.lists(st.floats(0, 40, allow_nan=False), min_size=1, max_size=120)
START = 1_795_000_000.0


@given(st.integers(1, 20), STEPS)
def test_no_minute_ever_holds_more_than_the_rate(most: int, steps: list[float]) -> None:
    pace = Pace((Rate(most, 60),))
    now, sent = START, []
    for step in steps:
        now += step
        if pace.wait(now, relay="r") <= 0:
            pace.take(now, relay="r")
            sent.append(now)
    for moment in sent:
        assert sum(1 for other in sent if moment <= other < moment + 60) <= most


@given(st.integers(1, 20), STEPS)
def test_who_waits_as_long_as_told_may_go(most: int, steps: list[float]) -> None:
    pace = Pace((Rate(most, 60),))
    now = START
    for _ in steps:
        now += pace.wait(now, relay="r") + 1e-6
        assert pace.wait(now, relay="r") <= 0.002
        now += pace.wait(now, relay="r")
        pace.take(now, relay="r")


def test_what_was_counted_survives_a_restart() -> None:
    before = Pace((Rate(2, 3600),))
    for moment in (START, START + 60):
        before.take(moment, relay="r")
    kept = before.changed()
    assert before.changed() == []
    after = Pace((Rate(2, 3600),), taken=kept)
    assert after.wait(START + 120, relay="r") > 3000
    assert after.wait(START + 120, relay="another") == 0
    assert after.wait(START + 3700, relay="r") == 0
    scope, slot, _ = kept[0]
    assert counts_still(scope, slot, START + 60)
    assert not counts_still(scope, slot, START + 9000)


def test_a_rate_for_a_second_begins_as_just_used_up() -> None:
    pace = Pace((Rate(5, 1),), now=START)
    assert 0 < pace.wait(START + 0.01, relay="r") <= 1.1
    assert pace.wait(START + 1.1, relay="r") == 0


def test_a_clock_that_was_put_back_stops_nothing_for_ever() -> None:
    pace = Pace((Rate(1, 60),))
    for hours in range(70):
        pace.take(START + 3600 * hours, relay="r")
    assert pace.wait(START - 86_400, relay="r") <= 61


def test_a_domain_has_its_own_pace_and_any_other_the_rest() -> None:
    pace = Pace((), domain_rates("gmail.com 1/minute, * 2/minute"))
    pace.take(START, to="a@Gmail.com")
    pace.take(START, to="b@example.org")
    assert pace.wait(START, to="c@gmail.com") > 0
    assert pace.wait(START, to="d@example.org") == 0
    assert pace.wait(START, to="e@elsewhere.org") == 0


def test_rates_are_read_and_said() -> None:
    assert [str(rate) for rate in rates("14/second, 2000 per day")] == ["14/second", "2000/day"]
    assert domain_rates("Gmail.com 20/minute 500/hour")["gmail.com"] == (
        Rate(20, 60),
        Rate(500, 3600),
    )


@pytest.mark.parametrize(
    "text", ["", "14", "0/second", "14/week", "-1/day", "1.5/day", "14/second;"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no pace"):
        rates(text)


@pytest.mark.parametrize("text", ["gmail.com", "20/minute", "gmail 20/minute", "a b.com 2/day"])
def test_what_is_no_rate_of_a_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no pace"):
        domain_rates(text)
