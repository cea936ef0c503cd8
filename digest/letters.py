"""The message of a delivery, rebuilt from what was frozen for it."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from digest.channels import Outgoing
from digest.errors import SelectionError
from digest.notices import TO_READERS, goes_to, is_notice, note
from digest.selection import Selection
from digest.tags import MARK, PREVIEW, tagged
from subscribers.links import Purpose

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet
    from datetime import datetime

    from digest.app import App
    from digest.fragments import Body
    from digest.mail import Letter
    from digest.papers import Paper
    from digest.render import DigestLinks, Rendered
    from digest.store.deliveries import Delivery
    from subscribers.subscriber import Subscriber

MOST_PAPERS: Final = 5000
"""Papers kept between batches: some days of them, and never all there are."""


def digest_links(app: App, reader: Subscriber, delivery_id: str) -> DigestLinks:
    """The links of one delivery's mail; "" where nobody can reach this installation."""
    from digest.render import DigestLinks  # noqa: PLC0415

    manage, pause, unsubscribe = app.links.urls(
        reader.public_id, Purpose.MANAGE, Purpose.PAUSE, Purpose.UNSUBSCRIBE
    )
    browser, feedback = app.links.urls(delivery_id, Purpose.VIEW, Purpose.FEEDBACK)
    return DigestLinks(
        manage=manage,
        pause=pause,
        unsubscribe=unsubscribe,
        browser=browser,
        home=app.settings.public_url,
        feedback=feedback,
        unsubscribe_mailto=_leaving(app, app.tags.tag(delivery_id)),
    )


def preview_links(app: App) -> DigestLinks:
    """The links `digest_links` gives, each as long as there, of which none acts or opens."""
    from digest.render import DigestLinks  # noqa: PLC0415

    url = app.links.preview
    return DigestLinks(
        manage=url(Purpose.MANAGE),
        pause=url(Purpose.PAUSE),
        unsubscribe=url(Purpose.UNSUBSCRIBE),
        browser=url(Purpose.VIEW),
        home=app.settings.public_url,
        feedback=url(Purpose.FEEDBACK),
        unsubscribe_mailto=_leaving(app, preview_tag(app)),
    )


def preview_tag(app: App) -> str:
    """What a preview has for a tag; "" where mails have none."""
    return PREVIEW if app.tags else ""


def _leaving(app: App, tag: str) -> str:
    """Where one writes to leave: with a tag to the mailbox we read ourselves, else to a person."""
    settings = app.settings
    address = settings.contact
    if tag and settings.bounces_url and MARK in settings.bounce_address:
        address = tagged(settings.bounce_address, tag)
    return f"mailto:{address}?subject=unsubscribe"


