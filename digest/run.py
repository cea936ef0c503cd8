"""The program, top to bottom: ingest(), issue(), deliver(). What cron calls is these three."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from digest.ingest import ingest
from digest.news import Considered, consider
from digest.quiet import say_quiet
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date, datetime

    from digest.app import App
    from digest.delivery import Report, Sent
    from digest.store.deliveries import Excluded, Frozen, Prepared
    from digest.store.outbox import Recovered
    from digest.store.suppressions import Suppression
    from subscribers.subscriber import Subscriber

__all__ = ["IssueReport", "deliver", "ingest", "issue", "welcome"]


@dataclass(frozen=True, slots=True)
class IssueReport:
    """One tick's readers: what each gets, and the frozen audience (None where there is none)."""

    considered: tuple[Considered, ...] = ()
    frozen: Frozen | None = None


def issue(app: App, *, everybody: bool = False) -> IssueReport:
    """Decide and freeze the digests of everybody who is due; or of every active reader.

    Frozen digests wait in the log until `deliver` sends them. A second call finds nobody due;
    one at the same time, from this process or another, waits until it can know that.
    """
    with app.store.database.turn("issue"):
        return _issue(app, everybody=everybody)


def _issue(app: App, *, everybody: bool) -> IssueReport:
    now = app.clock()
    app.store.outbox.expire(now)  # what a late digest held is offered in this one
    if everybody:
        readers = [r for r in app.store.subscribers.all() if r.status is Status.ACTIVE]
    else:
        readers = app.store.subscribers.due(now)
    if not readers:
        return IssueReport()
    never = app.store.suppressions.among(reader.address for reader in readers)
    audience = [reader for reader in readers if reader.address not in never]
    considered = consider(app, audience, now, keep_misses=False) if audience else []
    prepared, excluded = _sorted_out(considered, now, everybody=everybody)
    if everybody and not prepared:
        return IssueReport(tuple(considered))  # nobody was due, so there is nothing to remember
    excluded += _suppressed(readers, never, now, everybody=everybody)
    frozen = app.store.deliveries.freeze(
        prepared,
        excluded,
        channel="smtp" if not app.settings.writes_files else "eml",
        domain=app.settings.hostname,
        now=now,
    )
    if not everybody:
        say_quiet(app, considered, now)
    return IssueReport(tuple(considered), frozen)


def welcome(app: App, reader: Subscriber) -> bool:
    """Freeze a reader's welcome digest, the best of the last seven days; once a reader.

    False when there is nothing to welcome with.
    """
    from digest.store.deliveries import Prepared  # noqa: PLC0415

    now = app.clock()
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
    channel = "eml" if app.settings.writes_files else "smtp"
    app.store.deliveries.freeze(
        [prepared], [], channel=channel, domain=app.settings.hostname, now=now
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
        report = send_all(
            app.store,
            app.channel,
            Letters(app),
            app.clock,
            sending=Sending(
                Unknown(settings.on_unknown), settings.relay_rates, dict(settings.domain_rates)
            ),
            workshop=presses,
            on_sent=on_sent,
            on_recovered=on_recovered,
            ending=ending,
        )
    for sent in report.refused:
        _returned(app, sent)
    return report


def _returned(app: App, sent: Sent) -> None:
    """A recipient refused at the door counts like one whose mail came back."""
    from digest.bounces import Report as Returned  # noqa: PLC0415 -- seldom needed
    from digest.bounces.judging import judge  # noqa: PLC0415

    reply, now = sent.reply, app.clock()
    kind = judge(reply.enhanced, reply.code, reply.text)
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
