"""The program, top to bottom: ingest(), issue(), deliver(). What cron calls is these three.

`open_app` puts an installation together from its settings; everything with a clock takes it
from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from digest.errors import SourceError
from digest.store import open_store
from subscribers.links import Links, Purpose
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from types import TracebackType

    from digest.channels import Channel
    from digest.compose import Digest
    from digest.delivery import Outgoing, Sent
    from digest.match import Match
    from digest.papers import Paper
    from digest.render import DigestLinks, Rendered, Renderer
    from digest.selection import Miss, Selection
    from digest.settings import Settings
    from digest.sources import Fetch, Source
    from digest.sources.http import Polite
    from digest.store import Store
    from digest.store.deliveries import Delivery, Excluded, Frozen, Prepared
    from subscribers.subscriber import Subscriber

GRACE: Final = timedelta(days=7)
"""How much later than one cadence period a paper may come and still be news."""
FIRST: Final = timedelta(days=7)
"""How far a reader's first digest reaches back."""


@dataclass
class App:
    """One installation, open: its settings, its database, and how the rest is reached."""

    settings: Settings
    store: Store
    clock: Callable[[], datetime]

    @cached_property
    def links(self) -> Links:
        """The signed links of its mails."""
        return Links(self.settings.public_url, self.settings.secret_keys)

    @cached_property
    def renderer(self) -> Renderer:
        """Its templates, compiled."""
        from digest.render import Brand, Renderer  # noqa: PLC0415 -- slow, needed to send only

        settings = self.settings
        sender = ", ".join(filter(None, (settings.sender_name, settings.postal_address)))
        brand = Brand(settings.brand, sender, settings.contact)
        return Renderer(brand, settings.templates)

    @cached_property
    def channel(self) -> Channel:
        """What its mails go out through."""
        from digest.channels import channel  # noqa: PLC0415 -- needed to send only

        settings = self.settings
        return channel(
            settings.smtp_url,
            user=settings.smtp_user,
            password=settings.smtp_password,
            hostname=settings.hostname,
        )

    @cached_property
    def sources(self) -> list[Source]:
        """Where its papers come from."""
        from digest.sources import load  # noqa: PLC0415 -- needed to ingest only

        return load(self.settings.sources, self.settings.source_options)

    def polite(self) -> Polite:
        """The client its sources are asked with, contact and queues included."""
        from digest.sources.http import Polite  # noqa: PLC0415 -- imports httpx

        path = self.store.database.path
        queues = path.with_name(path.name + ".queues") if path else None
        return Polite(contact=self.settings.contact, home=self.settings.public_url, queues=queues)

    def close(self) -> None:
        """Give the database back."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def utc_now() -> datetime:
    """The one clock of the program."""
    return datetime.now(UTC)


def open_app(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> App:
    """Open an installation; its database is made or upgraded when it has to be."""
    return App(settings, open_store(settings.database_url), clock)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What the sources brought: their answers, and how many papers were new or changed."""

    fetches: tuple[Fetch, ...]
    new: int
    changed: int
    failed: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every source said all it had to say."""
        return not self.failed and all(fetch.state.complete for fetch in self.fetches)


def ingest(app: App, *, on_fetch: Callable[[Fetch], None] = lambda _: None) -> IngestReport:
    """Ask every source for its last list days and store what is new.

    A source that fails takes nothing from the others; what it did not say is asked again next
    time.
    """
    from digest.sources import FIRST_REACH, Window  # noqa: PLC0415 -- needed to ingest only

    fetches: list[Fetch] = []
    failed: list[str] = []
    new = changed = 0
    with app.polite() as client:
        for source in app.sources:
            now = app.clock()
            window = Window.last(FIRST_REACH, now)
            have = app.store.sources.good_days(source.name, window.since)
            try:
                for fetch in source.fetch(replace(window, have=have), client):
                    stored = app.store.papers.ingest(fetch.papers, now)
                    app.store.sources.record(fetch, now)
                    new, changed = new + stored.new, changed + stored.changed
                    fetches.append(fetch)
                    on_fetch(fetch)
            except SourceError as error:
                failed.append(f"{source.label}: {error}")
    return IngestReport(tuple(fetches), new, changed, tuple(failed))


@dataclass(frozen=True, slots=True)
class Considered:
    """One reader's next digest, decided but not frozen; `reason` says why there is none."""

    reader: Subscriber
    selection: Selection
    papers: Mapping[int, Paper]
    misses: tuple[Miss, ...]

    @property
    def reason(self) -> str:
        """Why there is no digest, or nothing."""
        if self.selection.picks:
            return ""
        if not self.selection.looked_at:
            return "nothing new was listed"
        return f"nothing matched, {self.selection.looked_at:,} looked at"


