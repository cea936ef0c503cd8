"""Finding: a query held against one paper, literally, word by word.

This is what a match means. `digest.match` answers for many readers at once and must agree with
it; it also says where the words stand, so that a mail can name and mark them.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, islice, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from digest.papers import PaperId
from subscribers.names import is_author
from subscribers.spelling import american
from subscribers.tree import (
    And,
    Field,
    Floor,
    Form,
    Node,
    Not,
    Or,
    Pattern,
    Query,
    Term,
    adjacent,
    runs,
)
from subscribers.words import Token, fold, parts_of, placed, plain, scanner, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest.papers import Paper, Signals


class Hit(NamedTuple):
    """One place where a term stands.

    `start` and `end` count characters of that field's text; for an author `start` is the place
    in the list of authors, for a category in the list of categories.
    """

    term: str
    field: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Found:
    """One line of a query that a paper fits, and what did it."""

    line: int
    hits: tuple[Hit, ...]
    floors: tuple[str, ...] = ()


_word_of: Final = itemgetter(0)


class Text:
    """The words of a text in order, and where each folded word stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = tuple(chain.from_iterable(parts_of(scanner(text).findall(text))))

    def __len__(self) -> int:
        return len(self._words)

    def __getitem__(self, at: int) -> Token:
        word, written, first, last = self._words[at]
        start = self._starts[at]
        return Token(word, written, start + first, start + last)

    def __iter__(self) -> Iterator[Token]:
        return (self[at] for at in range(len(self)))

    @cached_property
    def _starts(self) -> array[int]:
        """Where each word's piece begins; few texts are ever asked."""
        pieces, starts = placed(self._text)
        each = map(repeat, starts, map(len, parts_of(pieces)))
        return array("l", chain.from_iterable(each))

    def is_there(self, pattern: Pattern, at: int) -> bool:
        """Whether the word at a place is what one word of a term asks for."""
        return fits(pattern, self._words[at])

    def places(self, pattern: Pattern) -> Sequence[int]:
        """Where the words stand that are what one word of a term asks for."""
        if pattern.form is Form.WRITTEN:
            return [at for at, token in enumerate(self._words) if fits(pattern, token)]
        if pattern.form is Form.PREFIX:
            typed, others = beginnings(pattern.value)
            return [
                at
                for at, (word, written, _, _) in enumerate(self._words)
                if word.startswith(others) or written.casefold().startswith(typed)
            ]
        if pattern.value not in self._different:
            return ()
        # Not a list of places for each word: nobody asks for most of them, and a collector of
        # garbage would look at all of them again and again.
        folded, found = self._folded, [-1]
        for _ in range(folded.count(pattern.value)):
            found.append(folded.index(pattern.value, found[-1] + 1))
        return found[1:]

    @cached_property
    def _folded(self) -> tuple[str, ...]:
        return tuple(map(_word_of, self._words))

    @cached_property
    def _different(self) -> frozenset[str]:
        return frozenset(self._folded)


