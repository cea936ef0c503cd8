"""Sending what is frozen: lease, build, intent, dot, settle. Nothing is lost silently.

One sender at a time, kept by a lock file beside a SQLite database and by a lock of a PostgreSQL
server. What a sender that died left behind is recovered at the start: leased is sent, sending is
unknown, and shown, sent again or dropped as the installation has it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from digest.backlog import Backlog
from digest.channels import Outcome, Outgoing, Stage
from digest.doorbell import Doorbell
from digest.errors import (
    Conflict,
    PaperDigestError,
    RelayError,
    RelayUnreachable,
    StoreError,
    StoreUnavailable,
)
from digest.pace import Pace
from digest.pool import Pool, Sent
from digest.store.journal import PATIENCE, Journal, Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from digest.channels import Channel
    from digest.pace import Rate
    from digest.store import Store
    from digest.store.deliveries import Delivery
    from digest.store.outbox import Recovered
    from digest.workshop import Builder, Workshop

__all__ = ["Outgoing", "Report", "Sending", "Sent", "Unknown", "send_all"]

BATCH: Final = 200
BACK_OFF: Final = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 30, 60, 120))
"""How long a 4xx waits before the next attempt; the last one again and again, until it expires."""
ALL_REFUSED: Final = 10
"""So many messages of an issue refused for what they are, and none taken: the issue is paused."""
ALL_RECIPIENTS_REFUSED: Final = 50
"""The same for recipients: that many strangers in a row are a relay that does not relay for us."""
ALL_UNANSWERED: Final = 5
"""So many fresh connections that broke after the dot: going on would make more unknowns."""
_LOCK: Final = 0x70617065725F6467
"""The name of the sender's lock on a PostgreSQL server: any number nobody else has."""


class Unknown(StrEnum):
    """What to do about a message that may or may not have been delivered."""

    HOLD = "hold"
    """Show it, and count it as sent until somebody decides."""
    RESEND = "resend"
    """Send it again: a reader may get it twice. Its Message-ID is the same."""
    DROP = "drop"
    """Let go of it; its papers are offered again in the next digest."""

    @property
    def state(self) -> str:
        """The delivery's state that this makes of it."""
        return {"hold": "unknown", "resend": "ready", "drop": "dropped"}[self.value]


@dataclass(frozen=True, slots=True)
class Sending:
    """How an installation sends: its policy for unknowns, and its pace.

    `rest` is the first wait, in seconds, after the relay has sent us away; `patience` how long
    what cannot be written into the log is tried again; `glance` is how often, in seconds, the
    sender looks for what belongs to no issue.
    """

    on_unknown: Unknown = Unknown.HOLD
    relay_rates: tuple[Rate, ...] = ()
    domain_rates: dict[str, tuple[Rate, ...]] = field(default_factory=dict)
    rest: float = 0.5
    patience: float = PATIENCE
    glance: float = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run: how many attempts ended how, and what stopped it, if anything did.

    `paused` are the issues that were paused because nothing of them was taken, and `held` says
    why something waits although the relay is there.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    paused: tuple[int, ...] = ()
    held: str = ""

    @property
    def attempts(self) -> int:
        """How many attempts were made."""
        return self.outcomes.total()


def send_all(
    store: Store,
    channel: Channel,
    builder: Builder,
    clock: Callable[[], datetime],
    *,
    sending: Sending | None = None,
    workshop: Workshop | None = None,
    on_sent: Callable[[Sent], None] = lambda _: None,
    on_refused: Callable[[Sent], None] = lambda _: None,
    on_recovered: Callable[[Recovered], None] = lambda _: None,
    ending: Callable[[], bool] = lambda: False,
) -> Report:
    """Send everything that waits, and say what came of it.

    `workshop` makes messages beside `builder`; `on_sent` is told of each attempt, `on_refused` of
    each recipient that the relay will never have (of an issue it refuses as a whole: none), and
    `on_recovered` of what a sender that died had left. Ends early, with everything settled or
    free again, when `ending` says so. Raises RelayUnreachable or RelayRefused when the relay is
    not to be had (nothing is lost), StoreUnavailable when the log cannot be written (nothing is
    sent then), Conflict when another sender is at work, StoreRestored for an old copy of the
    database.
    """
    if not store.outbox.waiting(clock()):
        return Report()
    sending = sending or Sending()
    with _only_sender(store):
        store.copies.check()
        on_recovered(store.outbox.recover(clock(), sending.on_unknown.state))
        store.outbox.expire(clock())
        run = _Run(store, channel, builder, clock, sending, workshop, on_sent, on_refused)
        try:
            run.go(ending)
        except RelayError as error:
            store.outbox.note(str(error))
            store.copies.remember()
            raise
        store.outbox.note(run.held)
        store.outbox.close_issues()
        store.copies.remember()
    return run.report


