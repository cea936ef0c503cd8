"""Text in the columns of a terminal: wrapped, with links and glued words left whole. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

WIDTH: Final = 72
_NBSP: Final = "\u00a0"
_WIDE: Final = re.compile(
    "[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60"
    "\uffe0-\uffe6\U0001f300-\U0001faff\U00020000-\U0003fffd]"
)
_NO_BEGINNING: Final = frozenset(
    "、。，．：；？！）］｝」』】〉》〕％ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
)
"""Signs that never stand at the beginning of a line (JIS X 4051)."""


def width(text: str) -> int:
    """How many columns the text takes: two for a wide character, none for an accent."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(one) else 2 if unicodedata.east_asian_width(one) in "WF" else 1
        for one in text
    )


def wrapped(text: str, indent: int = 0, first: str = "") -> str:
    """Text in 72 columns, indented by blanks, its first line by `first` where that is given.

    It breaks at blanks, and between characters where a script has none. Words longer than a
    line, links above all, stay whole.
    """
    blank = " " * indent
    line, lines, room = first or blank, [], WIDTH - width(first or blank)
    empty = True
    measure = len if text.isascii() else width
    for word in _words(text):
        glued, columns = word[0], measure(word[1])
        gap = 0 if empty or not glued else 1
        if not empty and columns + gap > room:
            lines.append(line)
            line, room, gap = blank, WIDTH - indent, 0
        line += f" {word[1]}" if gap else word[1]
        room -= columns + gap
        empty = False
    if empty:
        return ""
    return "\n".join([*lines, line]).replace(_NBSP, " ")


def _words(text: str) -> list[tuple[bool, str]]:
    """The words, and whether a blank stood before each; wide characters are words of their own."""
    found = [(True, word) for word in re.split(r"[ \t\n\r]+", text) if word]
    if text.isascii() or not _WIDE.search(text):
        return found
    pieces: list[tuple[bool, str]] = []
    for before, word in found:
        began = len(pieces)
        for character in word:
            loose = _WIDE.match(character)
            last = pieces[-1][1] if len(pieces) > began else ""
            breaks = loose or _WIDE.match(last[-1:])
            if not last or (breaks and character not in _NO_BEGINNING):
                pieces.append((before and len(pieces) == began, character))
            else:
                pieces[-1] = (pieces[-1][0], last + character)
    return pieces


def padded(text: str, columns: int) -> str:
    """The text with blanks behind it up to that many columns."""
    return text.replace(_NBSP, " ") + " " * max(0, columns - width(text))


def ruled(text: str) -> str:
    """A rule as wide as the text."""
    return "=" * width(text)


def squeezed(text: str) -> str:
    """No blanks at the ends of lines (but the signature's mark), no two empty lines in a row."""
    lines = (line if line == "-- " else line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
