"""Reading what a relay says. Whatever it sends, memory and time are bounded."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import time
from typing import Final

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
        self._is_timed_by_system = False
        self._buffer = b""
        self._timeout = -1.0  # none that a socket can have: it is set at first

    def time_by_system(self) -> None:
        """Let the system keep the time, where the line is not encrypted and will not be.

        A timeout of Python's own costs a second call for every one, and each time the
        interpreter, which the threads of other connections wait for.
        """
        if not isinstance(self.socket, ssl.SSLSocket):
            self.socket.settimeout(None)
            self._is_timed_by_system = True
            self._timeout = -1.0

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
        try:
            if self._is_timed_by_system:
                self._buffer = self.socket.recv(LONGEST_LINE, socket.MSG_DONTWAIT)
            else:
                self._wait(0)
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
        if not self._is_timed_by_system:
            self.socket.sendall(data)
            return
        deadline = time.monotonic() + seconds
        try:
            sent = self.socket.send(data)
            while sent < len(data):  # it took a part of it in all that time
                self._wait(deadline - time.monotonic())
                sent += self.socket.send(memoryview(data)[sent:])
        except BlockingIOError as error:
            raise TimeoutError("timed out") from error

    def _fill(self, seconds: float) -> int:
        self._wait(seconds)
        try:
            more = self.socket.recv(LONGEST_LINE)
        except BlockingIOError as error:
            raise TimeoutError("timed out") from error
        if not more:
            raise ConnectionError("the relay closed the connection")
        self._buffer += more
        return len(more)

    def _wait(self, seconds: float) -> None:
        """How long the socket waits; a call, so only where it changes."""
        if self._is_timed_by_system and seconds <= 0:
            raise TimeoutError("timed out")
        rounded = round(seconds, 1) or seconds
        if rounded == self._timeout:
            return
        if self._is_timed_by_system:
            whole, part = divmod(max(rounded, 0.001), 1)  # to the system, 0 is for ever
            moment = struct.pack("ll", int(whole), int(part * 1_000_000))
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                self.socket.setsockopt(socket.SOL_SOCKET, option, moment)
        else:
            self.socket.settimeout(rounded)
        self._timeout = rounded


def tidy(text: str) -> str:
    """What a relay said, printable and in one line."""
    if text.isprintable():
        return text.strip()[:_LONGEST_SHOWN]
    return "".join(c if c.isprintable() else " " for c in text).strip()[:_LONGEST_SHOWN]
