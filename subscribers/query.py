"""The keyword language: parse() reads a profile's text, matches() holds it against a paper.

What it means is written for readers in docs/keywords.md. In short: a new line, a comma or a
semicolon parts alternatives; a blank means all of the words; quotes a phrase; a minus leaves
out, for its line, or for the whole profile when its line names nothing to find; no line at all
means the day's top ten. A mistake is a QueryError with its place and repairs, never silence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from digest.errors import QueryError
from subscribers.finding import Found, Hit, beginnings, is_category, matches
from subscribers.grammar import Parsed, put, read, rows_of
from subscribers.lexemes import SIGNALS, STOP_WORDS
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
    patterns_of,
    wanted,
)  # fmt: skip
from subscribers.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "SIGNALS", "And", "Field", "Floor", "Found", "Hit", "Line", "Node", "Not", "Or", "Query",
    "Term", "check", "explain", "format_query", "matches", "mended", "parse", "write",
]  # fmt: skip
_MOST_MENDED: Final = 20
"""Mistakes of a text that are mended together."""
_MOST_REREAD: Final = 20_000
"""Characters that are read again for it."""


def parse(text: str) -> Query:
    """Read a keyword text; raises QueryError for its first mistake."""
    query, mistakes = check(text)
    if mistakes:
        raise mistakes[0]
    return query


def check(text: str) -> tuple[Query, tuple[QueryError, ...]]:
    """The lines that can be read, with their own numbers, and every mistake in the others."""
    lines: list[Line] = []
    mistakes: list[QueryError] = []
    number = 0
    for parsed in read(text):
        if parsed.mistake is not None:
            number += 1
            mistakes.append(parsed.mistake)
        elif parsed.tree is not None:
            number += 1
            lines.append(_line(parsed, parsed.tree, number))
    query = Query(text, tuple(lines))
    if not mistakes and (impossible := _impossible(query)) is not None:
        mistakes.append(impossible)
    return query, tuple(mistakes)


def _line(parsed: Parsed, tree: Node, number: int) -> Line:
    excludes = next(wanted(tree), None) is None
    name = _name(tree) or parsed.text
    return Line(number, parsed.text, tree, name, parsed.row, parsed.column, excludes=excludes)


def _name(tree: Node) -> str:
    """The part that is asked for, as a reader would say it."""
    if isinstance(tree, Or):
        return " or ".join(filter(None, map(_name, tree.parts)))
    named = list(wanted(tree))
    if isinstance(tree, And):
        text = [_name(part) if isinstance(part, Or) else _spoken(part) for part in _textual(tree)]
        if text:
            return " ".join(text)
    return ", ".join(dict.fromkeys(map(_spoken, named)))


def _textual(tree: And) -> list[Node]:
    return [
        part
        for part in tree.parts
        if (isinstance(part, Term) and part.field.is_text)
        or (
            isinstance(part, Or)
            and all(isinstance(leaf, Term) and leaf.field.is_text for leaf in wanted(part))
        )
    ]


def _spoken(leaf: Node) -> str:
    match leaf:
        case Floor(signal, above):
            return f"over {above:,} {signal}"
        case Term(text):
            return text
        case _:
            return _name(leaf)


def mended(text: str) -> str:
    """The text with the first repair of each mistake taken; empty where there is none for one."""
    for _ in range(min(_MOST_MENDED, 1 + _MOST_REREAD // max(len(text), 1))):
        mistakes = check(text)[1]
        if not mistakes:
            return text
        if not mistakes[0].repairs:
            break
        rows = rows_of(text)
        rows[mistakes[0].line - 1] = mistakes[0].repairs[0]
        text = "\n".join(filter(None, rows))
    return ""


def _impossible(query: Query) -> QueryError | None:
    """The mistake of a query whose every line leaves out what it asks for."""
    found: QueryError | None = None
    everywhere = [(ban, line) for line in query.excludes for ban in _banned(line.tree)]
    for line in query.asks:
        bans = [*((ban, line) for ban in _banned(line.tree)), *everywhere]
        culprit, where = next(
            ((ban, at) for ban, at in bans if _implied(line.tree, ban)), (None, line)
        )
        if culprit is None:
            return None
        if found is None:
            found = QueryError(
                f"this can find nothing: {_contradiction(line, culprit, where)}.",
                line=where.row,
                column=where.column,
                length=len(where.text),
                repairs=_without(query.text, where, culprit),
            )
    return found


def _contradiction(line: Line, culprit: Node, where: Line) -> str:
    """What is asked for and left out, in words; `where` leaves it out."""
    if where is line:
        return f"it asks for {_spoken(culprit)} and leaves it out"
    return f"it leaves out {_spoken(culprit)} everywhere, and line {line.row} asks for it"


def _banned(tree: Node) -> list[Node]:
    """What a conjunction leaves out."""
    parts = tree.parts if isinstance(tree, And) else (tree,)
    found: list[Node] = []
    for part in parts:
        if isinstance(part, Not):
            found.extend(part.part.parts if isinstance(part.part, Or) else (part.part,))
    return found


def _implied(tree: Node, ban: Node) -> bool:
    """Whether all that fits the tree is banned."""
    match tree:
        case Or(parts):
            return all(_implied(part, ban) for part in parts)
        case And(parts):
            return any(_implied(part, ban) for part in parts)
        case Term():
            return isinstance(ban, Term) and not tree.optional and _contains(tree, ban)
        case Floor(signal, above):
            return isinstance(ban, Floor) and ban.signal == signal and ban.above <= above
        case _:
            return False


def _contains(term: Term, ban: Term) -> bool:
    """Whether every paper with the term has what is banned."""
    if not term.field.is_text or not ban.field.is_text:
        if term.field is Field.CATEGORY and ban.field is Field.CATEGORY:
            return is_category(ban.text, term.text.removesuffix("*").removesuffix("."))
        return term.field is ban.field and term.text.casefold() == ban.text.casefold()
    if (
        ban.field not in {Field.ANY, term.field}
        or ban.near
        or (term.near and len(ban.patterns) > 1)
    ):
        return False
    size = len(ban.patterns)
    return any(
        all(map(_covers, ban.patterns, term.patterns[at : at + size]))
        for at in range(len(term.patterns) - size + 1)
    )


def _covers(ban: Pattern, asked: Pattern) -> bool:
    """Whether each word that one pattern finds is found by the other too: RAG by rag and ra*."""
    if ban == asked:
        return True
    match ban.form:
        case Form.FOLDED:
            return asked.form is Form.WRITTEN and words(asked.value) == [ban.value]
        case Form.PREFIX:
            also = beginnings(asked.value)[1] if asked.form is Form.PREFIX else ()
            starts = asked.value.casefold().startswith(ban.value)
            return starts and all(one.startswith(beginnings(ban.value)[1]) for one in also)
        case _:
            return False


def _without(text: str, where: Line, culprit: Node) -> tuple[str, ...]:
    """The row of a line that leaves something out, without that; empty where nothing is left."""
    parts = where.tree.parts if isinstance(where.tree, And) else (where.tree,)
    kept = tuple(part for part in parts if culprit not in _banned(part))
    if len(kept) == len(parts):
        return ()
    row = rows_of(text)[where.row - 1]
    start = where.column - 1
    left = "" if not kept else write(kept[0] if len(kept) == 1 else And(kept))
    return (put(row, start, start + len(where.text), left),)


def format_query(query: Query) -> str:
    """The canonical text of a query: parse() of it gives the same trees again."""
    return "\n".join(write(line.tree) for line in query.lines)


def write(node: Node, inside: type[Node] | None = None) -> str:
    """A tree as a line of keywords; `inside` says what it stands in, for its parentheses."""
    match node:
        case Term():
            return _write_term(node)
        case Floor():
            return str(node)
        case Not(part):
            return "-" + write(part, Not)
        case And(parts):
            text = " ".join(write(part, And) for part in parts)
            return f"({text})" if inside is Not else text
        case Or(parts):
            text = " OR ".join(write(part, Or) for part in parts)
            return f"({text})" if inside in {And, Not} else text


_PLAIN_FIELD_VALUE: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-:/_")


def _write_term(term: Term) -> str:
    prefix = f"{term.field.value}:" if term.field else ""
    weight = "" if term.weight == 1 else f"^{term.weight:g}"
    near = f"~{term.near}" if term.near else ""
    if term.field.is_text:
        bare = not near and _stands_bare(term, prefix)
    else:
        bare = bool(term.text) and set(term.text.lower()) <= _PLAIN_FIELD_VALUE
    text = term.text if bare else f'"{term.text}"'
    return f"{prefix}{text}{near}{weight}"


def _stands_bare(term: Term, prefix: str) -> bool:
    """Whether the word, typed without quotes, is read as this very term."""
    if (term.text.lower() in STOP_WORDS) != term.optional:
        return False
    pieces = [piece for piece in read(prefix + term.text) if piece.mistake or piece.tree]
    if len(pieces) != 1 or term.text.strip() != term.text or pieces[0].tree is None:
        return False
    same = replace(term, weight=1.0, optional=False)
    return pieces[0].tree == same and same.patterns == patterns_of(term.text)


def explain(query: Query) -> str:
    """What a query finds, in words: one sentence a line."""
    kept = [f"Leaves out papers {_tell_left_out(_inverted(line.tree))}." for line in query.excludes]
    if query.is_empty:
        return "\n".join(["The day's top ten, by upvotes, comments and stars.", *kept])
    told = [f"Papers {_tell(line.tree)}." for line in query.asks]
    return "\n".join([*told, *kept])


def _inverted(tree: Node) -> Node:
    """What a line of exclusions leaves out, as something that is so."""
    match tree:
        case Not(part):
            return part
        case And(parts):
            return Or(tuple(_inverted(part) for part in parts))
        case Or(parts):
            return And(tuple(_inverted(part) for part in parts))
        case _:
            return Not(tree)


def _tell(node: Node) -> str:
    match node:
        case Or(parts):
            return ", or ".join(_tell(part) for part in parts)
        case And(parts):
            return _tell_all(parts)
        case Not(part):
            return f"not {_tell(part)}"
        case Floor(signal, above):
            return f"with more than {above:,} {signal}"
        case Term():
            return _tell_term(node)


def _tell_all(parts: tuple[Node, ...], *, ranks: bool = True) -> str:
    """A conjunction in words; what is left out `ranks` nowhere."""
    bare = [part for part in parts if isinstance(part, Term) and _is_plain(part)]
    told: list[str] = []
    if len(bare) > 1:
        phrase = " ".join(term.text for term in bare)
        higher = " (side by side ranks higher)" if ranks else ""
        told.append(f"with all of the words {phrase}{higher}")
        rest: Iterable[Node] = [part for part in parts if part not in bare]
    else:
        rest = parts
    told += [
        f"({_tell(part)})" if isinstance(part, Or) else _tell(part)
        for part in rest
        if not isinstance(part, Not)
    ]
    left = [_tell_left_out(part.part) for part in rest if isinstance(part, Not)]
    text = ", ".join(told) if told else "of any kind"
    return text + "".join(f", but none {each}" for each in left)


def _tell_left_out(node: Node) -> str:
    return _tell_all(node.parts, ranks=False) if isinstance(node, And) else _tell(node)


def _is_plain(term: Term) -> bool:
    return term.field is Field.ANY and " " not in term.text and term.weight == 1


_TOLD: Final = {
    Field.AUTHOR: "by {}",
    Field.ORG: "from {}",
    Field.CATEGORY: "in {}",
    Field.SOURCE: "listed by {}",
    Field.ID: "with the id {}",
}


def _tell_term(term: Term) -> str:
    return _told_of(term) + _counting(term)


def _counting(term: Term) -> str:
    return "" if term.weight == 1 else f" (counts {term.weight:g} times)"


def _told_of(term: Term) -> str:
    if term.field in _TOLD:
        return _TOLD[term.field].format(term.text)
    where = f" in the {term.field.value}" if term.field else ""
    if term.near:
        return f"with {term.text} at most {term.near} words apart{where}"
    if term.text.endswith("*") and term.patterns[-1].form is Form.PREFIX:
        return f"with a word that begins with {term.text.rstrip('*')}{where}"
    return f"with {term.text}{where}"


def terms(query: Query) -> tuple[Term | Floor, ...]:
    """Every different term and floor of a query, in order."""
    return tuple(dict.fromkeys(leaf for line in query.lines for leaf in leaves(line.tree)))
