"""When arXiv announces papers (info.arxiv.org/help/availability.html).

Papers received until 14:00 are announced at 20:00 New York time, Sunday to Thursday; the feed
dated D, rebuilt at midnight, carries what was announced on the evening of D-1. So feeds of
Monday to Friday carry papers, except after an evening on which arXiv announces nothing.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

NEW_YORK: Final = ZoneInfo("America/New_York")
_DEADLINE: Final = time(14, 0)
OPENED: Final = timedelta(minutes=15)
"""How long after midnight a feed is worth asking for: it is rebuilt in the first minutes."""
_SETTLED: Final = timedelta(minutes=30)
_DAY: Final = timedelta(days=1)
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6

# The evenings without announcement that arXiv has published. One that is missing here costs a
# needless question to a second endpoint, never a paper.
HOLIDAYS: Final = frozenset(
    {
        date(2026, 1, 1),
        date(2026, 1, 19),
        date(2026, 6, 19),
        date(2026, 7, 3),
        date(2026, 9, 7),
        date(2026, 11, 26),
        date(2026, 12, 25),
        date(2026, 12, 29),
        date(2026, 12, 31),
        date(2027, 1, 1),
    }
)


def newest_feed_day(now: datetime) -> date:
    """The date of the newest feed that exists at that instant."""
    return now.astimezone(NEW_YORK).date()


def is_settled(day: date, now: datetime) -> bool:
    """Whether the feed of that date has had time to be rebuilt."""
    return now >= datetime.combine(day, time(), NEW_YORK) + _SETTLED


def announces_on(evening: date) -> bool:
    """Whether papers are announced at 20:00 of that date."""
    return evening.weekday() not in {_FRIDAY, _SATURDAY} and evening not in HOLIDAYS


def carries_papers(day: date) -> bool:
    """Whether the feed of that date should have papers; on a holiday's own date it need not."""
    return announces_on(day - _DAY) and day not in HOLIDAYS


def received(day: date) -> tuple[datetime, datetime]:
    """When what the feed of that date carries was received: from and until (UTC)."""
    evening = day - _DAY
    before = evening - _DAY
    while not announces_on(before):
        before -= _DAY
    return _deadline(before), _deadline(evening)


def _deadline(evening: date) -> datetime:
    # What is announced on a Sunday was received until Friday.
    day = evening - 2 * _DAY if evening.weekday() == _SUNDAY else evening
    return datetime.combine(day, _DEADLINE, NEW_YORK).astimezone(UTC)
