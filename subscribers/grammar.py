"""Reading a keyword text: from characters to lines of trees, or to mistakes with their place.

text   = line (newline or comma or semicolon line)*      alternatives
line   = both ("OR" both)*
both   = part ("AND"? part)*                             blank means AND
part   = ("-" or "NOT" or "+")? (group or term or floor) ("^" number)?
group  = "(" line ("," line)* ")"
term   = (field ":")? (word or "phrase" ("~" number)?)
floor  = ("upvotes" or "stars" or "comments") (">" or ">=") number
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from digest.errors import QueryError
from digest.papers import split_arxiv
from subscribers.tree import And, Field, Floor, Node, Not, Or, Term, patterns_of
from subscribers.words import words

MAX_TEXT: Final = 100_000
MAX_LINE: Final = 2_000
MAX_TERMS: Final = 2_000
MAX_DEPTH: Final = 20
MAX_NEAR: Final = 50
MAX_WEIGHT: Final = 100.0
SIGNALS: Final = ("upvotes", "stars", "comments")
_SMALL: Final = "a an and at by for from in into is it its of on or the to via with without not"
STOP_WORDS: Final = frozenset(_SMALL.split())

_FIELDS: Final = {field.value: field for field in Field if field} | {
    "ti": Field.TITLE, "abs": Field.ABSTRACT, "abstracts": Field.ABSTRACT, "au": Field.AUTHOR,
    "authors": Field.AUTHOR, "by": Field.AUTHOR, "cat": Field.CATEGORY,
    "categories": Field.CATEGORY, "organization": Field.ORG, "organisation": Field.ORG,
    "affiliation": Field.ORG, "lab": Field.ORG, "arxiv": Field.ID, "doi": Field.ID,
    "pmid": Field.ID,
}  # fmt: skip
_SHORTHANDS: Final = frozenset({"arxiv", "doi", "pmid"})
_NUMBER: Final = r"[0-9]{1,9}(?:\.[0-9]{1,3})?(?![0-9.])"
_COUNT: Final = r"-?[0-9]{1,9}(?:[,_][0-9]{3}(?![0-9]))*(?:\.[0-9]+)?[kK]?(?![^\W_])"
_LEXEME: Final = re.compile(
    rf"""(?P<space>[ \t\u00a0\u2000-\u200b\u202f\u205f\u3000]+)
    | (?P<separator>[,;\uff0c\u3001\uff1b])
    | (?P<open>\() | (?P<close>\))
    | (?P<quote>["\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02])
    | (?P<weight>\^(?P<number>{_NUMBER})?)
    | (?P<floor>(?P<signal>[A-Za-z]+)\s*(?P<than>>=?|<=?|=|\u2265|\u2264)\s*(?P<count>{_COUNT})?)
    | (?P<minus>[-\u2010-\u2015\u2212](?=["\u201c\u201d\u201e\u00ab(]|[^\W_]|[$\\]|\.[A-Za-z]))
    | (?P<plus>\+(?=["\u201c(]|[^\W_]))
    | (?P<pipe>\|\|?|&&?(?=\s|$))
    | (?P<field>[A-Za-z_]+)(?P<colon>:\s*)(?=\S)
    | (?P<word>[^\s,;\uff0c\u3001\uff1b()"\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02^|]+)
    """,
    re.VERBOSE,
)
_CLOSERS: Final = re.compile('["\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02]')
_NEWLINE: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_INVISIBLE: Final = dict.fromkeys(
    [0x00AD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_NAME_WORD: Final = re.compile(r"[ \t]+((?:[^\W\d_]\.?-?)+(?:['\u2019][^\W\d_]+)?)(?=[ \t,;()]|$)")
_OF_NAMES: Final = "al bin da de del della den der di dos du el la le van von zu"
_PARTICLES: Final = frozenset(_OF_NAMES.split())
_SHOUTED: Final = 7
_SHORTEST_PREFIX: Final = 2


@dataclass(slots=True)
class Lexeme:
    """A piece of a line: its kind, its text, and where it stands (columns from 0)."""

    kind: str
    text: str
    start: int
    end: int
    node: Node | None = None
    weight: float = 1.0


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
    found: list[Parsed] = []
    terms = 0
    for row, line in enumerate(_NEWLINE.split(text.translate(_INVISIBLE)), start=1):
        for parsed, count in _Reader(line, row).pieces():
            terms += count
            if terms > MAX_TERMS:
                reason = f"this is the term that is one too many; the most is {MAX_TERMS:,}."
                wrong = QueryError(reason, line=row, column=parsed.column, length=len(parsed.text))
                return [*found, replace(parsed, tree=None, mistake=wrong)]
            found.append(parsed)
    return found


class _Reader:
    """One physical line, read."""

    def __init__(self, line: str, row: int) -> None:
        self.line = line
        self.row = row
        self.shouting = _is_shouted(line)
        self.depth = 0

    def wrong(self, reason: str, start: int, end: int, *repairs: str) -> QueryError:
        """A mistake at these columns; repairs replace the whole line."""
        return QueryError(
            reason,
            line=self.row,
            column=start + 1,
            length=max(1, end - start),
            repairs=tuple(dict.fromkeys(each.strip() for each in repairs if each.strip())),
        )

    def instead(self, start: int, end: int, text: str) -> str:
        """The line with one stretch replaced."""
        return " ".join((self.line[:start] + text + self.line[end:]).split())

    def pieces(self) -> list[tuple[Parsed, int]]:
        """What stands between this line's separators, with the number of terms in each."""
        line = self.line
        if not line.strip():
            return []
        try:
            if len(line) > MAX_LINE:
                reason = f"this line is {len(line):,} characters long; the most is {MAX_LINE:,}."
                raise QueryError(reason, line=self.row, column=MAX_LINE + 1)
            if control := _CONTROL.search(line):
                start, end = control.span()
                raise self.wrong(
                    "a control character stands here.", start, end, self.instead(start, end, " ")
                )
            lexemes = self.lexemes()
        except QueryError as mistake:
            return [(Parsed(line.strip()[:MAX_LINE], self.row, 1, mistake=mistake), 0)]
        return [self.piece(group) for group in _split(lexemes) if group]

    def piece(self, group: list[Lexeme]) -> tuple[Parsed, int]:
        start, end = group[0].start, group[-1].end
        text, column = self.line[start:end], start + 1
        try:
            rest = list(reversed(group))
            tree = self.either(rest)
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

    def lexemes(self) -> list[Lexeme]:
        """The line in pieces; words, phrases and floors already carry their node."""
        found: list[Lexeme] = []
        at = len(self.line) - len(self.line.lstrip())
        if bullet := re.compile(r"(?:[-*\u2022\u2013\u2014\u00b7]|\d{1,2}[.)])[ \t]+(?=\S)").match(
            self.line, at
        ):
            at = bullet.end()  # pasted from a list
        while at < len(self.line):
            lexeme, at = self.next(at)
            if lexeme is not None:
                found.append(lexeme)
        return found

    def next(self, at: int) -> tuple[Lexeme | None, int]:
        """The piece that begins here, if it says anything, and where the next one begins."""
        match = _LEXEME.match(self.line, at)
        if match is None:
            return None, at + 1
        kind, start, end = match.lastgroup or "", match.start(), match.end()
        if match["floor"]:
            return self.floor(match), end
        if match["quote"]:
            return self.phrase(Field.ANY, start, start)
        if match["colon"]:
            return self.field(match)
        if match["weight"]:
            return self.weighted(match), end
        if match["pipe"]:
            return Lexeme("or" if "|" in match[0] else "and", match[0], start, end), end
        if match["word"]:
            return self.word(Field.ANY, start, start, match[0])
        for kind in ("space", "separator", "open", "close", "minus", "plus"):
            if match[kind]:
                break
        quiet = kind in {"space", "plus"}
        return (None if quiet else Lexeme(kind, match[0], start, end)), end

    def weighted(self, match: re.Match[str]) -> Lexeme:
        weight = float(match["number"] or 0)
        if not 0 < weight <= MAX_WEIGHT:
            start, end = match.span()
            raise self.wrong(
                f"a weight is a number from 0.001 to {MAX_WEIGHT:g}, as in unlearning^3.",
                start,
                end,
                self.instead(start, end, "^3"),
                self.instead(start, end, " "),
            )
        return Lexeme("weight", match[0], match.start(), match.end(), weight=weight)

    def floor(self, match: re.Match[str]) -> Lexeme:
        signal, than, written = match["signal"].lower(), match["than"], match["count"]
        start, end = match.span()
        if signal.rstrip("s") + "s" in SIGNALS:
            signal = signal.rstrip("s") + "s"
        elif close := get_close_matches(signal, SIGNALS, 1, 0.6):
            right = self.instead(start, start + len(match["signal"]), close[0])
            raise self.wrong(f"there is no count named {signal!r}.", start, end, right)
        else:
            wide = self.instead(start, end, f'"{match[0]}"')
            raise self.wrong(
                f"there is no count named {signal!r}: there are {', '.join(SIGNALS)}.",
                start,
                end,
                wide,
            )
        count = _count(written or "")
        if than in {">=", "\u2265"}:
            count -= 1
        if count < 0 or than not in {">", ">=", "\u2265"}:
            shown = f"{signal}>{count if count >= 0 else 20}"
            raise self.wrong(
                f"a floor is written with > and a number, as in {signal}>20.",
                start,
                end,
                self.instead(start, end, shown),
            )
        return Lexeme("term", match[0], start, end, Floor(signal, count))

    def field(self, match: re.Match[str]) -> tuple[Lexeme | None, int]:
        name, start, after = match["field"].lower(), match.start(), match.end()
        spaced = match["colon"] != ":"
        field = _FIELDS.get(name)
        if name in SIGNALS:
            digits = re.compile(r"[0-9]{1,9}").match(self.line, after)
            right = f"{name}>{digits[0] if digits else 20}"
            end = digits.end() if digits else after
            raise self.wrong(
                f"a floor is written with >, as in {name}>20.",
                start,
                end,
                self.instead(start, end, right),
            )
        if field is None:
            close = get_close_matches(name, _FIELDS, 1, 0.7)
            if spaced and not close:
                return self.word(Field.ANY, start, start, match["field"])  # a title with a colon
            if self.line.startswith("//", after):
                return self.word(Field.ANY, start, start, self.line[start:].split()[0])
            name_end = start + len(name)
            repairs = [self.instead(start, name_end, each) for each in close]
            repairs.append(self.instead(start, after, match["field"] + " "))
            known = ", ".join(each.value for each in Field if each)
            raise self.wrong(
                f"there is no field named {name!r}: there are {known}.", start, name_end, *repairs
            )
        if name in _SHORTHANDS:
            after = start  # the name is part of the id
        if _CLOSERS.match(self.line, after):
            return self.phrase(field, start, after)
        value = re.compile(r"[^\s,;\uff0c\u3001\uff1b()^]+").match(self.line, after)
        if value is None:
            raise self.wrong(
                f"{name}: is followed by nothing to look for.",
                start,
                after,
                self.instead(start, after, " "),
            )
        text = value[0]
        if field in {Field.AUTHOR, Field.ORG}:
            text = self.name(after, value.end())
        return self.word(field, start, after, text)

    def name(self, start: int, end: int) -> str:
        """A name typed without quotes runs on over capitalised words: author:Yann LeCun."""
        if not self.line[start].isupper() and self.line[start:end] not in _PARTICLES:
            return self.line[start:end]
        last = end
        while more := _NAME_WORD.match(self.line, last):
            word = more[1]
            last = more.end()
            if word.rstrip(".") in {"AND", "OR", "NOT"}:
                break
            if word[0].isupper() and not (word.isupper() and len(word) > 2 and "." not in word):  # noqa: PLR2004 -- JEPA is no name, Li is
                end = last
            elif word not in _PARTICLES:
                break
        return self.line[start:end]

    def word(self, field: Field, start: int, at: int, text: str) -> tuple[Lexeme | None, int]:
        end = at + len(text)
        if field is Field.ANY and text in {"AND", "OR", "NOT"}:
            return Lexeme(text.lower(), text, start, end), end
        if field is Field.ANY and text == "or":
            return Lexeme("or", text, start, end), end
        if field is Field.ANY and _is_arxiv(text):
            return Lexeme("term", text, start, end, Term(text, Field.ID)), end
        if field is Field.ANY and text.endswith(":") and text[:-1].lower() in _FIELDS:
            raise self.wrong(
                f"{text} is followed by nothing to look for.",
                start,
                end,
                self.instead(start, end, " "),
            )
        if field.is_text:
            trimmed = text.rstrip(".:!?'\u2019").lstrip("'\u2018\u2019")
            text = trimmed or text
        node = self.term(field, text, start, end, quoted=False)
        return (None if node is None else Lexeme("term", text, start, end, node)), end

    def phrase(self, field: Field, start: int, at: int) -> tuple[Lexeme | None, int]:
        """A quoted stretch that opens at `at`, with the field before it from `start` on."""
        closer = _CLOSERS.search(self.line, at + 1)
        if closer is None:
            body = self.line[at + 1 :].strip()
            raise self.wrong(
                "this quote is never closed.",
                at,
                at + 1,
                f'{self.line[:at]}"{body}"' if body else "",
                self.instead(at, at + 1, " "),
            )
        text, end = self.line[at + 1 : closer.start()], closer.end()
        near = re.compile(r"~([0-9]{0,4})").match(self.line, end)
        distance = 0
        if near is not None:
            distance = int(near[1] or 0)
            if not 0 < distance <= MAX_NEAR:
                raise self.wrong(
                    f'nearness is a number from 1 to {MAX_NEAR}, as in "sparse attention"~5.',
                    end,
                    near.end(),
                    self.instead(end, near.end(), "~5"),
                )
            end = near.end()
        node = self.term(field, " ".join(text.split()), start, end, quoted=True)
        if isinstance(node, Term) and field.is_text and len(node.patterns) > 1:
            node = replace(node, near=distance)
        return (None if node is None else Lexeme("term", text, start, end, node)), end

    def term(self, field: Field, text: str, start: int, end: int, *, quoted: bool) -> Node | None:
        """The term; None where the text has no letter or digit and so says nothing."""
        if not field.is_text:
            if not text:
                raise self.wrong(
                    "nothing stands between these quotes.",
                    start,
                    end,
                    self.instead(start, end, " "),
                )
            return Term(text, field)
        star = text.find("*")
        if star >= 0 and not words(text[star:]) and len(words(text[:star])) == 1:
            beginning = text[:star]
            if len(beginning) < _SHORTEST_PREFIX and not re.fullmatch(r"[A-Z]\*", text):
                raise self.wrong(
                    f"a beginning needs {_SHORTEST_PREFIX} letters before its star.",
                    start,
                    end,
                    self.instead(start, end, beginning),
                )
        if self.shouting and not re.fullmatch(r"[A-Z]\*", text):
            text = text.lower()
        patterns = patterns_of(text)
        if not patterns:
            if quoted or field is not Field.ANY:
                raise self.wrong(
                    "there is no word in this.", start, end, self.instead(start, end, " ")
                )
            return None
        optional = not quoted and field is Field.ANY and text.lower() in STOP_WORDS
        return Term(text, field, patterns, optional=optional)

    def either(self, rest: list[Lexeme], *, grouped: bool = False) -> Node | None:
        """Alternatives, up to the end or the closing parenthesis; `rest` is reversed."""
        found: list[Node] = []
        joint: Lexeme | None = None
        while True:
            node = self.both(rest)
            if node is None and joint is not None:
                raise self.wrong(
                    f"{joint.text} joins nothing here.",
                    joint.start,
                    joint.end,
                    self.instead(joint.start, joint.end, " "),
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
                )
        unique = tuple(dict.fromkeys(found))
        if not unique:
            return None
        return unique[0] if len(unique) == 1 else Or(unique)

    def both(self, rest: list[Lexeme]) -> Node | None:
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
                )
            node = self.part(rest)
            if node is not None:
                found.extend(node.parts if isinstance(node, And) else (node,))
        return _conjunction(found)

    def part(self, rest: list[Lexeme]) -> Node | None:
        lexeme = rest.pop()
        negative = False
        while lexeme.kind in {"minus", "not"}:
            if not rest or rest[-1].kind in {"or", "and", "close", "separator", "weight"}:
                raise self.wrong(
                    f"{lexeme.text} is followed by nothing to leave out.",
                    lexeme.start,
                    lexeme.end,
                    self.instead(lexeme.start, lexeme.end, " "),
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
        node = self.group(lexeme, rest) if lexeme.kind == "open" else lexeme.node
        if rest and rest[-1].kind == "weight":
            weight = rest.pop().weight
            node = None if node is None else _weigh(node, weight)
        if not negative or node is None:
            return node
        return node.part if isinstance(node, Not) else Not(_required(node))

    def group(self, opening: Lexeme, rest: list[Lexeme]) -> Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            reason = f"parentheses stand more than {MAX_DEPTH} deep here."
            raise self.wrong(reason, opening.start, opening.end)
        node = self.either(rest, grouped=True)
        self.depth -= 1
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


def _count(written: str) -> int:
    """A count as people write it: 20, 1,000, 1.5k; -1 for what is none."""
    digits, thousand = re.subn("[kK]$", "", re.sub("[,_]", "", written))
    if not digits or digits.startswith("-"):
        return -1
    count = float(digits) * (1_000 if thousand else 1)
    return int(count) if count == int(count) else -1


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
    if all(isinstance(node, Term) and node.optional for node in found):
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


def _is_arxiv(text: str) -> bool:
    """Whether this is the id or the address of one paper on arXiv."""
    if "arxiv.org/" not in text and not re.fullmatch(r"\d{4}\.\d{4,5}(?:v\d+)?", text, re.ASCII):
        return False
    try:
        split_arxiv(text)
    except ValueError:
        return False
    return True


def _is_shouted(line: str) -> bool:
    """Whether capitals mean nothing here: all are, and some words are no acronyms."""
    if any(letter.islower() for letter in line):
        return False
    return any(len(word) >= _SHOUTED and word.isalpha() for word in re.split(r"\W+", line))
