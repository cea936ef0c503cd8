"""The tree of a keyword text: what parse() makes, what is evaluated, explained and written back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from subscribers.words import fold, is_acronym, plain

if TYPE_CHECKING:
    from collections.abc import Iterator


class Field(StrEnum):
    """Where a term is looked for; ANY is title and abstract."""

    ANY = ""
    TITLE = "title"
    ABSTRACT = "abstract"
    AUTHOR = "author"
    ORG = "org"
    CATEGORY = "category"
    SOURCE = "source"
    ID = "id"

    __hash__ = str.__hash__  # terms are looked up all the time, and an Enum's own is slow

    @property
    def is_text(self) -> bool:
        """Whether it is running text, in which words and phrases are looked for."""
        return self in {Field.ANY, Field.TITLE, Field.ABSTRACT}


class Form(StrEnum):
    """How a word of a term is compared."""

    FOLDED = "folded"
    WRITTEN = "written"
    PREFIX = "prefix"

    __hash__ = str.__hash__


class Pattern(NamedTuple):
    """One word of a term: folded, as written (RAG), or the beginning of a word."""

    form: Form
    value: str


@dataclass(frozen=True, slots=True)
class Term:
    """A word, phrase or field value, as written, and the patterns it is found by.

    `near`: the words in any order with at most so many others between them; 0 means side by
    side, in order. `optional` words (of, the) are asked for only beside their neighbours.
    """

    text: str
    field: Field = Field.ANY
    patterns: tuple[Pattern, ...] = ()
    near: int = 0
    weight: float = 1.0
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Floor:
    """A count that must have passed a number; a count nobody told us has passed none."""

    signal: str
    above: int

    def __str__(self) -> str:
        """As it is written: upvotes>20."""
        return f"{self.signal}>{self.above}"


@dataclass(frozen=True, slots=True)
class Not:
    """What must not be so."""

    part: Node


@dataclass(frozen=True, slots=True)
class And:
    """What must all be so; never empty."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """What must be so in one way at least; never empty."""

    parts: tuple[Node, ...]


Node = Term | Floor | Not | And | Or


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a profile (or what stands between commas), numbered from 1.

    `row` and `column` (from 1) say where it begins in the text as typed. `excludes`: it names
    nothing to find, and so holds for the whole profile.
    """

    number: int
    text: str
    tree: Node
    name: str
    row: int = 1
    column: int = 1
    excludes: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A keyword text that was understood: its lines are alternatives."""

    text: str
    lines: tuple[Line, ...] = ()

    @property
    def asks(self) -> tuple[Line, ...]:
        """The lines that name something to find."""
        return tuple(line for line in self.lines if not line.excludes)

    @property
    def excludes(self) -> tuple[Line, ...]:
        """The lines that hold for the whole profile."""
        return tuple(line for line in self.lines if line.excludes)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for: then it means the day's top ten."""
        return not self.asks

    @property
    def floors(self) -> frozenset[str]:
        """The signals its lines have floors on."""
        return frozenset(
            leaf.signal
            for line in self.lines
            for leaf in leaves(line.tree)
            if isinstance(leaf, Floor)
        )


def leaves(node: Node) -> Iterator[Term | Floor]:
    """Every term and floor, wanted or not, in order."""
    match node:
        case Not(part):
            yield from leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield node


def words_in(leaf: Term | Floor) -> int:
    """How many words it is found by; what is no running text counts as one."""
    return len(leaf.patterns) or 1 if isinstance(leaf, Term) else 1


def wanted(node: Node) -> Iterator[Term | Floor]:
    """Every term and floor that is not excluded, in order."""
    match node:
        case Not():
            return
        case And(parts) | Or(parts):
            for part in parts:
                yield from wanted(part)
        case _:
            yield node


def runs(parts: tuple[Node, ...]) -> Iterator[tuple[Term, ...]]:
    """The words typed side by side in a conjunction: what scores higher when adjacent."""
    run: list[Term] = []
    for part in (*parts, None):
        if isinstance(part, Term) and part.field is Field.ANY and not part.near:
            run.append(part)
            continue
        if len(run) > 1:
            yield tuple(run)
        run = []


def adjacent(run: tuple[Term, ...]) -> Term:
    """The run as one phrase."""
    return Term(
        " ".join(term.text for term in run),
        patterns=tuple(pattern for term in run for pattern in term.patterns),
        weight=max(term.weight for term in run),
    )


def patterns_of(text: str) -> tuple[Pattern, ...]:
    """What the words of a term are found by; a star at the end of a word makes it a beginning."""
    tokens = fold(text)
    alone = len(tokens) == 1
    found = []
    for token in tokens:
        starred = text[token.end : token.end + 1] == "*" and len(token.word) > alone
        capital = alone and len(token.written) == 1 and token.written.isupper()
        if starred:
            # The beginning of a word is compared as typed: its ending has not been folded yet.
            found.append(Pattern(Form.PREFIX, plain(text[token.start : token.end]).casefold()))
        elif capital or is_acronym(token.written):
            found.append(Pattern(Form.WRITTEN, token.written))
        else:
            found.append(Pattern(Form.FOLDED, token.word))
    return tuple(found)
