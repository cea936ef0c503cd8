r"""Folding: the one place that says when two words are the same.

Case, accents, compatibility forms, TeX, simple plurals, British and American endings and a list
of joined words fold together; everything else is a different word. `Fine Tuning`, `fine-tuning`
and `finetuning` are the same two words, `fine-tuned` is not, and `fusion` is no part of
`diffusion`. Han, kana and Hangul have no blanks to part words: each character is a word.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from subscribers.spelling import COMPOUNDS, american, singular

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Token(NamedTuple):
    """One word of a text: folded, as written (accents off, case kept), and where it stands.

    `start` and `end` count characters of the text that was folded.
    """

    word: str
    written: str
    start: int
    end: int


_CJK: Final = (
    "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3041-\u309f"
    "\u30a1-\u30ff\u3105-\u318f\u31a0-\u31bf\u31f0-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f"
    "\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U0001aff0-\U0001b16f\U0001f200-\U0001f2ff"
    "\U00020000-\U0003ffff"
)
_GREEK: Final = "\u00b5\u0370-\u03ff\u1f00-\u1fff\u2126\u213c-\u213f\U0001d6a8-\U0001d7cb"
_MARKS: Final = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0900-\u0963\u0980-\u0dff\u0e31-\u0e4e\u0eb1-\u0ece"
    "\u0f71-\u0f84\u102b-\u103e\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\u200c\u200d"
)
_LETTER: Final = rf"[^\W_{_CJK}{_GREEK}]"
_ACCENT: Final = r"""\\["'`^~=.]\{?\\?[A-Za-z]\}?|\\[cvuHkrdb]\{[A-Za-z]\}"""
_SUBSCRIPT: Final = r"(?<=[A-Za-z])\$?_(?:[0-9]+|\{[0-9]+\})\$?"
_SIGNED: Final = (
    r"\b[A-Za-z](?:\+\+|\#)(?![A-Za-z])|\b[A-Z]\*(?![\w*])|(?<![\w.])\.[Nn][Ee][Tt]\b"
    r"|\b[0-9][-\u2010-\u2013][Dd](?![A-Za-z0-9])"
)

_OWNER: Final = r"['\u2019]s(?![A-Za-z0-9])"

# Nearly all text is plain ASCII without TeX, and nearly all of that is letters alone, which need
# nothing else tried: three times as quick, and the same pieces.
_PLAIN: Final = re.compile(
    r"(?=[.A-Za-z0-9])(?:[A-Za-z]{2,}+(?![0-9'])"
    rf"|{_SIGNED}|[A-Za-z0-9]+(?:(?<=[0-9])\.(?=[0-9])[A-Za-z0-9]+)*(?:{_OWNER})?)",
    re.ASCII,
)
_FULL: Final = re.compile(
    rf"""{_SIGNED}
    | [{_CJK}][\u3099\u309a\uff9e\uff9f]?
    | [{_GREEK}][{_GREEK}\u0300-\u036f]*
    | (?:\{{[A-Za-z]{{1,12}}\}}(?=[a-z]) | {_LETTER} | {_ACCENT})
      (?:{_LETTER} | [{_MARKS}] | {_ACCENT} | {_SUBSCRIPT} | (?<=[0-9])\.(?=[0-9]))*
      (?:{_OWNER})?
    | \\[A-Za-z]+(?:(?<=\\ell)\$?_(?:[0-9]+|\{{[0-9]+\}})\$?)?
    """,
    re.VERBOSE,
)
# With a group around it, what is parted by it keeps its pieces.
_PLAIN_APART: Final = re.compile(f"({_PLAIN.pattern})", _PLAIN.flags)
_FULL_APART: Final = re.compile(f"({_FULL.pattern})", _FULL.flags)
_TEX: Final = re.compile(r"[\\_{]")
_TEX_MARKS: Final = re.compile(r"\\[\"'`^~=.]|\\[cvuHkrdb](?=\{)|[{}$_\\]")
_COMBINING: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\u200c\u200d]")
_SPECIAL: Final = str.maketrans(
    {"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ı": "i"}
    | {"æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "þ": "th", "Þ": "Th"}
    | {"ħ": "h", "Ħ": "H", "ŋ": "n", "Ŋ": "N"}
)
_DIMENSIONS: Final = re.compile("[0-9][-\u2010-\u2013][Dd]")
_ELL: Final = re.compile(r"\\ell(?:\$?_(?:[0-9]+|\{[0-9]+\})\$?)?")
_NUMBERED: Final = re.compile(r"([^\W\d_]{3,}|[^\W\d_]{2}(?=[\d.]+$))(\d+(?:\.\d+)*[^\W\d_]{0,2})")
_FORMULAS: Final = frozenset(
    {"ch", "co", "cf", "cs", "ho", "nh", "no", "oh", "ph", "po", "sf", "so", "uf", "uo", "vo", "wo"}
)
"""Two letters that with a number behind them are a substance: CO finds no CO2."""
_ACRONYM_PLURAL: Final = re.compile(r".*[A-Z][A-Za-z0-9]*[A-Z0-9]s")
_ACRONYM_SHARE: Final = 0.4
_LONGEST_CACHED: Final = 40
_GREEK_NAMES: Final = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta",
    "η": "eta", "θ": "theta", "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu",
    "ξ": "xi", "ο": "omicron", "π": "pi", "ρ": "rho", "σ": "sigma", "ς": "sigma", "τ": "tau",
    "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
}  # fmt: skip
_GREEK_COMMANDS: Final = {name: name for name in _GREEK_NAMES.values()} | {
    f"var{name}": name for name in ("epsilon", "theta", "kappa", "phi", "rho", "sigma", "pi")
}


