"""The audience: many profiles compiled from their stored form, and changed in place.

A program is one line of a stored profile. Every different program is numbered, and taken apart
once, however many readers share it; a profile is then a few numbers in one flat array.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from itertools import count, islice
from typing import TYPE_CHECKING, Final

from digest.match.stored import EVERYTHING, LEARNED, TRENDING

if TYPE_CHECKING:
    from collections.abc import Iterable

IS_EVERYTHING: Final = 1
IS_TRENDING: Final = 2
_MARKS: Final = (EVERYTHING, TRENDING, LEARNED)
_HOLES_KEPT: Final = 1 << 16
"""Numbers of programs nobody asks for any more that are not worth putting in order."""


class Numbers(defaultdict[str, int]):
    """Texts numbered as they come."""

    def __init__(self) -> None:
        super().__init__(count().__next__)


class Programs(Numbers):
    """Different programs, numbered as they come, and taken apart when they are needed.

    A program is one atom and what it counts for, or a tree: a shape over numbered leaves, the
    leaves' atoms and what each counts for. `single` has its atom, or -1 for a tree.
    Trees of one shape have equally many leaves.
    """

    def __init__(self) -> None:
        super().__init__()
        self.atoms = Numbers()
        self.single = array("i")
        self.count = array("i")
        self.excludes = bytearray()
        self.shapes: list[object] = []
        self.shape = array("i")
        self.first_leaf = array("q")
        self.leaf_atoms = array("i")
        self.leaf_counts = array("i")
        self._shape_numbers: dict[tuple[str, int], int] = {}
        self._excluding: list[bool] = []
        self._trees: dict[tuple[str, str], tuple[int, list[int]]] = {}

    def take_apart(self) -> None:
        """Take apart what has come since this was last asked for."""
        atoms, trees = self.atoms, self._trees
        single: list[int] = []
        count: list[int] = []
        shape: list[int] = []
        leaf_atoms: list[int] = []
        leaf_counts: list[int] = []
        first, known = len(self.leaf_atoms), len(self.single)
        for text in islice(self, known, None):
            self.first_leaf.append(first + len(leaf_atoms))
            if "\t" not in text:
                amount, _, atom = text.partition("=")
                single.append(atoms[atom])
                count.append(int(amount))
                shape.append(-1)
                continue
            head, amounts, *leaves = text.split("\t")
            number, counts = trees.get((head, amounts)) or self._tree(head, amounts)
            single.append(-1)
            count.append(0)
            shape.append(number)
            leaf_atoms += map(atoms.__getitem__, leaves)
            leaf_counts += counts
        for column, more in (
            (self.single, single),
            (self.count, count),
            (self.shape, shape),
            (self.leaf_atoms, leaf_atoms),
            (self.leaf_counts, leaf_counts),
        ):
            column.fromlist(more)
        self.excludes.extend(number >= 0 and self._excluding[number] for number in shape)

    def _tree(self, head: str, amounts: str) -> tuple[int, list[int]]:
        """The shape of a tree, and what each of its leaves counts for."""
        counts = list(map(int, amounts.split(" ")))
        number = self._shape_numbers.get((head, len(counts)))
        if number is None:
            number = self._shape_numbers[head, len(counts)] = len(self.shapes)
            excludes = head[0] == "!"
            self.shapes.append(json.loads(head[excludes:]))
            self._excluding.append(excludes)
        self._trees[head, amounts] = number, counts
        return number, counts


class Audience:
    """Profiles ready to be answered, each in a row of its own."""

    def __init__(self, stored: Iterable[str] = ()) -> None:
        self.programs = Programs()
        self.words = Numbers()
        self.numbers = array("i")
        """The programs of all rows: those of row n are numbers[first[n] : first[n] + size[n]]."""
        self.first = array("q")
        self.size = array("i")
        self.flags = bytearray()
        self.learned: dict[int, array[int]] = {}
        """Of a row: a word's number and what it weighs in thousandths, in turn."""
        self._holes = 0
        self.extend(stored)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.flags)

    def extend(self, stored: Iterable[str]) -> None:
        """Take profiles in their stored form in, each in the next row."""
        numbers, flags, number_of = self.numbers, self.flags, self.programs.__getitem__
        for text in stored:
            flags.append(0)
            lines = self._marked(len(flags) - 1, text) if text[:1] in _MARKS else text
            start = len(numbers)
            if lines:
                numbers.extend(map(number_of, lines.split("\n")))
            self.first.append(start)
            self.size.append(len(numbers) - start)

    def change(self, row: int, stored: str) -> None:
        """Put another profile in a row; the stored form "" is one that finds nothing."""
        self._empty(row)
        if stored[:1] in _MARKS:
            stored = self._marked(row, stored)
        if stored:
            start = self.first[row] = len(self.numbers)
            self.numbers.extend(map(self.programs.__getitem__, stored.split("\n")))
            self.size[row] = len(self.numbers) - start

    def _marked(self, row: int, stored: str) -> str:
        """The stored form without its first marks, which are taken down."""
        if stored[:1] == EVERYTHING:
            self.flags[row] |= IS_EVERYTHING
            stored = stored[2:]
        if stored[:1] == TRENDING:
            self.flags[row] |= IS_TRENDING
            stored = stored[2:]
        if stored[:1] == LEARNED:
            line, _, stored = stored.partition("\n")
            pairs = self.learned[row] = array("i")
            for each in line[1:].split("\t"):
                weight, _, word = each.partition("=")
                pairs.extend((self.words[word], int(weight)))
        return stored

    def _empty(self, row: int) -> None:
        self._holes += self.size[row]
        self.size[row] = 0
        self.flags[row] = 0
        self.learned.pop(row, None)
        if self._holes > max(_HOLES_KEPT, len(self.numbers) // 2):
            self._close_holes()

    def _close_holes(self) -> None:
        """Write the numbers anew, and only the programs that somebody still asks for."""
        texts = list(self.programs)
        old, self.numbers, self.programs = self.numbers, array("i"), Programs()
        for row, start in enumerate(self.first):
            self.first[row] = len(self.numbers)
            kept = (texts[number] for number in old[start : start + self.size[row]])
            self.numbers.extend(map(self.programs.__getitem__, kept))
        self._holes = 0
