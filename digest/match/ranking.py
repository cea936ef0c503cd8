"""Rankings: what a profile matches, in order; each match finds out why when it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, overload

import numpy as np

from digest.match.reasons import Reason, ReasonKind, learned_reason, trend_reason
from digest.match.score import (
    COEFFICIENT_UNIT,
    POINT,
    STRENGTH_UNIT,
    Parts,
    coefficients,
    strength,
)
from digest.match.stored import atom

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import numpy.typing as npt

    from digest.match.desk import Desk, PointsOf
    from digest.match.engine import Answer, Engine
    from digest.match.learned import Learned
    from digest.match.stored import Understood
    from subscribers.tree import Line, Query

    Ints = npt.NDArray[np.int64]
    Places = npt.NDArray[np.int32]

_STRETCH: Final = 32
"""Matches that are made at once, as one walks through them."""


@dataclass(frozen=True, slots=True)
class TermScore:
    """One term of a line: how much of the line it is, how rare it is, how strongly it stands."""

    text: str
    share: float
    rarity: float
    strength: float

    @property
    def points(self) -> float:
        """Points it brings the line."""
        return self.share * self.rarity * self.strength


@dataclass(frozen=True, slots=True)
class LineScore:
    """A line that a paper fits, its points, and the terms that made them."""

    line: int
    text: str
    points: float
    terms: tuple[TermScore, ...]


class Match:
    """A paper that fits a profile: its number, its score in points, and why it fits."""

    __slots__ = ("_at", "_cell", "_shown", "paper", "ranking", "score")

    def __init__(  # noqa: PLR0917 -- made by a ranking only
        self, ranking: Ranking, at: int, paper: int, points: int, shown: Shown, cell: int
    ) -> None:
        self.ranking = ranking
        self._at = at
        self._shown = shown
        self._cell = cell
        self.paper = paper
        self.score = points / POINT

    def is_shown(self, shown: Shown, cell: int) -> None:
        """Have it explained together with others."""
        self._shown, self._cell = shown, cell

    @property
    def place(self) -> int:
        """Which of the papers at hand it is, counted from 0."""
        return int(self.ranking.places[self._at])

    @property
    def fits(self) -> Sequence[Line]:
        """The lines it fits, the one it fits best first."""
        return self._shown.lines(self._cell)

    @property
    def line(self) -> int:
        """The number of the line it fits best; 0 for the whole, which is the top ten."""
        lines = self.fits
        return lines[0].number if lines else 0

    @property
    def also_lines(self) -> tuple[int, ...]:
        """The other lines it fits."""
        return tuple(sorted([line.number for line in self.fits[1:]]))

    @property
    def parts(self) -> Parts:
        """What its score is made of."""
        return self.ranking.parts(self._at)

    @property
    def lines(self) -> tuple[LineScore, ...]:
        """The lines it fits, the best first, taken apart: what --explain prints."""
        return self.ranking.taken_apart(self._at)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why it is there, best first; never empty."""
        return tuple(map(Reason.of, self._packed))

    @property
    def packed(self) -> str:
        """The same as one text, a JSON list of their packed forms."""
        return f"[{','.join(self._packed)}]"

    @property
    def _packed(self) -> list[str]:
        told = self._shown.reasons(self._cell)
        if told and self.ranking.liked is None:
            return told
        return self.ranking.reasons(self._at, told, self.fits)

    def __repr__(self) -> str:
        return f"Match({self.paper}, line={self.line}, score={self.score}, {self.reasons})"


def distinct(rankings: Sequence[Ranking]) -> int:
    """How many papers are in one ranking at least; of the same engine, all of them."""
    if len(rankings) == 1:
        return len(rankings[0])
    places = [found.places for found in rankings]
    return len(np.unique(np.concatenate(places))) if places else 0


