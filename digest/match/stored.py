"""Stored profiles: a keyword text compiled for matching, each different line once a process.

A stored profile is one string, a line for each different line of the text:

    1000=diffusion                       one term and what it counts for, in thousandths
    ["&",0,["!",1]]<tab>500 0<tab>a<tab>b   a shape over numbered leaves, what each leaf counts
                                         for, and the leaves: atoms
    !...                                 the same for a line of exclusions, as what it leaves out

Before them, in this order, where they apply:

    *                                    no keywords: every paper
    ~                                    the profile is ordered by trend
    @310=unlearn<tab>-80=survey             what was learned of the reader: weights and words

An atom of text is its words, folded, with a blank between: `sparse attention`; a word that is
found as written begins with =, the beginning of a word with ~; `title:` or `abstract:` stands
before them, and `~5` behind that for nearness, as in `title~5:sparse attention`. Any other atom
is JSON: ["author", "Ines Harrow"], or a floor ["upvotes>", 20].
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from digest.match.score import coefficients
from subscribers.grammar import MAX_TERMS, MAX_TEXT, MAX_WORDS
from subscribers.profile import Order
from subscribers.query import check
from subscribers.tree import (
    And,
    Field,
    Floor,
    Form,
    Line,
    Node,
    Not,
    Or,
    Pattern,
    Query,
    Term,
    leaves,
    words_in,
)

if TYPE_CHECKING:
    from digest.match.learned import Learned
    from subscribers.profile import Profile

EVERYTHING: Final = "*"
TRENDING: Final = "~"
LEARNED: Final = "@"
_SIGNS: Final = {Form.FOLDED: "", Form.WRITTEN: "=", Form.PREFIX: "~"}
_FORMS: Final = {"=": Form.WRITTEN, "~": Form.PREFIX}


def store(profile: Profile, learned: Learned | None = None) -> str:
    """The stored form of a profile; lines with mistakes in them are passed over."""
    return form(profile, understood(profile.text), learned)


def form(profile: Profile, known: Understood, learned: Learned | None) -> str:
    """The same of a profile whose text has been read."""
    flags = []
    if known.query.is_empty:
        flags = [EVERYTHING, TRENDING]
    elif profile.order is Order.TRENDING:
        flags = [TRENDING]
    elif learned is not None and learned.weights:
        weights = (f"{weight.thousandths}={weight.word}" for weight in learned.weights)
        flags = [LEARNED + "\t".join(weights)]
    return "\n".join([*flags, *known.programs])


@dataclass(frozen=True, slots=True)
class Understood:
    """A keyword text: each different line that can be read, and the stored form of each."""

    query: Query
    programs: tuple[str, ...]


def understood(text: str) -> Understood:
    """A keyword text read; a row that somebody else has typed too is not read again."""
    lines = _read_by_row(text)
    if lines is None:
        lines = [(line, program(line)) for line in check(text)[0].lines]
    different: dict[str, Line] = {}
    for line, stored in lines:
        different.setdefault(stored, line)
    return Understood(Query(text, tuple(different.values())), tuple(different))


def distinct(query: Query) -> Query:
    """The query with each line once, whatever words of the same meaning it was typed in."""
    seen: dict[str, Line] = {}
    for line in query.lines:
        seen.setdefault(program(line), line)
    return Query(query.text, tuple(seen.values()))


def _read_by_row(text: str) -> list[tuple[Line, str]] | None:
    """What check() reads, with stored forms; None where the text must be read as a whole."""
    rows = text.split("\n")
    if len(text) > MAX_TEXT or len(rows) > MAX_TERMS or rows != text.splitlines():
        return None
    lines: list[tuple[Line, str]] = []
    terms = said = 0
    for at, row in enumerate(rows, start=1):
        known = _row(row)
        if known is None:
            return None
        terms += known.terms
        said += known.words
        for line, stored in known.lines:
            moved = Line(
                len(lines) + 1,
                line.text,
                line.tree,
                line.name,
                at,
                line.column,
                excludes=line.excludes,
            )
            lines.append((moved, stored))
    return lines if terms <= MAX_TERMS and said <= MAX_WORDS else None


class _Row(NamedTuple):
    lines: tuple[tuple[Line, str], ...]
    terms: int
    words: int


@lru_cache(maxsize=1 << 15)
def _row(text: str) -> _Row | None:
    query, mistakes = check(text)
    if mistakes:
        return None
    lines = tuple((line, program(line)) for line in query.lines)
    asked = [leaf for line in query.lines for leaf in leaves(line.tree)]
    return _Row(lines, len(asked), sum(map(words_in, asked)))


def program(line: Line) -> str:
    """One line in its stored form."""
    atoms: dict[str, int] = {}
    counts: dict[int, int] = {}
    tree = Not(line.tree) if line.excludes else line.tree
    code = _code(tree, atoms)
    if not line.excludes:
        for term, coefficient in coefficients(line.tree):
            number = atoms.setdefault(atom(term), len(atoms))
            counts[number] = counts.get(number, 0) + coefficient
    if code == 0 and len(atoms) == 1 and not line.excludes:
        return f"{counts.get(0, 0)}={next(iter(atoms))}"
    amounts = " ".join(str(counts.get(number, 0)) for number in range(len(atoms)))
    written = "\t".join([_json(code), amounts, *atoms])
    return "!" + written if line.excludes else written


def _code(node: Node, atoms: dict[str, int]) -> int | list[object]:
    match node:
        case Not(Not(part)):
            return _code(part, atoms)
        case Not(part):
            return ["!", _code(part, atoms)]
        case And(parts):
            asked = [part for part in parts if not (isinstance(part, Term) and part.optional)]
            return ["&", *(_code(part, atoms) for part in asked)]
        case Or(parts):
            return ["|", *(_code(part, atoms) for part in parts)]
        case _:
            return atoms.setdefault(atom(node), len(atoms))


def atom(leaf: Term | Floor) -> str:
    """A term or floor without the letters it was typed in; what is the same has the same atom."""
    if isinstance(leaf, Floor):
        return _json([f"{leaf.signal}>", leaf.above])
    if not leaf.field.is_text:
        return _json([leaf.field.value, leaf.text])
    words = " ".join(_SIGNS[form] + value for form, value in leaf.patterns)
    if not leaf.near:
        return f"{leaf.field.value}:{words}" if leaf.field else words
    return f"{leaf.field.value}~{leaf.near}:{words}"


def term(atom: str) -> Term | Floor:
    """What an atom stands for."""
    if atom[0] == "[":
        name, value = json.loads(atom)
        return Floor(name[:-1], value) if name.endswith(">") else Term(value, Field(name))
    head, _, text = atom.rpartition(":")
    field, _, near = head.partition("~")
    patterns = tuple(map(element, text.split(" ")))
    return Term(text, Field(field), patterns, near=int(near or 0))


def element(text: str) -> Pattern:
    """One word of an atom of text."""
    form = _FORMS.get(text[0], Form.FOLDED)
    return Pattern(form, text if form is Form.FOLDED else text[1:])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
