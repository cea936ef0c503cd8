"""The program, top to bottom: ingest(), issue(), deliver(). What cron calls is these three."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from digest.ingest import ingest
from digest.news import Considered, News, consider, reaches
from digest.quiet import quiet_notes
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date, datetime

    from digest.app import App
    from digest.delivery import Report, Sent
    from digest.store.deliveries import Excluded, Frozen, Prepared
    from digest.store.outbox import Recovered
    from digest.store.suppressions import Suppression
    from subscribers.subscriber import Subscriber

__all__ = ["Decided", "IssueReport", "deliver", "ingest", "issue", "welcome"]


BLOCK: Final = 1_000
"""Readers that are decided and frozen together: memory does not grow with the audience."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A block of an issue's readers, decided and frozen; `done` of `total` are so by now."""

    considered: Sequence[Considered]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class IssueReport:
    """One tick: how many readers it was for, and the frozen audience (None where there is none)."""

    readers: int = 0
    frozen: Frozen | None = None


def issue(
    app: App,
    *,
    everybody: bool = False,
    on_decided: Callable[[Decided], None] = lambda _: None,
    block: int = BLOCK,
) -> IssueReport:
    """Decide and freeze the digests of everybody who is due; or of every active reader.

    Frozen digests wait in the log until `deliver` sends them. Block after block of readers is
    committed: whoever was not reached when this ends early is still due, and nobody is twice. A
    second call finds nobody due; one at the same time, from this process or another, waits until
    it can know that.
    """
    with app.store.database.turn("issue"):
        now = app.clock()
        app.store.outbox.expire(now)  # what a late digest held is offered in this one
        store = app.store.subscribers
        audience = store.active() if everybody else store.due(now)
        deciding = _Deciding(app, now, everybody=everybody)
        done = 0
        with _garbage_taken_out() as take_out:
            for reach, numbers in reaches(app, audience).items():
                news = News.of(app, reach, now)
                for start in range(0, len(numbers), block):
                    some = numbers[start : start + block]
                    done += len(some)
                    on_decided(Decided(deciding.block(news, some), done, len(audience)))
                    take_out()
        return IssueReport(len(audience), deciding.frozen)


