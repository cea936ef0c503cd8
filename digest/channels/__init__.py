"""What a digest can go out through: a mail relay, or files where none is configured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Protocol, TypeAlias


class Outcome(StrEnum):
    """What became of one attempt."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    """Not now; it is certain that nothing was delivered."""
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """The final dot was sent and no answer came: nobody can know."""


class Stage(StrEnum):
    """How far the dialogue had come when the reply was given."""

    MAIL = "mail"
    """The sender, or the connection as such: it is not about this recipient."""
    RCPT = "rcpt"
    """The recipient."""
    DATA = "data"
    """The message was announced or being written; its final dot was not sent."""
    DOT = "dot"
    """The whole message, its final dot included."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready for the wire; `envid` names it in what may come back (RFC 3461 4.4).

    `dotless` promises that no line of it begins with a dot and that it ends with a line, as
    `digest.mail.to_bytes` does: then nobody looks for what is to be doubled.
    """

    sender: str
    to: str
    message: bytes
    envid: str = ""
    dotless: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What the relay said, in one tidy line; `code` is None where it said nothing."""

    outcome: Outcome
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    relay: str = ""
    stage: Stage = Stage.DOT


class Pause(Enum):
    """Where a dialogue stands still."""

    LINE = "line"
    """It is the other side's turn: `move` when the descriptor is ready."""
    INTENT = "intent"
    """Everything but the final dot is there: commit the intent, then `finish`."""


Progress: TypeAlias = "Reply | Pause"
"""How far a dialogue came: to what became of the message, or to where it stands still."""


class Connection(Protocol):
    """One open way out, for one message after the other; none of its methods waits.

    None raises for what a relay does. After INTENT a message that is not to go is abandoned with
    `drop`: it is then certainly not delivered. What is said when nobody asked, or instead of an
    answer, is a Reply too, and then the connection is `closed`.
    """

    @property
    def relay(self) -> str:
        """What the log calls where it leads to."""
        ...

    @property
    def taken(self) -> int:
        """How many messages were given to it, dot and answer included."""
        ...

    @property
    def usable(self) -> bool:
        """Whether another message can be given to it."""
        ...

    @property
    def announces(self) -> bool:
        """Whether `finish` can announce the message that follows behind the dot."""
        ...

    @property
    def closed(self) -> bool:
        """Whether it is over."""
        ...

    @property
    def deadline(self) -> float:
        """The instant of time.monotonic() at which to give it up; inf where it is our turn."""
        ...

    @property
    def is_writing(self) -> bool:
        """Whether it waits until more can be written, and not only until something is read."""
        ...

    def fileno(self) -> int:
        """The descriptor to wait for; -1 where there never is anything to wait for."""
        ...

    def begin(self, outgoing: Outgoing) -> Progress:
        """Begin one message to one recipient; the one that was announced, if one was."""
        ...

    def finish(self, following: Outgoing | None) -> Progress:
        """Give the final dot, whose intent is durable, and announce what follows, if anything."""
        ...

    def move(self) -> Progress:
        """Read and write what can be."""
        ...

    def late(self) -> Progress:
        """Give it up: its deadline has passed."""
        ...

    def quit(self) -> None:
        """Begin to say good-bye, where that is possible; `move` it until it is closed."""
        ...

    def drop(self) -> None:
        """End it at once."""
        ...


class Channel(Protocol):
    """A kind of way out."""

    @property
    def name(self) -> str:
        """What the log calls it: "smtp", "eml"."""
        ...

    @property
    def most_connections(self) -> int:
        """How many may be open at once."""
        ...

    def open(self) -> Connection:
        """Connect; raises RelayUnreachable to try later, RelayRefused when somebody must act."""
        ...


def channel(
    url: str,
    *,
    user: str | None = None,
    password: str | None = None,
    token_command: str | None = None,
    hostname: str = "localhost",
    connections: int = 0,
) -> Channel:
    """The channel of a DIGEST_SMTP_URL: eml:DIR, or relays with blanks or commas between.

    `connections` is how many may be open at once, 0 for the usual number.
    """
    if url.startswith("eml:"):
        from digest.channels.eml import Folder  # noqa: PLC0415 -- only the one that is used

        return Folder(url.removeprefix("eml:"))
    from digest.smtp import Relay, Relays  # noqa: PLC0415 -- only the one that is used
    from digest.smtp.relay import DEFAULT_CONNECTIONS, Login  # noqa: PLC0415

    login = Login(user, password, token_command)
    relays = [Relay(one, login=login, hostname=hostname) for one in urls(url)]
    return Relays(relays, connections or DEFAULT_CONNECTIONS)


def urls(text: str) -> list[str]:
    """The relays of a DIGEST_SMTP_URL, in the order they are preferred in."""
    return [one for one in re.split(r"[\s,]+", text) if one]
