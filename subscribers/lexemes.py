"""The pieces of one line of keywords: words, phrases, fields, floors, signs; or a mistake.

Columns count from 0 here and from 1 in what is told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

from digest.papers import split_arxiv
from subscribers.finding import PAPER_PAGE
from subscribers.names import names_author
from subscribers.tree import Field, Floor, Node, Term, patterns_of
from subscribers.words import words

MAX_LINE: Final = 2_000
MAX_DEPTH: Final = 20
MAX_NEAR: Final = 50
MAX_WEIGHT: Final = 100.0
_MOST_SLIPS: Final = 20
"""Mistakes of a line that are read past; what stands behind them belongs to the last."""
SIGNALS: Final = ("upvotes", "stars", "comments")
_SMALL: Final = "a an and at by for from in into is it its of on or the to via with without not"
STOP_WORDS: Final = frozenset(_SMALL.split())

_FIELDS: Final = {field.value: field for field in Field if field} | {
    "ti": Field.TITLE, "abs": Field.ABSTRACT, "abstracts": Field.ABSTRACT, "au": Field.AUTHOR,
    "authors": Field.AUTHOR, "by": Field.AUTHOR, "cat": Field.CATEGORY,
    "categories": Field.CATEGORY, "organization": Field.ORG, "organisation": Field.ORG,
    "affiliation": Field.ORG, "lab": Field.ORG, "arxiv": Field.ID, "doi": Field.ID,
    "pmid": Field.ID, "orcid": Field.AUTHOR, "s2": Field.AUTHOR, "all": Field.ANY,
    "any": Field.ANY, "text": Field.ANY,
}  # fmt: skip
_SHORTHANDS: Final = frozenset({"arxiv", "doi", "pmid", "orcid", "s2"})
_SAID_FOR: Final = {
    "upvotes": "upvotes", "votes": "upvotes", "likes": "upvotes", "points": "upvotes",
    "hearts": "upvotes", "github": "stars", "stargazers": "stars", "replies": "comments",
    "discussion": "comments",
}  # fmt: skip
_ARCHIVES: Final = (
    r"astro-ph|cond-mat|cs|econ|eess|math|nlin|physics|q-bio|q-fin|stat"  # with sections
)
_CATEGORY: Final = re.compile(
    rf"(?:{_ARCHIVES})\.(?:[A-Za-z]{{2}}|[a-z]+-[a-z]+|\*)"
    r"|astro-ph|cond-mat|gr-qc|hep-(?:ex|lat|ph|th)|math-ph|nucl-(?:ex|th)|q-bio|q-fin|quant-ph"
)
_NUMBER: Final = r"[0-9]{1,9}(?:\.[0-9]{1,3})?(?![0-9.])"
_COUNT: Final = r"-?[0-9]{1,9}(?:[,_][0-9]{3}(?![0-9]))*(?:\.[0-9]+)?[kK]?(?![^\W_])"
_LEXEME: Final = re.compile(
    rf"""(?P<space>[ \t\u00a0\u2000-\u200b\u202f\u205f\u3000]+)
    | (?P<separator>[,;\uff0c\u3001\uff1b])
    | (?P<open>\() | (?P<close>\))
    | (?P<quote>["\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02])
    | (?P<weight>\^(?P<number>{_NUMBER})?)
    | (?P<floor>(?P<signal>[A-Za-z]+)\s*(?P<than>>=?|<=?|=|\u2265|\u2264)\s*(?P<count>{_COUNT})?)
    | (?P<minus>[-!\u2010-\u2015\u2212](?=["\u201c\u201d\u201e\u00ab(]|[^\W_]|[$\\]|\.[A-Za-z]))
    | (?P<plus>\+(?=["\u201c(]|[^\W_]))
    | (?P<pipe>\|\|?|&&?(?=[\s,;\uff0c\u3001\uff1b)|]|$))
    | (?P<field>[A-Za-z_]+|[sS]2)(?P<colon>:\s*)(?=[^\s,;\uff0c\u3001\uff1b)])
    | (?P<word>[^\s,;\uff0c\u3001\uff1b()"\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02^|]+)
    """,
    re.VERBOSE,
)
_DOI: Final = re.compile(
    r"(?:https?://(?:dx\.)?doi\.org/)?10\.\d{4,9}/[^\s]*[A-Za-z0-9]", re.ASCII | re.IGNORECASE
)
SEPARATORS: Final = ",;\uff0c\u3001\uff1b"
_SEPARATOR: Final = re.compile(f"[{SEPARATORS}]")
_MINUS: Final = re.compile(r"[-!\u2010-\u2015\u2212](?=[^\W_]|[\"\u201c(])")
_CLOSERS: Final = re.compile('["\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02]')
_NAME_WORD: Final = re.compile(r"[ \t]+((?:[^\W\d_]\.?-?)+(?:['\u2019][^\W\d_]+)?)(?=[ \t,;()]|$)")
_OF_NAMES: Final = "al bin da de del della den der di dos du el la le van von zu"
_PARTICLES: Final = frozenset(_OF_NAMES.split())
_SHOUTED: Final = 7
_SHORTEST_PREFIX: Final = 2


class Slip(Exception):
    """What is wrong with a stretch of a line; `edits` are stretches and what to put there."""

    def __init__(self, reason: str, start: int, end: int, *edits: tuple[int, int, str]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.start = start
        self.end = max(end, start + 1)
        self.edits = edits


@dataclass(slots=True)
class Lexeme:
    """A piece of a line: its kind, its text, and where it stands (columns from 0).

    One of the kind `slip` is a stretch that cannot be read.
    """

    kind: str
    text: str
    start: int
    end: int
    node: Node | None = None
    weight: float = 1.0
    field: Field = Field.ANY
    slip: Slip | None = None


class Lexer:
    """One physical line in pieces."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.shouting = _is_shouted(line)
        self._depth = 0
        self._slips = 0

    def lexemes(self) -> list[Lexeme]:
        """The line in pieces; words, phrases and floors already carry their node.

        A mistake is a piece too, and reading goes on behind it.
        """
        found: list[Lexeme] = []
        at = len(self.line) - len(self.line.lstrip())
        if bullet := re.compile(r"(?:[-*\u2022\u2013\u2014\u00b7]|\d{1,2}[.)])[ \t]+(?=\S)").match(
            self.line, at
        ):
            at = bullet.end()  # pasted from a list
        while at < len(self.line):
            try:
                lexeme, at = self._next(at)
            except Slip as slip:
                self._slips += 1
                end = slip.end if self._slips < _MOST_SLIPS else len(self.line)
                lexeme, at = Lexeme("slip", self.line[at:end], at, end, slip=slip), end
            if lexeme is not None:
                found.append(lexeme)
        return found

    def _next(self, at: int) -> tuple[Lexeme | None, int]:
        """The piece that begins here, if it says anything, and where the next one begins."""
        match = _LEXEME.match(self.line, at)
        if match is None:
            return None, at + 1
        kind, start, end = match.lastgroup or "", match.start(), match.end()
        lexeme: Lexeme | None = None
        match kind:
            case "open" | "close":
                self._deeper(kind, start, end)
                lexeme = Lexeme(kind, match[0], start, end)
            case "word":
                lexeme, end = self._word(Field.ANY, start, start, match[0])
            case "quote":
                lexeme, end = self._phrase(Field.ANY, start, start)
            case "colon":
                lexeme, end = self._field(match)
            case "floor":
                lexeme = self._floor(match)
            case "weight":
                lexeme = self._weighted(match)
            case "pipe":
                lexeme = Lexeme("or" if "|" in match[0] else "and", match[0], start, end)
            case "space" | "plus":
                pass
            case _:
                lexeme = Lexeme(kind, match[0], start, end)
        return lexeme, end

    def _deeper(self, kind: str, start: int, end: int) -> None:
        """Count parentheses; nobody means so many inside each other."""
        if kind == "open" and self._depth == MAX_DEPTH:
            self._slips = _MOST_SLIPS  # what stands behind says no more
            reason = f"parentheses stand more than {MAX_DEPTH} deep here."
            raise Slip(reason, start, end, (0, len(self.line), re.sub("[()]", " ", self.line)))
        self._depth = max(0, self._depth + (1 if kind == "open" else -1))

    def _weighted(self, match: re.Match[str]) -> Lexeme:
        weight = float(match["number"] or 0)
        if not 0 < weight <= MAX_WEIGHT:
            start, end = match.span()
            reason = f"a weight is a number from 0.001 to {MAX_WEIGHT:g}, as in unlearning^3."
            raise Slip(reason, start, end, (start, end, "^3"), (start, end, " "))
        return Lexeme("weight", match[0], match.start(), match.end(), weight=weight)

    def _floor(self, match: re.Match[str]) -> Lexeme:
        signal, than, written = match["signal"].lower(), match["than"], match["count"]
        start, end = match.span()
        if signal.rstrip("s") + "s" in SIGNALS:
            signal = signal.rstrip("s") + "s"
        elif close := get_close_matches(signal, _SAID_FOR, 1, 0.7):
            right = (start, start + len(match["signal"]), _SAID_FOR[close[0]])
            raise Slip(f"there is no count named {signal!r}.", start, end, right)
        else:
            reason = f"there is no count named {signal!r}: there are {', '.join(SIGNALS)}."
            raise Slip(reason, start, end, (start, end, f'"{match[0]}"'))
        count = _count(written or "")
        if than in {">=", "\u2265"}:
            count -= 1
        if count < 0 or than not in {">", ">=", "\u2265"}:
            shown = f"{signal}>{count if count >= 0 else 20}"
            if written is None:  # upvotes>many: what stands for a number goes too
                rest = re.compile(r"[^\s,;()]*").match(self.line, end)
                end = rest.end() if rest else end
            reason = f"a floor is written with > and a number, as in {signal}>20."
            edits = [(start, end, shown)]
            if than[0] in "<\u2264":
                reason = f"there is no most for {signal}, only a least, as in {signal}>20."
                edits = [(start, end, " "), *edits]
            raise Slip(reason, start, end, *edits)
        return Lexeme("term", match[0], start, end, Floor(signal, count))

    def _field(self, match: re.Match[str]) -> tuple[Lexeme | None, int]:
        name, start, after = match["field"].lower(), match.start(), match.end()
        field = _FIELDS.get(name)
        if name in SIGNALS:
            digits = re.compile(r"[0-9]{1,9}").match(self.line, after)
            end = digits.end() if digits else after
            raise _without_sign(name, start, end, digits[0] if digits else "20")
        if field is None:
            return self._unknown(match)
        if name in _SHORTHANDS:
            after = start  # the name is part of the id
        if self.line.startswith("(", after):
            return Lexeme("field", match[0], start, after, field=field), after
        if _CLOSERS.match(self.line, after):
            return self._phrase(field, start, after)
        if _MINUS.match(self.line, after):
            reason = f"a minus stands before the field, as in -{name}:survey."
            swapped = f"-{self.line[start : match.end()].rstrip()}"
            raise Slip(reason, start, after + 1, (start, after + 1, swapped))
        value = re.compile(r"[^\s,;\uff0c\u3001\uff1b()^]+").match(self.line, after)
        if value is None:
            reason = f"{name}: is followed by nothing to look for."
            raise Slip(reason, start, after, (start, after, " "), (start, after, f" {name} "))
        text = value[0]
        if field in {Field.AUTHOR, Field.ORG}:
            text = self._name(after, value.end())
        return self._word(field, start, after, text)

    def _unknown(self, match: re.Match[str]) -> tuple[Lexeme | None, int]:
        """What stands before a colon and is no field: a word of a title, an address, a mistake."""
        name, start, after = match["field"].lower(), match.start(), match.end()
        close = get_close_matches(name, _FIELDS, 1, 0.7)
        if match["colon"] != ":" and not close:
            return self._word(Field.ANY, start, start, match["field"])
        if self.line.startswith("//", after):
            return self._word(Field.ANY, start, start, self.line[start:].split()[0])
        name_end = start + len(name)
        edits = [(start, name_end, each) for each in close]
        edits.append((start, after, match["field"] + " "))
        known = ", ".join(each.value for each in Field if each)
        reason = f"there is no field named {name!r}: there are {known}."
        raise Slip(reason, start, name_end, *edits)

    def _name(self, start: int, end: int) -> str:
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

    def _word(self, field: Field, start: int, at: int, text: str) -> tuple[Lexeme | None, int]:
        end = at + len(text)
        if field is Field.ANY and text in {"AND", "OR", "NOT"}:
            return Lexeme(text.lower(), text, start, end), end
        if field is Field.ANY and text == "or":
            return Lexeme("or", text, start, end), end
        if field is Field.ANY and (named := _named(text)):
            return Lexeme("term", text, start, end, Term(named[1], named[0])), end
        if field is Field.ANY and text.endswith(":") and text[:-1].lower() in _FIELDS:
            reason = f"{text} is followed by nothing to look for."
            raise Slip(reason, start, end, (start, end, " "), (start, end, f" {text[:-1]} "))
        if field is Field.ANY and text.endswith(":") and text[:-1].lower() in SIGNALS:
            raise _without_sign(text[:-1].lower(), start, end, "20")
        if field.is_text:
            trimmed = text.rstrip(".:!?'\u2019").lstrip("'\u2018\u2019")
            text = trimmed or text
        node = self._term(field, text, start, end, quoted=False)
        return (None if node is None else Lexeme("term", text, start, end, node)), end

    def _phrase(self, field: Field, start: int, at: int) -> tuple[Lexeme | None, int]:
        """A quoted stretch that opens at `at`, with the field before it from `start` on."""
        closer = _CLOSERS.search(self.line, at + 1)
        if closer is None:
            raise Slip("this quote is never closed.", at, at + 1, *self._closings(at))
        text, end = self.line[at + 1 : closer.start()], closer.end()
        near = re.compile(r"~([0-9]{0,4})").match(self.line, end)
        distance = 0
        if near is not None:
            distance = int(near[1] or 0)
            if not 0 < distance <= MAX_NEAR:
                reason = f'nearness is a number from 1 to {MAX_NEAR}, as in "sparse attention"~5.'
                raise Slip(reason, end, near.end(), (end, near.end(), "~5"))
            end = near.end()
        node = self._term(field, " ".join(text.split()), start, end, quoted=True)
        if isinstance(node, Term) and field.is_text and len(node.patterns) > 1:
            node = replace(node, near=distance)
        return (None if node is None else Lexeme("term", text, start, end, node)), end

    def _closings(self, at: int) -> list[tuple[int, int, str]]:
        """Where the quote that opens at `at` may have been meant to end, and without it."""
        found = []
        for end in dict.fromkeys((_separator_behind(self.line, at), len(self.line))):
            body = self.line[at + 1 : end].strip()
            if body.count(")") > body.count("("):
                body = body.rstrip(") ")  # the parenthesis stands before the quote
            if words(body) and body[0] not in SEPARATORS:
                stop = self.line.index(body, at + 1) + len(body)
                found.append((at, stop, f'"{body}"'))
        return [*found, (at, at + 1, " ")]

    def _term(self, field: Field, text: str, start: int, end: int, *, quoted: bool) -> Node | None:
        """The term; None where the text has no letter or digit and so says nothing."""
        if not field.is_text:
            if not text:
                raise Slip("nothing stands between these quotes.", start, end, (start, end, " "))
            return Term(text, field)
        star = text.find("*")
        if star >= 0 and not words(text[star:]) and len(words(text[:star])) == 1:
            beginning = text[:star]
            if len(beginning) < _SHORTEST_PREFIX and not re.fullmatch(r"[A-Z]\*", text):
                reason = f"a beginning needs {_SHORTEST_PREFIX} letters before its star."
                raise Slip(reason, start, end, (start, end, beginning))
        if self.shouting and not re.fullmatch(r"[A-Z]\*", text):
            text = text.lower()
        patterns = patterns_of(text)
        if not patterns:
            if quoted or field is not Field.ANY:
                raise Slip("there is no word in this.", start, end, (start, end, " "))
            return None
        optional = not quoted and field is Field.ANY and text.lower() in STOP_WORDS
        return Term(text, field, patterns, optional=optional)


def _separator_behind(line: str, at: int) -> int:
    """Where the next comma or semicolon stands, or the end of the line."""
    found = _SEPARATOR.search(line, at)
    return found.start() if found else len(line)


def _without_sign(signal: str, start: int, end: int, above: str) -> Slip:
    reason = f"a floor is written with >, as in {signal}>20."
    return Slip(reason, start, end, (start, end, f"{signal}>{above}"))


def _count(written: str) -> int:
    """A count as people write it: 20, 1,000, 1.5k; -1 for what is none."""
    digits, thousand = re.subn("[kK]$", "", re.sub("[,_]", "", written))
    if not digits or digits.startswith("-"):
        return -1
    count = float(digits) * (1_000 if thousand else 1)
    return int(count) if count == int(count) else -1


def _named(text: str) -> tuple[Field, str] | None:
    """What a word names by itself: a paper or an author by id or address, a category of arXiv."""
    if names_author(text):
        return Field.AUTHOR, text
    if _CATEGORY.fullmatch(text):
        return Field.CATEGORY, text
    if re.fullmatch(r"\d{4}\.\d{4,5}(?:v\d+)?", text, re.ASCII) or "arxiv.org/" in text:
        try:
            split_arxiv(text)
        except ValueError:
            return None
        return Field.ID, text
    if found := PAPER_PAGE.fullmatch(text):
        return Field.ID, found[1]
    return (Field.ID, text) if _DOI.fullmatch(text) else None


def _is_shouted(line: str) -> bool:
    """Whether capitals mean nothing here: all are, and some words are no acronyms."""
    if any(letter.islower() for letter in line):
        return False
    return any(len(word) >= _SHOUTED and word.isalpha() for word in re.split(r"\W+", line))
