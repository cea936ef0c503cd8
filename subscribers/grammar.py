"""Reading a keyword text: from characters to lines of trees, or to mistakes with their place.

text   = line (newline or comma or semicolon line)*      alternatives
line   = both ("OR" both)*
both   = part ("AND"? part)*                             blank means AND
part   = ("-" or "NOT" or "!" or "+")? (group or term or floor) ("^" number)?
group  = (field ":")? "(" line ("," line)* ")"
term   = (field ":")? (word or "phrase" ("~" number)?)
floor  = ("upvotes" or "stars" or "comments") (">" or ">=") number
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from digest.errors import QueryError
from subscribers.lexemes import MAX_LINE, MAX_WEIGHT, Lexeme, Lexer
from subscribers.tree import And, Field, Node, Not, Or, Term

MAX_TEXT: Final = 100_000
MAX_TERMS: Final = 2_000
MAX_DEPTH: Final = 20
ROW_END: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
"""What ends a row of a keyword text."""
_INVISIBLE: Final = dict.fromkeys(
    [0x00AD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A piece of a text between separators: its tree, or the mistake in it; and its place."""

    text: str
    row: int
    column: int
    tree: Node | None = None
    mistake: QueryError | None = None


def read(text: str) -> list[Parsed]:
    """Every piece between separators, each with its tree or with its first mistake."""
    if len(text) > MAX_TEXT:
        reason = f"this is {len(text):,} characters long; the most is {MAX_TEXT:,}."
        return [Parsed(text[:MAX_LINE], 1, 1, mistake=QueryError(reason, column=MAX_TEXT + 1))]
    lines = ROW_END.split(text.translate(_INVISIBLE))
    filled = [row for row, line in enumerate(lines, start=1) if line.strip()]
    if len(filled) > MAX_TERMS:
        reason = f"these are {len(filled):,} lines; the most is {MAX_TERMS:,}."
        row = filled[MAX_TERMS]
        wrong = QueryError(reason, line=row, length=len(lines[row - 1]))
        return [Parsed(lines[row - 1], row, 1, mistake=wrong)]
    found: list[Parsed] = []
    terms = 0
    for row, line in enumerate(lines, start=1):
        for parsed, count in _Reader(line, row).pieces():
            terms += count
            if terms > MAX_TERMS:
                reason = f"this is the term that is one too many; the most is {MAX_TERMS:,}."
                wrong = QueryError(reason, line=row, column=parsed.column, length=len(parsed.text))
                return [*found, replace(parsed, tree=None, mistake=wrong)]
            found.append(parsed)
    return found


