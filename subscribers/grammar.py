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
from subscribers.lexemes import MAX_LINE, MAX_WEIGHT, SEPARATORS, Lexeme, Lexer, Slip
from subscribers.tree import And, Field, Node, Not, Or, Term, leaves, words_in

MAX_TEXT: Final = 50_000
MAX_TERMS: Final = 1_000
MAX_WORDS: Final = 2_000
MAX_MISTAKES: Final = 100
"""Mistakes that are told; what stands behind the next one is not read."""
_MOST_MENDED: Final = 20
"""Mistakes of a text that are offered repairs; nobody reads more of them."""
_MOST_REREAD: Final = 4_000
"""Characters of a text that are read again for all of its repairs."""
_MOST_ROUNDS: Final = 8
"""Mistakes of one piece that are mended together."""
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


def rows_of(text: str) -> list[str]:
    """The rows of a keyword text, without the characters nobody sees."""
    return ROW_END.split(text.translate(_INVISIBLE))


def read(text: str) -> list[Parsed]:
    """Every piece between separators, each with its tree or with its first mistake."""
    if len(text) > MAX_TEXT:
        reason = f"this is {len(text):,} characters long; the most is {MAX_TEXT:,}."
        *_, last = before = rows_of(text[:MAX_TEXT])
        wrong = QueryError(reason, line=len(before), column=len(last) + 1)
        return [Parsed(last[:MAX_LINE], len(before), 1, mistake=wrong)]
    lines = rows_of(text)
    filled = [row for row, line in enumerate(lines, start=1) if line.strip()]
    if len(filled) > MAX_TERMS:
        reason = f"these are {len(filled):,} lines; the most is {MAX_TERMS:,}."
        row = filled[MAX_TERMS]
        wrong = QueryError(reason, line=row, length=len(lines[row - 1]))
        return [Parsed(lines[row - 1], row, 1, mistake=wrong)]
    found: list[Parsed] = []
    terms = said = mistakes = 0
    mender = _Mender()
    for row, line in enumerate(lines, start=1):
        for piece in _pieces_of(line):
            terms += piece.terms
            said += piece.words
            mistakes += piece.slip is not None
            if reason := _too_much(terms, said, mistakes):
                start, end = piece.start, piece.end
                wrong = QueryError(reason, line=row, column=start + 1, length=end - start)
                return [*found, Parsed(line[start:end], row, start + 1, mistake=wrong)]
            found.append(_told(line, row, piece, mender if mistakes <= _MOST_MENDED else None))
    return found


def _too_much(terms: int, said: int, mistakes: int) -> str:
    """What there is too much of, if anything."""
    if terms > MAX_TERMS:
        return f"this is the term that is one too many; the most is {MAX_TERMS:,}."
    if said > MAX_WORDS:
        return f"these are more words than are read; the most is {MAX_WORDS:,} in all terms."
    if mistakes > MAX_MISTAKES:
        return f"this is one mistake too many to tell; the most is {MAX_MISTAKES}."
    return ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands between two separators of a line, read (columns from 0).

    `first` and `last` reach to the separators; `start` and `end` are where it says something.
    """

    first: int
    last: int
    start: int
    end: int
    tree: Node | None = None
    terms: int = 0
    words: int = 0
    slip: Slip | None = None


def _pieces_of(line: str) -> list[_Piece]:
    """The pieces of a line; one that cannot be read at all is one piece."""
    if not line.strip():
        return []
    whole = len(line)
    if whole > MAX_LINE:
        reason = (
            f"this line is {whole:,} characters long; the most is {MAX_LINE:,}: make it several."
        )
        return [_Piece(0, whole, 0, whole, slip=Slip(reason, MAX_LINE, MAX_LINE + 1))]
    if control := _CONTROL.search(line):
        edit = (0, whole, _CONTROL.sub(" ", line))
        return [
            _Piece(
                0,
                whole,
                0,
                whole,
                slip=Slip("a control character stands here.", *control.span(), edit),
            )
        ]
    return _Reader(line).pieces()


def _told(line: str, row: int, piece: _Piece, mender: _Mender | None) -> Parsed:
    """The piece with its place; a mistake in it with the lines that would be right."""
    text = line[piece.start : piece.end]
    if piece.slip is None:
        return Parsed(text, row, piece.start + 1, tree=piece.tree)
    slip = piece.slip
    repairs = mender.repairs(line, piece, slip) if mender else ()
    mistake = QueryError(
        slip.reason,
        line=row,
        column=slip.start + 1,
        length=slip.end - slip.start,
        repairs=repairs,
    )
    return Parsed(text[:MAX_LINE], row, piece.start + 1, mistake=mistake)


class _Mender:
    """The repairs of a text's mistakes, until it would have to read too much for them."""

    def __init__(self) -> None:
        self._left = _MOST_REREAD

    def repairs(self, line: str, piece: _Piece, slip: Slip) -> tuple[str, ...]:
        """The whole line with this piece mended, in each way there is; else without the piece."""
        if len(line) > MAX_LINE:
            return ()
        found: dict[str, None] = {}
        is_empty = not slip.edits
        for edit in slip.edits:
            first, last = min(piece.first, edit[0]), max(piece.last, edit[1])
            mended = self._mended(_edited(line[first:last], edit, -first))
            is_empty |= mended == ""
            if mended:
                found[put(line, first, last, mended)] = None
        if is_empty:
            found[put(line, piece.first, piece.last, "")] = None
        return tuple(found)

    def _mended(self, text: str) -> str | None:
        """A text with its mistakes mended, the first way each; nothing where nothing is left.

        None where that would be too much to read.
        """
        for _ in range(_MOST_ROUNDS):
            self._left -= len(text)
            if self._left < 0:
                return None
            pieces = _pieces_of(text)
            wrong = next((piece for piece in pieces if piece.slip is not None), None)
            if wrong is None or wrong.slip is None:
                return text if any(piece.tree is not None for piece in pieces) else ""
            if wrong.slip.edits:
                text = _edited(text, wrong.slip.edits[0])
            else:
                text = put(text, wrong.first, wrong.last, "")
        return ""


