"""A reader's settings as a form: what it shows, what it reads back, what is wrong with it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from digest.papers import tidy_text
from digest.phrases import cadence_words
from subscribers.grammar import MAX_TEXT
from subscribers.profile import MAX_INTERESTS, Layout, Order, Profile
from subscribers.query import check
from subscribers.subscriber import Cadence, Schedule, Status
from subscribers.synonyms import read_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from digest.errors import QueryError
    from digest.web.pages import Form
    from subscribers.subscriber import Subscriber

Chosen = TypeVar("Chosen")
Default = TypeVar("Default")

MAX_QUERY: Final = 4_000
MAX_MUTED: Final = 200
LIMITS: Final = (5, 10, 20, 30, 50, 0)
LEFT: Final = "You have left this list, so there is nothing to set. Undo leaving, or sign up again."
LONGEST_PAUSE: Final = timedelta(days=366)

CADENCES: Final = {
    Cadence.WEEKDAYS: "Every weekday",
    Cadence.DAILY: "Every day",
    Cadence.WEEKLY: "Once a week",
    Cadence.MONTHLY: "Once a month",
}
QUIET: Final = {
    "week": "a word after a week without a mail",
    "day": "one line on each such day",
    "never": "no mail",
}
LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FLOORS: Final = {0.0: "everything that matches", 1.5: "what fits well", 3.0: "what fits very well"}
"""Lowest scores, as digest.match.score counts them: a rare word in a title alone makes three."""
LAYOUTS: Final = {
    Layout.FULL: "Title, authors and summary",
    Layout.COMPACT: "Title and one line",
    Layout.TITLES: "Titles only",
}


@dataclass(frozen=True, slots=True)
class Repair:
    """A way out of a mistake: what the button says and what the line becomes."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake in a keyword text, cut so that a page can underline its place."""

    line: int
    reason: str
    before: str
    place: str
    after: str
    repairs: tuple[Repair, ...]


