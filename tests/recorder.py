"""A mail server on loopback that writes down every dot and every reply, and does as it is told.

`answer` may give another reply for a command, or HANG_UP, or STALL; `seen` is called at every
stage, before the reply where there is one, and may kill whoever is talking.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

HANG_UP: Final = b"(hang up)"
STALL: Final = b"(say nothing)"
BODY: Final = 65_536
"""So many bytes of a message are read before the stage "body" is seen."""


@dataclass
class Session:
    """One connection, as the server sees it: how many messages it took, and the one at hand."""

    number: int
    taken: int = 0
    recipient: str = ""
    lines: list[str] = field(default_factory=list)


@dataclass
class Recorder:
    """Use `with`. `dots` are the recipients whose final dot came, `replied` those told 250."""

    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 10485760", "8BITMIME")
    answer: Callable[[str, Session], bytes | None] = lambda _verb, _session: None
    seen: Callable[[str, Session], None] = lambda _stage, _session: None
    bytewise: bool = False
    dots: list[str] = field(default_factory=list)
    replied: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    most_open: int = 0
    port: int = 0

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listening.getsockname()[1]
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        # Closing alone does not wake who is accepting.
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            pass
        self._listening.close()
        self._thread.join(10)
        with self._lock:
            for peer in self._open:
                with suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    @property
    def twice(self) -> set[str]:
        """Recipients whose dot came more than once."""
        return {name for name, times in Counter(self.dots).items() if times > 1}

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                peer, _ = self._listening.accept()
            except OSError:
                return
            if self._ending.is_set():
                peer.close()
                return
            with self._lock:
                session = Session(len(self.sessions))
                self.sessions.append(session)
                self._open.add(peer)
                self.most_open = max(self.most_open, len(self._open))
            threading.Thread(target=self._serve, args=(peer, session), daemon=True).start()

    def _serve(self, peer: socket.socket, session: Session) -> None:
        try:
            with peer, suppress(OSError):
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._talk(peer, session)
        finally:
            with self._lock:
                self._open.discard(peer)

    def _talk(self, peer: socket.socket, session: Session) -> None:
        lines = peer.makefile("rb")
        if not self._say(peer, session, "CONNECT", b"220 recorder.example.org\r\n"):
            return
        while line := lines.readline(70_000):
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            session.lines.append(text)
            verb = text.partition(" ")[0].partition(":")[0].upper()
            usual = self._usual(verb, text, session)
            if not self._say(peer, session, verb, usual) or verb == "QUIT":
                return
            if session.lines[-1] == "(354)":
                session.lines.pop()
                if not self._take(peer, lines, session):
                    return

    def _usual(self, verb: str, text: str, session: Session) -> bytes:
        if verb == "EHLO":
            offered = ["recorder.example.org", *self.extensions]
            said = [f"250{'-' if more else ' '}{one}" for one, more in _last_apart(offered)]
            return "".join(f"{line}\r\n" for line in said).encode()
        if verb == "RCPT":
            session.recipient = text.partition("<")[2].partition(">")[0]
        if verb == "DATA":
            return b"354 go on\r\n" if session.recipient else b"503 5.5.1 no recipient\r\n"
        return b"221 bye\r\n" if verb == "QUIT" else b"250 2.0.0 ok\r\n"

    def _say(self, peer: socket.socket, session: Session, verb: str, usual: bytes) -> bool:
        """Answer; False to end the session."""
        self.seen(verb.lower(), session)
        reply = self.answer(verb, session)
        reply = usual if reply is None else reply
        if reply == HANG_UP:
            return False
        if reply == STALL:
            self._ending.wait(60)
            return False
        if verb == "RCPT" and not reply.startswith(b"2"):
            self.refused.append(session.recipient)
            session.recipient = ""
        if reply.startswith(b"354"):
            session.lines.append("(354)")
        for piece in [reply[i : i + 1] for i in range(len(reply))] if self.bytewise else [reply]:
            peer.sendall(piece)
        return not reply.startswith(b"421")

    def _take(self, peer: socket.socket, lines: object, session: Session) -> bool:
        """A message up to its dot, and the answer to it."""
        read = lines.readline  # type: ignore[attr-defined]
        body: list[bytes] = []
        size = 0
        while (line := read()) != b".\r\n":
            if not line:
                return False
            body.append(line[1:] if line.startswith(b"..") else line)
            if size <= BODY < size + len(line):
                self.seen("body", session)
            size += len(line)
        recipient = session.recipient
        with self._lock:
            self.dots.append(recipient)
            self.messages.append(b"".join(body))
        session.lines.append(".")
        self.seen("dot", session)
        reply = self.answer(".", session)
        if reply == HANG_UP:
            return False
        reply = b"250 2.0.0 queued\r\n" if reply is None else reply
        accepted = reply.startswith(b"250")
        if accepted:
            session.taken += 1
        for piece in [reply[i : i + 1] for i in range(len(reply))] if self.bytewise else [reply]:
            peer.sendall(piece)
        if accepted:
            with self._lock:
                self.replied.append(recipient)
            self.seen("replied", session)
        session.recipient = ""
        return not reply.startswith(b"421")


def _last_apart(lines: list[str]) -> list[tuple[str, bool]]:
    return [(line, number < len(lines) - 1) for number, line in enumerate(lines)]
