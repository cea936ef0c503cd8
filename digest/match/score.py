"""The score: how well a paper fits a profile, in parts that can be shown.

    score     = relevance + trend + freshness + learned            one point = 1000 here
    relevance = for each line that the paper fits, the sum over its terms of
                weight x share x rarity x strength
    share     = 1 / (words asked for together); a phrase counts double, and words that stand
                side by side as they were typed count once more as a phrase
    rarity    = ln(1 + N / n) / ln(1 + N): n of the N papers at hand have the term; 1 is unique
    learned   = 30 x the sum over the learned words of weight x TF-IDF, at most 5 either way;
                it reorders what the keywords found, and brings nothing in
    strength  = 1.5 for the title, and 1, 2, 2.5 or 3 for one, two, three, more times in the
                abstract; 3 for an author or an id, 2 for an organization, 0 for a filter

Scores are whole thousandths, so that they add up the same in every order of adding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from subscribers.tree import And, Field, Floor, Node, Not, Or, Term, adjacent, runs, wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from digest.papers import Paper
    from subscribers.finding import Reading

POINT: Final = 1000
"""Thousandths in a point."""
MOST_POINTS: Final = 1 << 19
"""The most that one line scores, so that two thousand of the heaviest lines still add up."""

TITLE: Final = 12
BODY: Final = (0, 8, 16, 20, 24)
STRENGTH_UNIT: Final = 8
_FIELD_STRENGTH: Final = {
    Field.AUTHOR: 24, Field.ID: 24, Field.ORG: 16, Field.CATEGORY: 0, Field.SOURCE: 0,
}  # fmt: skip
COEFFICIENT_UNIT: Final = 1000
SUM_UNIT: Final = COEFFICIENT_UNIT * STRENGTH_UNIT
"""What a sum of coefficient x rarity x strength is counted in, to a thousandth of a point."""
LEARNED_SUM_UNIT: Final = 10_000_000
"""What a sum of weight (in thousandths) x TF-IDF (in ten-thousandths) is counted in."""
_LEARNED_UNIT: Final = 30
_LEARNED_MOST: Final = 5 * POINT
_TREND_HALF_LIFE_HOURS: Final = 48.0
_FRESH_HALF_LIFE_HOURS: Final = 72.0
_LEAST_HOURS: Final = 6.0
_COMMENT: Final = 2.0
_STAR: Final = 3.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What a score is made of, in points."""

    relevance: float = 0.0
    trend: float = 0.0
    freshness: float = 0.0
    learned: float = 0.0

    @property
    def total(self) -> float:
        """The score itself."""
        return self.relevance + self.trend + self.freshness + self.learned


def trend(paper: Paper, now: datetime) -> float:
    """How much a paper is talked about now: votes an hour, halved every two days.

        (upvotes + 2 comments + 3 ln(1 + stars)) / max(hours, 6) x 2^(-hours / 48)

    with the hours since it was first seen. Counts that nobody told us add nothing.
    """
    signals, hours = paper.signals, age(paper, now)
    votes = (
        (signals.upvotes or 0)
        + _COMMENT * (signals.comments or 0)
        + _STAR * math.log1p(signals.stars or 0)
    )
    return votes / max(hours, _LEAST_HOURS) * math.exp2(-hours / _TREND_HALF_LIFE_HOURS)


def age(paper: Paper, now: datetime) -> float:
    """Hours since the paper was first seen, or published while it is not stored; at least 0."""
    since = paper.first_seen_at or paper.published_at
    return max((now - since).total_seconds() / 3600, 0.0) if since is not None else 0.0


def trend_points(paper: Paper, now: datetime) -> int:
    """The trend part of a score, in thousandths: under one point, a half at 2 votes an hour."""
    value = trend(paper, now)
    return round(POINT * value / (value + 2.0))


def fresh_points(paper: Paper, now: datetime) -> int:
    """The freshness part of a score, in thousandths: half a point, halved every three days."""
    return round(POINT / 2 * math.exp2(-age(paper, now) / _FRESH_HALF_LIFE_HOURS))


def learned_points(sums: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The learned part of scores, in thousandths, from sums of weight x TF-IDF in their units."""
    points = np.rint(sums * (_LEARNED_UNIT * POINT / LEARNED_SUM_UNIT))
    bounded: npt.NDArray[np.int64] = np.clip(points, -_LEARNED_MOST, _LEARNED_MOST).astype(np.int64)
    return bounded


def strength(term: Term, reading: Reading) -> int:
    """How much of a term a paper has, in eighths; 0 for a filter, and where it does not stand."""
    hits = reading.hits(term)
    if not hits:
        return 0
    if not term.field.is_text:
        return _FIELD_STRENGTH[term.field]
    in_title = sum(hit.field == "title" for hit in hits)
    in_body = len(hits) - in_title
    if term.near:
        # Each word of a near pair is a hit of its own.
        in_body = -(-in_body // len(term.patterns))
    return strength_of(in_title, in_body)


def field_strength(field: Field) -> int:
    """The strength of what stands in a field that is no running text, in eighths."""
    return _FIELD_STRENGTH[field]


def strength_of(in_title: int, in_body: int) -> int:
    """The strength of a term of text that stands so often, in eighths."""
    return (TITLE if in_title else 0) + BODY[min(in_body, len(BODY) - 1)]


def rarity(having: int, papers: int) -> int:
    """How rare a term is among the papers at hand, in thousandths of 1, which is unique."""
    if not having:
        return 0
    return round(POINT * math.log1p(papers / having) / math.log1p(papers))


@lru_cache(maxsize=1 << 14)
def coefficients(tree: Node) -> tuple[tuple[Term, int], ...]:
    """What each wanted term of a line counts for, in thousandths; weights are in it.

    Terms come without their weight, so that the same words of two readers are one term.
    """
    found: dict[Term, int] = {}
    for term, share in _shares(tree, 1.0):
        bare = Term(term.text, term.field, term.patterns, term.near)
        phrase = 2.0 if len(term.patterns) > 1 else 1.0
        count = round(COEFFICIENT_UNIT * term.weight * share * phrase)
        found[bare] = found.get(bare, 0) + count
    return tuple(found.items())


def _shares(node: Node, share: float) -> Iterator[tuple[Term, float]]:
    match node:
        case Term():
            yield node, share
        case Or(parts):
            for part in parts:
                yield from _shares(part, share)
        case And(parts):
            asked = [part for part in parts if _counts(part)]
            for part in asked:
                yield from _shares(part, share / len(asked))
            for run in runs(parts):
                yield adjacent(run), share / 2
        case Floor() | Not():
            return


def _counts(part: Node) -> bool:
    """Whether a part of a conjunction says what is wanted, rather than filter."""
    if isinstance(part, Term) and part.optional:
        return False
    return any(
        isinstance(leaf, Term) and _FIELD_STRENGTH.get(leaf.field, 1) for leaf in wanted(part)
    )


def line_points(total: int) -> int:
    """Thousandths of a point, from a sum of coefficient x rarity x strength; at least one."""
    return min(max(round(total / SUM_UNIT), 1), MOST_POINTS)


def ranks(papers: Sequence[Paper], trends: Sequence[float]) -> list[int]:
    """The order among equals: trend, then the later announcement, then the id."""

    def key(place: int) -> tuple[float, int, str]:
        announced = papers[place].announced_on
        return (-trends[place], -(announced.toordinal() if announced else 0), str(papers[place].id))

    ranks = [0] * len(papers)
    for rank, place in enumerate(sorted(range(len(papers)), key=key)):
        ranks[place] = rank
    return ranks
