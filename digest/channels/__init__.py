"""What a digest can go out through: a mail relay, or files where none is configured."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Reply:
    """What the relay said, in one tidy line; `code` is None where it said nothing."""

    outcome: Outcome
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    relay: str = ""


class Connection(Protocol):
    """One open way out, for one message after the other."""

    @property
    def usable(self) -> bool:
        """Whether another message can be given to it."""
        ...

    def send(self, *, sender: str, to: str, message: bytes, intent: Callable[[], None]) -> Reply:
        """Send one message to one recipient.

        `intent` is called exactly once, after the body was written and before the final dot;
        it commits durably that the dot is about to be sent. Never raises for what a relay does;
        an error out of `intent` is raised on, and the message is then certainly not delivered.
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

    def open(self) -> Connection:
        """Connect; raises RelayUnreachable to try later, RelayRefused when somebody must act."""
        ...


def channel(
    url: str, *, user: str | None = None, password: str | None = None, hostname: str = "localhost"
) -> Channel:
    """The channel of a DIGEST_SMTP_URL: smtp://, smtp+starttls://, smtps:// or eml:DIR."""
    if url.startswith("eml:"):
        from digest.channels.eml import Folder  # noqa: PLC0415 -- only the one that is used

        return Folder(url.removeprefix("eml:"))
    from digest.smtp import Relay  # noqa: PLC0415 -- only the one that is used

    return Relay.from_url(url, user=user, password=password, hostname=hostname)
