"""A bell that any thread can ring, for one that waits for descriptors."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

_AT_ONCE: Final = 4096


class Doorbell:
    """Readable, by its descriptor, from when it was rung until it was heard."""

    def __init__(self) -> None:
        self._here, self._there = socket.socketpair()
        for end in (self._here, self._there):
            end.settimeout(0)

    def fileno(self) -> int:
        """What to wait for."""
        return self._here.fileno()

    def ring(self) -> None:
        """Ring; also where nobody has heard the last time yet, or nobody ever will."""
        with suppress(OSError):
            self._there.send(b"!")

    def hear(self) -> None:
        """Be silent again."""
        with suppress(BlockingIOError):
            self._here.recv(_AT_ONCE)

    def close(self) -> None:
        """Nobody waits any more."""
        self._here.close()
        self._there.close()