class _Run:
    """One run of the sender: what it leases, what it writes down, and when it stops."""

    def __init__(  # noqa: PLR0917 -- what a run is made of
        self,
        store: Store,
        channel: Channel,
        builder: Builder,
        clock: Callable[[], datetime],
        sending: Sending,
        workshop: Workshop | None,
        on_sent: Callable[[Sent], None],
        on_refused: Callable[[Sent], None],
    ) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.paused: list[int] = []
        self._store = store
        self._channel = channel
        self._clock = clock
        self._sending = sending
        self._on_sent = on_sent
        self._on_refused = on_refused
        self._told: list[Sent] = []
        self._refused: list[Sent] = []
        self._owner = secrets.token_hex(8)
        self._streaks: dict[int | None, _Streak] = {}
        self._asked_at = time.monotonic()
        now = clock()
        pace = Pace(
            sending.relay_rates,
            sending.domain_rates,
            store.outbox.paces(now) if sending.relay_rates or sending.domain_rates else (),
            now.timestamp(),
        )
        self._journal = Journal(
            store.database, self._owner, clock, paces=pace.changed, patience=sending.patience
        )
        bell = Doorbell()
        self._backlog = Backlog(
            builder,
            workshop,
            clock,
            pace,
            release=self._release,
            wake=bell.ring,
        )
        self._pool = Pool(
            channel,
            self._backlog,
            self._journal,
            bell,
            settle=self._settle,
            give_back=lambda delivery: self._release([delivery]),
            rest=sending.rest,
        )

    @property
    def held(self) -> str:
        """Why something waits although the relay is there."""
        return self._backlog.held

    @property
    def report(self) -> Report:
        """What has come of it so far."""
        return Report(self.outcomes, tuple(self.paused), self.held)

    def go(self, ending: Callable[[], bool]) -> None:
        """Until nothing is left to send, something stops it, or `ending` says so."""
        try:
            with closing(self._journal), closing(self._pool):
                try:
                    self._send(ending)
                except PaperDigestError as error:
                    self._pool.end(error)
        finally:
            left = self._backlog.rest()
            if not isinstance(self._pool.error, StoreError):  # else the next start frees them
                self._release(left)
        for streak in self._streaks.values():
            self._refused += streak.refused()
        self._tell()
        if self._pool.error is not None:
            raise self._pool.error

    def _send(self, ending: Callable[[], bool]) -> None:
        pool, backlog = self._pool, self._backlog
        backlog.give(self._lease())
        if backlog:
            pool.add(self._channel.open())
        more = True
        while pool.is_busy:
            if ending():
                pool.end()
            elif not pool.is_stopping:
                self._let_by()
                if more and backlog.is_low:
                    batch = self._lease()
                    backlog.give(batch)
                    more = bool(batch)
            pool.turn(0.05, more_to_come=more)
            self._tell()

    def _tell(self) -> None:
        """Say what became of attempts, between two turns: whoever listens may break."""
        told, self._told = self._told, []
        refused, self._refused = self._refused, []
        for sent in refused:
            self._on_refused(sent)
        for sent in told:
            self._on_sent(sent)

    def _lease(self, *, alone: bool = False) -> list[Delivery]:
        return self._store.outbox.lease(self._owner, BATCH, self._clock(), alone=alone)

    def _let_by(self) -> None:
        """Have what belongs to no issue go next: whoever just signed up waits for it."""
        now = time.monotonic()
        if now - self._asked_at > self._sending.glance:
            self._asked_at = now
            self._backlog.give(self._lease(alone=True), first=True)

    def _release(self, deliveries: Sequence[Delivery], not_before: datetime | None = None) -> None:
        self._store.outbox.release(deliveries, self._owner, not_before)

    def _settle(self, sent: Sent) -> None:
        """Write an attempt down, and stop what cannot go well."""
        self._journal.settle(_settled(sent, self._clock(), self._sending.on_unknown))
        self._told.append(sent)
        self.outcomes[sent.reply.outcome] += 1
        issue = sent.delivery.issue
        streak = self._streaks.setdefault(issue, _Streak())
        reason = streak.reason(sent)
        if streak.has_taken:
            self._refused += streak.refused()
        if reason and issue is None:
            self._pool.end(RelayUnreachable(reason))
        elif reason and issue is not None and issue not in self.paused:
            self.paused.append(issue)
            self._store.outbox.pause(issue, reason)
            self._backlog.forget(issue)