def _edited(text: str, edit: tuple[int, int, str], offset: int = 0) -> str:
    start, end, put = edit
    return " ".join((text[: start + offset] + put + text[end + offset :]).split())


def put(line: str, start: int, end: int, piece: str) -> str:
    """The line with another piece there; where it is nothing, with one separator less."""
    before, behind = line[:start], line[end:]
    if not piece:
        behind = behind.lstrip()
        if behind:
            behind = behind[1:].lstrip()
        else:
            before = before.rstrip().rstrip(SEPARATORS)
    if before.endswith(tuple(SEPARATORS)):
        before += " "
    return f"{before}{piece}{behind}".strip()


class _Reader(Lexer):
    """One physical line, read."""

    def pieces(self) -> list[_Piece]:
        """What stands between this line's separators."""
        groups = _split(self.lexemes(), len(self.line))
        return [self._piece(*group) for group in groups if group[0]]

    def _piece(self, group: list[Lexeme], first: int, last: int) -> _Piece:
        start, end = group[0].start, group[-1].end
        slip = next((lexeme.slip for lexeme in group if lexeme.slip is not None), None)
        tree = None
        if slip is None:
            rest = list(reversed(group))
            try:
                tree = self._either(rest)
                if rest:
                    raise _stray("this parenthesis was never opened.", rest[-1])
            except Slip as found:
                slip = found
        read = [tree] if slip is None else [lexeme.node for lexeme in group]
        asked = [leaf for node in read if node is not None for leaf in leaves(node)]
        if slip is not None:
            end = max(end, slip.end)
        return _Piece(first, last, start, end, tree, len(asked), sum(map(words_in, asked)), slip)

    def _either(self, rest: list[Lexeme], *, grouped: bool = False) -> Node | None:
        """Alternatives, up to the end or the closing parenthesis; `rest` is reversed."""
        found: list[Node] = []
        joint: Lexeme | None = None
        while True:
            node = self._both(rest)
            if node is None and joint is not None:
                raise _stray(f"{joint.text} joins nothing here.", joint, joint.text)
            if node is not None:
                found.extend(node.parts if isinstance(node, Or) else (node,))
            if not rest or not (
                rest[-1].kind == "or" or (grouped and rest[-1].kind == "separator")
            ):
                break
            joint = rest.pop()
            if node is None and joint.kind == "or":
                raise _stray(f"{joint.text} joins nothing here.", joint, joint.text)
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
                raise _stray(f"{joint.text} joins nothing here.", joint, joint.text)
            node = self._part(rest)
            if node is not None:
                found.extend(node.parts if isinstance(node, And) else (node,))
        return _conjunction(found)

    def _part(self, rest: list[Lexeme]) -> Node | None:
        lexeme = rest.pop()
        negative = False
        while lexeme.kind in {"minus", "not"}:
            if not rest or rest[-1].kind in {"or", "and", "close", "separator", "weight"}:
                reason = f"{lexeme.text} is followed by nothing to leave out."
                raise _stray(reason, lexeme, lexeme.text)
            negative = not negative
            lexeme = rest.pop()
        if lexeme.kind == "weight":
            reason = "a weight stands right behind the word it is for, as in unlearning^3."
            raise _stray(reason, lexeme)
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
        is_empty = bool(rest) and rest[-1].kind == "close"
        last = rest[0].end if rest else opening.end
        node = self._either(rest, grouped=True)
        start, end = opening.start, opening.end
        if not rest:
            reason = "this parenthesis is never closed."
            raise Slip(reason, start, end, (last, last, ")"), (start, end, " "))
        closing = rest.pop()
        if is_empty:
            reason = "nothing stands between these parentheses."
            raise Slip(reason, start, closing.end, (start, closing.end, " "))
        return node


def _stray(reason: str, lexeme: Lexeme, word: str = "") -> Slip:
    """A piece that says nothing where it stands; mended by leaving it out, or as a word."""
    edits = [(lexeme.start, lexeme.end, " ")]
    if word:
        edits.append((lexeme.start, lexeme.end, f' "{word}" '))
    return Slip(reason, lexeme.start, lexeme.end, *edits)


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


def _split(lexemes: list[Lexeme], length: int) -> list[tuple[list[Lexeme], int, int]]:
    """What stands between separators outside parentheses, and the columns from one to the next."""
    groups: list[tuple[list[Lexeme], int, int]] = []
    group: list[Lexeme] = []
    depth = first = 0
    for lexeme in lexemes:
        depth = max(0, depth + {"open": 1, "close": -1}.get(lexeme.kind, 0))
        if lexeme.kind == "separator" and not depth:
            groups.append((group, first, lexeme.start))
            group, first = [], lexeme.end
        else:
            group.append(lexeme)
    return [*groups, (group, first, length)]


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
