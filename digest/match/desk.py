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
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from digest.match.audience import Audience, Programs
    from digest.match.best import Best
    from digest.match.index import Index

    Ints = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]
    Places = npt.NDArray[np.int32]
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
        self._programs = programs = audience.programs
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
        asked, light = self._with_trees(profile, programs)
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

    def table(self, programs: Sequence[str]) -> Places:
        """Programs of this audience x papers, in the order of the papers: their points."""
        numbers = np.array([self._programs[each] for each in programs], dtype=np.int64)
        table = np.zeros((len(numbers), self._best.width), dtype=np.int32)
        for kind, rows in ((~self._is_tree, self._light), (self._is_tree, self._tree_rows)):
            which = np.flatnonzero(kind[numbers] & ~self._is_heavy[numbers])
            row = self._row[numbers[which]]
            counts = rows.first[row + 1] - rows.first[row]
            cells = ranges(rows.first[row], counts)
            table[np.repeat(which, counts), rows.indices[cells]] = rows.points[cells]
        whole = np.flatnonzero(self._is_heavy[numbers])
        table[whole] = self._wide[self._row[numbers[whole]]]
        return table[:, self._best.column_of]

    @cached_property
    def _tree_rows(self) -> Rows:
        """A row for each tree of the audience; for a small one."""
        trees = np.flatnonzero(self._is_tree)
        order, rows = self._trees.rows(trees)
        self._row[order] = np.arange(len(order))
        return rows

    def _with_trees(self, profile: Ints, programs: Ints) -> tuple[_Asked, Rows]:
        """What each profile asks for, and the light rows with those of this block's trees."""
        row, is_tree = self._row[programs], self._is_tree[programs]
        order, trees = self._trees.rows(np.unique(programs[is_tree]))
        sorter = np.argsort(order)
        found = sorter[np.searchsorted(order, programs[is_tree], sorter=sorter)]
        row[is_tree] = len(self._light.first) - 1 + found
        light = Rows(
            np.concatenate([self._light.first, trees.first[1:] + self._light.first[-1]]),
            np.concatenate([self._light.indices, trees.indices]),
            np.concatenate([self._light.points, trees.points]),
        )
        return _Asked(profile, row, self._is_heavy[programs], self._excludes[programs]), light

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
