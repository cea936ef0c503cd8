"""What a digest can go out through: a mail relay, or files where none is configured."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


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
    """A message ready for the wire; `envid` names it in what may come back (RFC 3461 4.4)."""

    sender: str
    to: str
    message: bytes
    envid: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the relay said, in one tidy line; `code` is None where it said nothing."""

    outcome: Outcome
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    relay: str = ""
    stage: Stage = Stage.DOT


class Connection(Protocol):
    """One open way out, for one message after the other."""

    @property
    def usable(self) -> bool:
        """Whether another message can be given to it."""
        ...

    @property
    def relay(self) -> str:
        """What the log calls where it leads to."""
        ...

    def send(
        self,
        outgoing: Outgoing,
        *,
        intent: Callable[[], None],
        following: Callable[[], Outgoing | None],
    ) -> Reply:
        """Send one message to one recipient.

        `intent` is called exactly once, after the body was written and before the final dot;
        it commits durably that the dot is about to be sent. Then `following` may be asked for
        the message to announce behind the dot; if it gives one, the next `send` must be of that,
        or the connection be closed. Never raises for what a relay does; an error out of `intent`
        is raised on, and the message is then certainly not delivered.
        """
        ...

    def close(self) -> None:
        """End it politely where that is possible."""
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
