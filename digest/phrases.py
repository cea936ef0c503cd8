"""How dates, counts, names and summaries are put into words. Pure."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from digest.language import DAY, DAY_OF_MONTH, ENGLISH, LISTED, NBSP, SHORT, WEEKDAY, WHOLE
from digest.retold import reason
from subscribers.subscriber import Cadence, Schedule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from digest.language import Language
    from digest.papers import Author

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
_SHOWN_AUTHORS: Final = 3
_WEEK: Final = timedelta(days=7)
_MONDAY: Final = 4
"""A day of January 2027 that is a Monday; weekdays are named by a date."""

# A full stop ends a sentence unless it stands behind an initial or one of these.
_END: Final = re.compile(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bet al)(?<!\bcf)(?<!\bvs)(?<!\bFig)(?<!\bEq)"
    r"(?<!\bresp)(?<!\b[A-Z])"
    r"[.!?][\"”’)\]]?(?=\s+[^a-z\s]|\s*$)|[。！？]"
)


def compact_count(count: int) -> str:
    """A count as it stands on a link: 986, 1.3k, 110k."""
    if count < 1_000:  # noqa: PLR2004 -- a thousand
        return str(count)
    thousands = count / 1_000
    return f"{thousands:.1f}k".replace(".0k", "k") if thousands < 99.95 else f"{thousands:.0f}k"  # noqa: PLR2004 -- three digits


@lru_cache(maxsize=4096)
def since_words(
    since: datetime, until: datetime, zone: ZoneInfo, language: Language = ENGLISH
) -> str:
    """Since yesterday at 07:00; since Monday at 07:00; since 3 Nov 2026."""
    then, now = since.astimezone(zone), until.astimezone(zone)
    days = (now.date() - then.date()).days
    at = f"{then:%H:%M}"
    if days == 0:
        return language.say("since {at} today", at=at)
    if days == 1:
        return language.say("since yesterday at~{at}", at=at)
    if until - since < _WEEK:
        return language.say("since {day} at~{at}", day=language.day(then, WEEKDAY), at=at)
    return language.say("since {date}", date=language.day(then, LISTED))


@lru_cache(maxsize=4096)
def cadence_words(schedule: Schedule, language: Language = ENGLISH) -> str:
    """Every weekday at 07:00 (Europe/Paris)."""
    say = language.say
    when = {
        "at": f"{schedule.at:%H:%M}",
        "zone": schedule.zone,
        "weekday": language.day(date(2027, 1, _MONDAY + schedule.weekday), WEEKDAY),
    }
    match schedule.cadence:
        case Cadence.DAILY:
            return say("every day at~{at} ({zone})", **when)
        case Cadence.WEEKDAYS:
            return say("every weekday at~{at} ({zone})", **when)
        case Cadence.WEEKLY:
            return say("every {weekday} at~{at} ({zone})", **when)
        case Cadence.MONTHLY:
            return say("on the first of every month at~{at} ({zone})", **when)


def day_words(day: date, language: Language = ENGLISH) -> str:
    """Fri 20 Nov."""
    return language.day(day, SHORT).replace(NBSP, " ")


def date_words(day: date, language: Language = ENGLISH, *, full: bool = False) -> str:
    """20 Nov 2026, or 20 November 2026."""
    return language.day(day, WHOLE if full else LISTED).replace(NBSP, " ")


def counted(count: int, noun: str) -> str:
    """A count and its English noun: "1 paper", "1,204 papers", glued by a no-break space."""
    return f"{count:,}{NBSP}{noun if count == 1 else f'{noun}s'}"


def authors_line(
    authors: Sequence[Author], language: Language = ENGLISH, *, most: int = _SHOWN_AUTHORS
) -> str:
    """Up to three names, else the first three "and 5 others"; `most=1` gives "Aldana et al."."""
    if most == 1:
        return first_author(authors)
    names = [author.name for author in authors]
    others = len(names) - most
    if others <= 0:
        return language.joined(names)
    return language.count(
        "{names} and {number}~other",
        "{names} and {number}~others",
        others,
        names=", ".join(names[:most]),
    )


def first_author(authors: Sequence[Author]) -> str:
    """The only author's name, else "Aldana et al."."""
    if not authors:
        return ""
    name = authors[0].name
    return name if len(authors) == 1 else f"{name.split()[-1]}{NBSP}et{NBSP}al."


def shortened(text: str, width: int = SUMMARY_WIDTH) -> str:
    """The text's first sentences, at most `width` characters of them; else its first words."""
    if len(text) <= width:
        return text
    ends = [found.end() for found in _END.finditer(text[: width + 2]) if found.end() <= width]
    if ends and ends[-1] >= width // 3:
        return text[: ends[-1]]
    return clip(text, width)


def first_upper(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


_COUNTED: Final = re.compile(
    r"(?P<count>[\d,]+) (?P<signal>upvote|comment|star)s?"
    r"(?: in (?P<span>\d+) (?P<unit>hour|day)s?)?"
)


def reason_words(text: str, language: Language = ENGLISH) -> str:
    """What matching says of a paper's counts ("48 upvotes in 18 hours, 7 comments"), in a language.

    What it does not know stays as it is.
    """
    if language.code == ENGLISH.code:
        return text
    told = reason(text, language)
    if told != text:
        return told
    return _COUNTED.sub(lambda found: _counted(found, language), text)


def _counted(found: re.Match[str], language: Language) -> str:
    number = int(found["count"].replace(",", ""))
    said = {
        "upvote": ("{number}~upvote", "{number}~upvotes"),
        "comment": ("{number}~comment", "{number}~comments"),
        "star": ("{number}~star", "{number}~stars"),
    }[found["signal"]]
    count = language.count(*said, number)
    if not found["span"]:
        return count
    span = int(found["span"])
    if found["unit"] == "hour":
        return language.count(
            "{count} in {number}~hour", "{count} in {number}~hours", span, count=count
        )
    return language.count("{count} in {number}~day", "{count} in {number}~days", span, count=count)


def clip(text: str, width: int) -> str:
    """The text, or as many of its words as fit with an ellipsis behind them."""
    if len(text) <= width:
        return text
    cut = text[: max(1, width - 1)]
    space = cut.rfind(" ")
    kept = cut[:space] if space > width // 2 else _whole(cut, text)
    return kept.rstrip(" ,.;:") + "…"


def _whole(cut: str, text: str) -> str:
    """The cut, not ending inside a character that is made of several."""
    while cut and _continues(text[len(cut)]):
        cut = cut[:-1]
    return cut or text[:1]


def _continues(character: str) -> bool:
    code = ord(character)
    return (
        0x0300 <= code <= 0x036F  # noqa: PLR2004 -- accents
        or code in {0x200D, 0xFE0F}  # joiner and emoji form
        or 0x1F3FB <= code <= 0x1F3FF  # noqa: PLR2004 -- skin tones
    )


def period_words(first: date, last: date, language: Language = ENGLISH) -> str:
    """16-20 Nov; 28 Oct-3 Nov."""
    same = (first.year, first.month) == (last.year, last.month)
    begins = language.day(first, DAY if same else DAY_OF_MONTH)
    return f"{begins}-{language.day(last, DAY_OF_MONTH)}"
