"""Reasons: why a paper is in a digest, in the words and places that did it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, Final, cast

from digest.match.score import age
from subscribers.finding import Hit, categories, evidence, signal_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from digest.papers import Paper
    from subscribers.finding import Reading
    from subscribers.tree import Line

_DAY: Final = 24
_HOURS_TOLD: Final = 48
_MOST_HITS: Final = 50
"""Places kept per reason: enough to mark a text, whatever a hostile abstract repeats."""


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


@dataclass(frozen=True, slots=True)
class Told:
    """A reason ready to be put among others: how early it stands, and what says the same."""

    order: int
    same: tuple[ReasonKind, str]
    reason: Reason


def told_by(line: Line, reading: Reading, now: datetime) -> tuple[Told, ...]:
    """The reasons of one line that a paper fits; none where only what is not there fits."""
    told = []
    hits, floors = evidence(line.tree, reading)
    by_term: dict[tuple[str, bool], list[Hit]] = {}
    for hit in hits:
        by_term.setdefault((hit.term, hit.field == "author"), []).append(hit)
    for (term, is_author), found in by_term.items():
        made = _authored(reading.paper, found) if is_author else _termed(reading.paper, term, found)
        told.append(made)
    told += [Reason(ReasonKind.FLOOR, _passed(reading.paper, floor, now)) for floor in floors]
    return tuple(
        Told(_ORDER.get(made.field, 4), (made.kind, made.text.casefold()), made) for made in told
    )


def together(lines: Iterable[tuple[Told, ...]]) -> tuple[Reason, ...]:
    """The reasons of several lines, the best first, each once.

    In order: title, abstract, organization, authors, floors; in each as the lines come.
    """
    first: dict[tuple[ReasonKind, str], Told] = {}
    for line in lines:
        for told in line:
            first.setdefault(told.same, told)
    return tuple(told.reason for told in sorted(first.values(), key=_order))


_ORDER: Final = {"title": 0, "abstract": 1, "summary": 1, "org": 2, "author": 3, "": 5}
_order: Final = attrgetter("order")


def _termed(paper: Paper, term: str, hits: list[Hit]) -> Reason:
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
