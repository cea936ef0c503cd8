"""Reading what a relay says. Whatever it sends, memory and time are bounded."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

LONGEST_LINE: Final = 4096
"""Bytes of a line that are kept (RFC 5321 4.5.3.1.5 allows 512); the rest of it is skipped."""
MOST_LINES: Final = 100
MOST_BYTES: Final = 262_144
"""Of one reply, skipped ones included."""
_REPLY: Final = re.compile(rb"([2345]\d\d)(?:[ -]|$)")
_LONGEST_SHOWN: Final = 500


class Replies:
    """The replies that come out of a socket, one after the other, in the order they came."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self._buffer = b""
        self._timeout: float | None = -1.0  # none that a socket can have: it is set at first

    def read(self, seconds: float) -> tuple[int, list[str]]:
        """The next reply: its code, and its lines without it.

        Raises TimeoutError when it is not complete after that many seconds, however many bytes
        came; ConnectionError when there is nobody any more; ValueError when it is no reply.
        """
        deadline = 0.0  # set only once something has to be waited for
        lines: list[str] = []
        code = b""
        room = MOST_BYTES
        while len(lines) < MOST_LINES:
            line = b""
            while (end := self._buffer.find(b"\n")) < 0:
                if len(self._buffer) > LONGEST_LINE:  # its head is enough
                    line = line or self._buffer[:LONGEST_LINE]
                    self._buffer = b""
                deadline = deadline or time.monotonic() + seconds
                room -= self._fill(deadline - time.monotonic())
                if room < 0:
                    raise ValueError("the relay does not stop talking")
            line = line or self._buffer[: min(end, LONGEST_LINE)]
            self._buffer = self._buffer[end + 1 :]
            line = line.rstrip(b"\r")
            found = _REPLY.match(line)
            if not found or (code and found[1] != code):
                raise ValueError(f"the relay said {tidy(line[:60].decode('utf-8', 'replace'))!r}")
            code = found[1]
            lines.append(line[4:].decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return int(code), lines
        raise ValueError("the relay does not stop talking")

    def silent(self) -> bool:
        """Whether nothing has come that was not read yet: what nobody asked for is no answer."""
        if self._buffer:
            return False
        self._wait(0)
        try:
            self._buffer = self.socket.recv(LONGEST_LINE)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError as error:
            # An encrypted line has said something, but nothing that is for us.
            return type(error).__name__ in {"SSLWantReadError", "SSLWantWriteError"}
        return False  # a byte, or the end

    def write(self, data: bytes, seconds: float) -> None:
        """Send all of it within that many seconds; TimeoutError or another OSError otherwise."""
        self._wait(seconds)
        self.socket.sendall(data)

    def _fill(self, seconds: float) -> int:
        if seconds <= 0:
            raise TimeoutError("timed out")
        self._wait(seconds)
        more = self.socket.recv(LONGEST_LINE)
        if not more:
            raise ConnectionError("the relay closed the connection")
        self._buffer += more
        return len(more)

    def _wait(self, seconds: float) -> None:
        """How long the socket waits; a system call, so only where it changes."""
        rounded = round(seconds, 1) or seconds
        if rounded != self._timeout:
            self.socket.settimeout(rounded)
            self._timeout = rounded


def tidy(text: str) -> str:
    """What a relay said, printable and in one line."""
    if text.isprintable():
        return text.strip()[:_LONGEST_SHOWN]
    return "".join(c if c.isprintable() else " " for c in text).strip()[:_LONGEST_SHOWN]
