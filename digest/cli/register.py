"""`paper-digest subscribers list` and `show`: who reads, and everything known of one reader."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from digest.cli.environment import settings
from digest.cli.options import Address, AsJson
from digest.cli.readers import Day, following, interest, most, reader_at, rhythm
from digest.cli.terminal import SHORT, count, stamp, table, when
from subscribers.profile import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from digest.app import App
    from digest.store.deliveries import Delivery
    from digest.store.suppressions import Returned, Suppression
    from subscribers.subscriber import Subscriber

_SHOWN: Final = 100
_LONGEST: Final = 60
"""Characters of what a reader asked for in a list; `show` has all of them."""
_LAST: Final = 5


class Standing(StrEnum):
    """What a list can be narrowed to."""

    ACTIVE = "active"
    PAUSED = "paused"
    PENDING = "pending"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


def list_(
    *,
    find: Annotated[
        str,
        typer.Option("--find", metavar="TEXT", help="Only with this in address, name or keywords."),
    ] = "",
    status: Annotated[
        list[Standing] | None, typer.Option("--status", help="Only these; say it again for more.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="At most so many; 0: all. [default: 100]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the readers, in the order they came."""
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        readers = house.store.subscribers.all()
        never = house.store.suppressions.among(reader.address for reader in readers)
        now = house.clock()
    wanted, text = set(status or ()), find.casefold()
    found = [
        reader
        for reader in readers
        if text in _searched(reader) and (not wanted or wanted & _standing(reader, never))
    ]
    if as_json:
        told = [_described(reader, never.get(reader.address)) for reader in found]
        typer.echo(json.dumps(told[: limit or None], indent=2))
        return
    if not found:
        typer.echo(
            "No reader is like that."
            if readers
            else "Nobody reads yet: paper-digest subscribers add ADDRESS adds somebody."
        )
        return
    shown = found[: _SHOWN if limit is None else limit or None]
    heads = ("reader", "asked for", "every", "next digest", "status")
    several = len({reader.list_name for reader in readers}) > 1
    rows = [_row(reader, now, never.get(reader.address), several=several) for reader in shown]
    table((*heads, "list") if several else heads, rows)
    if len(shown) < len(found):
        typer.echo(
            f"{len(shown):,} of {count(len(found), 'reader')}: --limit 0 shows all, "
            "--find and --status narrow it.",
            err=True,
        )


def show(address: Address, *, as_json: AsJson = False) -> None:
    """Show what one reader asked for, and what was sent of late."""
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        reader = reader_at(house, address)
        sent = house.store.deliveries.history(reader.number, limit=_LAST)
        never = house.store.suppressions.among([reader.address]).get(reader.address)
        back = house.store.suppressions.returned(reader.address, limit=_LAST)
        now = house.clock()
        weight = house.store.suppressions.weight(reader.address, now)
    if as_json:
        typer.echo(json.dumps(_described(reader, never), indent=2))
        return
    before = ""
    for fact, text in [
        *_of_reader(house, reader, never, now),
        *_of_history(ZoneInfo(house.settings.zone), sent, back),
        *_of_bounces(weight),
    ]:
        typer.echo(f"{fact if fact != before else '':<10} {text}".rstrip())
        before = fact


def _of_reader(
    house: App, reader: Subscriber, never: Suppression | None, now: datetime
) -> Iterator[tuple[str, str]]:
    from subscribers.query import check, explain

    name = f" ({reader.name})" if reader.name else ""
    yield "reader", f"{reader.address}{name}, list {reader.list_name}"
    since = f" since {house.at(reader.confirmed_at)}" if reader.confirmed_at else ""
    end = f", paused until {house.at(reader.paused_until)}" if reader.paused_until else ""
    yield (
        "status",
        f"{reader.status.value}{end}; here{since}, from {reader.came_from or 'somewhere'}",
    )
    if reader.left_because:
        yield "", f"said on leaving: {reader.left_because}"
    if never:
        yield "", f"SUPPRESSED since {house.at(never.since)}, never written to: {never.reason}"
    yield "rhythm", f"{rhythm(reader)} {reader.schedule.zone}; {following(reader, now)}"
    for profile in reader.profiles:
        yield "asked for", f"{interest(profile)} ({most(profile)})"
        for line in explain(check(profile.text)[0]).splitlines():
            yield "asked for", f"  {line}"


def _of_history(
    zone: ZoneInfo, sent: list[Delivery], back: list[Returned]
) -> Iterator[tuple[str, str]]:
    for row in sent:
        said = " ".join(filter(None, (str(row.code or ""), row.enhanced, row.text)))
        what = f"{row.public_id[:SHORT]}  {row.kind}, {row.state}  {said}"
        yield "sent", f"{stamp(row.created_at, zone)} {zone.key}  {what}"
    for one in back:
        said = " ".join(filter(None, (str(one.code or ""), one.enhanced, one.text)))
        yield "came back", f"{stamp(one.at, zone)} {zone.key}  {one.kind}  {said}"


def _of_bounces(weight: float) -> Iterator[tuple[str, str]]:
    """How near the address is to being suppressed."""
    from digest.bounces.judging import ENOUGH, HALF_LIFE

    if weight:
        fades = f"it halves every {HALF_LIFE.days} days"
        yield "", f"counts {weight:.2f} by now ({fades}); at {ENOUGH} the address is suppressed"


def _searched(reader: Subscriber) -> str:
    texts = (reader.address, reader.name, *(one.text for one in reader.profiles))
    return "\n".join(texts).casefold()


def _standing(reader: Subscriber, never: dict[str, Suppression]) -> set[Standing]:
    """What a reader is: suppressed as well as active, as it may be."""
    suppressed = {Standing.SUPPRESSED} if reader.address in never else set()
    return {Standing(reader.status.value)} | suppressed


def _row(
    reader: Subscriber, now: datetime, never: Suppression | None, *, several: bool
) -> tuple[str, ...]:
    due = when(reader.next_due, reader.schedule.zone, now=now) if reader.next_due else "–"
    asked = "; ".join(interest(profile).replace("\n", "; ") for profile in reader.profiles)
    asked = asked if len(asked) <= _LONGEST else f"{asked[: _LONGEST - 1]}…"
    status = f"suppressed ({never.cause})" if never else reader.status.value
    row = (reader.address, asked, rhythm(reader), due, status)
    return (*row, reader.list_name) if several else row


def _described(reader: Subscriber, never: Suppression | None = None) -> dict[str, object]:
    schedule = reader.schedule
    return {
        "address": reader.address,
        "name": reader.name,
        "list": reader.list_name,
        "status": reader.status.value,
        "left_because": reader.left_because,
        "keywords": [profile.text for profile in reader.profiles if profile.text],
        "limit": reader.profiles[0].limit if reader.profiles else DEFAULT_LIMIT,
        "cadence": schedule.cadence.value,
        "weekday": list(Day)[schedule.weekday].value,
        "at": f"{schedule.at:%H:%M}",
        "zone": schedule.zone,
        "layout": reader.layout.value,
        "next_due": reader.next_due.isoformat() if reader.next_due else None,
        "suppressed": {
            "cause": never.cause.value,
            "reason": never.reason,
            "since": never.since.isoformat(),
        }
        if never
        else None,
    }