class Letters:
    """Builds the messages of deliveries; what a batch needs of the store is read at once.

    `build` may be called from several threads.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._readers: dict[int, Subscriber] = {}
        self._selections: dict[int, Selection] = {}
        self._lock = threading.Lock()
        _ = (
            app.renderer,
            app.links,
            app.tags,
            app.signer,
        )  # made here, and not by several threads at once
        self._day = _Day(app)

    def prepare(self, batch: Sequence[Delivery]) -> None:
        """Read the readers of a batch, and the papers that were not read yet."""
        numbers = [one.subscriber for one in batch if one.subscriber is not None]
        readers = self._app.store.subscribers.by_numbers(numbers)
        selections: dict[int, Selection] = {}
        for one in batch:
            # One that is damaged is met again where its own message is made, and stops no other.
            with suppress(SelectionError):
                if not is_notice(one):
                    selections[one.number] = Selection.unpack(one.selection)
        wanted = {pick.paper for one in selections.values() for pick in one.picks}
        if len(self._day.papers) > MOST_PAPERS:
            self._day = _Day(self._app)
        self._day.read(wanted)
        with self._lock:
            self._readers.update(readers)
            self._selections.update(selections)

    def build(self, delivery: Delivery) -> Outgoing:
        """The message of a delivery, built from what was frozen for it."""
        app, day = self._app, self._day
        reader = self._reader(delivery)
        if is_notice(delivery):
            return _notice(app, delivery, reader)
        with self._lock:
            selection = self._selections.pop(delivery.number, None)
        if selection is None:
            selection = Selection.unpack(delivery.selection)
            day.read(selection.papers)
        links = digest_links(app, reader, delivery.public_id)
        body = day.fragments.build(reader, selection, links)
        tag = app.tags.tag(delivery.public_id)
        message = letter(
            app,
            reader,
            body,
            links,
            message_id=delivery.message_id,
            date=delivery.created_at,
            issue=delivery.issue,
            tag=tag,
        )
        return _signed(app, message, delivery)

    def _reader(self, delivery: Delivery) -> Subscriber:
        """Whose message it is; read once, because a delivery is built once."""
        with self._lock:
            reader = self._readers.pop(delivery.subscriber or 0, None)
        return reader or self._app.store.subscribers.by_number(delivery.subscriber)


class _Day:
    """Papers that were read, and their fragments; each paper is asked for once."""

    def __init__(self, app: App) -> None:
        from digest.fragments import Fragments  # noqa: PLC0415 -- needed to send only

        self._store = app.store
        self._asked: set[int] = set()
        self._lock = threading.Lock()
        self.papers: dict[int, Paper] = {}
        self.fragments = Fragments(app.renderer, self.papers)

    def read(self, numbers: AbstractSet[int]) -> None:
        """Have these papers at hand, as far as they are still there."""
        if numbers <= self._asked:
            return
        with self._lock:
            if missing := numbers - self._asked:
                self.papers.update(self._store.papers.by_numbers(missing))
                self._asked |= missing


def _notice(app: App, delivery: Delivery, reader: Subscriber) -> Outgoing:
    """The message of a notice; only what readers get like digests can be left like these."""
    from digest.mail import Letter  # noqa: PLC0415

    settings = app.settings
    tag = app.tags.tag(delivery.public_id)
    rendered = app.renderer.note(note(app, delivery, reader))
    to = goes_to(delivery)
    message = Letter(
        sender_name=settings.sender_name,
        sender_address=settings.sender_address,
        to=to,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        message_id=delivery.message_id,
        date=delivery.created_at,
        reply_to=settings.contact if settings.contact != settings.sender_address else "",
        tag=tag,
        feedback_id=f"0:{reader.list_name}:{delivery.kind}:paperdigest",
    )
    if delivery.kind in TO_READERS:
        links = digest_links(app, reader, delivery.public_id)
        message = replace(
            message,
            list_name=settings.brand,
            list_id=f"{reader.list_name}.{settings.hostname}",
            unsubscribe_url=links.unsubscribe,
            unsubscribe_mailto=links.unsubscribe_mailto,
        )
    return _signed(app, message, delivery)


def _signed(app: App, message: Letter, delivery: Delivery) -> Outgoing:
    """A letter as bytes, signed where we sign ourselves, and its envelope."""
    from digest.mail import to_bytes  # noqa: PLC0415

    raw = to_bytes(message)
    if app.signer is not None:
        raw = app.signer.sign(raw, message.date)
    sender = app.tags.envelope(app.settings.bounce_address, delivery.public_id)
    return Outgoing(sender, message.to, raw, envid=message.tag, dotless=True)


def letter(
    app: App,
    reader: Subscriber,
    rendered: Rendered | Body,
    links: DigestLinks,
    *,
    message_id: str,
    date: datetime,
    issue: int | None = None,
    tag: str = "",
) -> Letter:
    """A rendered digest with all that goes into its headers; a preview's is the same."""
    from digest.mail import Letter  # noqa: PLC0415

    settings = app.settings
    return Letter(
        sender_name=settings.sender_name,
        sender_address=settings.sender_address,
        to=reader.address,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        message_id=message_id,
        date=date,
        list_name=settings.brand,
        list_id=f"{reader.list_name}.{settings.hostname}",
        reply_to=settings.contact if settings.contact != settings.sender_address else "",
        unsubscribe_url=links.unsubscribe,
        unsubscribe_mailto=links.unsubscribe_mailto,
        tag=tag,
        feedback_id=f"{issue or 0}:{reader.list_name}:digest:paperdigest",
    )
