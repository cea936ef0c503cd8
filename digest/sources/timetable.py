"""When a source is asked next: what its lists do by themselves, and what its answers ask for.

Nothing here asks or reads a clock. A source without a timetable is asked once an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Final, Protocol

from digest.sources import FetchState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.sources import Source, Window

RETRY: Final = timedelta(minutes=25)
"""How long after an answer that was not complete the same day is asked for again."""
_LONGEST_RETRY: Final = timedelta(hours=12)
_PATIENT: Final = 4
"""Incomplete answers in a row after which an old day is asked for ever more seldom."""
_AHEAD: Final = 7
_DAY: Final = timedelta(days=1)
_SATURDAY: Final = 5


class Timetable(Protocol):
    """What the lists of a source do by themselves."""

    @property
    def span(self) -> timedelta | None:
        """How much of the past one question brings; None for what cannot be asked afterwards."""
        ...

    def opens(self, day: date) -> datetime | None:
        """When the list of a date is there; None where that date has none of its own."""
        ...

    def fills(self, day: date, at: datetime) -> bool:
        """Whether the list of a date can still gain papers at that instant."""
        ...

    def again(self, day: date, at: datetime) -> datetime | None:
        """When a complete answer of that instant is outdated; None when it never is."""
        ...


@dataclass(frozen=True, slots=True)
class Steady:
    """A source without list days: what it lists now, asked for at an interval."""

    every: timedelta = timedelta(hours=1)
    span: timedelta | None = None

    def opens(self, day: date) -> datetime | None:
        """No date has a list of its own."""
        del day
        return None

    def fills(self, day: date, at: datetime) -> bool:
        """What is listed now is all there is."""
        del day, at
        return False

    def again(self, day: date, at: datetime) -> datetime | None:
        """One interval later."""
        del day
        return at + self.every


@dataclass(frozen=True, slots=True)
class Daily:
    """A source with a list for each date.

    `opened` and `closed` are how long after midnight of the date, by the clocks of `zone`, its
    list opens and gains no more papers; `every` how often it is asked for meanwhile. For
    `moving` after that its votes are asked for again, each `seldom`.
    """

    zone: tzinfo = UTC
    opened: timedelta = timedelta()
    closed: timedelta = _DAY
    every: timedelta = timedelta(hours=6)
    moving: timedelta = timedelta()
    seldom: timedelta = timedelta(hours=8)
    weekdays: bool = False
    span: timedelta | None = _DAY

    def opens(self, day: date) -> datetime | None:
        """The instant (UTC) by the clocks there; None on a weekend where it keeps weekends."""
        if self.weekdays and day.weekday() >= _SATURDAY:
            return None
        return self._wall(day, self.opened)

    def fills(self, day: date, at: datetime) -> bool:
        """Until `closed`."""
        return at < self._wall(day, self.closed)

    def again(self, day: date, at: datetime) -> datetime | None:
        """Each `every` until it is closed, each `seldom` for `moving` after that, then never."""
        opened, closed = self._wall(day, self.opened), self._wall(day, self.closed)
        if at < closed:
            # The last question comes when the list is closed, and no sooner than it is open.
            return max(opened, min(at + self.every, closed))
        following = at + self.seldom
        return following if following < closed + self.moving else None

    def _wall(self, day: date, after: timedelta) -> datetime:
        midnight = datetime.combine(day, time(), self.zone)
        return (midnight + after).astimezone(UTC)


HOURLY: Final = Steady()


def timetable_of(source: Source) -> Timetable:
    """The timetable a source names, or hourly."""
    found: Timetable = getattr(source, "timetable", HOURLY)
    return found


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one list day: when it is due again (None: never), and whether it is good.

    `quiet_until` is when the server wants to be left alone until, if it said so.
    """

    good: bool
    next_at: datetime | None
    quiet_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The list days to ask a source for now, and when to ask it next if there are none."""

    due: frozenset[date]
    have: frozenset[date]
    next_at: datetime | None


def plan(timetable: Timetable, known: Mapping[date, Known], window: Window) -> Plan:
    """What to ask a source for at `window.now`, from what it answered before, by list day."""
    now = window.now
    have = frozenset(day for day, one in known.items() if one.good)
    if not known:
        return Plan(frozenset(window.days), have, now)
    quiet = max((one.quiet_until for one in known.values() if one.quiet_until), default=now)
    if all(timetable.opens(day) is None for day in window.days):
        # No list days: only the newest answer counts, and it stands for everything.
        newest = known[max(known)].next_at
        moments = {} if newest is None else dict.fromkeys(window.days, newest)
    else:
        days = [*window.days, *(window.until + n * _DAY for n in range(1, _AHEAD))]
        found = {day: known[day].next_at if day in known else timetable.opens(day) for day in days}
        moments = {day: moment for day, moment in found.items() if moment is not None}
    if not moments:
        return Plan(frozenset(), have, None)
    next_at = max(quiet, min(moments.values()))
    if next_at > now:
        return Plan(frozenset(), have, next_at)
    inside = set(window.days)
    due = frozenset(day for day, moment in moments.items() if day in inside and moment <= now)
    return Plan(due, have, next_at)


def after(  # noqa: PLR0917 -- one answer, its facts
    timetable: Timetable,
    day: date,
    state: FetchState,
    now: datetime,
    tries: int,
    wanted: datetime | None,
) -> datetime | None:
    """When to ask for a list day again after an answer of this state; None: never.

    `tries` counts the answers in a row that were not complete, this one included; `wanted` is
    what the server asked for. A day that is past and stays incomplete is asked for ever more
    seldom; one that is current, every 25 minutes.
    """
    if state.complete:
        following = timetable.again(day, now)
        return max(following, wanted) if following and wanted else following
    free = timetable.again(day, now)
    if free is not None and free <= now:
        return now  # asking costs nobody anything
    if state is FetchState.THROTTLED and wanted and wanted > now:
        return wanted
    if state is FetchState.MISCONFIGURED:
        pause = timedelta(hours=1)
    elif (now.date() - day).days > 1 and tries > _PATIENT:
        pause = min(_LONGEST_RETRY, RETRY * 2 ** min(10, tries - _PATIENT))
    else:
        pause = RETRY
    return max(now + pause, wanted or now)
