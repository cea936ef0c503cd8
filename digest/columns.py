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
_UNEVEN: Final = re.compile(
    "[^\x00-\u02ff\u0391-\u03c9\u0400-\u0482\u2010-\u2027\u2030-\u205e\u2070-\u209c\u20a0-\u20bf"
    "\u2100-\u214f\u2190-\u22ff]"
)
"""Characters that may be no column wide, or two; the others surely are one."""
_BLANKS: Final = re.compile(r"[ \t\n\r]+")
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
    plain = text.replace(_NBSP, "_")
    if "  " in text or not plain.isprintable() or text.strip(" ") != text:
        text = " ".join(filter(None, _BLANKS.split(text)))
    if not text:
        return ""
    blank = " " * indent
    if (not plain.isascii() and _UNEVEN.search(text)) or not first.isascii():
        return _wrapped_wide(text, blank, first or blank)
    lines, line, room = [], first or blank, WIDTH - len(first or blank)
    at, end = 0, len(text)
    while end - at > room:
        cut = text.rfind(" ", at, at + room + 1)
        if cut < 0:
            cut = text.find(" ", at + room)
        if cut < 0:
            break
        lines.append(line + text[at:cut])
        at, line, room = cut + 1, blank, WIDTH - indent
    lines.append(line + text[at:])
    return "\n".join(lines).replace(_NBSP, " ")


def _wrapped_wide(text: str, blank: str, first: str) -> str:
    """The same for text whose characters are not all one column wide."""
    line, lines, room, empty = first, [], WIDTH - width(first), True
    for spaced, word in _words(text):
        columns = width(word)
        gap = 0 if empty or not spaced else 1
        if not empty and columns + gap > room:
            lines.append(line)
            line, room, gap = blank, WIDTH - len(blank), 0
        line += f" {word}" if gap else word
        room -= columns + gap
        empty = False
    return "\n".join([*lines, line]).replace(_NBSP, " ")


def _words(text: str) -> list[tuple[bool, str]]:
    """The words, and whether a blank stood before each; wide characters are words of their own."""
    found = [(True, word) for word in text.split(" ") if word]
    if not _WIDE.search(text):
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
    """A rule as wide as the text, or the page."""
    return "=" * min(width(text), WIDTH)


def squeezed(text: str) -> str:
    """No blanks at the ends of lines (but the signature's mark), no two empty lines in a row."""
    lines = (line if line == "-- " else line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
