"""The message of a delivery, rebuilt from what was frozen for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.notices import goes_to, is_notice, note
from subscribers.links import Purpose

if TYPE_CHECKING:
    from datetime import datetime

    from digest.app import App
    from digest.delivery import Outgoing
    from digest.mail import Letter
    from digest.render import DigestLinks, Rendered
    from digest.store.deliveries import Delivery
    from subscribers.subscriber import Subscriber


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


def outgoing(app: App, delivery: Delivery) -> Outgoing:
    """The message of a delivery, built from what was frozen for it."""
    from digest.compose import compose  # noqa: PLC0415
    from digest.delivery import Outgoing  # noqa: PLC0415
    from digest.mail import to_bytes  # noqa: PLC0415
    from digest.selection import Selection  # noqa: PLC0415

    if is_notice(delivery):
        return _notice(app, delivery)
    reader = app.store.subscribers.by_number(delivery.subscriber)
    selection = Selection.unpack(delivery.selection)
    papers = app.store.papers.by_numbers(selection.papers)
    links = digest_links(app, reader, delivery.public_id)
    rendered = app.renderer.digest(compose(reader, selection, papers), links)
    message = letter(
        app,
        reader,
        rendered,
        links,
        message_id=delivery.message_id,
        date=delivery.created_at,
        issue=delivery.issue,
        tag=app.tags.tag(delivery.public_id),
    )
    sender = app.tags.envelope(app.settings.bounce_address, delivery.public_id)
    return Outgoing(sender, reader.address, to_bytes(message))


def _notice(app: App, delivery: Delivery) -> Outgoing:
    """The message of a notice: nobody is subscribed by it, so there is nothing to leave."""
    from digest.delivery import Outgoing  # noqa: PLC0415
    from digest.mail import Letter, to_bytes  # noqa: PLC0415

    settings = app.settings
    reader = app.store.subscribers.by_number(delivery.subscriber)
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
        tag=app.tags.tag(delivery.public_id),
        feedback_id=f"0:{reader.list_name}:{delivery.kind}:paperdigest",
    )
    sender = app.tags.envelope(settings.bounce_address, delivery.public_id)
    return Outgoing(sender, to, to_bytes(message))


def letter(
    app: App,
    reader: Subscriber,
    rendered: Rendered,
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
