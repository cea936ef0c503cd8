"""The engine: many stored profiles answered at once, the same as one by one.

Distinct lines are answered once, however many readers share them: a line of one term is a row
of the index, any other line a few operations on whole rows of bits. Then one sparse product,
profiles x lines with lines x papers, scores everybody, in blocks of profiles that bound memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import sparse

from digest.match.index import Index, _ranges
from digest.match.score import POINT, SUM_UNIT, fresh_points, ranks, rarity, trend, trend_points

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy.typing as npt

    from digest.papers import Paper

    Ints = npt.NDArray[np.int64]

_BLOCK: Final = 8_192
"""Profiles a block: some hundred megabytes at 1,500 papers."""
_OUT: Final = -(1 << 30)
"""What an excluded paper scores: less than any sum brings back."""
_RANK_BITS: Final = 20
_ROW_BITS: Final = 14


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
        self._extra = np.array(extra, dtype=np.int64)
        self._rank = np.array(ranks(papers, trends), dtype=np.int64)
        self._place_of_rank = np.argsort(self._rank)
        self._rarity = np.array(
            [rarity(n, self.size) for n in range(self.size + 1)], dtype=np.int64
        )

    def answer(self, stored: Sequence[str], *, top: int) -> Answer:
        """The best `top` papers of each profile, given in the form of `digest.match.stored`."""
        compiled = _compile(stored)
        points = self._lines(compiled.programs)
        counts, places, scores = [], [], []
        for start in range(0, len(stored), _BLOCK):
            stop = min(start + _BLOCK, len(stored))
            held = self._best(compiled, points, start, stop, top)
            counts.append(held[0])
            places.append(held[1])
            scores.append(held[2])
        empty = np.zeros(0, dtype=np.int64)
        first = np.concatenate([[0], np.cumsum(np.concatenate([empty, *counts]))])
        return Answer(first, np.concatenate([empty, *places]), np.concatenate([empty, *scores]))

    def _lines(self, programs: list[str]) -> sparse.csr_array:
        """Points of each distinct line in each paper, in thousandths; far below 0 for excluded."""
        lines = _Lines(programs)
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
        kept = np.array(which, dtype=np.int64)
        indptr = np.concatenate([[0], np.cumsum([len(a) for _, a, _ in lines.trees])]).astype(
            np.int64
        )
        flat_atoms = np.array([a for _, atoms, _ in lines.trees for a in atoms], dtype=np.int64)
        flat_counts = np.array([c for _, _, counts in lines.trees for c in counts], dtype=np.int64)
        scored = np.unique(flat_atoms[flat_counts > 0])
        local = np.full(strengths.shape[0], -1, dtype=np.int64)
        local[scored] = np.arange(len(scored))
        # One row more, of nothing: for atoms that only filter or are left out.
        dense = np.zeros((len(scored) + 1, self.size), dtype=np.uint8)
        dense[: len(scored)] = strengths[scored].toarray() if len(scored) else 0
        rows, columns, data = [], [], []
        step = max(1, (1 << 24) // max(self.size, 1))
        for start in range(0, len(held), step):
            packed = np.frombuffer(b"".join(held[start : start + step]), dtype=np.uint8)
            there = np.unpackbits(
                packed.reshape(-1, width), axis=1, count=self.size, bitorder="little"
            )
            row, column = np.nonzero(there)
            line = kept[row + start]
            counts = indptr[line + 1] - indptr[line]
            leaves = _ranges(indptr[line], counts)
            atoms_there = flat_atoms[leaves]
            amount = (
                dense[local[atoms_there], np.repeat(column, counts)].astype(np.int64)
                * rarities[atoms_there]
                * flat_counts[leaves]
            )
            sums = np.add.reduceat(amount, np.cumsum(counts) - counts) if len(amount) else amount
            scored = np.where(lines.tree_excludes[line], _OUT, _points(sums))
            rows.append(line)
            columns.append(column)
            data.append(scored)
        empty = np.zeros(0, dtype=np.int64)
        return sparse.coo_array(
            (
                np.concatenate([empty, *data]).astype(np.int64),
                (np.concatenate([empty, *rows]), np.concatenate([empty, *columns])),
            ),
            shape=(len(lines.trees), self.size),
        ).tocsr()

    def _best(
        self, compiled: _Compiled, points: sparse.csr_array, start: int, stop: int, top: int
    ) -> tuple[Ints, Ints, Ints]:
        """Of a block of profiles: how many papers each has, their places and points, best first."""
        a, b = compiled.first[start], compiled.first[stop]
        block = sparse.csr_array(
            (
                np.ones(b - a, dtype=np.int64),
                compiled.lines[a:b],
                compiled.first[start : stop + 1] - a,
            ),
            shape=(stop - start, points.shape[0]),
        )
        product = block @ points
        row = np.repeat(np.arange(stop - start), np.diff(product.indptr))
        place, total = product.indices.astype(np.int64), product.data
        everything = compiled.all_papers[start:stop]
        if everything.any():
            row, place, total = self._with_everything(row, place, total, everything)
        kept = (total > 0) | (everything[row] & (total == 0))
        row, place, total = row[kept], place[kept], total[kept] + self._extra[place[kept]]
        rank = self._rank[place]
        by = np.where(compiled.trending[start:stop][row], 0, total)
        # Row, then score downwards, then rank: one integer, sorted once.
        key = (row << (63 - _ROW_BITS)) | (((1 << 28) - by) << _RANK_BITS) | rank
        order = _smallest(key, row, stop - start, top)
        key = key[order]
        counts = np.bincount(row[order], minlength=stop - start)
        return counts, place[order], total[order]

    def _with_everything(
        self, row: Ints, place: Ints, total: Ints, everything: npt.NDArray[np.bool_]
    ) -> tuple[Ints, Ints, Ints]:
        """Every paper for profiles without keywords, less what they leave out."""
        asks = ~everything[row]
        out = set(zip(row[~asks].tolist(), place[~asks].tolist(), strict=True))
        rows = np.repeat(np.nonzero(everything)[0], self.size)
        places = np.tile(np.arange(self.size), int(everything.sum()))
        if out:
            left = np.array(
                [pair not in out for pair in zip(rows.tolist(), places.tolist(), strict=True)]
            )
            rows, places = rows[left], places[left]
        return (
            np.concatenate([row[asks], rows]),
            np.concatenate([place[asks], places]),
            np.concatenate([total[asks], np.zeros(len(rows), dtype=np.int64)]),
        )


def _points(sums: Ints) -> Ints:
    """The same as score.line_points, for many."""
    return np.maximum(np.rint(sums / SUM_UNIT), 1).astype(np.int64)


def _smallest(key: Ints, row: Ints, rows: int, top: int) -> Ints:
    """Where the `top` smallest keys of each row are, in order of key."""
    order = np.argsort(key)
    counts = np.bincount(row, minlength=rows)
    begins = np.cumsum(counts) - counts
    place = np.arange(len(order)) - begins[row[order]]
    return order[place < top]


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Stored profiles as numbers: profile n asks for lines[first[n] : first[n + 1]]."""

    programs: list[str]
    first: Ints
    lines: Ints
    trending: npt.NDArray[np.bool_]
    all_papers: npt.NDArray[np.bool_]


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
            asked = asked[1:]
        if asked and asked[0] == "~":
            trending[profile] = True
            asked = asked[1:]
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
            excludes.append(program[0] == "!")
            tree, atoms, counts = json.loads(program[1:] if excludes[-1] else program)
            where.append((True, len(self.trees)))
            self.trees.append((tree, [number_of(atom, len(self.atoms)) for atom in atoms], counts))
        self.single_atoms = np.array(single_atoms, dtype=np.int64)
        self.single_counts = np.array(single_counts, dtype=np.int64)
        self.tree_excludes = np.array(excludes, dtype=bool)
        singles = len(single_atoms)
        self.order = np.array(
            [number + singles * is_tree for is_tree, number in where], dtype=np.int64
        )


class _Bits:
    """Rows of papers as integers of N bits, made as they are asked for."""

    def __init__(self, strengths: sparse.csr_array) -> None:
        self._indptr = strengths.indptr
        self._indices = strengths.indices
        self._size = strengths.shape[1]
        self._all = (1 << self._size) - 1
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
            return int(self._all & ~value)
        for part in rest:
            if sign == "&":
                if not value:
                    break
                value &= self.of(part, atoms)
            else:
                value |= self.of(part, atoms)
        return value
