"""A mail relay on loopback with whims: it refuses whom it is told to, or hangs up on them."""

from __future__ import annotations

import socketserver
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from loopback import Listening

if TYPE_CHECKING:
    import ssl

    from loopback import LineServer


@dataclass
class Relay(Listening):
    """Answers RCPT as `said` has it by address, and drops the line behind the dot of `dropped`.

    `extensions` are what EHLO offers; with a `context` STARTTLS works; `login` is the one
    (name, password) AUTH PLAIN takes. `accepted` lists recipients in the order of their dots.
    """

    said: dict[str, str] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    accepted: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 10485760", "8BITMIME")
    context: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    greeting: str = "220 relay.example.org ESMTP"

    @property
    def session(self) -> type[socketserver.StreamRequestHandler]:
        return _Session


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        relay: Relay = cast("LineServer", self.server).owner
        self._say(*filter(None, [relay.greeting]))
        recipient = sender = ""
        while line := self.rfile.readline(4096):
            text = line.decode("utf-8", "replace").strip()
            verb = text.partition(" ")[0].upper()
            if verb in {"EHLO", "HELO"}:
                self._say(*_ehlo(["relay.example.org", *relay.extensions]))
            elif verb == "STARTTLS" and relay.context:
                self._say("220 go on")
                self._wrap(relay.context)
            elif verb == "AUTH":
                self._say(_auth(relay, text))
            elif verb == "MAIL":
                sender = text.partition("<")[2].partition(">")[0]
                self._say("250 2.1.0 OK")
            elif verb == "RCPT":
                recipient = text.partition("<")[2].partition(">")[0]
                said = relay.said.get(recipient, "250 2.1.5 OK")
                self._say(said)
                recipient = recipient if said.startswith("2") else ""
            elif verb == "DATA":
                if not self._take(relay, sender, recipient):
                    return
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 OK")

    def _take(self, relay: Relay, sender: str, recipient: str) -> bool:
        """Take a message; False to hang up behind its dot."""
        if not recipient:
            self._say("503 5.5.1 no recipient")
            return True
        self._say("354 go ahead")
        message = self._message()
        relay.accepted.append(recipient)
        relay.senders.append(sender)
        relay.messages.append(message)
        if recipient in relay.dropped:
            return False
        self._say("250 2.0.0 queued as 4711")
        return True

    def _message(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _wrap(self, context: ssl.SSLContext) -> None:
        wrapped: Any = context.wrap_socket(self.request, server_side=True)
        self.request = wrapped
        self.rfile, self.wfile = wrapped.makefile("rb"), wrapped.makefile("wb", buffering=0)

    def finish(self) -> None:
        with suppress(OSError):  # the other side may just have gone
            super().finish()
        self.request.close()

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


def _ehlo(lines: list[str]) -> list[str]:
    return [*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}"]


def _auth(relay: Relay, text: str) -> str:
    import base64  # noqa: PLC0415 -- here alone

    given = base64.b64decode(text.rsplit(" ", maxsplit=1)[-1] + "==").decode("utf-8", "replace")
    fits = relay.login and given == "\0" + "\0".join(relay.login)
    return "235 2.7.0 welcome" if fits else "535 5.7.8 authentication failed"
