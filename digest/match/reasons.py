"""Reasons: why a paper is in a digest, in the words and places that did it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from itertools import count
from json.encoder import encode_basestring_ascii as _quoted
from typing import TYPE_CHECKING, Final, cast

from digest.match.score import age
from subscribers.finding import Hit, categories, evidence, signal_of
from subscribers.tree import Term

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest.match.index import Index
    from digest.papers import Paper
    from subscribers.finding import Reading
    from subscribers.tree import Line

_DAY: Final = 24
_HOURS_TOLD: Final = 48
_MOST_HITS: Final = 50
"""Places kept per reason: enough to mark a text, whatever a hostile abstract repeats."""
_MOST_TOLD: Final = 1 << 18
"""Reasons kept: some hundred megabytes at most."""


class ReasonKind(StrEnum):
    """What kind of thing brought a paper in."""

    TERM = "term"
    AUTHOR = "author"
    FLOOR = "floor"
    TREND = "trend"
    VERSION = "version"
    LEARNED = "learned"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: a term with the field and places it stands in, an author, a floor, the trend.

    `text` is the term as the reader wrote it, the author's name as the paper has it, or words
    that stand by themselves ("passed 20 upvotes today"). For a term `field` is the best field.
    """

    kind: ReasonKind
    text: str
    field: str = ""
    hits: tuple[Hit, ...] = ()
    _packed: str = dataclass_field(default="", init=False, repr=False, compare=False)

    @property
    def packed(self) -> str:
        """pack() as JSON, written once: a reason is shared by all who are shown it."""
        if not self._packed:
            hits = [
                f"[{_quoted(hit.term)},{_quoted(hit.field)},{hit.start},{hit.end}]"
                for hit in self.hits
            ]
            words = f"{_quoted(self.kind)},{_quoted(self.text)},{_quoted(self.field)}"
            object.__setattr__(self, "_packed", f"[{words},[{','.join(hits)}]]")
        return self._packed

    def pack(self) -> list[object]:
        """Plain lists and strings, for JSON."""
        return [
            self.kind.value,
            self.text,
            self.field,
            [[hit.term, hit.field, hit.start, hit.end] for hit in self.hits],
        ]

    @classmethod
    def unpack(cls, packed: Sequence[object]) -> Reason:
        """The reason that pack() made this of; ValueError for anything else."""
        try:
            kind, text, field, hits = packed
            places = tuple(
                Hit(str(term), str(where), int(start), int(end))
                for term, where, start, end in cast("list[list[str]]", hits)
            )
            return cls(ReasonKind(str(kind)), str(text), str(field), places)
        except (TypeError, ValueError) as error:
            reason = f"{packed!r:.80} is no packed reason"
            raise ValueError(reason) from error


class Teller:
    """What lines of keywords say of papers: found out once, however many readers share a line."""

    def __init__(self, index: Index, now: datetime) -> None:
        self._index = index
        self._now = now
        self._numbers: dict[tuple[str, str], int] = {}
        self._given = count()
        self._told: defaultdict[int, dict[int, tuple[Reason, ...]]] = defaultdict(dict)
        self._kept = 0

    def number(self, program: str, line: Line) -> int:
        """A number for a line with its stored form, the same for all that say the same."""
        # Of lines with one stored form, the name has the words as each was typed.
        key = program, line.name
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = next(self._given)
        return number

    def told(self, number: int, line: Line, place: int) -> tuple[Reason, ...]:
        """The reasons of a line, with its number, that a paper fits."""
        by_line = self._told[place]
        told = by_line.get(number)
        if told is None:
            told = by_line[number] = told_by(line, self._index.reading(place), self._now)
            self._kept += 1
            if self._kept > _MOST_TOLD:
                self._kept = 0
                self._told.clear()
                self._numbers.clear()
        return told


def told_by(line: Line, reading: Reading, now: datetime) -> tuple[Reason, ...]:
    """The reasons of one line that a paper fits; none where only what is not there fits."""
    tree, paper = line.tree, reading.paper
    if isinstance(tree, Term) and tree.patterns:
        return (_termed(paper, tree.text, reading.found(tree)),)
    hits, floors = evidence(tree, reading)
    by_term: dict[tuple[str, bool], list[Hit]] = {}
    for hit in hits:
        by_term.setdefault((hit.term, hit.field == "author"), []).append(hit)
    told = [
        _authored(paper, found) if is_author else _termed(paper, term, found)
        for (term, is_author), found in by_term.items()
    ]
    told += [Reason(ReasonKind.FLOOR, _passed(paper, floor, now)) for floor in floors]
    return tuple(told)


def together(lines: Sequence[tuple[Reason, ...]]) -> tuple[Reason, ...]:
    """The reasons of several lines, the best first, each once.

    In order: title, abstract, organization, authors, floors; in each as the lines come.
    """
    first: dict[tuple[str, ReasonKind], Reason] = {}
    for line in lines:
        for reason in line:
            first.setdefault((reason.text.casefold(), reason.kind), reason)
    found = [(_ORDER.get(reason.field, 4), n, reason) for n, reason in enumerate(first.values())]
    found.sort()
    return tuple([reason for _, _, reason in found])


_ORDER: Final = {"title": 0, "abstract": 1, "summary": 1, "org": 2, "author": 3, "": 5}


def _termed(paper: Paper, term: str, hits: Sequence[Hit]) -> Reason:
    field = hits[0].field
    if field == "category":
        return Reason(ReasonKind.TERM, categories(paper)[hits[0].start], field, tuple(hits))
    if field == "source":
        return Reason(ReasonKind.TERM, paper.listings[hits[0].start].label, field, tuple(hits))
    return Reason(ReasonKind.TERM, term, field, tuple(hits[:_MOST_HITS]))


def _authored(paper: Paper, hits: list[Hit]) -> Reason:
    name = paper.authors[hits[0].start].name
    return Reason(ReasonKind.AUTHOR, name, "author", tuple(hits[:_MOST_HITS]))


def _passed(paper: Paper, floor: str, now: datetime) -> str:
    signal, _, above = floor.partition(">")
    today = " today" if age(paper, now) <= _DAY else ""
    return f"passed {int(above):,} {signal}{today}"


def trend_reason(paper: Paper, now: datetime) -> Reason:
    """For readers of the top ten: "48 upvotes in 18 hours, 7 comments", or where it is new."""
    counts = [(signal_of(paper.signals, name), name) for name in ("upvotes", "comments", "stars")]
    told = [f"{count:,} {name if count != 1 else name[:-1]}" for count, name in counts if count]
    if told:
        told[0] += _since(paper, now)
        return Reason(ReasonKind.TREND, ", ".join(told))
    label = paper.listings[0].label if paper.listings else ""
    return Reason(ReasonKind.TREND, f"new in {label}" if label else "new")


def learned_reason(papers: int) -> Reason:
    """For what was ranked higher by what was learned: "like 3 papers you saved"."""
    return Reason(ReasonKind.LEARNED, f"like {papers} paper{'s' if papers > 1 else ''} you saved")


def _since(paper: Paper, now: datetime) -> str:
    if paper.first_seen_at is None and paper.published_at is None:
        return ""
    hours = max(round(age(paper, now)), 1)
    if hours <= _HOURS_TOLD:
        return f" in {hours} hour{'s' if hours > 1 else ''}"
    return f" in {round(hours / _DAY)} days"
