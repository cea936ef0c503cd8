"""Reading what others send, where any field may be absent, null or of another type.

Each function answers with the value or with its kind of nothing, and never raises.
"""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_COUNT: Final = 2**31
"""What PostgreSQL keeps of a count; nobody counts so far."""
_NOTHING: Final[dict[str, object]] = {}
_YEARS: Final = range(1700, 2200)  # journals are older than computers; year 1 is a mistake
_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)


def decode_json(body: bytes) -> object:
    """The JSON value of a body in UTF-8, with or without BOM; raises ValueError for none."""
    try:
        return cast("object", json.loads(body.decode("utf-8-sig")))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def mapping(value: object) -> Mapping[str, object]:
    """The object, or an empty one."""
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else _NOTHING


def items(value: object) -> Sequence[object]:
    """The array, or an empty one."""
    return cast("Sequence[object]", value) if isinstance(value, list) else ()


def text(value: object) -> str:
    """The text, or a number as text, or nothing."""
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def texts(value: object) -> tuple[str, ...]:
    """Every text of an array that is not empty."""
    return tuple(filter(None, map(text, items(value))))


def count(value: object) -> int | None:
    """A count, also one written as text; None for what is absent or no count."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value.strip()):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MAX_COUNT:
        return None
    return value


def day(value: object) -> date | None:
    """The date a text begins with, if a paper can be of that year."""
    found = _DATE.match(value) if isinstance(value, str) else None
    try:
        of = date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
    return of if of and of.year in _YEARS else None


def instant(value: object) -> datetime | None:
    """The instant (UTC) of an ISO 8601 text; without zone it is read as UTC."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        utc = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return utc if utc.year in _YEARS else None


def calendar_day(year: int | None, month: int | None, on: int | None) -> datetime | None:
    """The instant (UTC) a date begins of which all but the year may be missing."""
    try:
        return midnight(date(year or 0, month or 1, on or 1)) if year in _YEARS else None
    except ValueError:
        return None


def midnight(of: date | None) -> datetime | None:
    """The instant (UTC) a date begins, for sources that give no time."""
    return datetime(of.year, of.month, of.day, tzinfo=UTC) if of else None


class _Words(HTMLParser):
    """Collects what a page would show."""

    _BLOCKS = frozenset({"p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "title"})
    _SILENT = frozenset({"script", "style"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        name = tag.rpartition(":")[2]
        self._silent += name in self._SILENT
        if name in self._BLOCKS:
            self.words.append(" ")

    def handle_endtag(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        self._silent = max(0, self._silent - (name in self._SILENT))
        if name in self._BLOCKS:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)


_MARKUP: Final = re.compile(r"</?[A-Za-z][A-Za-z0-9:]*(?:\s[^<>]*)?/?>")
_MAX_MARKUP: Final = 400_000


def plain(markup: str) -> str:
    """The text of an HTML or JATS fragment; a bare `<`, as in `$x<y$`, stays as it is."""
    markup = markup[:_MAX_MARKUP]
    if not _MARKUP.search(markup):
        return html.unescape(markup).strip()
    words = _Words()
    # Only what has the form of a tag is one: everything else between angles is mathematics.
    pieces = re.split(f"({_MARKUP.pattern})", markup)
    words.feed("".join(p if _MARKUP.fullmatch(p) else p.replace("<", "&lt;") for p in pieces))
    words.close()
    return " ".join("".join(words.words).split())