@contextmanager
def _garbage_taken_out() -> Iterator[Callable[[], object]]:
    """Look for garbage where a block ends: what it made lives that long, and is looked at once.

    Left to itself the collector goes through all that is held again and again, which takes a
    quarter of an issue's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield partial(gc.collect, 1)
    finally:
        if was_enabled:
            gc.enable()


class _Deciding:
    """One issue under way: its blocks, each decided, frozen and let go of."""

    def __init__(self, app: App, now: datetime, *, everybody: bool) -> None:
        self._app = app
        self._now = now
        self._everybody = everybody
        self._waiting: list[Excluded] = []
        self.frozen: Frozen | None = None

    def block(self, news: News, numbers: Sequence[int]) -> list[Considered]:
        """Decide these readers and freeze what comes of it."""
        app, now, everybody = self._app, self._now, self._everybody
        readers = list(app.store.subscribers.by_numbers(numbers).values())
        still, excluded = _still_due(readers, now, everybody=everybody)
        never = app.store.suppressions.among(reader.address for reader in still)
        considered = news.decide([reader for reader in still if reader.address not in never])
        prepared, nothing = _sorted_out(considered, now, everybody=everybody)
        excluded += nothing + _suppressed(still, never, now, everybody=everybody)
        if everybody and not prepared and not self.frozen:
            # Nobody was due, so while nobody gets anything there is nothing to remember.
            self._waiting += [_bare(one) for one in excluded]
            return considered
        self.frozen = app.store.deliveries.freeze(
            prepared,
            self._waiting + excluded,
            channel=app.settings.channel,
            domain=app.settings.hostname,
            now=now,
            issue=self.frozen.issue if self.frozen else None,
            notices=[] if everybody else quiet_notes(app, considered, now),
        )
        self._waiting = []
        return considered


def welcome(app: App, reader: Subscriber) -> bool:
    """Freeze a reader's welcome digest, the best of the last seven days; once a reader.

    False when there is nothing to welcome with. Waits while papers are stored, and for no issue.
    """
    with app.store.database.turn("welcome"):
        return _welcomed(app, reader, app.clock())


def _welcomed(app: App, reader: Subscriber, now: datetime) -> bool:
    from digest.store.deliveries import Prepared  # noqa: PLC0415

    one = consider(app, [reader], now, kind="welcome")[0]
    if not one.selection.picks:
        return False
    prepared = Prepared(
        reader,
        "welcome",
        f"{reader.number}:welcome",
        one.selection.pack(),
        now + timedelta(hours=20),
        reader.next_due,
        reader.last_day,
    )
    app.store.deliveries.freeze(
        [prepared], [], channel=app.settings.channel, domain=app.settings.hostname, now=now
    )
    return True


def deliver(
    app: App,
    *,
    on_sent: Callable[[Sent], None] = lambda _: None,
    on_recovered: Callable[[Recovered], None] = lambda _: None,
    ending: Callable[[], bool] = lambda: False,
) -> Report:
    """Send everything that waits in the log; see `digest.delivery.send_all` for what it raises."""
    from digest.delivery import Report, Sending, Unknown, send_all  # noqa: PLC0415 -- needed to send

    waiting = app.store.outbox.waiting(app.clock())
    if not waiting:
        return Report()
    from digest.letters import Letters  # noqa: PLC0415 -- needed to send only
    from digest.press import presses_for  # noqa: PLC0415

    settings = app.settings
    with presses_for(app, waiting) as presses:
        return send_all(
            app.store,
            app.channel,
            Letters(app),
            app.clock,
            sending=Sending(
                Unknown(settings.on_unknown), settings.relay_rates, dict(settings.domain_rates)
            ),
            workshop=presses,
            on_sent=on_sent,
            on_refused=partial(_returned, app),
            on_recovered=on_recovered,
            ending=ending,
        )


def _returned(app: App, sent: Sent) -> None:
    """A recipient refused at the door counts like one whose mail came back."""
    from digest.bounces import Kind  # noqa: PLC0415 -- seldom needed
    from digest.bounces import Report as Returned  # noqa: PLC0415
    from digest.bounces.judging import judge  # noqa: PLC0415

    reply, now = sent.reply, app.clock()
    # Where the relay was not even asked, as with what it cannot take, that is ours to mend.
    kind = judge(reply.enhanced, reply.code, reply.text) if reply.code else Kind.BLOCKED
    app.store.suppressions.take(
        Returned(
            kind,
            now,
            "relay",
            public_id=sent.delivery.public_id,
            code=reply.code,
            enhanced=reply.enhanced,
            text=reply.text,
        ),
        now,
    )


def _still_due(
    readers: Iterable[Subscriber], now: datetime, *, everybody: bool
) -> tuple[list[Subscriber], list[Excluded]]:
    """Who is to be decided, and who has left or moved their hour since the audience was fixed."""
    from digest.store.deliveries import Excluded  # noqa: PLC0415

    still: list[Subscriber] = []
    gone: list[Excluded] = []
    for reader in readers:
        is_active = reader.status is Status.ACTIVE
        if everybody:
            is_due = is_active
        else:
            is_awake = is_active or reader.status is Status.PAUSED
            is_due = is_awake and reader.next_due is not None and reader.next_due <= now
        if is_due:
            still.append(reader)
        else:
            why = "not due any more" if is_active else f"the reader is {reader.status}"
            gone.append(Excluded(reader, why, reader.next_due))
    return still, gone


def _bare(one: Excluded) -> Excluded:
    """The same without what the reader asked for, which is most of it."""
    return replace(one, subscriber=replace(one.subscriber, profiles=()))


def _suppressed(
    readers: Iterable[Subscriber],
    never: Mapping[str, Suppression],
    now: datetime,
    *,
    everybody: bool,
) -> list[Excluded]:
    """Readers whose address is never written to, each with the reason."""
    from digest.store.deliveries import Excluded  # noqa: PLC0415

    return [
        Excluded(
            reader,
            f"the address is never written to: {never[reader.address].reason}",
            reader.schedule.next_after(now, _day(reader, now, everybody=everybody)),
        )
        for reader in readers
        if reader.address in never
    ]


def _day(reader: Subscriber, now: datetime, *, everybody: bool) -> date | None:
    """The local date this issue counts for; one asked for by hand counts for none."""
    return reader.last_day if everybody else reader.schedule.local_day(reader.next_due or now)


def _sorted_out(
    considered: Iterable[Considered], now: datetime, *, everybody: bool
) -> tuple[list[Prepared], list[Excluded]]:
    from digest.store.deliveries import Excluded, Prepared  # noqa: PLC0415

    prepared: list[Prepared] = []
    excluded: list[Excluded] = []
    for one in considered:
        reader = one.reader
        day = _day(reader, now, everybody=everybody)
        following = reader.schedule.next_after(now, day)
        if not one.selection.picks:
            excluded.append(Excluded(reader, one.reason, following))
            continue
        # Only a digest that was due counts for its date; one asked for by hand is kept from
        # repeating anything by the ledger alone.
        key = (
            f"{reader.number}:now:{now.isoformat()}"
            if everybody
            else f"{reader.number}:digest:{day}"
        )
        prepared.append(
            Prepared(reader, "digest", key, one.selection.pack(), following, following, day)
        )
    return prepared, excluded
