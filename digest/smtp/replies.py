"""Reading what a relay says. Whatever it sends, memory and time are bounded."""

from __future__ import annotations

import re
from typing import Final

LONGEST_LINE: Final = 4096
"""Bytes of a line that are kept (RFC 5321 4.5.3.1.5 allows 512); the rest of it is skipped."""
MOST_LINES: Final = 100
MOST_BYTES: Final = 262_144
"""Of one reply, skipped ones included."""
_REPLY: Final = re.compile(rb"([2345]\d\d)(?:[ -]|$)")
_LONGEST_SHOWN: Final = 500


class Replies:
    """What a relay said, taken apart into replies, one after the other, in the order they came."""

    def __init__(self) -> None:
        self._unread = b""
        self._head = b""
        self._code = b""
        self._lines: list[str] = []
        self._size = 0

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come that was not read yet."""
        return not (self._unread or self._head or self._lines)

    def feed(self, data: bytes) -> None:
        """Some more came."""
        self._unread += data
        self._size += len(data)

    def next(self) -> tuple[int, list[str]] | None:
        """The next reply, its code and its lines without it; None while it is not complete.

        Raises ValueError when it is no reply, or has no end.
        """
        while (end := self._unread.find(b"\n")) >= 0:
            line = (self._head or self._unread[: min(end, LONGEST_LINE)]).rstrip(b"\r")
            self._head, self._unread = b"", self._unread[end + 1 :]
            found = _REPLY.match(line)
            if not found or (self._code and found[1] != self._code):
                raise ValueError(f"the relay said {tidy(line[:60].decode('utf-8', 'replace'))!r}")
            self._code = found[1]
            self._lines.append(line[4:].decode("utf-8", "replace"))
            if line[3:4] != b"-":
                said, self._lines, self._code = self._lines, [], b""
                self._size = len(self._unread)
                return int(found[1]), said
            if len(self._lines) == MOST_LINES:
                raise ValueError("the relay does not stop talking")
        if len(self._unread) > LONGEST_LINE:  # its head is enough
            self._head = self._head or self._unread[:LONGEST_LINE]
            self._unread = b""
        if self._size > MOST_BYTES:
            raise ValueError("the relay does not stop talking")
        return None


def tidy(text: str) -> str:
    """What a relay said, printable and in one line."""
    if text.isprintable():
        return text.strip()[:_LONGEST_SHOWN]
    return "".join(c if c.isprintable() else " " for c in text).strip()[:_LONGEST_SHOWN]
