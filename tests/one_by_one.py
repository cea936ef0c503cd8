"""Matching one by one, for tests: every profile against every paper, literally.

What `digest.match.engine` must agree with: the same papers, order, scores, lines and reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.match.reasons import Reason, ReasonKind, told_by, trend_reason
from digest.match.score import (
    POINT,
    coefficients,
    fresh_points,
    line_points,
    ranks,
    rarity,
    strength,
    trend,
    trend_points,
)
from digest.match.stored import distinct
from subscribers.finding import Found, Reading, found_in, is_excluded
from subscribers.profile import Order
from subscribers.query import check

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest.match import Match
    from digest.papers import Paper
    from subscribers.profile import Profile
    from subscribers.tree import Line, Query, Term


class Shelf:
    """The papers at hand: folded once, ranked once, and counted per term as terms are asked for."""

    def __init__(self, papers: Sequence[Paper], now: datetime) -> None:
        self.papers = papers
        self.now = now
        self.readings = [Reading(paper) for paper in papers]
        self.trends = [trend(paper, now) for paper in papers]
        self.extra = [trend_points(paper, now) + fresh_points(paper, now) for paper in papers]
        self.rank = ranks(papers, self.trends)
        self._rarities: dict[Term, int] = {}

    def rarity(self, term: Term) -> int:
        """How rare the term is among these papers, in thousandths."""
        if term not in self._rarities:
            having = sum(bool(reading.hits(term)) for reading in self.readings)
            self._rarities[term] = rarity(having, len(self.papers))
        return self._rarities[term]

    def points(self, line: Line, place: int) -> int:
        """What one paper scores for one line, in thousandths."""
        reading = self.readings[place]
        return line_points(
            sum(
                coefficient * self.rarity(term) * amount
                for term, coefficient in coefficients(line.tree)
                if (amount := strength(term, reading))
            )
        )


@dataclass(frozen=True)
class Literal:
    """What a match says."""

    paper: int
    line: int
    score: float
    reasons: tuple[Reason, ...]
    also_lines: tuple[int, ...] = ()


def as_literal(match: Match) -> Literal:
    """The same of a match that the engine made."""
    return Literal(match.paper, match.line, match.score, match.reasons, match.also_lines)


@dataclass(frozen=True, slots=True)
class _Scored:
    place: int
    points: int
    found: tuple[Found, ...]


def rank_one_by_one(
    papers: Sequence[Paper], profiles: Sequence[Profile], *, now: datetime
) -> list[list[Literal]]:
    """Per profile, every paper it matches, best first."""
    shelf = Shelf(papers, now)
    return [_ranked(profile, shelf) for profile in profiles]


def _ranked(profile: Profile, shelf: Shelf) -> list[Literal]:
    query = distinct(check(profile.text)[0])
    scored = list(_top_ten(query, shelf) if query.is_empty else _asked(query, shelf))
    if profile.order is Order.TRENDING or query.is_empty:
        scored.sort(key=lambda each: shelf.rank[each.place])
    else:
        scored.sort(key=lambda each: (-each.points, shelf.rank[each.place]))
    return [_match(query, each, shelf) for each in scored]


def _top_ten(query: Query, shelf: Shelf) -> list[_Scored]:
    return [
        _Scored(place, shelf.extra[place], ())
        for place, reading in enumerate(shelf.readings)
        if not is_excluded(query, reading)
    ]


def _asked(query: Query, shelf: Shelf) -> list[_Scored]:
    lines = {line.number: line for line in query.asks}
    scored = []
    for place, reading in enumerate(shelf.readings):
        found = found_in(query, reading)
        if not found:
            continue
        points = {each.line: shelf.points(lines[each.line], place) for each in found}
        ordered = tuple(sorted(found, key=lambda each: (-points[each.line], each.line)))
        scored.append(_Scored(place, sum(points.values()) + shelf.extra[place], ordered))
    return scored


def _match(query: Query, scored: _Scored, shelf: Shelf) -> Literal:
    paper = shelf.papers[scored.place]
    lines = {line.number: line for line in query.lines}
    numbers = [each.line for each in scored.found]
    if numbers:
        reading = shelf.readings[scored.place]
        told = [told_by(lines[number], reading, shelf.now) for number in numbers]
        first = lines[numbers[0]]
        reasons = _together(told) or (Reason(ReasonKind.TERM, first.text, "line"),)
    else:
        reasons = (trend_reason(paper, shelf.now),)
    return Literal(
        paper.number,
        numbers[0] if numbers else 0,
        scored.points / POINT,
        reasons,
        tuple(sorted(numbers[1:])),
    )


def _together(lines: Sequence[tuple[Reason, ...]]) -> tuple[Reason, ...]:
    """Each reason once: title, abstract, organization, author, what is no text, counts."""
    found: list[Reason] = []
    for reason in (reason for line in lines for reason in line):
        if all((reason.kind, reason.text.casefold()) != (o.kind, o.text.casefold()) for o in found):
            found.append(reason)
    fields = [{"title"}, {"abstract", "summary"}, {"org"}, {"author"}, {"category", "source", "id"}]
    return tuple(reason for group in [*fields, {""}] for reason in found if reason.field in group)