class Reading:
    """A paper, folded once and where it is needed, for any number of queries."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.body_field = "abstract" if paper.abstract else "summary"
        self._hits: dict[Term, tuple[Hit, ...]] = {}

    @cached_property
    def title(self) -> Text:
        """The words of the title."""
        return Text(self.paper.title)

    @cached_property
    def body(self) -> Text:
        """The words of the abstract; a source without abstracts may still have a summary."""
        return Text(self.paper.abstract or self.paper.summary)

    def hits(self, term: Term) -> tuple[Hit, ...]:
        """Every place where the term stands; none means that it does not."""
        found = self._hits.get(term)
        if found is None:
            found = self._hits[term] = self.found(term)
        return found

    def found(self, term: Term) -> tuple[Hit, ...]:
        """The same as hits(), looked for anew: for a term that is asked about once."""
        return tuple(self._in_text(term) if term.field.is_text else _in_field(term, self.paper))

    def _in_text(self, term: Term) -> Iterator[Hit]:
        if term.field is not Field.ABSTRACT:
            for start, end in spans(term, self.title):
                yield Hit(term.text, "title", start, end)
        if term.field is not Field.TITLE:
            for start, end in spans(term, self.body):
                yield Hit(term.text, self.body_field, start, end)


def holds(node: Node, reading: Reading) -> bool:
    """Whether it is so of this paper."""
    match node:
        case Term():
            return bool(reading.hits(node))
        case Floor(signal, above):
            count = signal_of(reading.paper.signals, signal)
            return count is not None and count > above
        case Not(part):
            return not holds(part, reading)
        case Or(parts):
            return any(holds(part, reading) for part in parts)
        case And(parts):
            return all(
                holds(part, reading)
                for part in parts
                if not (isinstance(part, Term) and part.optional)
            )


def matches(query: Query, paper: Paper) -> tuple[Found, ...]:
    """The lines of the query that this paper fits, each with the terms that did it and where.

    A query that asks for nothing has no lines to fit and finds nothing here: it means the top
    ten, which is for `digest.match` to rank.
    """
    return found_in(query, Reading(paper))


def found_in(query: Query, reading: Reading) -> tuple[Found, ...]:
    """The same as matches(), for a paper that is folded already."""
    if is_excluded(query, reading):
        return ()
    return tuple(
        Found(line.number, *evidence(line.tree, reading))
        for line in query.asks
        if holds(line.tree, reading)
    )


def is_excluded(query: Query, reading: Reading) -> bool:
    """Whether a line of exclusions keeps this paper out of the whole profile."""
    return not all(holds(line.tree, reading) for line in query.excludes)


def evidence(tree: Node, reading: Reading) -> tuple[tuple[Hit, ...], tuple[str, ...]]:
    """What made the tree true: hits in reading order, and the floors that were passed."""
    if isinstance(tree, Term):
        return reading.hits(tree), ()
    hits: dict[Hit, None] = {}
    floors: dict[str, None] = {}
    for node in _true_parts(tree, reading):
        if isinstance(node, Floor):
            floors[str(node)] = None
        else:
            hits.update(dict.fromkeys(reading.hits(node)))
    order = {"title": 0, "abstract": 1, "summary": 1}
    ordered = sorted(
        hits, key=lambda hit: (order.get(hit.field, 2), hit.field, hit.start, -hit.end)
    )
    return tuple(ordered), tuple(floors)


def _true_parts(node: Node, reading: Reading) -> Iterator[Term | Floor]:
    """The wanted leaves that hold; words found side by side as the one phrase they are."""
    match node:
        case Or(parts):
            for part in parts:
                if holds(part, reading):
                    yield from _true_parts(part, reading)
        case And(parts):
            told: set[int] = set()
            for run in runs(parts):
                phrase = adjacent(run)
                if reading.hits(phrase):
                    told.update(map(id, run))
                    yield phrase
            for part in parts:
                optional = isinstance(part, Term) and part.optional
                if id(part) not in told and not optional and holds(part, reading):
                    yield from _true_parts(part, reading)
        case Not():
            return
        case _:
            yield node


MOST_PLACES: Final = 1_000
"""Places of a term that are told of one text, whatever a hostile one repeats."""


def spans(term: Term, text: Text) -> list[tuple[int, int]]:
    """Where a term of text stands among these words, as (start, end) characters."""
    patterns = term.patterns
    if term.near:
        return [(text[at].start, text[at].end) for at in near_at(term, text)[:MOST_PLACES]]
    first, size = patterns[0], len(patterns)
    found = (
        (text[at].start, text[at + size - 1].end)
        for at in text.places(first)
        if at + size <= len(text)
        and all(text.is_there(patterns[n], at + n) for n in range(1, size))
    )
    return list(islice(found, MOST_PLACES))


def near_at(term: Term, text: Text) -> list[int]:
    """Where the words of a near term stand, in the shortest stretches that hold each of them.

    A stretch begins at any of the words and has few enough others between.
    """
    size = len(term.patterns)
    where = [frozenset(text.places(pattern)) for pattern in term.patterns]
    if not all(where):
        return []
    found: set[int] = set()
    places = sorted(frozenset[int]().union(*where))
    for n, at in enumerate(places):
        held: list[int] = []
        left = list(where)
        for further in range(n, len(places)):
            other = places[further]
            if other - at + 1 > size + term.near:
                break
            fitting = next((each for each in left if other in each), None)
            if fitting is not None:
                left.remove(fitting)
                held.append(other)
            if not left:
                found.update(held)
                break
    return sorted(found)


def fits(pattern: Pattern, token: Token) -> bool:
    """Whether one word is what one word of a term asks for."""
    if pattern.form is Form.FOLDED:
        return token.word == pattern.value
    if pattern.form is Form.WRITTEN:
        return token.written == pattern.value
    return begins(pattern.value, token)


def begins(beginning: str, token: Token) -> bool:
    """Whether a word begins so, as typed or with American endings: optimis* finds optimize."""
    typed, others = beginnings(beginning)
    return token.written.casefold().startswith(typed) or token.word.startswith(others)


@lru_cache(maxsize=1 << 12)
def beginnings(beginning: str) -> tuple[str, tuple[str, ...]]:
    """A beginning as typed, and the folded beginnings it may also be."""
    turned = {beginning, american(beginning)}
    if beginning.endswith(("is", "ys")):
        turned.add(beginning[:-1] + "z")
    return beginning, tuple(sorted(turned))


def signal_of(signals: Signals, name: str) -> int | None:
    """One count of a paper; None where nobody told us."""
    return {"upvotes": signals.upvotes, "comments": signals.comments, "stars": signals.stars}[name]


ARCHIVE_END: Final = (".", "-")
"""What parts an archive from its sections: math-ph, cs.CL."""


def is_in_field(term: Term, paper: Paper) -> bool:
    """Whether a paper has what is asked of a field that is no running text."""
    return next(_in_field(term, paper), None) is not None


def _in_field(term: Term, paper: Paper) -> Iterator[Hit]:
    """Hits in what is no running text."""
    text = term.text
    if term.field is Field.ORG:
        yield from _in_organization(text, paper.organization)
        return
    for place, is_there in enumerate(_asked_of(term.field, text, paper)):
        if is_there:
            yield Hit(text, term.field.value, place, place + 1)


def _asked_of(field: Field, text: str, paper: Paper) -> Iterator[bool]:
    """For each author, category or listing of the paper, whether it is the one asked for."""
    if field is Field.AUTHOR:
        yield from (is_author(text, author) for author in paper.authors)
    elif field is Field.CATEGORY:
        yield from (is_category(text, category) for category in categories(paper))
    elif field is Field.SOURCE:
        for listing in paper.listings:
            yield is_source(text, listing.source) or is_source(text, listing.label)
    else:
        yield _is_named(text, paper)


def _in_organization(text: str, organization: str) -> Iterator[Hit]:
    asked, tokens = words(text), fold(organization)
    there = [token.word for token in tokens]
    for at in range(len(there) - len(asked) + 1):
        if asked and there[at : at + len(asked)] == asked:
            yield Hit(text, Field.ORG.value, tokens[at].start, tokens[at + len(asked) - 1].end)


def categories(paper: Paper) -> tuple[str, ...]:
    """Its own categories, then those of the sections it was listed in."""
    listed = (listing.category for listing in paper.listings if listing.category)
    return tuple(dict.fromkeys((*paper.categories, *listed)))


def is_category(asked: str, category: str) -> bool:
    """Whether a category is the one asked for: cs.CL is cs.cl, and a part of cs and of cs.*."""
    wanted_name, name = asked.casefold().removesuffix(".*").removesuffix("*"), category.casefold()
    if name == wanted_name:
        return True
    if asked.endswith("*") and not asked.endswith(".*"):
        return name.startswith(wanted_name)
    return name.startswith(tuple(wanted_name + end for end in ARCHIVE_END))


def is_source(asked: str, name: str) -> bool:
    """Whether a source's short name, or what people call it, is the one asked for."""
    return plain(asked).casefold() == plain(name).casefold()


def _is_named(text: str, paper: Paper) -> bool:
    names = {str(each).casefold() for each in (paper.id, *paper.aliases)}
    return any(str(each).casefold() in names for each in paper_ids(text))


PAPER_PAGE: Final = re.compile(
    r"https?://(?:huggingface\.co/papers|(?:www\.)?alphaxiv\.org/abs)/(\d{4}\.\d{4,5})(?:v\d+)?",
    re.ASCII,
)
"""Pages of other places about a paper on arXiv."""


@lru_cache(maxsize=1 << 10)
def paper_ids(text: str) -> tuple[PaperId, ...]:
    """The ids a text may mean: an arXiv id in any form, a DOI, or scheme:value."""
    page = PAPER_PAGE.fullmatch(text.strip())
    name = page[1] if page else text.strip()
    found = []
    for read in (PaperId.arxiv, PaperId.doi, PaperId.parse):
        try:
            found.append(read(name))
        except ValueError:
            continue
    return tuple(found)
