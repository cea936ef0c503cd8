"""The engine: many stored profiles answered at once, the same as one by one.

Distinct lines are answered once, however many readers share them: a line of one term is a row
of the index, any other line a few operations on whole rows of bits. Then one sparse product,
profiles x lines with lines x papers, scores everybody, in blocks of profiles that bound memory.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import sparse

from digest.match.index import Index, _ranges
from digest.match.score import (
    MOST_POINTS,
    POINT,
    SUM_UNIT,
    fresh_points,
    ranks,
    rarity,
    trend,
    trend_points,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy.typing as npt

    from digest.papers import Paper

    Ints = npt.NDArray[np.int64]
    Totals = npt.NDArray[np.int32]

_CELLS: Final = 1 << 20
"""Profiles times papers in a block: what is worked on stays near the processor."""
_TOTAL_BITS: Final = 31
_AT_ONCE: Final = 2
_CELL_COST: Final = 24
"""What one cell of a sparse row costs to add, in cells of a whole row."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The best papers of each profile: profile n has places[first[n] : first[n + 1]], best first.

    `places` are positions in the papers given, `points` thousandths of a score point.
    """

    first: Ints
    places: Ints
    points: Ints

    def of(self, profile: int) -> list[tuple[int, float]]:
        """(place, score) of one profile's papers, best first."""
        a, b = int(self.first[profile]), int(self.first[profile + 1])
        scores = self.points[a:b] / POINT
        return list(zip(self.places[a:b].tolist(), scores.tolist(), strict=True))