@dataclass(frozen=True, slots=True)
class Edited:
    """What a posted form asks for: the reader as it would be, and why it cannot be saved yet.

    `mistakes` is one tuple per profile, in order; `problems` are sentences about other fields.
    """

    reader: Subscriber
    mistakes: tuple[tuple[Mistake, ...], ...]
    problems: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether it can be saved."""
        return not self.problems and not any(self.mistakes)


def mistakes(text: str) -> tuple[Mistake, ...]:
    """Every mistake in a keyword text, with its place and its repairs."""
    lines = text.split("\n")
    return tuple(_mistake(error, lines) for error in check(text)[1])


def _mistake(error: QueryError, lines: list[str]) -> Mistake:
    line = lines[error.line - 1] if error.line <= len(lines) else ""
    start = min(max(error.column - 1, 0), len(line))
    end = min(start + max(error.length, 1), len(line))
    return Mistake(
        line=error.line,
        reason=error.reason,
        before=line[:start],
        place=line[start:end],
        after=line[end:],
        repairs=tuple(Repair(error.line, repair) for repair in error.repairs),
    )


def whole(text: str) -> int:
    """The number that was sent, which has at most 18 digits; -1 for anything else."""
    return int(text) if text.isdecimal() and len(text) < 19 else -1  # noqa: PLR2004 -- 64 bits


def repaired(text: str, order: str) -> str:
    """The text with one line replaced, as a repair button asks ("2:machine unlearning")."""
    number, _, line = order.partition(":")
    lines = text.split("\n")
    if 1 <= (row := whole(number)) <= len(lines):
        lines[row - 1] = line.replace("\n", " ")
    return "\n".join(lines)


def read(form: Form, reader: Subscriber, now: datetime) -> Edited:
    """The reader as the form wants it; a field that was not sent stays as it is.

    A profile is the fields `text-N`, `name-N`, `limit-N`, `layout-N`, `order-N`, `floor-N`,
    `versions-N`, `diverse-N` and `library-N`, with `remove-N` to drop it, `repair-N` for a
    pressed repair button, and `up` for the number of the one to move up. Raises nothing: what is
    wrong is in the answer.
    """
    problems: list[str] = []
    profiles, found = _profiles(form, reader)
    schedule = _schedule(form, reader.schedule, problems)
    synonyms = _synonyms(form, reader.synonyms, problems)
    quiet = form["quiet"] if form["quiet"] in QUIET else quiet_wish(reader)
    edited = replace(
        reader,
        profiles=profiles,
        schedule=schedule,
        layout=_choice(Layout, form["layout"], reader.layout),
        language=form["language"] if form["language"] in LANGUAGES else reader.language,
        muted_words=_lines(form, "muted_words", reader.muted_words),
        muted_authors=_lines(form, "muted_authors", reader.muted_authors),
        synonyms=synonyms,
        summaries=_switch(form, "summaries", is_on=reader.summaries),
        figures=_switch(form, "figures", is_on=reader.figures),
        quiet_notes=quiet == "week",
        empty_days=quiet == "day",
    )
    if schedule != reader.schedule and edited.status is Status.ACTIVE:
        edited = edited.reschedule(now)
    elif schedule != reader.schedule and edited.status is Status.PAUSED:
        edited = edited.pause(edited.paused_until, now)
    return Edited(edited, found, tuple(problems))


def _profiles(
    form: Form, reader: Subscriber
) -> tuple[tuple[Profile, ...], tuple[tuple[Mistake, ...], ...]]:
    profiles: list[Profile] = []
    found: list[tuple[Mistake, ...]] = []
    raised = form["up"]
    for number in range(MAX_INTERESTS):
        if f"text-{number}" not in form:
            break
        is_known = number < len(reader.profiles)
        text = form[f"text-{number}"][: MAX_TEXT + 1].strip("\n")
        if form[f"remove-{number}"] or (not is_known and not text.strip()):
            continue
        if repair := form[f"repair-{number}"]:
            text = repaired(text, repair)
        before = reader.profiles[number] if is_known else Profile()
        profile = replace(
            before,
            text=text if text.strip() else "",
            name=tidy_text(form[f"name-{number}"], 80),
            limit=limit_of(form[f"limit-{number}"], before.limit),
            layout=_choice(Layout, form[f"layout-{number}"], None),
            order=_choice(Order, form[f"order-{number}"], before.order),
            lowest_score=_floor(form[f"floor-{number}"], before.lowest_score),
            new_versions=_switch(form, f"versions-{number}", is_on=before.new_versions),
            diverse=_switch(form, f"diverse-{number}", is_on=before.diverse),
            skip_library=_switch(form, f"library-{number}", is_on=before.skip_library),
        )
        at = len(profiles) - (raised == str(number) and bool(profiles))
        profiles.insert(at, profile)
        found.insert(at, mistakes(profile.text))
    if not profiles and "text-0" not in form:
        return reader.profiles, tuple(() for _ in reader.profiles)
    return tuple(profiles) or (Profile(),), tuple(found) or ((),)


def _schedule(form: Form, before: Schedule, problems: list[str]) -> Schedule:
    zone = form["zone"].strip() or before.zone
    if zone not in zones():
        problems.append(
            f"“{tidy_text(zone, 60)}” is no time zone we know. Write it as in Europe/Paris."
        )
        zone = before.zone
    weekday = whole(form["weekday"])
    return Schedule(
        cadence=_choice(Cadence, form["cadence"], before.cadence),
        at=_hour(form["hour"], before.at),
        zone=zone,
        weekday=weekday if 0 <= weekday < len(WEEKDAYS) else before.weekday,
    )


def _hour(value: str, before: time) -> time:
    """An hour, "7", or to the minute, "07:30"; the hour it was keeps its minutes."""
    try:
        at = time.fromisoformat(value) if ":" in value else time(int(value))
    except (ValueError, OverflowError):
        return before
    return before if ":" not in value and at.hour == before.hour else at.replace(tzinfo=None)


def _choice(kind: Callable[[str], Chosen], value: str, otherwise: Default) -> Chosen | Default:
    try:
        return kind(value)
    except ValueError:
        return otherwise


def limit_of(value: str, before: int) -> int:
    """How many papers of an interest a mail holds at most, as a form says it."""
    return limit if 0 <= (limit := whole(value)) <= 500 else before  # noqa: PLR2004 -- enough


def _floor(value: str, before: float) -> float:
    """A lowest score between 0 and 100, "1.5"."""
    try:
        score = float(value)
    except ValueError:
        return before
    return score if 0 <= score <= 100 else before  # noqa: PLR2004 -- as said


def _lines(form: Form, name: str, before: tuple[str, ...]) -> tuple[str, ...]:
    return listed(form[name]) if name in form else before


def listed(text: str) -> tuple[str, ...]:
    """Words or names to mute, one per line or between commas."""
    lines = (tidy_text(line, 80) for line in text.replace(",", "\n").split("\n"))
    return tuple(dict.fromkeys(filter(None, lines)))[:MAX_MUTED]


def _synonyms(form: Form, before: tuple[str, ...], problems: list[str]) -> tuple[str, ...]:
    """The reader's own synonyms, a line each; what is none is a problem and stays as typed."""
    if "synonyms" not in form:
        return before
    lines = (tidy_text(line, MAX_QUERY) for line in form["synonyms"].split("\n"))
    typed = tuple(dict.fromkeys(filter(None, lines)))[:MAX_MUTED]
    found = []
    for line in typed:
        try:
            found.append(" = ".join(read_group(line)))
        except ValueError as error:
            found.append(line)
            said = "Write it as MoE = mixture of experts"
            problems.append(f"“{tidy_text(line, 60)}” in your own synonyms: {error}. {said}.")
    return tuple(found)


