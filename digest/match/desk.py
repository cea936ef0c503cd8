"""The desk: one audience, the papers at hand, and what all blocks of profiles have in common.

Sums are kept in 16 bits for all profiles that fit, which is three times as fast as in 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import sparse

from digest.match.audience import IS_EVERYTHING, IS_TRENDING
from digest.match.rows import Rows, points_of, ranges
from digest.match.score import SUM_UNIT, learned_points
from digest.match.trees import Trees

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    from digest.match.audience import Audience, Programs
    from digest.match.best import Best
    from digest.match.index import Index

    Ints = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.int32]
    PointsOf = Callable[[int], int | None]
    Totals = npt.NDArray[np.uint16] | npt.NDArray[np.int32]

_TILE: Final = 1 << 19
"""Profiles times papers that are summed at once: what stays near the processor."""
_TREES: Final = 1 << 26
"""Trees times papers in a block of profiles, at about a tenth of a byte each."""
_BLOCK: Final = 1 << 14
"""The most profiles in a block."""
_NARROW: Final = (1 << 16) - 1
_HEAVY: Final = 48
"""A line in more than one of so many papers is added as a whole row rather than cell by cell."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which profile asks for which line: a row of the heavy ones, or of the light ones."""

    profile: Ints
    row: Ints
    heavy: Mask
    excluded: Mask

    def of(self, profiles: Mask) -> _Asked:
        """What only these profiles ask for; they are numbered anew."""
        kept = profiles[self.profile]
        number = np.cumsum(profiles) - 1
        return _Asked(
            number[self.profile[kept]], self.row[kept], self.heavy[kept], self.excluded[kept]
        )

    def between(self, start: int, end: int) -> _Asked:
        """What a stretch of the profiles asks for, numbered from 0."""
        a, b = np.searchsorted(self.profile, [start, end])
        return _Asked(self.profile[a:b] - start, self.row[a:b], self.heavy[a:b], self.excluded[a:b])


