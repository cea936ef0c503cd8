"""How dates, counts, names and summaries are put into words. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from subscribers.subscriber import Cadence, Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from zoneinfo import ZoneInfo

    from digest.papers import Author, Paper

NBSP: Final = "\u00a0"
SUMMARY_WIDTH: Final = 300
FULL_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
FULL_DAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
_MONTHS: Final = tuple(month[:3] for month in FULL_MONTHS)
_DAYS: Final = tuple(day[:3] for day in FULL_DAYS)
_SENTENCE: Final = re.compile(r"[.!?。！？](?=\s|$)|[。！？]")


def counted(count: int, noun: str) -> str:
    """A count and its noun: "1 paper", "1,204 papers", glued by a no-break space."""
    plural = noun if count == 1 else f"{noun}s"
    return f"{count:,}{NBSP}{plural}"


def compact_count(count: int) -> str:
    """A count as it stands on a link: 986, 1.3k, 110k."""
    if count < 1_000:  # noqa: PLR2004 -- a thousand
        return str(count)
    thousands = count / 1_000
    return f"{thousands:.1f}k".replace(".0k", "k") if thousands < 100 else f"{thousands:.0f}k"  # noqa: PLR2004


def day_words(day: date) -> str:
    """Fri 20 Nov."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"


def date_words(day: date, *, full: bool = False) -> str:
    """20 Nov 2026, or 20 November 2026."""
    months = FULL_MONTHS if full else _MONTHS
    return f"{day.day} {months[day.month - 1]} {day.year}"


def since_words(since: datetime, until: datetime, zone: ZoneInfo) -> str:
    """Since yesterday at 07:00; since Monday at 07:00; since 3 Nov."""
    then, now = since.astimezone(zone), until.astimezone(zone)
    days = (now.date() - then.date()).days
    hour = f"at {then:%H:%M}"
    if days == 0:
        return f"since {hour.removeprefix('at ')} today"
    if days == 1:
        return f"since yesterday {hour}"
    if until - since < timedelta(days=7):
        return f"since {then:%A} {hour}"
    return f"since {date_words(then.date())}"


def cadence_words(schedule: Schedule) -> str:
    """Every weekday at 07:00 (Europe/Paris)."""
    weekday = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"][
        schedule.weekday
    ]
    often = {
        Cadence.DAILY: "every day",
        Cadence.WEEKDAYS: "every weekday",
        Cadence.WEEKLY: f"every {weekday}",
        Cadence.MONTHLY: "on the first of every month",
    }[schedule.cadence]
    return f"{often} at {schedule.at:%H:%M} ({schedule.zone})"


def authors_line(authors: Sequence[Author], *, most: int = 3) -> str:
    """Up to three names, else the first three "and 5 others"; `most=1` gives "Aldana et al."."""
    names = [author.name for author in authors]
    if len(names) <= 1:
        return "".join(names)
    if most == 1:
        return f"{names[0].split()[-1]} et al."
    if len(names) <= most:
        return joined(names)
    others = len(names) - most
    return f"{', '.join(names[:most])} and {others}{NBSP}other{'s' if others > 1 else ''}"


def joined(names: Sequence[str]) -> str:
    """A, B and C."""
    if len(names) <= 1:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def summary_of(paper: Paper, width: int = SUMMARY_WIDTH) -> str:
    """The source's own summary or else the abstract, cut at a sentence, at most `width` long."""
    text = paper.summary or paper.abstract
    if len(text) <= width:
        return text
    ends = [found.end() for found in _SENTENCE.finditer(text[:width])]
    if ends and ends[-1] >= width // 3:
        return text[: ends[-1]]
    return clip(text, width)


def clip(text: str, width: int) -> str:
    """The text, or as many of its words as fit with an ellipsis behind them."""
    if len(text) <= width:
        return text
    cut = text[: max(1, width - 1)]
    space = cut.rfind(" ")
    return (cut[:space] if space > width // 2 else cut).rstrip(" ,.;:") + "…"
