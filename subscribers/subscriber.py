"""A subscriber: an address on a list, what it asked for, and when its next digest is due."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from digest.errors import AddressError
from subscribers.profile import Layout, Profile

_LOCAL = re.compile(r"[^\s@\"(),:;<>\[\\\]\x00-\x1f\x7f]{1,64}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
MAX_ADDRESS: Final = 254


class Status(StrEnum):
    """Whether a subscriber is written to."""

    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"


class Cadence(StrEnum):
    """How often a digest is due."""

    DAILY = "daily"
    WEEKDAYS = "weekdays"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    @property
    def period(self) -> timedelta:
        """The longest usual gap between two digests of this cadence."""
        return {
            Cadence.DAILY: timedelta(days=1),
            Cadence.WEEKDAYS: timedelta(days=3),
            Cadence.WEEKLY: timedelta(days=7),
            Cadence.MONTHLY: timedelta(days=31),
        }[self]


@dataclass(frozen=True, slots=True)
class Schedule:
    """When digests are due: a cadence, an hour on the wall and an IANA zone.

    `weekday` (0 is Monday) is the day of a weekly digest; a monthly one comes on the first.
    """

    cadence: Cadence = Cadence.WEEKDAYS
    at: time = time(7, 0)
    zone: str = "UTC"
    weekday: int = 0

    def falls_on(self, day: date) -> bool:
        """Whether a digest is due on this local date."""
        match self.cadence:
            case Cadence.DAILY:
                return True
            case Cadence.WEEKDAYS:
                return day.weekday() < 5  # noqa: PLR2004 -- Saturday is 5
            case Cadence.WEEKLY:
                return day.weekday() == self.weekday
            case Cadence.MONTHLY:
                return day.day == 1

    def instant(self, day: date) -> datetime:
        """The instant (UTC) this local date's digest is due.

        An hour that a DST change skips means the first instant after the gap; one that comes
        twice means the first of the two.
        """
        zone = ZoneInfo(self.zone)
        wall = datetime.combine(day, self.at, zone)
        instant = wall.astimezone(UTC)
        if instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
            return instant
        # The hour does not exist: fold=0 reads it with the offset before the gap, so it lies as
        # far behind the gap's end as it is into the gap. Walk back to the end.
        offset_after = instant.astimezone(zone).utcoffset() or timedelta()
        offset_before = wall.utcoffset() or timedelta()
        low, high = instant - (offset_after - offset_before), instant
        while high - low > timedelta(seconds=1):
            middle = low + (high - low) / 2
            if middle.astimezone(zone).utcoffset() == offset_after:
                high = middle
            else:
                low = middle
        return high.replace(microsecond=0)

    def next_after(self, moment: datetime, last_day: date | None = None) -> datetime:
        """The first due instant (UTC) after `moment` whose local date is later than `last_day`.

        `last_day` is the local date of the last digest sent, so that a change of hour, zone or
        cadence never makes two on one date.
        """
        day = moment.astimezone(ZoneInfo(self.zone)).date()
        if last_day is not None and last_day >= day:
            day = last_day + timedelta(days=1)
        while not self.falls_on(day) or self.instant(day) <= moment:
            day += timedelta(days=1)
        return self.instant(day)

    def local_day(self, moment: datetime) -> date:
        """The date on this schedule's wall at that instant."""
        return moment.astimezone(ZoneInfo(self.zone)).date()


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An address on a list, and everything it asked for. Instants are aware and UTC.

    `number` is the store's own, 0 while not stored; `public_id` (64 random bits, 13 characters
    of base32) is what links carry. `came_from` says in words where the address signed up,
    `left_because` why it left, where somebody said so. `learning` lets saved papers reorder
    what keywords found. `quiet_notes` asks for a word after a week without a mail, `empty_days`
    for a line on every day on which nothing matched.
    `synonyms` are the reader's own additions to what is offered: `MoE = mixture of experts`.
    """

    address: str
    profiles: tuple[Profile, ...] = (Profile(),)
    schedule: Schedule = field(default_factory=Schedule)
    status: Status = Status.PENDING
    list_name: str = "main"
    name: str = ""
    layout: Layout = Layout.FULL
    summaries: bool = True
    figures: bool = True
    language: str = "en"
    muted_words: tuple[str, ...] = ()
    muted_authors: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    quiet_notes: bool = True
    empty_days: bool = False
    came_from: str = ""
    left_because: str = ""
    learning: bool = True
    created_at: datetime | None = None
    confirmed_at: datetime | None = None
    paused_until: datetime | None = None
    next_due: datetime | None = None
    last_day: date | None = None
    number: int = 0
    public_id: str = ""

    def confirm(self, now: datetime) -> Subscriber:
        """Active from now on, its first digest due at the next occurrence; once is enough."""
        if self.status is Status.ACTIVE:
            return self
        active = replace(self, status=Status.ACTIVE, confirmed_at=now, paused_until=None)
        return active.reschedule(now)

    def pause(self, until: datetime | None, now: datetime) -> Subscriber:
        """Nothing is sent until that instant, or until resumed when it is None."""
        paused = replace(self, status=Status.PAUSED, paused_until=until)
        if until is None:
            return replace(paused, next_due=None)
        return replace(paused, next_due=self.schedule.next_after(max(until, now), self.last_day))

    def resume(self, now: datetime) -> Subscriber:
        """Active again after a pause."""
        return replace(self, status=Status.ACTIVE, paused_until=None).reschedule(now)

    def unsubscribe(self) -> Subscriber:
        """Never written to again on this list, unless it signs up anew."""
        return replace(self, status=Status.UNSUBSCRIBED, next_due=None, paused_until=None)

    def reschedule(self, now: datetime) -> Subscriber:
        """Due at the first occurrence after now whose local date is later than the last sent."""
        return replace(self, next_due=self.schedule.next_after(now, self.last_day))


def normalize_address(text: str) -> str:
    """The address as it is written to: trimmed, its domain in lower-case A-labels (IDNA).

    The local part keeps its case (RFC 5321 section 2.4). Raises AddressError, saying what is
    wrong, for anything a relay would refuse or a header could be broken with.
    """
    address = text.strip()
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        raise _no_address(address, "it needs a name, an @ and a domain, as in ada@example.org")
    if not _LOCAL.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise _no_address(address, "the part before the @ has what cannot stand there")
    try:
        ascii_domain = domain.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise _no_address(address, "its domain is none") from error
    labels = ascii_domain.split(".")
    if len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit():  # noqa: PLR2004 -- a name and a top level
        raise _no_address(address, "its domain is none")
    whole = f"{local}@{ascii_domain}"
    if len(whole) > MAX_ADDRESS:
        raise _no_address(address, f"it is longer than {MAX_ADDRESS} characters")
    return whole


def _no_address(address: str, reason: str) -> AddressError:
    shown = address if len(address) <= 60 else address[:57] + "..."  # noqa: PLR2004 -- one line
    return AddressError(f"{shown!r} is no e-mail address: {reason}")