class Engine:
    """Papers at hand, ready to answer stored profiles; papers are scanned once, when it is made."""

    def __init__(self, papers: Sequence[Paper], *, now: datetime) -> None:
        self.index = Index(papers)
        self.size = len(papers)
        trends = [trend(paper, now) for paper in papers]
        extra = [trend_points(paper, now) + fresh_points(paper, now) for paper in papers]
        self._extra = np.array(extra, dtype=np.int32)
        self._rank = np.array(ranks(papers, trends), dtype=np.int64)
        self._by_rank = np.argsort(self._rank)
        self._rarity = np.array(
            [rarity(n, self.size) for n in range(self.size + 1)], dtype=np.int64
        )

    def answer(self, stored: Sequence[str], *, top: int) -> Answer:
        """The best `top` papers of each profile, given in the form of `digest.match.stored`."""
        compiled = _compile(stored)
        lines = _Lines(compiled.programs)
        points = self._lines(lines)
        wanted = _Split(points[~lines.excludes[lines.order]], self.size)
        unwanted = points[lines.excludes[lines.order]]
        asked = compiled.rows(~lines.excludes[lines.order])
        left_out = compiled.rows(lines.excludes[lines.order])
        block = max(1, _CELLS // max(self.size, 1))

        def best(start: int) -> tuple[Ints, Ints, Ints]:
            rows = slice(start, min(start + block, len(stored)))
            totals = wanted.sums(asked[rows])
            totals[compiled.everything[rows]] = 1
            if left_out.nnz:
                out = (left_out[rows] @ unwanted).tocoo()
                totals[out.row, out.col] = 0
            return self._best(totals, compiled.trending[rows], compiled.everything[rows], top)

        # numpy and scipy let go of the interpreter while they work, so two blocks go at once.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            held = list(pool.map(best, range(0, len(stored), block)))
        counts, places, scores = zip(*held, strict=True) if held else ((), (), ())
        empty = np.zeros(0, dtype=np.int64)
        first = np.concatenate([[0], np.cumsum(np.concatenate([empty, *counts]))])
        return Answer(first, np.concatenate([empty, *places]), np.concatenate([empty, *scores]))

    def _lines(self, lines: _Lines) -> sparse.csr_array:
        """Points of each distinct line in each paper, in thousandths."""
        strengths = self.index.rows(list(lines.atoms))
        rarities = self._rarity[np.diff(strengths.indptr)]
        single = strengths[lines.single_atoms] if len(lines.single_atoms) else strengths[:0]
        factor = rarities[lines.single_atoms] * lines.single_counts
        sums = single.data * np.repeat(factor, np.diff(single.indptr))
        single = sparse.csr_array(
            (_points(sums), single.indices, single.indptr), shape=single.shape
        )
        stacked = sparse.vstack([single, self._trees(lines, strengths, rarities)], format="csr")
        return stacked[lines.order]

    def _trees(
        self, lines: _Lines, strengths: sparse.csr_array, rarities: Ints
    ) -> sparse.csr_array:
        """Points of the lines that are trees."""
        bits = _Bits(strengths)
        width = (self.size + 7) // 8
        held: list[bytes] = []
        which: list[int] = []
        for number, (tree, atoms, _) in enumerate(lines.trees):
            value = bits.of(tree, atoms)
            if value:
                held.append(value.to_bytes(width, "little"))
                which.append(number)
        if not held:
            return sparse.csr_array((len(lines.trees), self.size), dtype=np.int32)
        kept = np.array(which, dtype=np.int64)
        leaves = [
            [(atom, count) for atom, count in zip(atoms, counts, strict=True) if count]
            for _, atoms, counts in (lines.trees[number] for number in which)
        ]
        first = np.concatenate([[0], np.cumsum([len(each) for each in leaves])])
        flat = np.array([leaf for each in leaves for leaf in each], dtype=np.int64).reshape(-1, 2)
        scored, row_of = np.unique(flat[:, 0], return_inverse=True)
        factor = rarities[flat[:, 0]] * flat[:, 1]
        dense = np.zeros((len(scored), self.size), dtype=np.uint8)
        cells = strengths[scored].tocoo()
        dense[cells.row, cells.col] = cells.data
        rows, columns, data = [], [], []
        step = max(1, (1 << 22) // self.size)
        for start in range(0, len(held), step):
            packed = np.frombuffer(b"".join(held[start : start + step]), dtype=np.uint8)
            there = np.unpackbits(
                packed.reshape(-1, width), axis=1, count=self.size, bitorder="little"
            )
            row, column = np.divmod(np.flatnonzero(there), self.size)
            row += start
            counts = first[row + 1] - first[row]
            leaf = _ranges(first[row], counts)
            amount = dense[row_of[leaf], np.repeat(column, counts)] * factor[leaf]
            # One zero behind them all, so that a line of filters alone adds up to nothing.
            ends = np.concatenate([[0], np.cumsum(amount)])
            last = np.cumsum(counts)
            rows.append(kept[row])
            columns.append(column)
            data.append(_points(ends[last] - ends[last - counts]))
        where = (np.concatenate(rows), np.concatenate(columns))
        return sparse.coo_array(
            (np.concatenate(data), where), shape=(len(lines.trees), self.size)
        ).tocsr()

    def _best(
        self,
        totals: Totals,
        trending: npt.NDArray[np.bool_],
        everything: npt.NDArray[np.bool_],
        top: int,
    ) -> tuple[Ints, Ints, Ints]:
        """Of a block of profiles: how many papers each has, their places and points, best first."""
        matched = totals > 0
        totals += self._extra
        totals *= matched
        keys = totals
        if trending.any():
            keys = totals.copy()
            keys[trending] = matched[trending] * (self.size - self._rank).astype(np.int32)
        if top < self.size:
            least = np.partition(keys, self.size - top, axis=1)[:, self.size - top]
            matched &= keys >= least[:, np.newaxis]
        cell = np.flatnonzero(matched)
        row = cell // self.size
        # Row, then score downwards, then rank, in one integer; a block has few enough cells.
        low = self.size.bit_length()
        packed = (row << (_TOTAL_BITS + low)) | (
            ((1 << _TOTAL_BITS) - 1 - keys.ravel()[cell].astype(np.int64)) << low
        )
        packed |= self._rank[cell - row * self.size]
        packed.sort()
        row = packed >> (_TOTAL_BITS + low)
        place = self._by_rank[packed & ((1 << low) - 1)]
        # What ties with the last one is cut by rank.
        counts = np.bincount(row, minlength=len(totals))
        nth = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
        row, place = row[nth < top], place[nth < top]
        # A profile of everything was matched by one thousandth that is no score.
        points = totals[row, place].astype(np.int64) - everything[row]
        return np.minimum(counts, top), place, points


class _Split:
    """Points of lines, those in many papers apart: adding a whole row beats adding its cells."""

    def __init__(self, points: sparse.csr_array, size: int) -> None:
        having = np.diff(points.indptr)
        self._heavy = having * _CELL_COST > size
        self._rows = points[self._heavy].toarray() if self._heavy.any() else None
        self._light = points[~self._heavy]
        self._size = size

    def sums(self, asked: sparse.csr_array) -> Totals:
        """Profiles x papers: the sum of the lines each profile asks for."""
        light = (asked[:, ~self._heavy] @ self._light).tocoo()
        if self._rows is None:
            totals = np.zeros((asked.shape[0], self._size), dtype=np.int32)
        else:
            totals = asked[:, self._heavy] @ self._rows
        totals[light.row, light.col] += light.data
        return totals


def _points(sums: Ints) -> Totals:
    """The same as score.line_points, for many."""
    return np.clip(np.rint(sums / SUM_UNIT), 1, MOST_POINTS).astype(np.int32)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Stored profiles as numbers: profile n asks for lines[first[n] : first[n + 1]]."""

    programs: list[str]
    first: Ints
    lines: Ints
    trending: npt.NDArray[np.bool_]
    everything: npt.NDArray[np.bool_]

    def rows(self, kept: npt.NDArray[np.bool_]) -> sparse.csr_array:
        """Profiles x the kept lines: which profile asks for which."""
        number = np.cumsum(kept, dtype=np.int64) - 1
        mask = kept[self.lines]
        first = np.concatenate([[0], np.cumsum(mask)])[self.first]
        data = np.ones(int(mask.sum()), dtype=np.int32)
        return sparse.csr_array(
            (data, number[self.lines[mask]], first),
            shape=(len(self.first) - 1, int(kept.sum())),
        )


def _compile(stored: Sequence[str]) -> _Compiled:
    numbers: dict[str, int] = {}
    number_of = numbers.setdefault
    lines: list[int] = []
    first = [0]
    trending = np.zeros(len(stored), dtype=bool)
    everything = np.zeros(len(stored), dtype=bool)
    for profile, text in enumerate(stored):
        asked = text.split("\n")
        if asked[0] == "*":
            everything[profile] = True
            del asked[0]
        if asked and asked[0] == "~":
            trending[profile] = True
            del asked[0]
        lines.extend([number_of(line, len(numbers)) for line in asked if line])
        first.append(len(lines))
    return _Compiled(
        list(numbers),
        np.array(first, dtype=np.int64),
        np.array(lines, dtype=np.int64),
        trending,
        everything,
    )


_Tree = tuple[object, list[int], list[int]]


class _Lines:
    """Distinct programs taken apart: those of one term, and trees."""

    def __init__(self, programs: list[str]) -> None:
        self.atoms: dict[str, int] = {}
        number_of = self.atoms.setdefault
        single_atoms: list[int] = []
        single_counts: list[int] = []
        self.trees: list[_Tree] = []
        excludes: list[bool] = []
        where: list[tuple[bool, int]] = []
        for program in programs:
            if program[0] not in "[!":
                count, _, atom = program.partition("=")
                where.append((False, len(single_atoms)))
                single_atoms.append(number_of(atom, len(self.atoms)))
                single_counts.append(int(count))
                continue
            negative = program[0] == "!"
            excludes.append(negative)
            tree, atoms, counts = json.loads(program[1:] if negative else program)
            where.append((True, len(self.trees)))
            self.trees.append((tree, [number_of(atom, len(self.atoms)) for atom in atoms], counts))
        self.single_atoms = np.array(single_atoms, dtype=np.int64)
        self.single_counts = np.array(single_counts, dtype=np.int64)
        singles = len(single_atoms)
        self.excludes = np.array([False] * singles + excludes, dtype=bool)
        self.order = np.array(
            [number + singles * is_tree for is_tree, number in where], dtype=np.int64
        )


class _Bits:
    """Rows of papers as integers of N bits, made as they are asked for."""

    def __init__(self, strengths: sparse.csr_array) -> None:
        self._indptr = strengths.indptr
        self._indices = strengths.indices
        self._size = strengths.shape[1]
        self._all: int = (1 << self._size) - 1
        self._rows: dict[int, int] = {}

    def _row(self, atom: int) -> int:
        held = self._rows.get(atom)
        if held is None:
            there = np.zeros(self._size, dtype=bool)
            there[self._indices[self._indptr[atom] : self._indptr[atom + 1]]] = True
            held = int.from_bytes(np.packbits(there, bitorder="little").tobytes(), "little")
            self._rows[atom] = held
        return held

    def of(self, tree: object, atoms: list[int]) -> int:
        """The papers of which a tree is so."""
        if isinstance(tree, int):
            return self._row(atoms[tree])
        if not isinstance(tree, list):
            raise TypeError(tree)
        sign, first, *rest = tree
        value: int = self.of(first, atoms)
        if sign == "!":
            return self._all ^ value
        for part in rest:
            if sign == "&":
                if not value:
                    break
                value &= self.of(part, atoms)
            else:
                value |= self.of(part, atoms)
        return value
