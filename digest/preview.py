"""What a digest would be, seen before it is sent: the mail, why each paper is in, what was not.

Reads only: nothing here marks anything as sent. The page and the command line show the same.
Every link of the mail is there and none acts: a preview is shown around, a reader's links are not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from digest.hints import hints
from digest.letters import letter, preview_links, preview_tag
from digest.mail import to_bytes
from digest.match import match
from digest.misses import nearest
from digest.news import FIRST, GRACE, consider, consider_then
from digest.selection import Selection, near_misses
from digest.tex import in_unicode
from subscribers.profile import Layout, Profile
from subscribers.query import check
from subscribers.subscriber import Schedule, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from digest.app import App
    from digest.compose import Digest
    from digest.errors import QueryError
    from digest.news import Considered
    from digest.papers import Paper
    from digest.render import Rendered
    from digest.selection import Miss
    from digest.store.deliveries import Delivery

STRANGER: Final = "you@example.org"


@dataclass(frozen=True, slots=True)
class Line:
    """A paper, its title as it is shown, and why it is in, or what kept it out."""

    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Preview:
    """One digest, with everything there is to know about it.

    `message` is the whole message as it would go over the wire; its links are `preview_links`.
    `delivery` is None for what has not been sent. `mistakes` are those of a typed text; its other
    lines were used.
    """

    reader: Subscriber
    selection: Selection
    digest: Digest
    rendered: Rendered
    message: bytes
    papers: Mapping[int, Paper]
    misses: tuple[Miss, ...]
    delivery: Delivery | None = None
    mistakes: tuple[QueryError, ...] = ()

    @property
    def has_mail(self) -> bool:
        """Whether a mail comes of it at all."""
        return bool(self.selection.picks)

    @property
    def size(self) -> int:
        """Bytes of the HTML part, decoded, as mail clients count them."""
        return len(self.rendered.html.encode())

    @property
    def outcome(self) -> str:
        """One sentence: what came of it."""
        looked = f"{self.selection.looked_at:,} looked at"
        if not self.selection.looked_at:
            return "no mail: nothing new was listed"
        if not self.has_mail:
            new = "new " if self.selection.matched else ""
            return f"no mail: nothing {new}matched, {looked}"
        verb = "sent" if self.delivery else "in the mail"
        return f"{matched(self.selection):,} matched, {len(self.selection.picks)} {verb}, {looked}"

    @property
    def hints(self) -> list[str]:
        """What may count against the message with a spam filter; none is the best."""
        return hints(self.message)

    @property
    def headers(self) -> str:
        """The message's headers, as they are sent."""
        return self.message.partition(b"\r\n\r\n")[0].decode("ascii").replace("\r\n", "\n")

    @property
    def whys(self) -> tuple[Line, ...]:
        """Why each paper is in, in the mail's order and words."""
        cards = [card for group in self.digest.groups for card in group.cards]
        return tuple(Line(card.title, card.why_text) for card in cards)

    @property
    def near(self) -> tuple[Line, ...]:
        """What nearly was in and what stopped it: matches first, then what lacked one thing."""
        nearly = nearest(self.reader, self.papers, self.selection, self.misses)
        return tuple(Line(in_unicode(self.papers[miss.paper].title), miss.why) for miss in nearly)


def preview(
    app: App,
    reader_or_query: Subscriber | str,
    *,
    now: datetime,
    layout: Layout | None = None,
    day: date | None = None,
) -> Preview:
    """A reader's next digest, or what a keyword text would bring a new reader.

    Of a text with mistakes the other lines are used and the mistakes given back. With a `day`
    it is the digest a run on that day would have made, whatever was sent since.
    """
    mistakes: tuple[QueryError, ...] = ()
    if isinstance(reader_or_query, str):
        text, mistakes = without_mistakes(reader_or_query)
        reader = stranger(app, text, now)
    else:
        reader = reader_or_query
    if day is not None:
        considered = _then(app, _in(reader, layout), day)
    else:
        (considered,) = consider(app, [_in(reader, layout)], now)
    return _shown(
        app,
        considered.reader,
        considered.selection,
        considered.papers,
        considered.misses,
        mistakes=mistakes,
    )


def _then(app: App, reader: Subscriber, day: date) -> Considered:
    """The digest of that day, since the one of the reader's digest day before.

    It is decided when one was made that day, by hand perhaps, and else at the reader's own hour.
    """
    schedule = reader.schedule
    before = day - timedelta(days=1)
    while schedule.falls_on(day) and not schedule.falls_on(before):
        before -= timedelta(days=1)
    then = _made_on(app, reader, day) or schedule.instant(day)
    return consider_then(app, reader, then, schedule.instant(before))


