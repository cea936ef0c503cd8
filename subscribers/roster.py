"""A roster: readers as a table with a heading, for moving them in and out. Pure.

Comma, semicolon or tab separated (RFC 4180), the first line names the columns. `address` is the
only one that has to be there. A reader's second interest is in columns that end in _2, and so
on. What a spreadsheet would take for a formula is written with an apostrophe before it, and read
back without.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from functools import cache
from io import StringIO
from typing import TYPE_CHECKING, Final, TypeVar
from zoneinfo import ZoneInfo

from digest.errors import AddressError, RosterError
from digest.papers import tidy_text
from subscribers.library import read_names
from subscribers.profile import Layout, Order, Profile
from subscribers.query import check
from subscribers.subscriber import Cadence, Status, Subscriber, normalize_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from enum import StrEnum

Choice = TypeVar("Choice", bound="StrEnum")

MOST_READERS: Final = 200_000
LONGEST_LINE: Final = 4_000_000
"""Characters of one line, and of one reader over however many lines."""
LONGEST_TEXT: Final = 4_000
"""Characters of one cell, but for that of a library."""
LIBRARY: Final = "library"
_ADDRESS_TOO: Final = frozenset({"email", "e-mail", "mail", "email address", "e-mail address"})
_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_YES, _NO = frozenset({"yes", "true", "1", "y", "on"}), frozenset({"no", "false", "0", "n", "off"})
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBERED: Final = re.compile(r"(?P<name>[a-z ]+?)[ _](?P<number>[2-9]|[1-9]\d{1,2})")


@dataclass(frozen=True, slots=True)
class Entry:
    """A reader as a line of the roster has it; `line` is where it begins, counted from 1.

    `consent_on` and `came_from` are the line's own day and place of consent, where it has them;
    `has_topics` says whether it names any keywords; `library` names the papers the reader has.
    """

    line: int
    reader: Subscriber
    consent_on: date | None
    has_topics: bool
    library: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a line, in words that say what would be right."""

    line: int
    said: str


class _WrongError(ValueError):
    """A cell that cannot be read; its text says what would be right."""


