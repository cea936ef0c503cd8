"""Reasons: why a paper is in a digest, in the words and places that did it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, cast

from digest.match.score import age
from subscribers.finding import Hit, categories, signal_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest.papers import Paper
    from subscribers.finding import Found
    from subscribers.tree import Query

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
class Match:
    """A paper that fits a profile: the line it fits best (0: the whole, top ten), and why."""

    paper: int
    line: int
    score: float
    reasons: tuple[Reason, ...]
    also_lines: tuple[int, ...] = ()


def reasons_for(
    query: Query, paper: Paper, found: Sequence[Found], now: datetime
) -> tuple[Reason, ...]:
    """Why this paper is in, best line first: title, abstract, organization, authors, floors."""
    told: dict[tuple[ReasonKind, str], Reason] = {}
    for each in found:
        by_term: dict[tuple[str, bool], list[Hit]] = {}
        for hit in each.hits:
            by_term.setdefault((hit.term, hit.field == "author"), []).append(hit)
        for (term, is_author), hits in by_term.items():
            reason = _authored(paper, hits) if is_author else _termed(paper, term, hits)
            told.setdefault((reason.kind, reason.text.casefold()), reason)
        for floor in each.floors:
            text = _passed(paper, floor, now)
            told.setdefault((ReasonKind.FLOOR, text), Reason(ReasonKind.FLOOR, text))
    if not told:
        # Only what is not there brought it in (a OR -b): the line itself is the reason.
        line = next(line for line in query.lines if line.number == found[0].line)
        return (Reason(ReasonKind.TERM, line.text, "line"),)
    order = {"title": 0, "abstract": 1, "summary": 1, "org": 2, "author": 3, "": 5}
    return tuple(sorted(told.values(), key=lambda reason: order.get(reason.field, 4)))


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


def _since(paper: Paper, now: datetime) -> str:
    if paper.first_seen_at is None and paper.published_at is None:
        return ""
    hours = max(round(age(paper, now)), 1)
    if hours <= _HOURS_TOLD:
        return f" in {hours} hour{'s' if hours > 1 else ''}"
    return f" in {round(hours / _DAY)} days"