def explain(matches: Iterable[Match]) -> None:
    """Find out together why all of these are there: the same as one by one, and quicker."""
    together: dict[Answered, list[Match]] = {}
    for match in matches:
        together.setdefault(match.ranking.answered, []).append(match)
    for answered, some in together.items():
        some.sort(key=_row_of)
        asked = np.array([match.ranking.row for match in some], dtype=np.int64)
        rows, first = np.unique(asked, return_index=True)
        places = np.array([match.place for match in some], dtype=np.int32)
        shown = Shown(answered, rows, np.append(first, len(some)), places)
        for cell, match in enumerate(some):
            match.is_shown(shown, cell)


def _row_of(match: Match) -> int:
    return match.ranking.row


@dataclass(eq=False, slots=True)
class Answered:
    """Profiles that were answered together, each in a row; `liked` is what was learned."""

    engine: Engine
    desk: Desk
    asked: Sequence[Understood]
    liked: Sequence[Learned | None]
    answer: Answer


class Shown:
    """Papers shown to some profiles that were answered together, all of them explained.

    `rows` are the profiles, `places` the papers of all, one profile behind the other; those of
    the n-th are the cells from first[n] to first[n + 1]. Who asks why one paper is there will ask
    it of the others: lines that readers share are looked up once, and paper by paper.
    """

    def __init__(self, answered: Answered, rows: Ints, first: Ints, places: Places) -> None:
        self._answered = answered
        self._rows = rows
        self._first = first
        self._places = places

    def lines(self, cell: int) -> list[Line]:
        """The lines that a cell's paper fits, the best first."""
        begins, lines = self._lines
        return lines[begins[cell] : begins[cell + 1]]

    def reasons(self, cell: int) -> list[str]:
        """What these lines say of it, packed, the best first."""
        begins, texts = self._reasons
        return texts[begins[cell] : begins[cell + 1]]

    @cached_property
    def _fitting(self) -> tuple[Ints, Ints]:
        """Where the lines of each cell begin, and which they are: among those of all profiles."""
        begins, lines = self._answered.desk.fitting(self._rows, self._first, self._places)
        sizes = np.array([len(asked.programs) for asked in self._asked], dtype=np.int64)
        first = np.repeat(np.cumsum(sizes) - sizes, np.diff(begins[self._first]))
        return begins, first + lines

    @property
    def _asked(self) -> list[Understood]:
        return [self._answered.asked[row] for row in self._rows.tolist()]

    @cached_property
    def _lines(self) -> tuple[list[int], list[Line]]:
        begins, numbers = self._fitting
        lines = [line for asked in self._asked for line in asked.query.lines]
        return begins.tolist(), [lines[number] for number in numbers.tolist()]

    @cached_property
    def _reasons(self) -> tuple[list[int], list[str]]:
        begins, numbers = self._fitting
        cell = np.repeat(np.arange(len(self._places)), np.diff(begins))
        cell, texts = self._answered.engine.tell(
            [program for asked in self._asked for program in asked.programs],
            [line for asked in self._asked for line in asked.query.lines],
            cell,
            numbers,
            self._places.astype(np.int64)[cell],
        )
        return np.searchsorted(cell, np.arange(len(self._places) + 1)).tolist(), texts