def read(lines: Iterable[str], defaults: Subscriber) -> Iterator[Entry | Trouble]:
    """Every reader of a roster, or what is wrong with its line; one line spoils no other.

    What a line leaves out is as in `defaults`. Raises RosterError for what is no roster at all:
    no heading, no column of addresses, too long, a quote that is never closed.
    """
    source = iter(_bounded(lines))
    first = next(source, "").lstrip("\ufeff")
    separator = max(",;\t", key=first.count)
    try:
        heading = next(csv.reader([first], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise RosterError(f"line 1 is no heading: {error}") from error
    columns = _columns(heading)
    seen: dict[str, int] = {}
    for line, cells in _records(source, separator):
        if not any(cell.strip() for cell in cells):
            continue
        if len(seen) >= MOST_READERS:
            raise RosterError(f"more than {MOST_READERS:,} readers: split the file")
        try:
            entry = _entry(line, columns, cells, defaults)
        except (_WrongError, AddressError) as error:
            yield Trouble(line, str(error))
            continue
        key = entry.reader.address.casefold()
        if key in seen:
            yield Trouble(line, f"{entry.reader.address} is on line {seen[key]} already")
            continue
        seen[key] = line
        yield entry


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise RosterError(f"line {number} is longer than {LONGEST_LINE:,} characters")
        if "\x00" in line:
            raise RosterError(f"line {number} holds what is no text: save the file as CSV in UTF-8")
        yield line


def _records(source: Iterator[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """The records behind the heading, each with the line it begins on."""
    begins, held = 2, 0

    def counted() -> Iterator[str]:
        nonlocal held
        for line in source:
            held += len(line)
            if held > LONGEST_LINE:
                raise RosterError(f"line {begins} opens a quote that is never closed")
            yield line

    csv.field_size_limit(LONGEST_LINE)
    reader = csv.reader(counted(), delimiter=separator, strict=True)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise RosterError(f"line {begins} cannot be read as CSV: {error}") from error
        yield begins, cells
        begins, held = reader.line_num + 2, 0


def _columns(heading: Sequence[str]) -> list[tuple[str, int]]:
    """(column, which interest) per cell; refuses a heading without addresses and unknown names."""
    columns: list[tuple[str, int]] = []
    known = [*_OF_READER, LIBRARY, *_OF_INTEREST]
    for cell in heading:
        name, number = cell.strip().lower().replace("_", " "), 1
        if numbered := _NUMBERED.fullmatch(name):
            name, number = numbered["name"], int(numbered["number"])
        name = "address" if name in _ADDRESS_TOO else name
        if name not in known or (number > 1 and name not in _OF_INTEREST):
            close = get_close_matches(name, known, n=1)
            named = [one.replace(" ", "_") for one in close or known]  # as they are exported
            hint = f"did you mean {named[0]!r}?" if close else f"there are {', '.join(named)}"
            raise RosterError(f"line 1: there is no column {cell.strip()[:60]!r}: {hint}")
        if (name, number) in columns:
            raise RosterError(f"line 1: the column {cell.strip()!r} is there twice")
        columns.append((name, number))
    if ("address", 1) not in columns:
        raise RosterError("line 1 names no column 'address': the first line names the columns")
    return columns


def _entry(
    line: int, columns: Sequence[tuple[str, int]], cells: Sequence[str], defaults: Subscriber
) -> Entry:
    if len(cells) > len(columns):
        raise _WrongError(f"it has {len(cells)} cells and the heading {len(columns)}")
    values: dict[int, dict[str, str]] = {}
    for (name, number), cell in zip(columns, cells, strict=False):
        text = bare(cell.strip("\r\n ")) if name != "address" else bare(cell.strip())
        if len(text) > LONGEST_TEXT and name != LIBRARY:
            raise _WrongError(f"{name} is longer than {LONGEST_TEXT:,} characters")
        if text:
            values.setdefault(number, {})[name] = text
    own = values.get(1, {})
    if "address" not in own:
        raise _WrongError("it has no address")
    reader = replace(defaults, address=normalize_address(own["address"]))
    for name, text in own.items():
        if name in _OF_READER:
            reader = _read_cell(name, _OF_READER[name].read, reader, text)
    interests = [
        _interest(values[number]) for number in sorted(values) if set(values[number]) & _INTERESTS
    ]
    if interests:
        reader = replace(reader, profiles=tuple(interests))
    consent = own.get("consent date", "")
    day = _day(consent) if consent else None
    library = _library(own.get(LIBRARY, ""))
    return Entry(line, reader, day, has_topics=bool(interests), library=library)


def _interest(values: Mapping[str, str]) -> Profile:
    profile = Profile()
    for name, text in values.items():
        if name in _OF_INTEREST:
            profile = _read_cell(name, _OF_INTEREST[name].read, profile, text)
    return profile


Read = TypeVar("Read", Subscriber, Profile)


def _read_cell(name: str, how: Callable[[Read, str], Read], one: Read, text: str) -> Read:
    try:
        return how(one, text)
    except _WrongError as error:
        raise _WrongError(f"{name}: {error}") from error


@dataclass(frozen=True, slots=True)
class _OfReader:
    read: Callable[[Subscriber, str], Subscriber]
    write: Callable[[Subscriber], str]


@dataclass(frozen=True, slots=True)
class _OfInterest:
    read: Callable[[Profile, str], Profile]
    write: Callable[[Profile], str]


def _one_of(kind: type[Choice], text: str) -> Choice:
    try:
        return kind(text.lower())
    except ValueError:
        raise _WrongError(f"{text!r} is none of {', '.join(kind)}") from None


def _truth(text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise _WrongError(f"{text!r} is neither yes nor no")


def _spoken(truth: bool) -> str:  # noqa: FBT001 -- the one thing it is about
    return "yes" if truth else "no"


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) > 1000:  # noqa: PLR2004 -- as `subscribers add`
        raise _WrongError(f"{text!r} is no number from 0 to 1000")
    return int(text)


def _score(text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        raise _WrongError(f"{text!r} is no number") from None
    if not 0 <= score <= 1000:  # noqa: PLR2004 -- as in a sheet; and not NaN, which no JSON holds
        raise _WrongError(f"{text!r} is no number from 0 to 1000")
    return score


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _WrongError(f"consent date: {text!r} is no date: write it as 2026-11-20") from None


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise _WrongError(f"{text!r} is no date: write it as 2026-11-20") from None
    if not 2000 <= instant.year < 2200:  # noqa: PLR2004 -- what comes behind it must be a date, too
        raise _WrongError(f"{text!r} is too far away: without it a pause has no end")
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _hour(text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 -- an hour on the wall
    except ValueError:
        raise _WrongError(f"{text!r} is no hour: write it as 07:00") from None


@cache
def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (OSError, ValueError, KeyError):
        raise _WrongError(f"{text!r} is no zone: write one as Europe/Paris") from None


def _weekday(text: str) -> int:
    if text.lower() not in _DAYS:
        raise _WrongError(f"{text!r} is none of {', '.join(_DAYS)}")
    return _DAYS.index(text.lower())


def _language(text: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise _WrongError(f"{text!r} is no language: write it as en")
    return text


def _keywords(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    mistakes = check(text)[1]
    if mistakes:
        raise _WrongError(str(mistakes[0]))
    return text


def _lines(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (tidy_text(line, 200) for line in text.splitlines())))


def _library(text: str) -> tuple[str, ...]:
    try:
        return read_names(text)
    except ValueError as error:
        raise _WrongError(f"{LIBRARY}: {error}") from error


def _scheduled(reader: Subscriber, **changed: object) -> Subscriber:
    return replace(reader, schedule=replace(reader.schedule, **changed))  # type: ignore[arg-type]


def _consent(reader: Subscriber) -> str:
    return str(reader.confirmed_at.astimezone(UTC).date()) if reader.confirmed_at else ""


_OF_READER: Final = {
    "address": _OfReader(lambda reader, _: reader, lambda reader: reader.address),
    "name": _OfReader(lambda r, text: replace(r, name=tidy_text(text, 200)), lambda r: r.name),
    "status": _OfReader(
        lambda r, text: replace(r, status=_one_of(Status, text)), lambda r: r.status.value
    ),
    "paused until": _OfReader(
        lambda r, text: replace(r, paused_until=_instant(text)),
        lambda r: r.paused_until.astimezone(UTC).isoformat() if r.paused_until else "",
    ),
    "consent date": _OfReader(lambda reader, _: reader, _consent),
    "consent source": _OfReader(
        lambda r, text: replace(r, came_from=tidy_text(text, 200)), lambda r: r.came_from
    ),
    "cadence": _OfReader(
        lambda r, text: _scheduled(r, cadence=_one_of(Cadence, text)),
        lambda r: r.schedule.cadence.value,
    ),
    "at": _OfReader(
        lambda r, text: _scheduled(r, at=_hour(text)), lambda r: f"{r.schedule.at:%H:%M}"
    ),
    "zone": _OfReader(lambda r, text: _scheduled(r, zone=_zone(text)), lambda r: r.schedule.zone),
    "weekday": _OfReader(
        lambda r, text: _scheduled(r, weekday=_weekday(text)),
        lambda r: _DAYS[r.schedule.weekday],
    ),
    "layout": _OfReader(
        lambda r, text: replace(r, layout=_one_of(Layout, text)), lambda r: r.layout.value
    ),
    "summaries": _OfReader(
        lambda r, text: replace(r, summaries=_truth(text)), lambda r: _spoken(r.summaries)
    ),
    "figures": _OfReader(
        lambda r, text: replace(r, figures=_truth(text)), lambda r: _spoken(r.figures)
    ),
    "quiet notes": _OfReader(
        lambda r, text: replace(r, quiet_notes=_truth(text)), lambda r: _spoken(r.quiet_notes)
    ),
    "language": _OfReader(
        lambda r, text: replace(r, language=_language(text)), lambda r: r.language
    ),
    "muted words": _OfReader(
        lambda r, text: replace(r, muted_words=_lines(text)), lambda r: "\n".join(r.muted_words)
    ),
    "muted authors": _OfReader(
        lambda r, text: replace(r, muted_authors=_lines(text)),
        lambda r: "\n".join(r.muted_authors),
    ),
    "synonyms": _OfReader(
        lambda r, text: replace(r, synonyms=_lines(text)), lambda r: "\n".join(r.synonyms)
    ),
}
_OF_INTEREST: Final = {
    "keywords": _OfInterest(lambda p, text: replace(p, text=_keywords(text)), lambda p: p.text),
    "interest": _OfInterest(lambda p, text: replace(p, name=tidy_text(text, 80)), lambda p: p.name),
    "limit": _OfInterest(lambda p, text: replace(p, limit=_number(text)), lambda p: str(p.limit)),
    "order": _OfInterest(
        lambda p, text: replace(p, order=_one_of(Order, text)), lambda p: p.order.value
    ),
    "interest layout": _OfInterest(
        lambda p, text: replace(p, layout=_one_of(Layout, text)),
        lambda p: p.layout.value if p.layout else "",
    ),
    "lowest score": _OfInterest(
        lambda p, text: replace(p, lowest_score=_score(text)),
        lambda p: f"{p.lowest_score:g}" if p.lowest_score else "",
    ),
    "new versions": _OfInterest(
        lambda p, text: replace(p, new_versions=_truth(text)), lambda p: _spoken(p.new_versions)
    ),
    "diverse": _OfInterest(
        lambda p, text: replace(p, diverse=_truth(text)), lambda p: _spoken(p.diverse)
    ),
    "skip library": _OfInterest(
        lambda p, text: replace(p, skip_library=_truth(text)), lambda p: _spoken(p.skip_library)
    ),
}
_INTERESTS: Final = frozenset(_OF_INTEREST)


Libraries = Mapping[int, Collection[str]]
"""The papers readers have, by the reader's number; who has none is left out."""
_NO_LIBRARIES: Final[Libraries] = {}


def write(readers: Sequence[Subscriber], libraries: Libraries = _NO_LIBRARIES) -> Iterator[str]:
    """The readers as CSV, line by line, the heading first; `read` of it gives them again."""
    most = max((len(reader.profiles) for reader in readers), default=1)
    heading = [name.replace(" ", "_") for name in (*_OF_READER, LIBRARY)]
    for number in range(1, most + 1):
        after = f"_{number}" if number > 1 else ""
        heading += [f"{name.replace(' ', '_')}{after}" for name in _OF_INTEREST]
    yield _line(heading)
    for reader in readers:
        cells = [column.write(reader) for column in _OF_READER.values()]
        cells.append("\n".join(sorted(libraries.get(reader.number, ()))))
        for profile in reader.profiles:
            cells += [column.write(profile) for column in _OF_INTEREST.values()]
        yield _line([guarded(cell) for cell in cells])


def _line(cells: Sequence[str]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()


def as_json(reader: Subscriber, library: Collection[str] = ()) -> dict[str, object]:
    """The reader as an object, names and values as in the table."""
    told: dict[str, object] = {
        name.replace(" ", "_"): column.write(reader) for name, column in _OF_READER.items()
    }
    told[LIBRARY] = sorted(library)
    told["interests"] = [
        {name.replace(" ", "_"): column.write(profile) for name, column in _OF_INTEREST.items()}
        for profile in reader.profiles
    ]
    return told


def guarded(cell: str) -> str:
    """The cell as no spreadsheet runs it (OWASP, CSV injection)."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def bare(cell: str) -> str:
    """The cell as it was before `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
