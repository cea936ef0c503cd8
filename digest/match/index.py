"""An index of papers: every paper scanned once, then any number of atoms looked up at once.

The words of all texts lie in one stream of numbered kinds (a kind is a word with the way it is
written), a separator behind each text. A single word is a row of a sparse product; phrases are
followed through the stream all together, one word further at a time.
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy import sparse

from digest.match.reading import ScannedReading
from digest.match.rows import ranges
from digest.match.scan import Scan
from digest.match.score import BODY, TITLE, field_strength, strength_of
from digest.match.stored import element, term
from digest.match.tfidf import TfIdf
from subscribers.finding import (
    categories,
    is_category,
    is_in_field,
    is_source,
    near_at,
    paper_ids,
    signal_of,
)
from subscribers.names import author_id, ids_of, name_keys
from subscribers.tree import Field, Floor, Term
from subscribers.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy.typing as npt

    from digest.papers import Paper

    Ints = npt.NDArray[np.int64]

_MOST_KEPT: Final = 256
"""Answers about names, sources, counts and nearness that are kept."""
_MOST_READINGS: Final = 4_000
"""Papers kept as they were read: some hundred megabytes."""


class Index:
    """Papers, ready to be asked for atoms. N papers; rows are atoms, columns papers.

    Texts that `like` has scanned are not scanned again.
    """

    def __init__(self, papers: Sequence[Paper], like: Index | None = None) -> None:
        self.papers = papers
        self.size = len(papers)
        self.scan: Scan = Scan(
            [text for paper in papers for text in (paper.title, paper.abstract or paper.summary)],
            like.scan if like else None,
        )
        self._readings: dict[int, ScannedReading] = {}
        self._kept: dict[str, tuple[list[int], list[int]]] = {}

    def reading(self, place: int) -> ScannedReading:
        """A paper folded for the literal reader, kept for the next question."""
        reading = self._readings.get(place)
        if reading is None:
            if len(self._readings) >= _MOST_READINGS:
                self._readings.clear()
            reading = self._readings[place] = ScannedReading(self.papers[place], self.scan, place)
        return reading

    @cached_property
    def tfidf(self) -> TfIdf:
        """What each word says of each paper."""
        return TfIdf(self.scan)

    @cached_property
    def words_by_papers(self) -> sparse.csr_array:
        """The same turned round, in whole numbers."""
        return self.tfidf.whole()

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Every folded word of the texts, and how often it stands there."""
        times = np.diff(self.scan.first)
        folded = self.scan.folded.items()
        counted = ((word, int(times[kinds].sum())) for word, kinds in folded if word)
        return {word: count for word, count in counted if count}

    def spelled(self, word: str) -> str:
        """A folded word of the texts, as it is mostly written there."""
        times: dict[str, int] = {}
        for kind in self.scan.folded[word]:
            written = self.scan.names[kind][1]
            count = int(self.scan.first[kind + 1] - self.scan.first[kind])
            times[written] = times.get(written, 0) + count
        return max(times, key=lambda written: (times[written], written))

    def rows(self, atoms: Sequence[str]) -> sparse.csr_array:
        """Strength in eighths of each atom in each paper; where it stands it is stored, even 0."""
        base: dict[str, int] = {}
        kinds = {"": 0, "title": 1, "abstract": 2}
        picked: list[tuple[int, int]] = []
        odd: list[tuple[list[int], list[int]]] = []
        for atom in atoms:
            head, _, text = atom.rpartition(":")
            if atom[0] != "[" and head in kinds:
                picked.append((kinds[head], base.setdefault(text, len(base))))
            else:
                picked.append((len(kinds), len(odd)))
                odd.append(self._odd_of(atom))
        counted = self._counted([tuple(text.split(" ")) for text in base])
        stacked = sparse.vstack([*counted, _rows(odd, self.size)], format="csr")
        wanted = np.array([kind * len(base) + row for kind, row in picked], dtype=np.int64)
        return stacked[wanted] if len(wanted) else stacked[:0]

    def _counted(self, asked: list[tuple[str, ...]]) -> list[sparse.csr_array]:
        """Strengths of words and phrases: anywhere, in titles, in abstracts."""
        rows, docs = self._follow(asked)
        shape = (len(asked), self.size)
        in_title = (docs & 1) == 0
        title = _count(rows[in_title], docs[in_title] >> 1, shape)
        body = _count(rows[~in_title], docs[~in_title] >> 1, shape)
        title.data[:] = TITLE
        body.data = np.array(BODY, dtype=np.int32)[np.minimum(body.data, len(BODY) - 1)]
        return [(title + body).tocsr(), title, body]

    def _follow(self, asked: Sequence[Sequence[str]]) -> tuple[Ints, Ints]:
        """Every place where a row's words stand one behind the other: rows and documents.

        Rows are different. Those that begin alike are followed as one while they do: an edge
        leads from such a beginning, by one word more, to the next.
        """
        words = list(dict.fromkeys(chain.from_iterable(asked)))
        number = {word: at for at, word in enumerate(words)}
        spelled = np.array([number[word] for each in asked for word in each], dtype=np.int64)
        kinds_of = [self.scan.kinds_of(element(word)) for word in words]
        kinds = np.array([*chain.from_iterable(kinds_of)], dtype=np.int64)
        many = np.array([*map(len, kinds_of)], dtype=np.int64)
        begins = np.cumsum(many) - many
        sizes = np.array([*map(len, asked)], dtype=np.int64)
        first = np.cumsum(sizes) - sizes
        beginning = np.zeros(len(asked), dtype=np.int64)
        places, reached = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        found_rows, found_docs = [places], [places]
        for depth in range(int(sizes.max(initial=0))):
            rows = np.flatnonzero(sizes > depth)
            further = beginning[rows] * len(words) + spelled[first[rows] + depth]
            edges, beginning[rows] = np.unique(further, return_inverse=True)
            before, word = np.divmod(edges, len(words))
            kind = kinds[ranges(begins[word], many[word])]
            edge = np.repeat(np.arange(len(edges)), many[word])
            if depth:
                before = np.repeat(before, many[word])
                places, reached = self._step(places + 1, reached, before, kind, edge)
            else:
                start = self.scan.first[kind]
                counts = self.scan.first[kind + 1] - start
                places = self.scan.places[ranges(start, counts)].astype(np.int64)
                reached = np.repeat(edge, counts)
            ends = rows[sizes[rows] == depth + 1]
            row_of = np.full(len(edges), -1, dtype=np.int64)
            row_of[beginning[ends]] = ends
            row = row_of[reached]
            final = row >= 0
            found_rows.append(row[final])
            found_docs.append(self.scan.text_of[places[final]].astype(np.int64))
        return np.concatenate(found_rows), np.concatenate(found_docs)

    def _step(
        self, places: Ints, reached: Ints, before: Ints, kind: Ints, edge: Ints
    ) -> tuple[Ints, Ints]:
        """One word further: where an edge leads on from what was reached, by the kind there."""
        order = np.lexsort((kind, before))
        keys, edge = (before * self.scan.kinds + kind)[order], edge[order]
        # Only beginnings that go on; a text ends in a separator, which is no edge.
        ongoing = np.zeros(int(max(reached.max(initial=0), before.max(initial=0))) + 1, dtype=bool)
        ongoing[before] = True
        kept = ongoing[reached]
        places, reached = places[kept], reached[kept]
        ahead = reached * self.scan.kinds + self.scan.stream[places]
        left = np.searchsorted(keys, ahead, side="left")
        counts = np.searchsorted(keys, ahead, side="right") - left
        return np.repeat(places, counts), edge[ranges(left, counts)]

    def _odd_of(self, atom: str) -> tuple[list[int], list[int]]:
        """The same as _odd, kept: what one types asks for the same names again and again."""
        held = self._kept.get(atom)
        if held is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            held = self._kept[atom] = self._odd(term(atom))
        return held

    def _odd(self, asked: Term | Floor) -> tuple[list[int], list[int]]:
        """Papers and strengths for what is no plain word or phrase."""
        if isinstance(asked, Floor):
            passed = np.flatnonzero(self._counts_of(asked.signal) > asked.above).tolist()
            return passed, [0] * len(passed)
        if asked.field in {Field.CATEGORY, Field.SOURCE}:
            filtered = self._filtered(asked)
            return filtered, [0] * len(filtered)
        if asked.near:
            return self._near(asked)
        named = [
            place for place in self._candidates(asked) if is_in_field(asked, self.papers[place])
        ]
        return named, [field_strength(asked.field)] * len(named)

    def _near(self, asked: Term) -> tuple[list[int], list[int]]:
        """Papers and strengths for nearness, one by one among those that have all of the words."""
        places, strengths = [], []
        for place in self._candidates(asked):
            times = [
                len(near_at(asked, self.scan.text(2 * place + n)))
                if asked.field in {Field.ANY, field}
                else 0
                for n, field in enumerate((Field.TITLE, Field.ABSTRACT))
            ]
            if any(times):
                places.append(place)
                # Each word of a near pair is counted; the pair stands half as often.
                strengths.append(strength_of(times[0], -(-times[1] // len(asked.patterns))))
        return places, strengths

    def _counts_of(self, signal: str) -> Ints:
        """A count of every paper; less than nothing where nobody told us."""
        counts = (signal_of(paper.signals, signal) for paper in self.papers)
        return np.array([-1 if each is None else each for each in counts], dtype=np.int64)

    def _filtered(self, asked: Term) -> list[int]:
        """The papers of a category or source, in order: each different one is looked at once."""
        known = self._categories if asked.field is Field.CATEGORY else self._sources
        is_asked = is_category if asked.field is Field.CATEGORY else is_source
        fitting = (places for value, places in known.items() if is_asked(asked.text, value))
        return sorted(set(chain.from_iterable(fitting)))

    @cached_property
    def _categories(self) -> dict[str, list[int]]:
        return _places_of([categories(paper) for paper in self.papers])

    @cached_property
    def _sources(self) -> dict[str, list[int]]:
        return _places_of(
            [
                {name for one in paper.listings for name in (one.source, one.label)}
                for paper in self.papers
            ]
        )

    def _candidates(self, asked: Term) -> Iterable[int]:
        """The papers worth reading for a term, in order."""
        if asked.near:
            rows = self._counted([(word,) for word in dict.fromkeys(asked.text.split(" "))])[0]
            sets = [
                set(rows.indices[a:b]) for a, b in zip(rows.indptr, rows.indptr[1:], strict=False)
            ]
            return sorted(map(int, set.intersection(*sets)))
        keys: Iterable[str] = ()
        if asked.field is Field.AUTHOR:
            own = author_id(asked.text)
            keys = [f"who:{own}"] if own else name_keys(asked.text)
        elif asked.field is Field.ORG:
            keys = [f"org:{word}" for word in words(asked.text)[:1]]
        elif asked.field is Field.ID:
            keys = [f"is:{name}".casefold() for name in paper_ids(asked.text)]
        return sorted({place for key in keys for place in self._names.get(key, ())})

    @cached_property
    def _names(self) -> dict[str, set[int]]:
        """Where everything is that has a name: authors and their ids, organizations, papers."""
        found: dict[str, set[int]] = {}
        for place, paper in enumerate(self.papers):
            keys = {key for author in paper.authors for key in name_keys(author.name)}
            keys |= {f"who:{own}" for author in paper.authors for own in ids_of(author)}
            keys |= {f"org:{word}" for word in words(paper.organization)}
            keys |= {f"is:{name}".casefold() for name in (paper.id, *paper.aliases)}
            for key in keys:
                found.setdefault(key, set()).add(place)
        return found


def _places_of(valued: Sequence[Iterable[str]]) -> dict[str, list[int]]:
    """Where each value stands."""
    found: dict[str, list[int]] = {}
    for place, values in enumerate(valued):
        for value in values:
            found.setdefault(value, []).append(place)
    return found


def _count(rows: Ints, columns: Ints, shape: tuple[int, int]) -> sparse.csr_array:
    ones = np.ones(len(rows), dtype=np.int32)
    counted = sparse.coo_array((ones, (rows, columns)), shape=shape).tocsr()
    counted.sum_duplicates()
    return counted


def _rows(found: list[tuple[list[int], list[int]]], size: int) -> sparse.csr_array:
    indptr = np.concatenate([[0], np.cumsum([len(places) for places, _ in found])]).astype(np.int64)
    indices = np.array([place for places, _ in found for place in places], dtype=np.int32)
    data = np.array([amount for _, amounts in found for amount in amounts], dtype=np.int32)
    return sparse.csr_array((data, indices, indptr), shape=(len(found), size))
