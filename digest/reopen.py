"""Another try at a delivery, or a decision about one, by hand; nothing is done twice.

Retry is for what certainly did not arrive, resend for what may have arrived, resolve says what
became of an unknown without sending anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from digest.app import App
    from digest.store.history import Entry

GRACE: Final = timedelta(hours=20)
"""How long a delivery that is tried again may wait where no next digest ends its time."""
_UNDER_WAY: Final = ("ready", "leased", "sending")
_SURELY_NOT_SENT: Final = ("deferred", "rejected", "expired", "cancelled", "dropped")
_MAYBE_SENT: Final = ("unknown", "accepted")


class Action(StrEnum):
    """What a person can do about a delivery."""

    RETRY = "retry"
    RESEND = "resend"
    ARRIVED = "arrived"
    """Resolve an unknown: it arrived."""
    LOST = "lost"
    """Resolve an unknown: it did not, so its papers are offered again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one request: done, or left alone for the reason in `why`."""

    entry: Entry
    why: str = ""

    @property
    def done(self) -> bool:
        """Whether something was changed."""
        return not self.why


def objection(entry: Entry, action: Action) -> str:
    """Why the action does not fit the state a delivery is in, or nothing."""
    state = entry.state
    if not entry.number:
        return "no mail was made: " + entry.text
    if action in {Action.RETRY, Action.RESEND} and (why := _stays(entry)):
        return why
    if action is Action.RETRY and state not in _SURELY_NOT_SENT:
        return (
            "it may have arrived: `deliveries resend` sends it all the same, "
            "`deliveries resolve` ends the question"
            if state == "unknown"
            else "it was accepted: `deliveries resend` sends it once more"
        )
    if action is Action.RESEND and state not in _MAYBE_SENT:
        return f"it is {state} and did not arrive: `deliveries retry` tries again"
    if action in {Action.ARRIVED, Action.LOST} and state != "unknown":
        return f"it is {state}: there is nothing to resolve"
    return ""


def _stays(entry: Entry) -> str:
    """Why a delivery is not to be sent once more whatever became of it, or nothing."""
    if entry.kind == "test":
        return "it is a test mail: `paper-digest preview --send` sends another"
    if entry.state in _UNDER_WAY:
        return "it waits to be sent" if entry.state == "ready" else "it is being sent"
    return ""


def act(app: App, entry: Entry, action: Action) -> Verdict:
    """Do it, if the delivery is still as it was seen and nothing speaks against it."""
    from digest.selection import papers_of  # noqa: PLC0415 -- imports numpy with what it needs

    why = objection(entry, action)
    if why:
        return Verdict(entry, why)
    now, history = app.clock(), app.store.history
    if action in {Action.RETRY, Action.RESEND}:
        said = "to be tried again" if action is Action.RETRY else "to be sent again"
        return Verdict(
            entry,
            history.reopen(
                entry,
                f"by hand: {said}",
                now,
                expires_at=_end(app, entry, now),
                papers=papers_of,
            ),
        )
    arrived = action is Action.ARRIVED
    state, said = ("accepted", "it arrived") if arrived else ("dropped", "it did not arrive")
    done = history.settle_by_hand(entry, state, f"by hand: {said}", now)
    return Verdict(entry, "" if done else "it changed just now: look again")


def _end(app: App, entry: Entry, now: datetime) -> datetime:
    """Until when it may still be sent: a digest until the reader's next one is due."""
    readers = app.store.subscribers.by_numbers([entry.subscriber or 0])
    due = readers[entry.subscriber or 0].next_due if readers else None
    return due if entry.kind == "digest" and due and due > now else now + GRACE
