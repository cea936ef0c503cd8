"""The scan: the words of all texts in one stream of numbers, and back to where they stand.

A kind is a folded word with the way it is written. Every text is scanned once; behind each
stands a separator. Where in its text a word begins is found out when somebody asks.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from subscribers.finding import Text, beginnings
from subscribers.tree import Form, Pattern
from subscribers.words import Token, parts, scanner, splitter

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    Ints = npt.NDArray[np.int64]

_LAST: Final = "\U0010ffff"
_SEPARATOR: Final = 0


class _Numbers(dict[tuple[str, str], int]):
    """Kinds, numbered as they come."""

    def __missing__(self, kind: tuple[str, str]) -> int:
        number = self[kind] = len(self)
        return number


class _Kinds(dict[str, tuple[int, ...]]):
    """The kinds of the words in each piece a scanner finds.

    `odd` has the pieces that are not one word from end to end, and where in them words stand.
    """

    def __init__(self) -> None:
        super().__init__()
        self.numbers = _Numbers({("", ""): _SEPARATOR})
        self.odd: dict[str, list[tuple[int, int]]] = {}

    def __missing__(self, piece: str) -> tuple[int, ...]:
        numbers = self.numbers
        found = parts(piece)
        kinds = self[piece] = tuple([numbers[part[:2]] for part in found])
        stands = [part[2:] for part in found]
        if stands != [(0, len(piece))]:
            self.odd[piece] = stands
        return kinds


class Scan:
    """Texts as one stream: `stream` holds kinds, `text_of` says for each place whose it is.

    Text n begins in it at ends[n], and its separator stands before ends[n + 1].
    Kind k stands at places[first[k] : first[k + 1]]; there are `kinds` of them. Texts that `like`
    has are not scanned again; its words keep their numbers, also those that stand nowhere now.
    """

    def __init__(self, texts: Sequence[str], like: Scan | None = None) -> None:
        self._texts = texts
        self.kinds_in: _Kinds = like.kinds_in if like else _Kinds()
        kinds = self.kinds_in
        held = like.held() if like else {}
        stream: list[int] = []
        ends = [0]
        for text in texts:
            known = held.get(text)
            if known is None:
                pieces = scanner(text).findall(text)
                stream.extend(chain.from_iterable(map(kinds.__getitem__, pieces)))
            else:
                stream.extend(known.tolist())
            stream.append(_SEPARATOR)
            ends.append(len(stream))
        self.stream = np.array(stream, dtype=np.int32)
        self.text_of = np.repeat(np.arange(len(texts), dtype=np.int32), np.diff(np.array(ends)))
        self.ends = ends
        self._known: dict[Pattern, list[int]] = {}
        self.names = list(kinds.numbers)
        self.kinds = len(self.names)
        self.places = np.argsort(self.stream, kind="stable").astype(np.int32)
        counts = np.bincount(self.stream, minlength=self.kinds)
        self.first = np.concatenate([[0], np.cumsum(counts)])

    def held(self) -> dict[str, npt.NDArray[np.int32]]:
        """The words of each text, as kinds."""
        spans = zip(self._texts, pairwise(self.ends), strict=True)
        return {text: self.stream[start : end - 1] for text, (start, end) in spans}

    def text(self, number: int) -> Text:
        """One of the texts, for the literal reader."""
        start, end = self.ends[number], self.ends[number + 1] - 1
        return _Scanned(self, self._texts[number], self.stream[start:end].tolist())

    @cached_property
    def keys(self) -> Ints:
        """Kind and place of each of the places, as one number: kind * size + place."""
        kinds = np.repeat(np.arange(self.kinds), np.diff(self.first))
        return kinds * len(self.stream) + self.places

    def located(self, texts: Iterable[int]) -> memoryview[int]:
        """Where in its text word n of the stream begins and ends, known for these texts.

        It begins at [2 * n] and ends at [2 * n + 1].
        """
        bounds, done = self._bounds
        for number in texts:
            if not done[number]:
                found = array("i", bounds_of(self._texts[number], self.kinds_in.odd))
                first = 2 * self.ends[number]
                bounds[first : first + len(found)] = found
                done[number] = 1
        return bounds

    @cached_property
    def _bounds(self) -> tuple[memoryview[int], bytearray]:
        """Of each word two numbers, of which memory is taken where one is written."""
        bounds = np.zeros(2 * len(self.stream), dtype=np.int32)
        return bounds.data, bytearray(len(self._texts))

    @cached_property
    def stream_of(self) -> array[int]:
        """The stream, to be read a word at a time."""
        return array("i", self.stream.tobytes())

    @cached_property
    def places_of(self) -> array[int]:
        """The places, to be read one at a time."""
        return array("i", self.places.tobytes())

    @cached_property
    def first_of(self) -> list[int]:
        """Where the places of each kind begin."""
        first: list[int] = self.first.tolist()
        return first

    @cached_property
    def folded(self) -> dict[str, list[int]]:
        """The kinds of each folded word."""
        found: dict[str, list[int]] = {}
        for kind, (word, _) in enumerate(self.names):
            found.setdefault(word, []).append(kind)
        return found

    @cached_property
    def written(self) -> dict[str, list[int]]:
        """The kinds that are written so."""
        found: dict[str, list[int]] = {}
        for kind, (_, written) in enumerate(self.names):
            found.setdefault(written, []).append(kind)
        return found

    @cached_property
    def _sorted(self) -> tuple[list[tuple[str, list[int]]], list[tuple[str, list[int]]]]:
        """Words as typed in lower case, and folded words, both in order."""
        typed = ((written.casefold(), kinds) for written, kinds in self.written.items())
        return sorted(typed), sorted(self.folded.items())

    def kinds_of(self, pattern: Pattern) -> list[int]:
        """The kinds that are what one word of a term asks for."""
        known = self._known.get(pattern)
        if known is None:
            known = self._known[pattern] = self._kinds_of(pattern)
        return known

    def _kinds_of(self, pattern: Pattern) -> list[int]:
        if pattern.form is Form.FOLDED:
            return self.folded.get(pattern.value, [])
        if pattern.form is Form.WRITTEN:
            return self.written.get(pattern.value, [])
        as_typed, others = beginnings(pattern.value)
        typed, folded = self._sorted
        found = set(_beginning(typed, as_typed))
        for other in others:
            found.update(_beginning(folded, other))
        return sorted(found)


class _Scanned(Text):
    """A text that was scanned: its words are put together where they are asked for."""

    def __init__(self, scan: Scan, text: str, kinds: list[int]) -> None:
        self._scan = scan
        self._text = text
        self._kinds = kinds

    def __len__(self) -> int:
        return len(self._kinds)

    def __getitem__(self, at: int) -> Token:
        word, written = self._scan.names[self._kinds[at]]
        piece, part = at, 0
        if self._words_before:
            piece = bisect_right(self._words_before, at) - 1
            part = at - self._words_before[piece]
        start = self._pieces[piece].start()
        _, _, first, last = parts(self._pieces[piece][0])[part]
        return Token(word, written, start + first, start + last)

    def places(self, pattern: Pattern) -> Sequence[int]:
        """Where the words stand that are what one word of a term asks for."""
        found: list[int] = []
        for kind in self._scan.kinds_of(pattern):
            at = -1
            for _ in range(self._kinds.count(kind)):
                at = self._kinds.index(kind, at + 1)
                found.append(at)
        found.sort()
        return found

    @cached_property
    def _pieces(self) -> list[re.Match[str]]:
        return list(scanner(self._text).finditer(self._text))

    @cached_property
    def _words_before(self) -> list[int]:
        """How many words come before each piece; empty where every piece is one word."""
        sizes = [len(self._scan.kinds_in[piece[0]]) for piece in self._pieces]
        # A piece is two words (pretrained), or none (a TeX command).
        return list(accumulate(sizes[:-1], initial=0)) if any(n != 1 for n in sizes) else []


def bounds_of(text: str, odd: dict[str, list[tuple[int, int]]]) -> list[int]:
    """Where each word of a text begins and ends, in turn, and last its separator's.

    `odd` as in _Kinds.
    """
    # What stands between pieces and they themselves, in turn: one end is the other's beginning.
    apart = splitter(text).split(text)
    bounds = list(accumulate(map(len, apart)))
    bounds.append(len(text))
    strange = [at for at in range(1, len(apart), 2) if apart[at] in odd]
    for at in reversed(strange):
        begin = bounds[at - 1]
        words = odd[apart[at]]
        bounds[at - 1 : at + 1] = [begin + each for bound in words for each in bound]
    return bounds


def _beginning(known: list[tuple[str, list[int]]], start: str) -> Iterable[int]:
    first = bisect_left(known, (start,))
    last = bisect_left(known, (start + _LAST,))
    return chain.from_iterable(kinds for _, kinds in known[first:last])
