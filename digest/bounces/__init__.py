"""What comes back: bounces and complaints, read from mails or told by a provider.

`reading` understands a mail, `judging` says what it means for the address, `taking` acts on it,
`mailboxes` and `events` bring it here. All of it is written by strangers: nothing counts that
does not carry the tag of one of our deliveries or the signature of a provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Kind(StrEnum):
    """What a report means for the address it is about."""

    HARD = "hard"
    """There is no such mailbox, and will not be."""
    SOFT = "soft"
    """Not this time: full, broken, unreachable."""
    BLOCKED = "blocked"
    """Ours to mend, not the reader's fault: policy, reputation, content, size. Never counts."""
    DELAYED = "delayed"
    """The relay goes on trying. Never counts."""
    COMPLAINT = "complaint"
    """The reader called it spam."""
    UNSUBSCRIBE = "unsubscribe"
    """The reader asked, by mail or at the provider, to leave."""


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that came back, proven to be about a delivery or an address of ours.

    `public_id` names the delivery, or is "" where a signed provider names the `address` alone.
    `event` is the provider's own id of what happened; without one a delivery has at most one
    report of a kind. `at` is aware.
    """

    kind: Kind
    at: datetime
    via: str
    public_id: str = ""
    address: str = ""
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    event: str = ""

    @property
    def key(self) -> str:
        """The same for the same report told twice."""
        if self.event:
            return f"{self.via}:{self.event}"
        ended = self.kind in {Kind.HARD, Kind.SOFT, Kind.BLOCKED}
        return f"{self.public_id}:{'bounce' if ended else self.kind.value}"


@dataclass(frozen=True, slots=True)
class Ignored:
    """A mail or event that is not acted on, and why in a phrase."""

    why: str


def line(text: str, longest: int = 300) -> str:
    """What a stranger wrote as one printable line: nothing a terminal or a database stumbles on."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest]
