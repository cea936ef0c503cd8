"""Importing readers: what would become of each line of a roster, and making it so.

An address that left, or that nothing is ever to be sent to, is never put back by a file: only
the person can come back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from subscribers.roster import Trouble
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from digest.app import App
    from subscribers.profile import Profile
    from subscribers.roster import Entry
    from subscribers.subscriber import Subscriber


class Fate(StrEnum):
    """What becomes of a line."""

    ADD = "add"
    INVITE = "invite"
    THERE = "there"
    """Is on the list already; nothing of it is changed."""
    NEVER = "never"
    """Left, or is suppressed: not written to again."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Planned:
    """A line, what becomes of it and why, in words; `reader` is who would be stored.

    `library` names the papers that reader has.
    """

    line: int
    address: str
    fate: Fate
    why: str
    reader: Subscriber | None = None
    library: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Consent:
    """When and where readers agreed to be written to, where their own lines do not say."""

    on: date | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who invites, and what is offered to whoever names no keywords."""

    host: str
    topics: tuple[Profile, ...]


def plan(
    app: App, lines: Iterable[Entry | Trouble], how: Consent | Invitation | None
) -> tuple[Planned, ...]:
    """What would become of every line, or could where nobody said how; reads only."""
    held = list(lines)
    addresses = [one.reader.address for one in held if not isinstance(one, Trouble)]
    there = app.store.subscribers.among(addresses, app.settings.list_name)
    suppressed = app.store.suppressions.among(addresses)
    now = app.clock()
    planned = []
    for one in held:
        if isinstance(one, Trouble):
            planned.append(Planned(one.line, "", Fate.WRONG, one.said))
            continue
        address = one.reader.address
        known = there.get(address)
        if address in suppressed:
            why = f"is never written to: {suppressed[address].reason}"
            fate = Planned(one.line, address, Fate.NEVER, why)
        elif known is not None and known.status is Status.UNSUBSCRIBED:
            fate = Planned(one.line, address, Fate.NEVER, "has left this list")
        elif one.reader.status is Status.UNSUBSCRIBED:
            fate = Planned(one.line, address, Fate.NEVER, "has left, says the file")
        elif isinstance(how, Invitation):
            fate = _invited(one, known, how, now)
        elif how is None and known is None:
            fate = Planned(one.line, address, Fate.ADD, "is new")
        else:
            fate = _confirmed(one, known, how or Consent(), now)
        planned.append(replace(fate, library=one.library))
    return tuple(planned)


def _confirmed(one: Entry, known: Subscriber | None, how: Consent, now: datetime) -> Planned:
    address, day = one.reader.address, one.consent_on or how.on
    source = one.reader.came_from or how.source
    if known is not None:
        return Planned(one.line, address, Fate.THERE, f"is there already: {known.status.value}")
    if one.reader.status is Status.PENDING:
        why = "has not confirmed, says the file: an invitation asks again"
        return Planned(one.line, address, Fate.WRONG, why)
    if day is None or not source:
        missing = "day" if day is None else "place"
        name = "date" if day is None else "source"
        why = f"has no {missing} of consent: --consent-{name}, or a column consent_{name}"
        return Planned(one.line, address, Fate.WRONG, why)
    zone = ZoneInfo(one.reader.schedule.zone)
    if day > now.astimezone(zone).date():
        return Planned(one.line, address, Fate.WRONG, f"agreed on {day}, which is to come")
    paused = one.reader if one.reader.status is Status.PAUSED else None
    reader = replace(one.reader, status=Status.PENDING, came_from=source).confirm(now)
    if paused is not None:
        reader = reader.pause(paused.paused_until, now)
    agreed = datetime.combine(day, time(12), UTC)
    reader = replace(reader, confirmed_at=agreed)
    return Planned(one.line, address, Fate.ADD, f"agreed on {day}, {source}", reader)


def _invited(one: Entry, known: Subscriber | None, how: Invitation, now: datetime) -> Planned:
    address = one.reader.address
    if known is not None and known.status is not Status.PENDING:
        return Planned(one.line, address, Fate.THERE, f"is there already: {known.status.value}")
    if known is not None:
        return Planned(one.line, address, Fate.INVITE, "is invited, if not lately", known)
    reader = one.reader if one.has_topics else replace(one.reader, profiles=how.topics)
    reader = replace(
        reader, status=Status.PENDING, came_from=f"an invitation by {how.host}", paused_until=None
    )
    return Planned(one.line, address, Fate.INVITE, "is invited", replace(reader, created_at=now))


def carry_out(app: App, planned: Sequence[Planned], how: Consent | Invitation) -> int:
    """Add, or invite, everybody it is planned for; how many were.

    Done twice it adds and invites nobody twice; interrupted, it goes on where it was.
    """
    now = app.clock()
    fresh = [
        one.reader
        for one in planned
        if one.fate in {Fate.ADD, Fate.INVITE} and one.reader and not one.reader.number
    ]
    added = app.store.subscribers.add_all(fresh, now)
    _enter(app, planned, {reader.address for reader in fresh})
    if not isinstance(how, Invitation):
        return added
    from digest.notices import Notice, post  # noqa: PLC0415 -- needed to invite only

    addresses = [one.address for one in planned if one.fate is Fate.INVITE]
    readers = app.store.subscribers.among(addresses, app.settings.list_name)
    return sum(
        post(app, reader, Notice.INVITATION, host=how.host)
        for reader in readers.values()
        if reader.status is Status.PENDING
    )


def _enter(app: App, planned: Sequence[Planned], added: set[str]) -> None:
    """Enter the libraries of those who were added."""
    libraries = {one.address: one.library for one in planned if one.library}
    addresses = sorted(added & libraries.keys())
    readers = app.store.subscribers.among(addresses, app.settings.list_name)
    for address, reader in readers.items():
        app.store.libraries.add(reader.number, libraries[address])