class Ranking(Sequence[Match]):
    """One profile's matches, best first."""

    def __init__(self, answered: Answered, row: int, shown: Shown | None = None) -> None:
        self.answered = answered
        self.row = row
        self.shown = shown
        self.liked = answered.liked[row]
        # A view: the rankings of a whole block are held together.
        a, b = answered.answer.first[row : row + 2].tolist()
        self._first = a
        self.places, self.points = answered.answer.places[a:b], answered.answer.points[a:b]

    @property
    def papers(self) -> int:
        """How many papers were at hand."""
        return self.answered.engine.size

    @property
    def query(self) -> Query:
        """The profile's keywords as they were read, each line once."""
        return self.answered.asked[self.row].query

    def only(self, kept: npt.NDArray[np.bool_], lowest: float = 0.0) -> Ranking:
        """The matches among some papers, with that score at least; `kept` says it by place."""
        there = kept[self.places]
        if lowest > 0:
            there &= self.points / POINT >= lowest
        part = copy(self)
        part.places, part.points = self.places[there], self.points[there]
        part.shown = None
        return part

    def among(self, places: Collection[int]) -> list[Match]:
        """The matches that are one of a few papers, the best first."""
        at = np.flatnonzero(np.isin(self.places, list(places)))
        return [self[one] for one in at.tolist()]

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, at: int) -> Match: ...
    @overload
    def __getitem__(self, at: slice) -> list[Match]: ...
    def __getitem__(self, at: int | slice) -> Match | list[Match]:
        if isinstance(at, slice):
            return list(self._matches(range(*at.indices(len(self)))))
        at = range(len(self))[at]
        return next(self._matches(range(at, at + 1)))

    def __iter__(self) -> Iterator[Match]:
        # Most who ask take a few: what nobody comes to is not made.
        for start in range(0, len(self), _STRETCH):
            yield from self._matches(range(start, min(start + _STRETCH, len(self))))

    def _matches(self, wanted: range) -> Iterator[Match]:
        """The matches at some places of the order."""
        if not wanted:
            return
        papers, shown, first = self.answered.engine.papers, self.shown, self._first
        part = slice(wanted.start, wanted.stop if wanted.stop >= 0 else None, wanted.step)
        places = self.places[part]
        cells: Iterable[int] = range(len(places))
        if shown is None:
            row, ends = np.array([self.row]), np.array([0, len(places)])
            shown = Shown(self.answered, row, ends, places)
        else:
            cells = [first + at for at in wanted]
        found = zip(wanted, places.tolist(), self.points[part].tolist(), cells, strict=True)
        for at, place, points, cell in found:
            yield Match(self, at, papers[place].number, points, shown, cell)

    @cached_property
    def _points_of(self) -> list[PointsOf]:
        return self.answered.desk.points_of(self.row)

    def _fits(self, at: int) -> list[tuple[int, int]]:
        """The lines that a paper fits, from 0, behind their points below 0: the best first."""
        column = self.answered.engine.best.columns[self.places[at]]
        found = [(-each, n) for n, of in enumerate(self._points_of) if (each := of(column))]
        if len(found) > 1:
            found.sort()
        return found

    def reasons(self, at: int, told: list[str], lines: Sequence[Line]) -> list[str]:
        """Why a paper is there, packed, out of what the lines it fits say of it."""
        place, engine = self.places[at], self.answered.engine
        if not told and not lines:
            return [trend_reason(engine.papers[place], engine.now).packed]
        # Only what is not there may have brought it in (a OR -b): the line is the reason.
        told = told or [Reason(ReasonKind.TERM, lines[0].text, "line").packed]
        if self.liked is not None and self._learned[place] > 0:
            like = self.liked.like(engine.index.tfidf.of(int(place)))
            return [*told, learned_reason(like).packed] if like else told
        return told

    def taken_apart(self, at: int) -> tuple[LineScore, ...]:
        """The lines that a paper fits, with their terms."""
        engine = self.answered.engine
        index, reading = engine.index, engine.index.reading(int(self.places[at]))
        told = []
        for points, number in self._fits(at):
            line = self.query.lines[number]
            terms = []
            for term, coefficient in coefficients(line.tree):
                if amount := strength(term, reading):
                    having = index.rows([atom(term)]).nnz
                    rare = int(engine.rarity[having])
                    share = coefficient / COEFFICIENT_UNIT
                    terms.append(TermScore(term.text, share, rare / POINT, amount / STRENGTH_UNIT))
            told.append(LineScore(line.number, line.text, -points / POINT, tuple(terms)))
        return tuple(told)

    def parts(self, at: int) -> Parts:
        """What the points of a paper are made of."""
        place, points = int(self.places[at]), int(self.points[at])
        engine = self.answered.engine
        trend, fresh = engine.trend_points[place], engine.fresh_points[place]
        learned = int(self._learned[place])
        relevance = points - trend - fresh - learned
        return Parts(relevance / POINT, trend / POINT, fresh / POINT, learned / POINT)

    @cached_property
    def _learned(self) -> npt.NDArray[np.int64]:
        return self.answered.desk.learned(self.row)