def _made_on(app: App, reader: Subscriber, day: date) -> datetime | None:
    """When the reader's digest of that day, in their zone, was made; None where none was."""
    zone = ZoneInfo(reader.schedule.zone)
    for delivery in made(app, reader, limit=100):
        if delivery.created_at.astimezone(zone).date() == day:
            return delivery.created_at
    return None


def made(app: App, reader: Subscriber, limit: int = 10) -> list[Delivery]:
    """The digests among a reader's latest `limit` mails, newest first."""
    mails = app.store.deliveries.history(reader.number, limit) if reader.number else []
    return [mail for mail in mails if mail.kind in {"digest", "welcome"}]


def sent(app: App, delivery: Delivery, *, layout: Layout | None = None) -> Preview:
    """A digest that was sent (or waits to be), rebuilt from what was frozen; NotFound if gone."""
    reader = _in(app.store.subscribers.by_number(delivery.subscriber), layout)
    selection = Selection.unpack(delivery.selection)
    window = window_of(app, selection)
    found = match(list(window.values()), reader.profiles, now=selection.until)
    misses = near_misses(reader, window, found, selection)
    papers = {**window, **app.store.papers.by_numbers(selection.papers)}
    return _shown(app, reader, selection, papers, misses, delivery=delivery)


def latest(app: App, reader: Subscriber, *, now: datetime, layout: Layout | None = None) -> Preview:
    """A reader's next digest; where nothing is to come, the last one that was made."""
    upcoming = preview(app, reader, now=now, layout=layout)
    if upcoming.has_mail:
        return upcoming
    before = made(app, reader)
    return sent(app, before[0], layout=layout) if before else upcoming


def matched(selection: Selection) -> int:
    """How many papers matched; of a top ten, everything did."""
    return selection.looked_at if selection.top_ten else selection.matched


def stranger(app: App, text: str, now: datetime) -> Subscriber:
    """Somebody new who asks for that text: no ledger, the best of the last seven days."""
    return Subscriber(
        STRANGER,
        profiles=(Profile(text),),
        schedule=Schedule(zone=app.settings.zone),
        language=app.settings.language,
        status=Status.ACTIVE,
        created_at=now,
    )


def without_mistakes(text: str) -> tuple[str, tuple[QueryError, ...]]:
    """The text with its wrong rows left out, and what is wrong with them."""
    mistakes = check(text)[1]
    wrong = {mistake.line for mistake in mistakes}
    rows = text.split("\n")
    good = "\n".join(row for number, row in enumerate(rows, 1) if number not in wrong)
    return good.strip("\n"), mistakes


def _in(reader: Subscriber, layout: Layout | None) -> Subscriber:
    """The reader, seeing everything in that layout for once."""
    if layout is None:
        return reader
    profiles = tuple(replace(profile, layout=None) for profile in reader.profiles)
    return replace(reader, layout=layout, profiles=profiles)


def window_of(app: App, selection: Selection) -> dict[int, Paper]:
    """The papers a frozen digest was chosen from, as far as they are still told apart."""
    until = selection.until
    first = (selection.since or until - FIRST).date() - (GRACE if selection.since else timedelta())
    papers = app.store.papers.between(first, until.date() + timedelta(days=1))
    since = selection.since
    return {
        paper.number: paper
        for paper in papers
        if paper.first_seen_at is not None
        and paper.first_seen_at <= until
        and (since is None or paper.first_seen_at > since)
    }


def _shown(
    app: App,
    reader: Subscriber,
    selection: Selection,
    papers: Mapping[int, Paper],
    misses: Sequence[Miss],
    *,
    delivery: Delivery | None = None,
    mistakes: tuple[QueryError, ...] = (),
) -> Preview:
    links = preview_links(app)
    digest, rendered = app.renderer.fitted(reader, selection, papers, links)
    message = letter(
        app,
        reader,
        rendered,
        links,
        message_id=delivery.message_id if delivery else f"<preview@{app.settings.hostname}>",
        date=delivery.created_at if delivery else selection.until,
        issue=delivery.issue if delivery else None,
        tag=preview_tag(app),
    )
    return Preview(
        reader=reader,
        selection=selection,
        digest=digest,
        rendered=rendered,
        message=to_bytes(message),
        papers=papers,
        misses=tuple(misses),
        delivery=delivery,
        mistakes=mistakes,
    )