def _switch(form: Form, name: str, *, is_on: bool) -> bool:
    """A checkbox that is off is not sent; the hidden field `has` says that it was there."""
    return bool(form[name]) if "has-switches" in form else is_on


def quiet_wish(reader: Subscriber) -> str:
    """What a reader wants to hear when nothing matches: a key of QUIET."""
    if reader.empty_days:
        return "day"
    return "week" if reader.quiet_notes else "never"


def fields(reader: Subscriber) -> dict[str, str]:
    """The fields that, read again, give this reader's settings: what Undo sends."""
    schedule = reader.schedule
    sent = {
        "has-switches": "1",
        "cadence": schedule.cadence.value,
        "hour": f"{schedule.at:%H:%M}",
        "zone": schedule.zone,
        "weekday": str(schedule.weekday),
        "layout": reader.layout.value,
        "language": reader.language,
        "quiet": quiet_wish(reader),
        "muted_words": "\n".join(reader.muted_words),
        "muted_authors": "\n".join(reader.muted_authors),
        "synonyms": "\n".join(reader.synonyms),
    }
    switches = ("summaries", "figures")
    sent |= {name: "1" for name in switches if getattr(reader, name)}
    for number, profile in enumerate(reader.profiles):
        sent |= {
            f"text-{number}": profile.text,
            f"name-{number}": profile.name,
            f"limit-{number}": str(profile.limit),
            f"layout-{number}": profile.layout.value if profile.layout else "",
            f"order-{number}": profile.order.value,
            f"floor-{number}": str(profile.lowest_score),
        }
        for name, is_on in (
            ("versions", profile.new_versions),
            ("diverse", profile.diverse),
            ("library", profile.skip_library),
        ):
            sent |= {f"{name}-{number}": "1"} if is_on else {}
    return sent


def pause_until(form: Form, reader: Subscriber, now: datetime) -> datetime | str | None:
    """The end of a pause as the form asks: an instant, None for open, or what is wrong with it."""
    text = form["until"].strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return "Please write the day as 2026-12-31."
    zone = ZoneInfo(reader.schedule.zone)
    try:
        until = datetime.combine(day, time(0), zone).astimezone(now.tzinfo)
    except OverflowError:  # the first day there is, or the last, elsewhere
        return "Please write the day as 2026-12-31."
    if until <= now:
        return "That day is not in the future."
    if until > now + LONGEST_PAUSE:
        return "That is more than a year away; leave the day empty to pause without an end."
    return until


def paused(reader: Subscriber, form: Form, now: datetime) -> tuple[Subscriber, str]:
    """The reader paused or resumed as the form asks, or what is wrong with it."""
    if reader.status not in {Status.ACTIVE, Status.PAUSED}:
        return reader, LEFT
    if form["do"] == "resume":
        return (reader.resume(now) if reader.status is Status.PAUSED else reader), ""
    until = pause_until(form, reader, now)
    if isinstance(until, str):
        return reader, until
    return reader.pause(until, now), ""


def state(reader: Subscriber) -> str:
    """One sentence: what this reader gets now."""
    usual = cadence_words(reader.schedule)
    match reader.status:
        case Status.ACTIVE if reader.next_due is not None:
            day = reader.schedule.local_day(reader.next_due)
            return f"You get new papers {usual}. The next mail can come on {day:%A, %-d %B}."
        case Status.ACTIVE:
            return f"You get new papers {usual}."
        case Status.PAUSED if reader.paused_until is not None:
            day = reader.schedule.local_day(reader.paused_until)
            return f"Paused. Mails begin again on {day:%A, %-d %B %Y}."
        case Status.PAUSED:
            return "Paused until you resume."
        case Status.PENDING:
            return "Not confirmed yet: the button is in the mail we sent you."
        case Status.UNSUBSCRIBED:
            return "You have left this list. We do not write to this address."


def fingerprint(reader: Subscriber) -> str:
    """Changes whenever a setting does, so that a second tab notices what the first one saved."""
    settings = (
        reader.profiles, reader.schedule, reader.layout, reader.summaries, reader.figures,
        reader.quiet_notes, reader.empty_days, reader.muted_words, reader.muted_authors,
        reader.language, reader.synonyms,
    )  # fmt: skip
    return hashlib.sha256(repr(settings).encode("utf-8", "replace")).hexdigest()[:16]


@cache
def zones() -> frozenset[str]:
    """Every IANA zone of this machine."""
    return frozenset(available_timezones())


def listed_zones() -> Iterator[str]:
    """The zones worth offering: the ones named after a place, and UTC."""
    yield "UTC"
    yield from sorted(zone for zone in zones() if "/" in zone and not zone.startswith("Etc/"))
