"""The dialogue of one message after the other (RFC 5321, 2920): bytes in, bytes out, no line.

The order of one message: MAIL, RCPT and DATA, in one write where the relay pipelines; after 354
the body without its dot; the caller's intent; then the dot, with the next message's envelope
behind it, and up to ten minutes for its answer (RFC 5321 4.5.3.2.6). To abandon a message after
354 the connection is closed, never a dot sent; a lone dot goes only where no recipient was taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final

from digest.channels import Outcome, Outgoing, Pause, Progress, Reply, Stage
from digest.errors import why
from digest.smtp.replies import Replies, tidy

if TYPE_CHECKING:
    from collections.abc import Mapping

REPLY_SECONDS: Final = 300.0
DOT_SECONDS: Final = 600.0
QUIT_SECONDS: Final = 5.0
IDLE_SECONDS: Final = 30.0
"""After so long without a word a relay may have gone; a new connection is cheaper than a guess."""
CLOSING: Final = 421
GO_AHEAD: Final = 354
_ENHANCED: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_NO_COMMAND: Final = re.compile(r"[\x00-\x20\x7f<>]")
_NOT_XTEXT: Final = re.compile(r"[^!-*,-<>-~]")
_TOO_MANY: Final = "4.5.3"
"""RFC 3463: too many recipients; relays say it of messages in one connection too."""
_Said = tuple[int, str]
_Talk = Generator[float | Pause, Any, Reply]
_Part = Generator[float | Pause, Any, Reply | None]


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


class Dialogue:
    """What is said over one connection; after any doubt about what the relay says it is over.

    `most` is how many messages the relay takes at most, 0 for any number; `on_closing` is told
    how many it had taken when it closed the line with 421, or said 4.5.3, before it had to.
    Instants are those of time.monotonic(). What is to be written is in `unsent`.
    """

    def __init__(  # noqa: PLR0917 -- what is known once a relay is reached
        self,
        extensions: Extensions,
        relay: str,
        timing: Timing,
        now: float,
        most: int = 0,
        on_closing: Callable[[int], None] = lambda _: None,
        replies: Replies | None = None,
    ) -> None:
        self.extensions = extensions
        self.relay = relay
        self.taken = 0
        self.is_over = False
        self.at_dot = False
        """Whether it stands before the final dot, whose intent it waits for."""
        self.unsent: bytes | memoryview = b""
        self.deadline = inf
        """When the relay will have taken too long over what it is asked for or given."""
        self._timing = timing
        self._replies = replies or Replies()
        limits = [limit for limit in (most, extensions.most_messages) if limit]
        self._most = min(limits, default=0)
        self._on_closing = on_closing
        self._talk: _Talk | None = None
        self._announced: Outgoing | None = None
        self._reset_first = False
        self._heard = now

    def is_usable(self, now: float) -> bool:
        """Whether another message can be begun."""
        if self.is_over or (self._most and self.taken >= self._most):
            return False
        return now - self._heard < IDLE_SECONDS

    @property
    def announces(self) -> bool:
        """Whether the next message can be announced behind the dot of the one at hand."""
        last = self._most and self.taken + 1 >= self._most
        return self.extensions.pipelining and not last

    def begin(self, outgoing: Outgoing, now: float) -> Progress:
        """Begin a message."""
        self._talk = self._message(outgoing)
        return self._go(partial(next, self._talk), now)

    def finish(self, following: Outgoing | None, now: float) -> Progress:
        """Go on behind the intent."""
        return self._go(partial(self._talking.send, following), now)

    def quit(self, now: float) -> None:
        """Say good-bye, if there is anybody to say it to and nothing is announced."""
        if self._announced is not None or self._talk is not None:
            self.is_over = True
        if not self.is_over:
            self._talk = self._good_bye()
            self._go(partial(next, self._talk), now)

    def hear(self, data: bytes, now: float) -> Progress:
        """Take what came; nothing is the end of the line."""
        if not data:
            return self.lost(ConnectionError("the relay closed the connection"), now)
        self._replies.feed(data)
        if self._talk is None or self.at_dot:  # nobody asked
            return self._unasked(now)
        return self._next(now)

    def sent(self, size: int) -> None:
        """So many bytes of `unsent` were written."""
        self.unsent = memoryview(self.unsent)[size:] if size < len(self.unsent) else b""

    def lost(self, error: Exception, now: float) -> Progress:
        """Go on without the line."""
        if self._talk is None:
            self.is_over = True
            return self._deferred(error, Stage.MAIL)
        return self._go(partial(self._talk.throw, error), now)

    def _go(self, resume: Callable[[], float | Pause], now: float) -> Progress:
        """Have the talk go on until it waits for something."""
        try:
            awaited = resume()
        except StopIteration as end:
            self._talk, self.at_dot, self.deadline = None, False, inf
            reply: Reply = end.value
            return reply
        if isinstance(awaited, Pause):
            self.at_dot = True
            self.deadline = now + self._timing.reply
            return awaited if self._replies.is_silent else self._unasked(now)
        self.at_dot = False
        self.deadline = now + awaited
        return self._next(now)

    def _next(self, now: float) -> Progress:
        """Hand the next reply over, if it is complete."""
        try:
            said = self._replies.next()
        except ValueError as error:
            return self._go(partial(self._talking.throw, error), now)
        if said is None:
            return Pause.LINE
        self._heard = now
        code, lines = said
        return self._go(partial(self._talking.send, (code, tidy(" ".join(lines)))), now)

    @property
    def _talking(self) -> _Talk:
        if self._talk is None:
            raise RuntimeError("no message was begun")
        return self._talk

    def _say(self, data: bytes) -> None:
        self.unsent = bytes(self.unsent) + data if self.unsent else data

    def _unasked(self, now: float) -> Progress:
        """What is said when nobody asked is no answer: it is leaving, or has lost count of them."""
        if self.at_dot:
            error = ConnectionError("the relay spoke before the message was complete")
            return self.lost(error, now)
        try:
            said = self._replies.next()
        except ValueError as error:
            return self.lost(error, now)
        if said is None:
            return Pause.LINE
        return self._answered(said[0], tidy(" ".join(said[1])), Stage.MAIL, close=True)

    def _message(self, outgoing: Outgoing) -> _Talk:
        """One message to one recipient; yields the seconds for a reply, and INTENT."""
        stage = Stage.MAIL
        try:
            refused = yield from self._envelope(outgoing)
            if refused is not None:
                return refused
            stage = Stage.DATA
            self._say(outgoing.message if outgoing.dotless else stuffed(outgoing.message))
            following: Outgoing | None = yield Pause.INTENT
        except _UnwritableError as error:
            return self._reply(Outcome.REJECTED, None, str(error), Stage.RCPT)
        except (OSError, ValueError) as error:
            self.is_over = True
            return self._deferred(error, stage)
        try:
            self._say(b".\r\n" + self._announce(following))
            code, text = yield self._timing.dot
        except (OSError, ValueError) as error:
            self.is_over = True
            said = f"no answer to the final dot: {tidy(why(error))}"
            return self._reply(Outcome.UNKNOWN, None, said, Stage.DOT)
        self.taken += 1
        return self._answered(code, text, Stage.DOT)

    def _good_bye(self) -> _Talk:
        self._say(b"QUIT\r\n")
        try:
            code, text = yield QUIT_SECONDS
        except (OSError, ValueError) as error:
            return self._deferred(error, Stage.MAIL)
        finally:
            self.is_over = True  # either way
        return self._reply(Outcome.DEFERRED, code, text, Stage.MAIL)

    def _announce(self, following: Outgoing | None) -> bytes:
        """The commands of the message that follows, where it can be announced already."""
        if following is None or not self.announces:
            return b""
        try:
            commands = b"".join(self._commands(following))
        except _UnwritableError:
            return b""  # it is refused when its turn comes
        self._announced = following
        return commands

    def _envelope(self, outgoing: Outgoing) -> _Part:
        """MAIL, RCPT and DATA; a Reply when the relay said no."""
        announced, self._announced = self._announced, None
        if announced is not None and announced is not outgoing:
            raise ValueError("another message was announced")
        if announced is None:
            commands = self._commands(outgoing)
            if not self.extensions.pipelining:
                return (yield from self._in_lock_step(commands))
            if self._reset_first:
                self._say(b"RSET\r\n")
            self._say(b"".join(commands))
            reset, self._reset_first = self._reset_first, False
            if reset and (yield self._timing.reply)[0] // 100 != 2:  # noqa: PLR2004 -- yes
                raise ConnectionError("the relay does not start over")
        return (yield from self._pipelined())

    def _pipelined(self) -> _Part:
        """The three answers to an envelope that was written at once."""
        code, text = yield self._timing.reply
        if code == CLOSING:  # nothing comes behind it
            return self._answered(code, text, Stage.MAIL)
        mail = None if code // 100 == 2 else (code, text, Stage.MAIL)  # noqa: PLR2004 -- yes
        try:
            code, text = yield self._timing.reply
            if code == CLOSING:
                return self._answered(*(mail or (code, text, Stage.RCPT)), close=True)
            recipient = None if code // 100 == 2 else (code, text, Stage.RCPT)  # noqa: PLR2004 -- yes
            code, text = yield self._timing.reply
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
            self.is_over = True  # a dot would send an empty message to one who was taken
        else:
            self._say(b".\r\n")
            self.is_over = (yield self._timing.dot)[0] == CLOSING
        return self._answered(*refused)

    def _in_lock_step(self, commands: tuple[bytes, ...]) -> _Part:
        for stage, command in zip((Stage.MAIL, Stage.RCPT, Stage.DATA), commands, strict=True):
            self._say(command)
            code, text = yield self._timing.reply
            if code == GO_AHEAD if stage is Stage.DATA else code // 100 == 2:  # noqa: PLR2004 -- yes
                continue
            refusal = self._answered(code, text, stage)
            if not self.is_over:
                self._say(b"RSET\r\n")
                self.is_over = (yield self._timing.reply)[0] // 100 != 2  # noqa: PLR2004 -- yes
            return refusal
        return None

    def _commands(self, outgoing: Outgoing) -> tuple[bytes, bytes, bytes]:
        """The three commands of an envelope, with what the relay offers."""
        offered = self.extensions
        sender, to = outgoing.sender, outgoing.to
        if _NO_COMMAND.search(sender) or _NO_COMMAND.search(to):
            raise _UnwritableError("the address cannot be written in SMTP")
        mail = f"MAIL FROM:<{sender}>{_parameters(outgoing, offered)}"
        rcpt = f"RCPT TO:<{to}>"
        if offered.dsn:
            if outgoing.envid:
                mail += f" RET=HDRS ENVID={_xtext(outgoing.envid)}"
            rcpt += " NOTIFY=FAILURE"
            if to.isascii():
                rcpt += f" ORCPT=rfc822;{_xtext(to)}"
        return f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode(), b"DATA\r\n"

    def _answered(self, code: int, text: str, stage: Stage, *, close: bool = False) -> Reply:
        outcome = {2: Outcome.ACCEPTED, 4: Outcome.DEFERRED, 5: Outcome.REJECTED}.get(code // 100)
        if outcome is None or (outcome is Outcome.ACCEPTED and stage is not Stage.DOT):
            # It has lost count of its answers. What it took can be doubted only after the dot.
            outcome = Outcome.UNKNOWN if stage is Stage.DOT else Outcome.DEFERRED
            self.is_over = True
            return self._reply(outcome, None, f"an answer out of turn: {code} {text}", stage)
        reply = self._reply(outcome, code, text, stage)
        leaving = code == CLOSING or (stage is not Stage.DOT and reply.enhanced == _TOO_MANY)
        if leaving and self.taken:
            self._on_closing(self.taken)
        self.is_over = self.is_over or leaving or close
        return reply

    def _deferred(self, error: Exception, stage: Stage) -> Reply:
        said = f"the connection was lost: {tidy(why(error))}"
        return self._reply(Outcome.DEFERRED, None, said, stage)

    def _reply(self, outcome: Outcome, code: int | None, text: str, stage: Stage) -> Reply:
        found = _ENHANCED.match(text)
        rest = text[found.end() :] if found else text
        return Reply(outcome, code, found[1] if found else "", rest, self.relay, stage)


def _parameters(outgoing: Outgoing, offered: Extensions) -> str:
    """What MAIL says of the message; raises _UnwritableError where the relay cannot take it."""
    said = ""
    size = len(outgoing.message)
    is_named_in_ascii = (outgoing.sender + outgoing.to).isascii()
    if not is_named_in_ascii and not offered.utf8:
        raise _UnwritableError("the address needs SMTPUTF8, which the relay does not offer")
    if offered.largest and size > offered.largest:
        raise _UnwritableError(f"{size} bytes are more than the {offered.largest} the relay takes")
    if offered.size:
        said += f" SIZE={size}"
    if not outgoing.message.isascii():
        if not offered.eight_bit:
            raise _UnwritableError("it has 8-bit text, and the relay does not take any")
        said += " BODY=8BITMIME"
    return said if is_named_in_ascii else f"{said} SMTPUTF8"


def stuffed(message: bytes) -> bytes:
    """The message with dots doubled at the beginning of lines (RFC 5321 4.5.2), CRLF at its end."""
    pieces: list[bytes] = []
    # From the end, because there the search skips; from the beginning it reads every byte.
    end = len(message)
    while (at := message.rfind(b"\r\n.", 0, end)) >= 0:
        pieces.append(message[at + 2 : end])
        end = at + 2
    pieces.append(message[:end])
    body = b".".join(reversed(pieces)) if len(pieces) > 1 else message
    if body.startswith(b"."):
        body = b"." + body
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def _xtext(text: str) -> str:
    """RFC 3461 4: printable ASCII without + and =, which become +2B and +3D."""
    return _NOT_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)