class Desk:
    """An audience before an index, ready to be answered block by block."""

    def __init__(self, audience: Audience, index: Index, best: Best, rarity: Ints) -> None:
        self._best = best
        programs = audience.programs
        programs.take_apart()
        strengths = index.rows(list(programs.atoms))
        rarities = rarity[np.diff(strengths.indptr)]
        strengths = sparse.csr_array(
            (strengths.data, best.column_of[strengths.indices], strengths.indptr),
            shape=(strengths.shape[0], best.width),
        )
        self._trees = Trees(programs, strengths, rarities, best.column_of)
        self._numbers = np.array(audience.numbers, dtype=np.int32)
        self._first = np.array(audience.first, dtype=np.int64)
        self._size = np.array(audience.size, dtype=np.int64)
        flags = np.frombuffer(bytes(audience.flags), dtype=np.uint8)
        self._everything = (flags & IS_EVERYTHING) > 0
        self._trending = (flags & IS_TRENDING) > 0
        self._excludes = np.frombuffer(bytes(programs.excludes), dtype=np.uint8) > 0
        self._learned = _learned(audience, index) if audience.learned else None
        self._learners = np.zeros(len(flags), dtype=bool)
        self._learners[list(audience.learned)] = True
        self._most = _most_points(programs, strengths, rarities)
        single = np.array(programs.single, dtype=np.int64)
        self._is_tree = single < 0
        counts = np.array(programs.count, dtype=np.int64)
        self._single(single, counts, strengths, rarities)
        self._points_of: dict[int, PointsOf] = {}

    def _single(
        self, atoms: Ints, counts: Ints, strengths: sparse.csr_array, rarities: Ints
    ) -> None:
        """The lines of one term: those in many papers as whole rows, others cell by cell."""
        lines = np.flatnonzero(atoms >= 0)
        atoms = atoms[lines]
        first = strengths.indptr[atoms].astype(np.int64)
        having = strengths.indptr[atoms + 1] - first
        many = having * _HEAVY > strengths.shape[1]
        self._row = np.full(len(self._is_tree), -1, dtype=np.int64)
        self._row[lines] = np.where(many, np.cumsum(many), np.cumsum(~many)) - 1
        self._is_heavy = np.zeros(len(self._is_tree), dtype=bool)
        self._is_heavy[lines] = many
        factor = rarities[atoms] * counts[lines]
        self._light = _scored(strengths, first[~many], having[~many], factor[~many])
        heavy = _scored(strengths, first[many], having[many], factor[many])
        wide = np.zeros((len(heavy.first) - 1, strengths.shape[1]), dtype=np.int32)
        wide[np.repeat(np.arange(len(wide)), having[many]), heavy.indices] = heavy.points
        # Rows that do not fit 16 bits belong to profiles that are summed in 32.
        self._wide, self._narrow = wide, wide.astype(np.uint16)

    def blocks(self) -> list[tuple[int, int]]:
        """Stretches of profiles: the first, and one past the last."""
        profiles = len(self._first)
        trees = float(self._is_tree[self._numbers].sum()) / profiles
        most = int(np.clip(_TREES / (trees * self._best.width + 1), 1, _BLOCK))
        return [(start, min(start + most, profiles)) for start in range(0, profiles, most)]

    def block(self, start: int, end: int, top: int) -> tuple[Ints, Places, Places]:
        """How many papers each profile of a stretch has, then all their places and points."""
        sizes = self._size[start:end]
        programs = self._numbers[ranges(self._first[start:end], sizes)].astype(np.int64)
        profile = np.repeat(np.arange(end - start), sizes)
        whole = end - start == len(self._size)
        row, light = self._whole if whole else self._with_trees(programs)
        heavy, excludes = self._is_heavy[programs], self._excludes[programs]
        asked = _Asked(profile, row[programs], heavy, excludes)
        most = np.bincount(profile, weights=self._most[programs], minlength=end - start)
        trending, everything = self._trending[start:end], self._everything[start:end]
        narrow = (most <= _NARROW) & ~trending & ~self._learners[start:end]
        wide = ~narrow & ~trending
        held = [
            self._best.of(totals, top)
            for totals in self._totals(asked.of(narrow), light, int(narrow.sum()), self._narrow)
        ]
        done = 0
        rows = start + np.flatnonzero(wide)
        for totals in self._totals(asked.of(wide), light, len(rows), self._wide):
            self._reorder(totals, rows[done : done + len(totals)])
            held.append(self._best.of(totals, top))
            done += len(totals)
        held += [
            self._best.trending(totals, top)
            for totals in self._totals(
                asked.of(trending), light, int(trending.sum()), self._wide, everything[trending]
            )
        ]
        counts, places, points = (np.concatenate(each) for each in zip(*held, strict=True))
        order = np.concatenate([np.flatnonzero(kind) for kind in (narrow, wide, trending)])
        back = np.argsort(order)
        cells = ranges((np.cumsum(counts) - counts)[back], counts[back])
        # A profile of everything was matched by one thousandth that is no score.
        points = points[cells] - np.repeat(everything, counts[back])
        return counts[back], places[cells], points

    def points_of(self, row: int) -> list[PointsOf]:
        """For each line of one profile, in the order they are stored in, what says its points.

        Asked with the column of a paper it says nothing, or 0, where the paper does not fit; a
        line that leaves out says nothing of any. For a small audience.
        """
        first = self._first[row]
        numbers = self._numbers[first : first + self._size[row]].tolist()
        return [self._points_of.get(number) or self._made(number) for number in numbers]

    def _made(self, program: int) -> PointsOf:
        """What says the points of one program, kept for the next who asks for it."""
        row, light = self._whole
        said: PointsOf
        if self._excludes[program]:
            said = _nothing
        elif self._is_heavy[program]:
            said = memoryview(self._wide[row[program]]).__getitem__
        else:
            a, b = light.first[row[program] : row[program] + 2].tolist()
            cells = light.indices[a:b].tolist(), light.points[a:b].tolist()
            said = dict(zip(*cells, strict=True)).get
        self._points_of[program] = said
        return said

    def fitting(self, rows: Ints, first: Ints, places: Places) -> tuple[Ints, Ints]:
        """Of each place that an answer gives some profiles, the lines it fits, the best first.

        The n-th of these rows is asked for places[first[n] : first[n + 1]]. The lines of cell n,
        counted from 0 in their profile, are lines[begins[n] : begins[n + 1]]: (begins, lines).
        For a small audience.
        """
        row, light = self._whole
        sizes = self._size[rows]
        number = self._numbers[ranges(self._first[rows], sizes)]
        profile = np.repeat(np.arange(len(rows)), sizes)
        heavy, excludes = self._is_heavy[number], self._excludes[number]
        asked = _Asked(profile, row[number], heavy, excludes)
        column, width = self._best.column_of[places], self._best.width
        held = []
        step = max(1, _TILE // width)
        for start in range(0, len(first) - 1, step):
            begins = first[start : start + step + 1]
            tile = asked.between(start, start + step)
            line = np.arange(len(tile.profile)) - np.searchsorted(tile.profile, tile.profile)
            # Which cell of the answer each cell of the tile is, if any.
            cells = np.arange(begins[0], begins[-1])
            there = np.repeat(np.arange(len(begins) - 1) * width, np.diff(begins)) + column[cells]
            cell_of = np.full((len(begins) - 1) * width, -1, dtype=np.int64)
            cell_of[there] = cells
            kept = ~tile.heavy & ~tile.excluded
            lengths = np.diff(light.first)[tile.row[kept]]
            places_in, points = self._cells(tile, light, kept)
            cell = cell_of[places_in]
            found = cell >= 0
            held.append((cell[found], points[found], np.repeat(line[kept], lengths)[found]))
            kept = tile.heavy & ~tile.excluded
            lengths = np.diff(begins)[tile.profile[kept]]
            cell = ranges(begins[tile.profile[kept]], lengths)
            points = self._wide[np.repeat(tile.row[kept], lengths), column[cell]]
            found = points > 0
            held.append((cell[found], points[found], np.repeat(line[kept], lengths)[found]))
        cell, points, lines = (np.concatenate(each) for each in zip(*held, strict=True))
        order = np.lexsort((lines, -points, cell))
        counts = np.bincount(cell, minlength=len(places))
        return np.concatenate([[0], np.cumsum(counts)]), lines[order]

    @cached_property
    def _whole(self) -> tuple[Ints, Rows]:
        """The rows of all programs, of an audience that is answered in one block."""
        return self._with_trees(np.arange(len(self._is_tree)))

    def _with_trees(self, programs: Ints) -> tuple[Ints, Rows]:
        """The row of each program, and the light rows with those of the trees among some."""
        order, trees = self._trees.rows(np.unique(programs[self._is_tree[programs]]))
        row = self._row.copy()
        row[order] = len(self._light.first) - 1 + np.arange(len(order))
        light = Rows(
            np.concatenate([self._light.first, trees.first[1:] + self._light.first[-1]]),
            np.concatenate([self._light.indices, trees.indices]),
            np.concatenate([self._light.points, trees.points]),
        )
        return row, light

    def _totals(
        self,
        asked: _Asked,
        light: Rows,
        profiles: int,
        heavy: Totals,
        everything: Mask | None = None,
    ) -> Iterator[Totals]:
        """Tile by tile: profiles x columns, the sum of what each asks for, 0 for no match."""
        step = max(1, _TILE // self._best.width)
        for start in range(0, profiles, step):
            tile = asked.between(start, start + step)
            many = min(step, profiles - start)
            whole = tile.row[tile.heavy]
            first = np.searchsorted(tile.profile[tile.heavy], np.arange(many + 1))
            ones = np.ones(len(whole), dtype=heavy.dtype)
            totals = sparse.csr_array((ones, whole, first), shape=(many, len(heavy))) @ heavy
            flat = totals.reshape(-1)
            cells, points = self._cells(tile, light, ~tile.heavy & ~tile.excluded)
            np.add.at(flat, cells, points.astype(heavy.dtype))
            if everything is not None:
                totals[everything[start : start + step]] = 1
            if tile.excluded.any():
                flat[self._cells(tile, light, tile.excluded)[0]] = 0
            yield totals

    def _reorder(self, totals: Totals, rows: Ints) -> None:
        """Add what was learned of each profile's reader to the papers its keywords found."""
        if self._learned is None or not self._learners[rows].any():
            return
        words, weights = self._learned
        sums = (weights[rows] @ words).tocoo()
        column = self._best.column_of[sums.col]
        there = totals[sums.row, column] > 0
        row, column = sums.row[there], column[there]
        totals[row, column] = np.maximum(totals[row, column] + learned_points(sums.data[there]), 1)

    def learned(self, row: int) -> Ints:
        """What was learned adds to each paper, for one profile, in thousandths."""
        if self._learned is None or not self._learners[row]:
            return np.zeros(len(self._best.column_of), dtype=np.int64)
        words, weights = self._learned
        return learned_points((weights[[row]] @ words).toarray()[0])

    def _cells(self, tile: _Asked, light: Rows, kept: Mask) -> tuple[Ints, Places]:
        """Where in a tile some of its light rows fall, and their points."""
        rows = tile.row[kept]
        counts = light.first[rows + 1] - light.first[rows]
        cells = ranges(light.first[rows], counts)
        begins = np.repeat(tile.profile[kept] * self._best.width, counts)
        return begins + light.indices[cells], light.points[cells]


def _nothing(_: int) -> None:
    """The points of a line that leaves out."""


def _learned(audience: Audience, index: Index) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Words x papers, and profiles x words: TF-IDF and weights, in whole numbers."""
    known = index.tfidf.words
    column_of = np.array([known.get(word, -1) for word in audience.words], dtype=np.int64)
    pairs = [np.array(each, dtype=np.int64).reshape(-1, 2) for each in audience.learned.values()]
    row = np.repeat(np.array([*audience.learned]), [len(each) for each in pairs])
    word, weight = np.concatenate(pairs).T
    kept = column_of[word] >= 0
    weights = sparse.coo_array(
        (weight[kept], (row[kept], column_of[word[kept]])), shape=(len(audience), len(known))
    )
    return index.words_by_papers, weights.tocsr()


def _scored(strengths: sparse.csr_array, first: Ints, having: Ints, factor: Ints) -> Rows:
    """Some rows of strengths as points."""
    cells = ranges(first, having)
    points = points_of(strengths.data[cells] * np.repeat(factor, having))
    return Rows(np.concatenate([[0], np.cumsum(having)]), strengths.indices[cells], points)


def _most_points(
    programs: Programs, strengths: sparse.csr_array, rarities: Ints
) -> npt.NDArray[np.float64]:
    """No less than a program scores in any paper."""
    stands = np.flatnonzero(np.diff(strengths.indptr))
    most = np.zeros(len(rarities), dtype=np.int64)
    most[stands] = (
        np.maximum.reduceat(strengths.data, strengths.indptr[stands]) if len(stands) else 0
    )
    most *= rarities
    single = np.array(programs.single, dtype=np.int64)
    sums = np.array(programs.count, dtype=np.int64) * most[single] * (single >= 0)
    leaves = (
        np.array(programs.leaf_counts, dtype=np.int64)
        * most[np.array(programs.leaf_atoms, dtype=np.int64)]
    )
    ends = np.concatenate([[0], np.cumsum(leaves)])
    first = np.array([*programs.first_leaf, len(leaves)], dtype=np.int64)
    sums += ends[first[1:]] - ends[first[:-1]]
    return sums / SUM_UNIT + 1
