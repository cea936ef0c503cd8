"""The teller: what lines of keywords say of the papers that fit them, many at once.

A line and a paper are explained once, however many readers share the line. What was found out is
kept as numbers and packed text, since there are hundreds of thousands in an issue and the garbage
collector would go through as many objects again and again.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeGuard, cast

import numpy as np

from digest.match.reasons import MOST_HITS, ReasonKind, told_by
from digest.match.rows import ranges
from subscribers.tree import And, Field, Not, Term, adjacent, runs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import numpy.typing as npt

    from digest.match.index import Index
    from digest.match.scan import Scan
    from subscribers.tree import Line, Node

    Ints = npt.NDArray[np.int64]

_MOST_KEPT: Final = 1 << 18
"""Reasons kept: some hundred megabytes at most."""
_PLACE_BITS: Final = 24
"""Bits for the place of a paper, beside a number in one integer."""
_PLACE: Final = (1 << _PLACE_BITS) - 1
_COUNT_BITS: Final = 16
"""Bits for how many reasons there are, beside the first of them in one integer."""


class _Wording:
    """A term of running text: what all that is said of it has in common."""

    __slots__ = ("begin", "field", "kinds", "name", "size")

    def __init__(self, term: Term, name: int, scan: Scan) -> None:
        self.field = term.field
        self.name = name
        self.kinds = [scan.kinds_of(pattern) for pattern in term.patterns]
        self.size = len(self.kinds)
        self.begin = f'["term",{json.dumps(term.text)},'


@dataclass(frozen=True, slots=True)
class _Joint:
    """A line of words that must all stand: numbers of wordings.

    Each run of words has the number of the phrase they are side by side, which is said in place
    of them where it stands.
    """

    runs: tuple[tuple[int, tuple[int, ...]], ...]
    others: tuple[int, ...]

    @property
    def wordings(self) -> tuple[int, ...]:
        """All that may be said."""
        inside = (number for phrase, words in self.runs for number in (phrase, *words))
        return (*inside, *self.others)


class Teller:
    """What lines say of the papers of an index at some instant. For one caller at a time."""

    def __init__(self, index: Index, now: datetime) -> None:
        self._index = index
        self._now = now
        self._clear()

    def _clear(self) -> None:
        # Lines and wordings are numbered together: a line of one term is its wording.
        self._numbers: dict[tuple[str, str] | Term, int] = {}
        self._asked: list[_Wording | _Joint | Line] = []
        self._names: dict[str, int] = {}
        # By number and place, in order: the first of its reasons, and how many there are.
        self._known = np.zeros(0, dtype=np.int64)
        self._codes = np.zeros(0, dtype=np.int64)
        self._texts: list[str] = []
        # Of each reason, what it names, its rank, and where it first stands.
        self._name, self._rank, self._start = array("q"), array("q"), array("q")

    def _numbered(self, programs: Sequence[str], lines: Sequence[Line]) -> Ints:
        """Numbers of lines with their stored forms, the same for all that say the same."""
        held = self._numbers
        found = []
        for program, line in zip(programs, lines, strict=True):
            # Of lines with one stored form, the name has the words as each was typed.
            key = program, line.name
            number = held.get(key)
            if number is None:
                number = held[key] = self._number(line)
            found.append(number)
        return np.array(found, dtype=np.int64)

    def _number(self, line: Line) -> int:
        tree = line.tree
        if _is_plain(tree):
            return self._wording(tree)
        joint = self._joint(tree) if isinstance(tree, And) else None
        self._asked.append(joint or line)
        return len(self._asked) - 1

    def _wording(self, term: Term) -> int:
        number = self._numbers.get(term)
        if number is None:
            name = self._named(ReasonKind.TERM, term.text)
            number = self._numbers[term] = len(self._asked)
            self._asked.append(_Wording(term, name, self._index.scan))
        return number

    def _joint(self, tree: And) -> _Joint | None:
        """A conjunction of plain terms, with or without what must not stand; else None."""
        words = [part for part in tree.parts if not isinstance(part, Not)]
        if not all(map(_is_plain, words)):
            return None
        terms = cast("list[Term]", words)
        joined = [(adjacent(run), run) for run in runs(tree.parts)]
        texts = [term.text.casefold() for term in (*terms, *(phrase for phrase, _ in joined))]
        if len(set(texts)) < len(texts):
            return None  # what has one text is one reason, wherever it stands
        in_run = {id(term) for _, run in joined for term in run}
        return _Joint(
            tuple(
                (self._wording(phrase), tuple(self._wording(t) for t in run if not t.optional))
                for phrase, run in joined
            ),
            tuple(self._wording(t) for t in terms if id(t) not in in_run and not t.optional),
        )

    def _named(self, kind: ReasonKind, text: str) -> int:
        """A number for what a reason names."""
        return self._names.setdefault(kind + text.casefold(), len(self._names))

    def reasons(
        self, programs: Sequence[str], lines: Sequence[Line], cell: Ints, which: Ints, place: Ints
    ) -> tuple[Ints, list[str]]:
        """The reasons of cells, packed, and the cell of each.

        Programs are the stored forms of the lines. A cell's paper, at that place, fits each of
        lines[which] that are told of it, in the order of cells, the best line first. Reasons
        come in the order of cells and of their rank, in each as the lines come, and each once.
        """
        if len(self._texts) > _MOST_KEPT:
            self._clear()
        number = self._numbered(programs, lines)[which]
        keys, back = np.unique(number << _PLACE_BITS | place, return_inverse=True)
        codes = self._looked_up(keys)
        if len(unknown := keys[codes < 0]):
            self._find_out(unknown)
            codes = self._looked_up(keys)
        codes = codes[back]
        counts = codes & ((1 << _COUNT_BITS) - 1)
        reason, cell = ranges(codes >> _COUNT_BITS, counts), np.repeat(cell, counts)
        named = cell * len(self._names) + np.frombuffer(self._name, dtype=np.int64)[reason]
        first = np.sort(np.unique(named, return_index=True)[1])
        reason, cell = reason[first], cell[first]
        rank = np.frombuffer(self._rank, dtype=np.int64)[reason]
        reason = reason[np.lexsort((rank, cell))]
        texts = self._texts
        return cell, [texts[each] for each in reason.tolist()]

    def _looked_up(self, keys: Ints) -> Ints:
        """What is kept of each key, below 0 where nothing is."""
        if not len(self._known):
            return np.full(len(keys), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._known, keys), len(self._known) - 1)
        return np.where(self._known[at] == keys, self._codes[at], -1)

    def _remember(self, keys: Ints, codes: Ints) -> None:
        """Keep what was found out; nothing was known of these keys."""
        known = np.concatenate([self._known, keys])
        order = np.argsort(known, kind="stable")
        self._known, self._codes = known[order], np.concatenate([self._codes, codes])[order]

    def _find_out(self, keys: Ints) -> None:
        """What each line says of each paper, and keep it."""
        plain: list[int] = []
        joints: list[tuple[int, _Joint]] = []
        told: dict[int, int] = {}
        for key in keys.tolist():
            asked = self._asked[key >> _PLACE_BITS]
            if isinstance(asked, _Wording):
                plain.append(key)
            elif isinstance(asked, _Joint):
                joints.append((key, asked))
            else:
                reading = self._index.reading(key & _PLACE)
                said = told_by(asked, reading, self._now)
                told[key] = self._written([each.packed for each in said])
                self._name.extend([self._named(each.kind, each.text) for each in said])
                self._rank.extend([each.rank for each in said])
                self._start.extend([0] * len(said))
        inside = np.unique(
            np.array(
                [
                    each << _PLACE_BITS | key & _PLACE
                    for key, joint in joints
                    for each in joint.wordings
                ],
                dtype=np.int64,
            )
        )
        codes = self._looked_up(inside)
        wanted = np.union1d(np.array(plain, dtype=np.int64), inside[codes < 0])
        found = self._tell_plain(wanted) if len(wanted) else wanted
        self._remember(wanted, found)
        if joints:
            known = dict(zip(inside.tolist(), self._looked_up(inside).tolist(), strict=True))
            told.update(
                [(key, self._tell_joint(key & _PLACE, each, known)) for key, each in joints]
            )
        others = np.array([*told], dtype=np.int64), np.array([*told.values()], dtype=np.int64)
        self._remember(*others)

    def _written(self, texts: list[str]) -> int:
        """Take the packed forms of reasons in: the first of them, and how many there are."""
        code = len(self._texts) << _COUNT_BITS | len(texts)
        self._texts += texts
        return code

    def _tell_joint(self, place: int, joint: _Joint, known: dict[int, int]) -> int:
        """The same as told_by() of a line of words, when it is known what each says."""
        said: list[int] = []
        for phrase, words in joint.runs:
            code = known[phrase << _PLACE_BITS | place]
            if code & 1:
                said.append(code >> _COUNT_BITS)
            else:
                said += [known[each << _PLACE_BITS | place] >> _COUNT_BITS for each in words]
        said += [known[each << _PLACE_BITS | place] >> _COUNT_BITS for each in joint.others]
        if len(said) == 1:
            return said[0] << _COUNT_BITS | 1
        rank, start = self._rank, self._start
        said.sort(key=lambda each: (rank[each], start[each]))
        for column in (self._name, self._rank, self._start):
            column.extend([column[each] for each in said])
        return self._written([self._texts[each] for each in said])

    def _tell_plain(self, keys: Ints) -> Ints:
        """The same as told_by() of lines that are one term of running text."""
        place = keys & _PLACE
        numbers, of = np.unique(keys >> _PLACE_BITS, return_inverse=True)
        wordings = [cast("_Wording", self._asked[number]) for number in numbers.tolist()]
        pair, at = self._stands(wordings, of, place)
        nth = np.arange(len(pair)) - np.searchsorted(pair, pair)
        pair, at = pair[nth < MOST_HITS], at[nth < MOST_HITS]
        scan = self._index.scan
        texts = np.unique(place)[:, np.newaxis] * 2 + np.arange(2)
        bounds = np.asarray(scan.located(texts.ravel().tolist())).reshape(-1, 2)
        last = np.array([wording.size - 1 for wording in wordings], dtype=np.int64)[of]
        flat = np.stack([bounds[at, 0], bounds[at + last[pair], 1]], axis=1)
        titled = at < np.array(scan.ends)[2 * place + 1][pair]
        edges = np.searchsorted(pair, np.arange(len(keys) + 1))
        cuts = edges[:-1] + np.bincount(pair[titled], minlength=len(keys))
        stands = np.diff(edges) > 0
        first = len(self._texts) + np.cumsum(stands) - stands
        name = np.array([wording.name for wording in wordings], dtype=np.int64)[of]
        for column, values in (
            (self._name, name[stands]),
            (self._rank, (cuts == edges[:-1])[stands].astype(np.int64)),
            (self._start, flat[edges[:-1][stands], 0].astype(np.int64)),
        ):
            column.frombytes(values.tobytes())
        papers, bounded, texts_of = self._index.papers, flat.ravel().tolist(), self._texts
        for number, paper, begin, cut, end in zip(
            of[stands].tolist(),
            place[stands].tolist(),
            (2 * edges[:-1][stands]).tolist(),
            (2 * cuts[stands]).tolist(),
            (2 * edges[1:][stands]).tolist(),
            strict=True,
        ):
            said = wordings[number].begin
            if cut == end:
                texts_of.append(f'{said}"title",{{"title":{bounded[begin:end]}}}]')
                continue
            body = "abstract" if papers[paper].abstract else "summary"
            if cut == begin:
                texts_of.append(f'{said}"{body}",{{"{body}":{bounded[begin:end]}}}]')
            else:
                inside = f'{{"title":{bounded[begin:cut]},"{body}":{bounded[cut:end]}}}'
                texts_of.append(f'{said}"title",{inside}]')
        return first << _COUNT_BITS | stands

    def _stands(self, wordings: list[_Wording], of: Ints, place: Ints) -> tuple[Ints, Ints]:
        """Everywhere in the stream that wordings stand in papers: the pair, and the place.

        Pair n asks for wordings[of[n]] in the paper at place[n]. In order.
        """
        scan = self._index.scan
        many = np.array([len(each.kinds[0]) for each in wordings], dtype=np.int64)
        kinds = np.array([kind for each in wordings for kind in each.kinds[0]], dtype=np.int64)
        kind = kinds[ranges((np.cumsum(many) - many)[of], many[of])]
        pair = np.repeat(np.arange(len(of)), many[of])
        ends = np.array(scan.ends)
        # A title is followed by its abstract.
        behind = np.array([each.field is Field.ABSTRACT for each in wordings])[of]
        before = np.array([each.field is Field.TITLE for each in wordings])[of]
        begin, end = ends[2 * place + behind][pair], ends[2 * place + 2 - before][pair]
        left = np.searchsorted(scan.keys, kind * len(scan.stream) + begin)
        found = np.searchsorted(scan.keys, kind * len(scan.stream) + end) - left
        at = scan.places[ranges(left, found)].astype(np.int64)
        pair = np.repeat(pair, found)
        size = np.array([each.size for each in wordings], dtype=np.int64)[of]
        for further in range(1, int(size.max(initial=0))):
            wanted = np.sort(
                np.array(
                    [
                        number * scan.kinds + kind
                        for number, each in enumerate(wordings)
                        if each.size > further
                        for kind in each.kinds[further]
                    ],
                    dtype=np.int64,
                )
            )
            # Behind the last word of each text stands a separator, which nobody asks for.
            ahead = scan.stream[np.minimum(at + further, len(scan.stream) - 1)]
            kept = (size[pair] <= further) | _is_in(of[pair] * scan.kinds + ahead, wanted)
            pair, at = pair[kept], at[kept]
        order = np.lexsort((at, pair))
        return pair[order], at[order]


def _is_plain(node: Node) -> TypeGuard[Term]:
    """Whether it is a word or phrase of running text."""
    return isinstance(node, Term) and bool(node.patterns) and not node.near


def _is_in(asked: Ints, known: Ints) -> npt.NDArray[np.bool_]:
    """Which of the numbers are among some that are in order."""
    if not len(known):
        return np.zeros(len(asked), dtype=np.bool_)
    there: npt.NDArray[np.bool_] = (
        known[np.minimum(np.searchsorted(known, asked), len(known) - 1)] == asked
    )
    return there