class _Reader(Lexer):
    """One physical line, read."""

    def __init__(self, line: str, row: int) -> None:
        super().__init__(line, row)
        self._depth = 0

    def pieces(self) -> list[tuple[Parsed, int]]:
        """What stands between this line's separators, with the number of terms in each."""
        line = self.line
        if not line.strip():
            return []
        try:
            self._refuse_unreadable()
            lexemes = self.lexemes()
        except QueryError as mistake:
            return [(Parsed(line.strip()[:MAX_LINE], self.row, 1, mistake=mistake), 0)]
        return [self._piece(group) for group in _split(lexemes) if group]

    def _refuse_unreadable(self) -> None:
        """Raise QueryError for a line that is too long or holds a control character."""
        if len(self.line) > MAX_LINE:
            reason = f"this line is {len(self.line):,} characters long; the most is {MAX_LINE:,}."
            raise QueryError(reason, line=self.row, column=MAX_LINE + 1)
        if control := _CONTROL.search(self.line):
            start, end = control.span()
            without = self.instead(start, end, " ")
            raise self.wrong("a control character stands here.", start, end, without)

    def _piece(self, group: list[Lexeme]) -> tuple[Parsed, int]:
        start, end = group[0].start, group[-1].end
        text, column = self.line[start:end], start + 1
        try:
            rest = list(reversed(group))
            tree = self._either(rest)
            if rest:
                stray = rest[-1]
                raise self.wrong(
                    "this parenthesis was never opened.",
                    stray.start,
                    stray.end,
                    self.instead(stray.start, stray.end, " "),
                )
        except QueryError as mistake:
            return Parsed(text, self.row, column, mistake=mistake), 0
        count = sum(lexeme.node is not None for lexeme in group)
        return Parsed(text, self.row, column, tree=tree), count if tree is not None else 0

    def _either(self, rest: list[Lexeme], *, grouped: bool = False) -> Node | None:
        """Alternatives, up to the end or the closing parenthesis; `rest` is reversed."""
        found: list[Node] = []
        joint: Lexeme | None = None
        while True:
            node = self._both(rest)
            if node is None and joint is not None:
                raise self.wrong(
                    f"{joint.text} joins nothing here.",
                    joint.start,
                    joint.end,
                    self.instead(joint.start, joint.end, " "),
                    self.instead(joint.start, joint.end, f' "{joint.text}" '),
                )
            if node is not None:
                found.extend(node.parts if isinstance(node, Or) else (node,))
            if not rest or not (
                rest[-1].kind == "or" or (grouped and rest[-1].kind == "separator")
            ):
                break
            joint = rest.pop()
            if node is None and joint.kind == "or":
                raise self.wrong(
                    f"{joint.text} joins nothing here.",
                    joint.start,
                    joint.end,
                    self.instead(joint.start, joint.end, " "),
                    self.instead(joint.start, joint.end, f' "{joint.text}" '),
                )
        unique = tuple(dict.fromkeys(found))
        if not unique:
            return None
        return unique[0] if len(unique) == 1 else Or(unique)

    def _both(self, rest: list[Lexeme]) -> Node | None:
        found: list[Node] = []
        joint: Lexeme | None = None
        while rest and rest[-1].kind not in {"or", "close", "separator"}:
            if rest[-1].kind == "and":
                joint = rest.pop()
                if found and rest and rest[-1].kind not in {"or", "close", "separator", "and"}:
                    continue
                raise self.wrong(
                    f"{joint.text} joins nothing here.",
                    joint.start,
                    joint.end,
                    self.instead(joint.start, joint.end, " "),
                    self.instead(joint.start, joint.end, f' "{joint.text}" '),
                )
            node = self._part(rest)
            if node is not None:
                found.extend(node.parts if isinstance(node, And) else (node,))
        return _conjunction(found)

    def _part(self, rest: list[Lexeme]) -> Node | None:
        lexeme = rest.pop()
        negative = False
        while lexeme.kind in {"minus", "not"}:
            if not rest or rest[-1].kind in {"or", "and", "close", "separator", "weight"}:
                raise self.wrong(
                    f"{lexeme.text} is followed by nothing to leave out.",
                    lexeme.start,
                    lexeme.end,
                    self.instead(lexeme.start, lexeme.end, " "),
                    self.instead(lexeme.start, lexeme.end, f' "{lexeme.text}" '),
                )
            negative = not negative
            lexeme = rest.pop()
        if lexeme.kind == "weight":
            raise self.wrong(
                "a weight stands right behind the word it is for, as in unlearning^3.",
                lexeme.start,
                lexeme.end,
                self.instead(lexeme.start, lexeme.end, " "),
            )
        if lexeme.kind == "field":
            node = self._group(rest.pop(), rest)
            node = None if node is None else _within(node, lexeme.field)
        else:
            node = self._group(lexeme, rest) if lexeme.kind == "open" else lexeme.node
        if rest and rest[-1].kind == "weight":
            weight = rest.pop().weight
            node = None if node is None else _weigh(node, weight)
        if not negative or node is None:
            return node
        return node.part if isinstance(node, Not) else Not(_required(node))

    def _group(self, opening: Lexeme, rest: list[Lexeme]) -> Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            reason = f"parentheses stand more than {MAX_DEPTH} deep here."
            flat = " ".join(re.sub("[()]", " ", self.line).split())
            raise self.wrong(reason, opening.start, opening.end, flat)
        node = self._either(rest, grouped=True)
        self._depth -= 1
        if not rest:
            raise self.wrong(
                "this parenthesis is never closed.",
                opening.start,
                opening.end,
                self.line + ")",
                self.instead(opening.start, opening.end, " "),
            )
        rest.pop()
        return node


def _within(node: Node, field: Field) -> Node:
    """The node with what names no field of its own asked of this one: title:(a OR b)."""
    match node:
        case Not(part):
            return Not(_within(part, field))
        case Or(parts):
            return Or(tuple(_within(part, field) for part in parts))
        case And(parts) if field.is_text or not all(map(_is_bare, parts)):
            asked = [part for part in parts if not (isinstance(part, Term) and part.optional)]
            found = tuple(_within(part, field) for part in asked)
            return found[0] if len(found) == 1 else And(found)
        case And(parts):
            # A name of several words is one name.
            return Term(" ".join(part.text for part in parts if isinstance(part, Term)), field)
        case Term(field=Field.ANY):
            return replace(node, field=field) if field.is_text else Term(node.text, field)
    return node


def _is_bare(part: Node) -> bool:
    """Whether it is a word or phrase of the text, with nothing else said about it."""
    return isinstance(part, Term) and part.field is Field.ANY and not part.near


def _split(lexemes: list[Lexeme]) -> list[list[Lexeme]]:
    """Cut at the separators that stand outside parentheses."""
    groups: list[list[Lexeme]] = [[]]
    depth = 0
    for lexeme in lexemes:
        depth += {"open": 1, "close": -1}.get(lexeme.kind, 0)
        if lexeme.kind == "separator" and depth <= 0:
            groups.append([])
        else:
            groups[-1].append(lexeme)
    return groups


def _conjunction(found: list[Node]) -> Node | None:
    """All of these; small words are asked for only where nothing else is."""
    asked = (node for node in found if not isinstance(node, Not))
    if all(isinstance(node, Term) and node.optional for node in asked):
        found = [_required(node) for node in found]
    if not found:
        return None
    return found[0] if len(found) == 1 else And(tuple(found))


def _required(node: Node) -> Node:
    return replace(node, optional=False) if isinstance(node, Term) and node.optional else node


def _weigh(node: Node, weight: float) -> Node:
    match node:
        case Term():
            return replace(node, weight=round(max(0.001, min(node.weight * weight, MAX_WEIGHT)), 3))
        case And(parts):
            return And(tuple(_weigh(part, weight) for part in parts))
        case Or(parts):
            return Or(tuple(_weigh(part, weight) for part in parts))
        case _:
            return node
