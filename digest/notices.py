"""The mails that are no digests: confirm, your link, an invitation, a quiet week and the like.

`post` freezes one, as long as the pace of its kind allows; `notice` makes its words when it is
sent. None of them holds a word that somebody typed into a form: whoever typed it may be a stranger.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from digest.errors import NotFound
from subscribers.links import Purpose

if TYPE_CHECKING:
    from datetime import datetime

    from digest.app import App
    from digest.notes import Note, Place
    from digest.store.deliveries import Delivery, Prepared
    from subscribers.subscriber import Subscriber


class Notice(StrEnum):
    """What a notice is about."""

    CONFIRM = "confirm"
    ALREADY = "already"
    LINK = "link"
    MOVE = "move"
    INVITATION = "invitation"
    QUIET = "quiet"
    EMPTY = "empty"


LASTS: Final = {
    Notice.CONFIRM: timedelta(days=7),
    Notice.ALREADY: timedelta(hours=1),
    Notice.LINK: timedelta(hours=1),
    Notice.MOVE: timedelta(hours=24),
    Notice.INVITATION: timedelta(days=30),
    Notice.QUIET: timedelta(hours=20),
    Notice.EMPTY: timedelta(hours=20),
}
"""How long a notice, or the link in it, is good for from when it was asked for."""
TO_READERS: Final = frozenset({Notice.QUIET, Notice.EMPTY})
"""Those that readers get as they get digests, and can end like these."""


def post(
    app: App,
    reader: Subscriber,
    kind: Notice,
    *,
    new_address: str = "",
    host: str = "",
) -> bool:
    """Freeze a notice to be sent; False when there were enough of its kind lately.

    `new_address` is where a MOVE goes to, and nowhere else; `host` is who an INVITATION is from.
    """
    return app.store.notices.post(
        reader,
        kind.value,
        channel=app.settings.channel,
        domain=app.settings.hostname,
        now=app.clock(),
        lasts=LASTS[kind],
        about=(new_address or host).encode(),
    )


def prepared(reader: Subscriber, kind: Notice, now: datetime, facts: str) -> Prepared:
    """A QUIET or an EMPTY, with what `digest.quiet` found, to be frozen with an issue."""
    from digest.store.notices import notice  # noqa: PLC0415 -- needed to decide only

    return notice(reader, kind.value, now, LASTS[kind], facts.encode())


_KINDS: Final = frozenset(Notice)


def is_notice(delivery: Delivery) -> bool:
    """Whether a delivery of the log is one of these."""
    return delivery.kind in _KINDS


def goes_to(delivery: Delivery) -> str:
    """The address a notice goes to: a MOVE to the new one, any other to the reader's."""
    return new_address(delivery) if delivery.kind == Notice.MOVE else delivery.address


def new_address(delivery: Delivery) -> str:
    """The address a MOVE asks about; NotFound for a delivery of another kind."""
    if delivery.kind != Notice.MOVE:
        raise NotFound("no address is to be confirmed by this link")
    return delivery.selection.decode()


def note(app: App, delivery: Delivery, reader: Subscriber) -> Note:
    """The words of a notice, the same whenever it is sent; no word in it is the reader's own."""
    from digest import notes  # noqa: PLC0415 -- needed to send only

    ends = delivery.created_at + LASTS[Notice(delivery.kind)]
    place = notes.Place(app.settings.sender_name, app.settings.postal_address, reader.language)
    match Notice(delivery.kind):
        case Notice.CONFIRM:
            url = app.links.url(Purpose.CONFIRM, reader.public_id, expires=ends)
            day = reader.schedule.local_day(ends)
            return notes.confirm(place, reader.schedule, url=url, ends=day)
        case Notice.MOVE:
            url = app.links.url(Purpose.MOVE, delivery.public_id, expires=ends)
            return notes.new_address(place, url=url)
        case Notice.INVITATION:
            url = app.links.url(Purpose.INVITATION, reader.public_id, expires=ends)
            return notes.invitation(
                place,
                reader.schedule,
                host=delivery.selection.decode(),
                yes=url,
                never=f"{url}?never=1",
                ends=reader.schedule.local_day(ends),
            )
        case Notice.QUIET | Notice.EMPTY as kind:
            manage = app.links.url(Purpose.MANAGE, reader.public_id)
            return quiet_note(kind, place, delivery.selection, manage)
        case kind:
            url = app.links.url(Purpose.ACCOUNT, reader.public_id, expires=ends)
            words = notes.already if kind is Notice.ALREADY else notes.fresh_link
            return words(place, url=url)


def quiet_note(kind: Notice, place: Place, facts: bytes, manage: str) -> Note:
    """The words for a week, or a day, on which nothing matched."""
    from digest import notes  # noqa: PLC0415 -- needed to send only

    found = json.loads(facts)
    day, looked_at = date.fromisoformat(found["day"]), found["looked_at"]
    if kind is Notice.EMPTY:
        return notes.empty_day(place, day=day, looked_at=looked_at, manage=manage)
    near = found["nearest"]
    return notes.quiet_week(
        place,
        since=day,
        looked_at=looked_at,
        complete=found["complete"],
        nearest=notes.Nearest(**near) if near else None,
        widen=manage,
        stop=manage,
    )