@dataclass(frozen=True, slots=True)
class IssueReport:
    """One tick's readers: what each gets, and the frozen audience (None when nobody was due)."""

    considered: tuple[Considered, ...] = ()
    frozen: Frozen | None = None


def issue(app: App, *, everybody: bool = False) -> IssueReport:
    """Decide and freeze the digests of everybody who is due; or of every active reader.

    Frozen digests wait in the log until `deliver` sends them. A second call finds nobody due.
    """
    now = app.clock()
    if everybody:
        readers = [r for r in app.store.subscribers.all() if r.status is Status.ACTIVE]
    else:
        readers = app.store.subscribers.due(now)
    if not readers:
        return IssueReport()
    considered = consider(app, readers, now)
    prepared, excluded = _sorted_out(considered, now, everybody=everybody)
    frozen = app.store.deliveries.freeze(
        prepared,
        excluded,
        channel="smtp" if not app.settings.writes_files else "eml",
        domain=app.settings.hostname,
        now=now,
    )
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
    ending: Callable[[], bool] = lambda: False,
) -> tuple[Sent, ...]:
    """Send everything that waits in the log; see `digest.delivery.send_all` for what it raises."""
    if not app.store.deliveries.waiting(app.clock()):
        return ()
    from digest.delivery import send_all  # noqa: PLC0415 -- needed to send only

    return send_all(
        app.store,
        app.channel,
        lambda delivery: _outgoing(app, delivery),
        app.clock,
        on_sent=on_sent,
        ending=ending,
    )


def consider(
    app: App, readers: Sequence[Subscriber], now: datetime, *, kind: str = "digest"
) -> list[Considered]:
    """Decide what these readers' next digests would hold; reads only.

    A reader that is not stored (number 0) has no ledger and looks at the last seven days.
    """
    from digest.match import match  # noqa: PLC0415 -- needed where something is matched
    from digest.selection import Selection, near_misses, select  # noqa: PLC0415

    last = app.store.deliveries.last_sent([reader.number for reader in readers])
    reach = max(reader.schedule.cadence.period for reader in readers) + GRACE
    today = now.date() + timedelta(days=1)  # a list may be dated tomorrow where the sun is ahead
    papers = app.store.papers.between((now - reach).date(), today)
    found = match(papers, [profile for reader in readers for profile in reader.profiles], now=now)
    sent = app.store.deliveries.ledger([reader.number for reader in readers], now - 2 * reach)
    incomplete = _incomplete(app, now)
    considered, position = [], 0
    for reader in readers:
        matches = found[position : position + len(reader.profiles)]
        position += len(reader.profiles)
        since = None if kind == "welcome" else last.get(reader.number)
        window = _window(app, reader, papers, matches, since, now)
        already = {
            number
            for packed in sent.get(reader.number, ())
            for number in Selection.unpack(packed).papers
        }
        selection = select(
            reader,
            window,
            matches,
            already=already,
            kind=kind,
            since=since,
            until=now,
            looked_at=len(window),
            incomplete=incomplete,
            note=app.settings.note,
        )
        misses = near_misses(reader, window, matches, selection, already=already)
        considered.append(Considered(reader, selection, window, misses))
    return considered


def next_digest(
    app: App, reader: Subscriber, *, now: datetime
) -> tuple[Selection, Digest, Rendered]:
    """A reader's next digest as it would be sent now; nothing is written."""
    from digest.compose import compose  # noqa: PLC0415

    one = consider(app, [reader], now)[0]
    digest = compose(reader, one.selection, one.papers)
    return one.selection, digest, app.renderer.digest(digest, digest_links(app, reader, ""))


def digest_links(app: App, reader: Subscriber, delivery_id: str) -> DigestLinks:
    """The links of one mail; of none where nobody can reach this installation."""
    from digest.render import DigestLinks  # noqa: PLC0415

    mailto = f"mailto:{app.settings.contact}?subject=unsubscribe"
    if not app.settings.public_url or not reader.public_id:
        return DigestLinks(unsubscribe_mailto=mailto)
    url = app.links.url
    return DigestLinks(
        manage=url(Purpose.MANAGE, reader.public_id),
        pause=url(Purpose.PAUSE, reader.public_id),
        unsubscribe=url(Purpose.UNSUBSCRIBE, reader.public_id),
        browser=url(Purpose.VIEW, delivery_id) if delivery_id else "",
        home=app.settings.public_url,
        unsubscribe_mailto=mailto,
    )