def fold(text: str) -> list[Token]:
    """The words of a text in order, folded; their offsets are those of `text` as given."""
    tokens: list[Token] = []
    for found in scanner(text).finditer(text):
        start = found.start()
        tokens.extend(
            Token(word, written, start + first, start + last)
            for word, written, first, last in parts(found[0])
        )
    return tokens


def scanner(text: str) -> re.Pattern[str]:
    """What finds the pieces of this text that `parts` folds."""
    return _PLAIN if _is_plain(text) else _FULL


def placed(text: str) -> tuple[list[str], list[int]]:
    """The pieces that the scanner finds, and where each begins."""
    if not _is_plain(text):
        found = list(_FULL.finditer(text))
        return [piece[0] for piece in found], [piece.start() for piece in found]
    # Between pieces of plain text stands no letter and no digit, so each is where it is next
    # found; which takes a third of the time that matches one by one do.
    pieces, starts, at = _PLAIN.findall(text), [], 0
    for piece in pieces:
        at = text.index(piece, at)
        starts.append(at)
        at += len(piece)
    return pieces, starts


def splitter(text: str) -> re.Pattern[str]:
    """What parts this text into pieces and what stands between them, in turn."""
    return _PLAIN_APART if _is_plain(text) else _FULL_APART


def _is_plain(text: str) -> bool:
    return text.isascii() and not _TEX.search(text)


def words(text: str) -> list[str]:
    """The folded words of a text, in order."""
    return [token.word for token in fold(text)]


def parts(piece: str) -> tuple[Token, ...]:
    """One piece that a scanner found, as words; they count characters of the piece."""
    return _parts(piece) if len(piece) <= _LONGEST_CACHED else _fold_piece(piece)


def parts_of(pieces: Sequence[str]) -> Iterator[tuple[Token, ...]]:
    """The parts of each of these pieces, in order."""
    is_long = len(max(pieces, key=len, default="")) > _LONGEST_CACHED
    return map(parts if is_long else _parts, pieces)


def _fold_piece(piece: str) -> tuple[Token, ...]:
    if len(piece) > len("'s") and piece[-2] in "'\u2019" and piece[-1] == "s":
        piece = piece[:-2]
    end = len(piece)
    if (sign := _sign(piece)) is not None:
        return (Token(sign, sign, 0, end),) if sign else ()
    written = plain(_TEX_MARKS.sub("", piece) if _TEX.search(piece) or "$" in piece else piece)
    pieces = [found[0] for found in scanner(written).finditer(written)]
    if pieces not in ([piece], [written]):
        # What is left without accents and compatibility forms is other pieces: ½ is 1 and 2.
        again = (part for each in pieces for part in parts(each))
        return tuple(Token(word, bare, 0, end) for word, bare, _, _ in again)
    lower = written.casefold()
    if lower[0] in _GREEK_NAMES and all(letter in _GREEK_NAMES for letter in lower):
        name = _GREEK_NAMES[lower] if len(lower) == 1 else lower
        return (Token(name, name, 0, end),)
    if _ACRONYM_PLURAL.fullmatch(written):
        written, lower = written[:-1], lower[:-1]
    word = american(singular(lower))
    return _halves(word, written, lower, end) or (Token(word, written, 0, end),)


def _sign(piece: str) -> str | None:
    r"""What is a word for its signs: C++, C#, .NET, A*, 3-D, \beta, \ell_1; "" for other TeX."""
    if piece[-1] in "+#*" or piece[0] == ".":
        # The A of A* keeps its capital, which is what tells it from a*.
        return piece if piece[-1] == "*" else piece.lower()
    if _DIMENSIONS.fullmatch(piece):
        return f"{piece[0]}d"
    if _ELL.fullmatch(piece):
        return "l" + re.sub("[^0-9]", "", piece)
    if piece[0] == "\\" and piece[1:].isalpha() and piece.isascii():
        return _GREEK_COMMANDS.get(piece[1:].lower(), "")
    return None


def _halves(word: str, written: str, lower: str, end: int) -> tuple[Token, ...]:
    """The two words of a joined one: finetuning, and GPT4, a name with its number behind it."""
    cut = shown = COMPOUNDS.get(word, 0)
    if not cut and (numbered := _NUMBERED.fullmatch(lower)) and numbered[1] not in _FORMULAS:
        shown = len(numbered[1])
        cut = shown + len(word) - len(lower)
    if not cut:
        return ()
    # The halves were folded as a whole, so that `datacentres` ends as `centres` does.
    first, second = american(singular(word[:cut])), american(singular(word[cut:]))
    # What TeX and ligatures make longer than it stands cannot be cut where it stands.
    at = (shown, shown) if len(written) == end else (end, 0)
    return (
        Token(first, written[:shown], 0, at[0]),
        Token(second, written[shown:], at[1], end),
    )


_parts = lru_cache(maxsize=1 << 16)(_fold_piece)


def plain(text: str) -> str:
    """The text without accents and compatibility forms, its case kept: `Ł` is L, `ﬁ` is fi."""
    if text.isascii():
        return text
    bare = _COMBINING.sub("", unicodedata.normalize("NFKD", text)).translate(_SPECIAL)
    again = _COMBINING.sub("", unicodedata.normalize("NFKD", bare.replace("ß", "ss")))
    return unicodedata.normalize("NFC", again)


def is_acronym(written: str) -> bool:
    """Whether a word is written in capitals that matter: RAG, LoRA, mRNA, but not PyTorch."""
    if written.islower():
        return False
    capitals = sum(letter.isupper() for letter in written)
    letters = sum(letter.isalpha() for letter in written)
    return capitals > 1 and capitals >= _ACRONYM_SHARE * letters