class _Streak:
    """What the relay keeps saying of one issue, while it has taken nothing of it."""

    def __init__(self) -> None:
        self.has_taken = False
        self._counts: Counter[tuple[Outcome, bool]] = Counter()
        self._refused: list[Sent] = []
        self._reason = ""

    def refused(self) -> list[Sent]:
        """The recipients it will never have, each told once; none where it takes nothing at all."""
        refused, self._refused = self._refused, []
        return [] if self._reason else refused

    def reason(self, sent: Sent) -> str:
        """Why to stop sending this issue, or nothing."""
        self._reason = self._after(sent) or self._reason
        return self._reason

    def _after(self, sent: Sent) -> str:
        reply = sent.reply
        recipient = reply.stage is Stage.RCPT
        if reply.outcome is Outcome.REJECTED and recipient:
            self._refused.append(sent)
        if reply.outcome is Outcome.ACCEPTED:
            self.has_taken = True
            self._counts.clear()
        if self.has_taken and reply.outcome is not Outcome.UNKNOWN:
            return ""
        self._counts[reply.outcome, recipient] += 1
        times = self._counts[reply.outcome, recipient]
        said = " ".join(filter(None, (str(reply.code or ""), reply.enhanced, reply.text)))
        if reply.outcome is Outcome.REJECTED and not recipient and times >= ALL_REFUSED:
            return f"every message was refused: {said}"
        if reply.outcome is Outcome.REJECTED and recipient and times >= ALL_RECIPIENTS_REFUSED:
            return f"every recipient was refused: {said}"
        if reply.outcome is Outcome.UNKNOWN and times >= ALL_UNANSWERED:
            return f"{reply.relay} answers nothing to whole messages: {said}"
        return ""


def _settled(sent: Sent, now: datetime, on_unknown: Unknown) -> Settled:
    """An attempt as it is written down, and when the delivery is tried again."""
    delivery, reply = sent.delivery, sent.reply
    state, not_before = reply.outcome.value, None
    if reply.outcome is Outcome.UNKNOWN:
        state = on_unknown.state
    if reply.outcome is Outcome.DEFERRED or state == "ready":
        not_before = now + BACK_OFF[min(delivery.attempt, len(BACK_OFF)) - 1]
    return Settled(
        delivery,
        reply.outcome.value,
        now,
        reply.relay,
        reply.code,
        reply.enhanced,
        reply.text,
        not_before,
        state,
    )


@contextmanager
def _only_sender(store: Store) -> Iterator[None]:
    """Hold the sender's lock; the system gives it back when the process ends, however it ends."""
    database = store.database.path
    if database is None:
        if store.database.is_sqlite:  # in memory: nobody else can see it
            yield
            return
        with store.database.alone(_LOCK) as held:
            if not held:
                raise _taken("this database")
            yield
        return
    lock = database.with_name(database.name + ".sender")
    try:
        file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:  # root made it, say
        raise StoreUnavailable(
            f"{lock} cannot be written ({error.strerror}): delete it, or let the user that runs "
            "Paper Digest write it"
        ) from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _taken(str(database)) from error
        yield
    finally:
        os.close(file)


def _taken(database: str) -> Conflict:
    return Conflict(
        f"another paper-digest is sending from {database}: let it finish, or end it first"
    )
