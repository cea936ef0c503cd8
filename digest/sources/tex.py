r"""TeX accents as the letters they stand for: Fern\'andez is Fernández.

Only accents, ligatures and special letters outside $...$ are touched; `%`, `&` and every other
command stay as typed, because they are part of what a title says. Linear and idempotent.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_MARKS: Final = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "d": "\u0323",
    "b": "\u0331", "k": "\u0328", "r": "\u030a",
}  # fmt: skip
_LETTERS: Final = {
    "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
    "aa": "å", "AA": "Å", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ",
    "i": "ı", "j": "ȷ",
}  # fmt: skip
_ACCENT: Final = re.compile(
    r"""\{?\\(?:
        (?P<sign>['`^"~=.])\s?(?:\{\\?(?P<sb>[A-Za-z])\}|\\(?P<si>[ij])(?![A-Za-z])\s?|(?P<s>[A-Za-z]))
      | (?P<name>[uvHcdbkr])(?:\s?\{\\?(?P<nb>[A-Za-z])\}|\s(?P<n>[A-Za-z]))
    )\}?""",
    re.VERBOSE,
)
_LETTER: Final = re.compile(
    r"\{\\(?P<braced>o|O|l|L|ss|ae|AE|oe|OE|aa|AA|dh|DH|th|TH|dj|DJ|i|j)\s?\}"
    r"|\\(?P<bare>o|O|l|L|ss|ae|AE|oe|OE|aa|AA|dh|DH|th|TH|dj|DJ|i|j)(?:\{\}|(?![A-Za-z{])\s?)"
)


def letters(text: str) -> str:
    """The text with its accents written as letters."""
    if "\\" not in text:
        return text
    pieces = text.split("$")
    # Odd pieces are mathematics; a last dollar without partner opens none.
    last = len(pieces) - 1
    for n, piece in enumerate(pieces):
        if n % 2 == 0 or (n == last and last % 2):
            pieces[n] = _LETTER.sub(_letter, _ACCENT.sub(_accent, piece))
    return "$".join(pieces)


def _accent(found: re.Match[str]) -> str:
    base = found["sb"] or found["si"] or found["s"] or found["nb"] or found["n"]
    mark = _MARKS[found["sign"] or found["name"]]
    letter = unicodedata.normalize("NFC", base + mark)
    # Braces belong to the accent only as a pair.
    opened, closed = found[0].startswith("{"), found[0].endswith("}")
    own = found["sb"] or found["nb"]
    inner_closed = closed and (not own or found[0].endswith("}}"))
    before = "{" if opened and not inner_closed else ""
    after = "}" if inner_closed and not opened else ""
    return before + letter + after


def _letter(found: re.Match[str]) -> str:
    return _LETTERS[found["braced"] or found["bare"]]
