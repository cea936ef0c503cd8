"""The dialogue of one message after the other over one connection (RFC 5321, 2920).

The order of one message: MAIL, RCPT and DATA, in one write where the relay pipelines; after 354
the body without its dot; the caller's intent; then the dot, with the next message's envelope
behind it, and up to ten minutes for its answer (RFC 5321 4.5.3.2.6). To abandon a message after
354 the connection is closed, never a dot sent; a lone dot goes only where no recipient was taken.
"""

from __future__ import annotations

import re
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from digest.channels import Outcome, Outgoing, Reply, Stage
from digest.smtp.replies import tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from digest.smtp.replies import Replies

REPLY_SECONDS: Final = 300.0
DOT_SECONDS: Final = 600.0
QUIT_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 30.0
"""After so long without a word a relay may have gone; a new connection is cheaper than a guess."""
CLOSING: Final = 421
GO_AHEAD: Final = 354
_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_NO_COMMAND: Final = re.compile(r"[\x00-\x20\x7f<>]")
_TOO_MANY: Final = "4.5.3"
"""RFC 3463: too many recipients; relays say it of messages in one connection too."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a relay may take: over a reply, and over the answer to the final dot."""

    reply: float = REPLY_SECONDS
    dot: float = DOT_SECONDS


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a relay offers (RFC 1870, 2920, 3461, 6152, 6531, 9422); 0 is without a limit."""

    pipelining: bool = False
    size: bool = False
    largest: int = 0
    eight_bit: bool = False
    utf8: bool = False
    dsn: bool = False
    most_messages: int = 0

    @classmethod
    def of(cls, offered: Mapping[str, str]) -> Extensions:
        """Read the answer to EHLO: parameters by lower-case keyword."""
        largest = offered.get("size", "").split(" ")[0]
        limit = re.search(r"\bMAILMAX=(\d{1,6})\b", offered.get("limits", ""), re.IGNORECASE)
        return cls(
            pipelining="pipelining" in offered,
            size="size" in offered,
            largest=int(largest) if largest.isdigit() else 0,
            eight_bit="8bitmime" in offered,
            utf8="smtputf8" in offered,
            dsn="dsn" in offered,
            most_messages=int(limit[1]) if limit else 0,
        )


class _UnwritableError(Exception):
    """A message that this relay cannot be given, and why."""


class SmtpConnection:
    """An open connection; after any doubt about what it says it is closed and unusable.

    `most` is how many messages it takes at most, 0 for any number; `on_closing` is told how many
    it had taken when the relay closed it with 421, or said 4.5.3, before it had to.
    """

    def __init__(  # noqa: PLR0917 -- what is known once a relay is reached
        self,
        replies: Replies,
        extensions: Extensions,
        relay: str,
        timing: Timing,
        most: int = 0,
        on_closing: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.relay = relay
        self.taken = 0
        self._replies = replies
        self._extensions = extensions
        self._timing = timing
        limits = [limit for limit in (most, extensions.most_messages) if limit]
        self._most = min(limits, default=0)
        self._on_closing = on_closing
        self._open = True
        self._announced: Outgoing | None = None
        self._reset_first = False
        self._heard = time.monotonic()

    @property
    def extensions(self) -> Extensions:
        """What the relay offers."""
        return self._extensions

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The socket, where it is encrypted."""
        connected = self._replies.socket
        return connected if isinstance(connected, ssl.SSLSocket) else None

    @property
    def usable(self) -> bool:
        """Whether another message can be given to it."""
        if not self._open:
            return False
        if self._announced is not None:
            return True
        if self._most and self.taken >= self._most:
            return False
        return time.monotonic() - self._heard < IDLE_SECONDS

    def send(
        self,
        outgoing: Outgoing,
        *,
        intent: Callable[[], None],
        following: Callable[[], Outgoing | None],
    ) -> Reply:
        """One message to one recipient; see `digest.channels.Connection`."""
        stage = Stage.MAIL
        try:
            refused = self._envelope(outgoing)
            if refused is not None:
                return refused
            stage = Stage.DATA
            self._write(stuffed(outgoing.message))
            if not self._replies.silent():  # it is leaving, or has lost count of its answers
                raise ConnectionError("the relay spoke before the message was complete")
        except _UnwritableError as error:
            return self._reply(Outcome.REJECTED, None, str(error), Stage.RCPT)
        except (OSError, ValueError) as error:
            self._drop()
            said = f"the connection was lost: {tidy(str(error))}"
            return self._reply(Outcome.DEFERRED, None, said, stage)
        try:
            intent()
        except BaseException:
            self._drop()  # no dot was sent, so the relay must forget the message
            raise
        return self._finish(following)

    def close(self) -> None:
        """Say QUIT, if there is anybody to say it to and nothing is announced."""
        if self._open and self._announced is None:
            try:
                self._replies.write(b"QUIT\r\n", QUIT_SECONDS)
                self._replies.read(QUIT_SECONDS)
            except (OSError, ValueError):
                pass  # it is over either way
        self._drop()

    def _finish(self, following: Callable[[], Outgoing | None]) -> Reply:
        """The dot, the next envelope behind it, and what comes of the message."""
        last = b".\r\n"
        try:
            announced = self._announce(following)
            self._write(last + announced)
            code, text = self._read(self._timing.dot)
        except (OSError, ValueError) as error:
            self._drop()
            said = f"no answer to the final dot: {tidy(str(error))}"
            return self._reply(Outcome.UNKNOWN, None, said, Stage.DOT)
        self.taken += 1
        return self._answered(code, text, Stage.DOT)

    def _announce(self, following: Callable[[], Outgoing | None]) -> bytes:
        """The commands of the message that follows, where it can be announced already."""
        last = self._most and self.taken + 1 >= self._most
        after = following() if self._extensions.pipelining and not last else None
        if after is None:
            return b""
        try:
            commands = b"".join(self._commands(after))
        except _UnwritableError:
            return b""  # it is refused when its turn comes
        self._announced = after
        return commands

    def _envelope(self, outgoing: Outgoing) -> Reply | None:
        """MAIL, RCPT and DATA; a Reply when the relay said no."""
        announced, self._announced = self._announced, None
        if announced is not None and announced is not outgoing:
            raise ValueError("another message was announced")
        if announced is None:
            commands = self._commands(outgoing)
            if not self._extensions.pipelining:
                return self._in_lock_step(commands)
            reset, self._reset_first = self._reset_first, False
            self._write((b"RSET\r\n" if reset else b"") + b"".join(commands))
            if reset and self._read(self._timing.reply)[0] // 100 != 2:  # noqa: PLR2004 -- yes
                raise ConnectionError("the relay does not start over")
        return self._pipelined()

    def _pipelined(self) -> Reply | None:
        """The three answers to an envelope that was written at once."""
        code, text = self._read(self._timing.reply)
        if code == CLOSING:  # nothing comes behind it
            return self._answered(code, text, Stage.MAIL)
        mail = None if code // 100 == 2 else (code, text, Stage.MAIL)  # noqa: PLR2004 -- yes
        try:
            code, text = self._read(self._timing.reply)
            if code == CLOSING:
                return self._answered(*(mail or (code, text, Stage.RCPT)), close=True)
            recipient = None if code // 100 == 2 else (code, text, Stage.RCPT)  # noqa: PLR2004 -- yes
            code, text = self._read(self._timing.reply)
        except (OSError, ValueError):
            if mail is None:
                raise
            return self._answered(*mail, close=True)  # it said no, and left
        refused = mail or recipient or (None if code == GO_AHEAD else (code, text, Stage.DATA))
        if refused is None:
            return None
        if code != GO_AHEAD:
            self._reset_first = True
        elif recipient is None:
            self._drop()  # a dot would send an empty message to a recipient that was taken
        else:
            self._write(b".\r\n")
            if self._read(self._timing.dot)[0] == CLOSING:
                self._drop()
        return self._answered(*refused)

    def _in_lock_step(self, commands: tuple[bytes, ...]) -> Reply | None:
        for stage, command in zip((Stage.MAIL, Stage.RCPT, Stage.DATA), commands, strict=True):
            self._write(command)
            code, text = self._read(self._timing.reply)
            if code == GO_AHEAD if stage is Stage.DATA else code // 100 == 2:  # noqa: PLR2004 -- yes
                continue
            refusal = self._answered(code, text, stage)
            if self._open:
                self._write(b"RSET\r\n")
                if self._read(self._timing.reply)[0] // 100 != 2:  # noqa: PLR2004 -- yes
                    self._drop()
            return refusal
        return None

    def _commands(self, outgoing: Outgoing) -> tuple[bytes, bytes, bytes]:
        """The three commands of an envelope, with what the relay offers."""
        offered = self._extensions
        sender, to = outgoing.sender, outgoing.to
        if _NO_COMMAND.search(sender) or _NO_COMMAND.search(to):
            raise _UnwritableError("the address cannot be written in SMTP")
        mail = f"MAIL FROM:<{sender}>{_parameters(outgoing, offered)}"
        rcpt = f"RCPT TO:<{to}>"
        if offered.dsn:
            if outgoing.envid:
                mail += f" RET=HDRS ENVID={outgoing.envid}"
            rcpt += " NOTIFY=FAILURE"
            if to.isascii():
                rcpt += f" ORCPT=rfc822;{_xtext(to)}"
        return f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode(), b"DATA\r\n"

    def _write(self, data: bytes) -> None:
        self._replies.write(data, self._timing.reply)

    def _read(self, seconds: float) -> tuple[int, str]:
        code, lines = self._replies.read(seconds)
        self._heard = time.monotonic()
        return code, tidy(" ".join(lines))

    def _answered(self, code: int, text: str, stage: Stage, *, close: bool = False) -> Reply:
        outcome = {2: Outcome.ACCEPTED, 4: Outcome.DEFERRED, 5: Outcome.REJECTED}.get(code // 100)
        if outcome is None or (outcome is Outcome.ACCEPTED and stage is not Stage.DOT):
            # It has lost count of its answers. What it took can be doubted only after the dot.
            outcome = Outcome.UNKNOWN if stage is Stage.DOT else Outcome.DEFERRED
            close = True
        reply = self._reply(outcome, code, text, stage)
        leaving = code == CLOSING or (stage is not Stage.DOT and reply.enhanced == _TOO_MANY)
        if leaving and self.taken:
            self._on_closing(self.taken)
        if leaving or close:
            self._drop()
        return reply

    def _reply(self, outcome: Outcome, code: int | None, text: str, stage: Stage) -> Reply:
        found = _ENHANCED.match(text)
        rest = text[found.end() :] if found else text
        return Reply(outcome, code, found[1] if found else "", rest, self.relay, stage)

    def _drop(self) -> None:
        self._open = False
        self._announced = None
        self._replies.socket.close()


def _parameters(outgoing: Outgoing, offered: Extensions) -> str:
    """What MAIL says of the message; raises _UnwritableError where the relay cannot take it."""
    said = ""
    size = len(outgoing.message)
    if offered.largest and size > offered.largest:
        raise _UnwritableError(f"{size} bytes are more than the relay takes")
    if offered.size:
        said += f" SIZE={size}"
    if not outgoing.message.isascii():
        if not offered.eight_bit:
            raise _UnwritableError("it has 8-bit text, and the relay does not take any")
        said += " BODY=8BITMIME"
    if not (outgoing.sender + outgoing.to).isascii():
        if not offered.utf8:
            raise _UnwritableError("the address needs SMTPUTF8, which the relay does not offer")
        said += " SMTPUTF8"
    return said


def stuffed(message: bytes) -> bytes:
    """The message with dots doubled at the beginning of lines (RFC 5321 4.5.2), CRLF at its end."""
    body = message
    # Asked from the end, the search skips; from the beginning it reads every byte.
    if body.rfind(b"\r\n.") >= 0:
        body = body.replace(b"\r\n.", b"\r\n..")
    if body.startswith(b"."):
        body = b"." + body
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _xtext(text: str) -> str:
    """RFC 3461 4: printable ASCII without + and =, which become +2B and +3D."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)