def _outgoing(app: App, delivery: Delivery) -> Outgoing:
    """The message of a delivery, built from what was frozen for it."""
    from digest.compose import compose  # noqa: PLC0415
    from digest.delivery import Outgoing  # noqa: PLC0415
    from digest.mail import Letter, to_bytes  # noqa: PLC0415
    from digest.selection import Selection  # noqa: PLC0415

    settings = app.settings
    reader = app.store.subscribers.by_number(delivery.subscriber)
    selection = Selection.unpack(delivery.selection)
    papers = app.store.papers.by_numbers(selection.papers)
    links = digest_links(app, reader, delivery.public_id)
    rendered = app.renderer.digest(compose(reader, selection, papers), links)
    letter = Letter(
        sender_name=settings.sender_name,
        sender_address=settings.sender_address,
        to=reader.address,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        message_id=delivery.message_id,
        date=delivery.created_at,
        list_name=settings.brand,
        list_id=f"{reader.list_name}.{settings.hostname}",
        reply_to=settings.contact if settings.contact != settings.sender_address else "",
        unsubscribe_url=links.unsubscribe,
        unsubscribe_mailto=links.unsubscribe_mailto,
        feedback_id=f"{delivery.issue or 0}:{reader.list_name}:digest:paperdigest",
    )
    return Outgoing(settings.sender_address, reader.address, to_bytes(letter))


def _sorted_out(
    considered: Iterable[Considered], now: datetime, *, everybody: bool
) -> tuple[list[Prepared], list[Excluded]]:
    from digest.store.deliveries import Excluded, Prepared  # noqa: PLC0415

    prepared: list[Prepared] = []
    excluded: list[Excluded] = []
    for one in considered:
        reader = one.reader
        due = reader.next_due or now
        day = reader.last_day if everybody else reader.schedule.local_day(due)
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


def _window(  # noqa: PLR0917 -- one question, many facts
    app: App,
    reader: Subscriber,
    papers: Sequence[Paper],
    matches: Sequence[Sequence[Match]],
    since: datetime | None,
    now: datetime,
) -> dict[int, Paper]:
    """The papers that are news for a reader, by number: design, "Which papers are new".

    First seen since the last digest and announced within one period and a week; and what
    newly meets one of the reader's floors within a week of its announcement.
    """
    reach = FIRST if since is None else reader.schedule.cadence.period + GRACE
    oldest = (now - reach).date()
    recent = {p.number: p for p in papers if p.announced_on and p.announced_on >= oldest}
    if since is None:
        return recent
    fresh = {
        number: paper
        for number, paper in recent.items()
        if paper.first_seen_at and paper.first_seen_at > since
    }
    risen = _risen(app, reader, recent, matches, since, (now - GRACE).date())
    return fresh | risen


def _risen(  # noqa: PLR0917 -- one question, many facts
    app: App,
    reader: Subscriber,
    recent: Mapping[int, Paper],
    matches: Sequence[Sequence[Match]],
    since: datetime,
    oldest: date,
) -> dict[int, Paper]:
    """Papers seen before that match now, and did not with the counts of the last digest."""
    from subscribers.query import check  # noqa: PLC0415
    from subscribers.query import matches as literal  # noqa: PLC0415

    risen: dict[int, Paper] = {}
    for profile, found in zip(reader.profiles, matches, strict=True):
        query = check(profile.text)[0]
        if not query.floors:
            continue
        old = {
            match.paper: recent[match.paper]
            for match in found
            if match.paper in recent
            and (recent[match.paper].announced_on or oldest) >= oldest
            and (recent[match.paper].first_seen_at or since) <= since
        }
        then = app.store.papers.signals_at(old, since)
        for number, paper in old.items():
            before = replace(paper, signals=then.get(number, type(paper.signals)()))
            if not literal(query, before):
                risen[number] = paper
    return risen


def _incomplete(app: App, now: datetime) -> tuple[str, ...]:
    """One sentence per source that has not answered fully for its newest days."""
    newest: dict[str, str] = {}
    for answer in app.store.sources.answers((now - timedelta(days=1)).date()):
        if not answer.good and answer.source not in newest:
            note = answer.note or "did not answer fully"
            newest[answer.source] = (
                f"{answer.label} {note}. We keep asking; "
                "what you missed comes with your next digest."
            )
    return tuple(newest.values())
