"""`paper-digest subscribers`: who reads, what they asked for, and when it comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.cli.options import Address, read_date
from digest.cli.terminal import confirmed, count, when
from digest.errors import Conflict, QueryError
from subscribers.profile import DEFAULT_LIMIT, MAX_INTERESTS, Layout, Profile
from subscribers.subscriber import Cadence, Schedule, Status, Subscriber, normalize_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.app import App
    from digest.delivery import Sent

app = typer.Typer(
    help="Add readers, see them, change what they asked for.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example(
        "paper-digest subscribers add ada@example.org --keywords 'mixture of experts'",
        "paper-digest subscribers list",
    ),
)
_LOOK_BACK: Final = 7
LONGEST_PAUSE: Final = timedelta(days=100 * 366)


class Day(Enum):
    """The day of a weekly digest."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @property
    def number(self) -> int:
        """0 is Monday."""
        return list(Day).index(self)


def _hour(text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 -- an hour on the wall
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no hour: write it as 07:00") from None


def _zone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (OSError, ValueError, KeyError):
        raise typer.BadParameter(f"{text!r} is no zone: write one as Europe/Paris") from None


Keywords = Annotated[
    list[str] | None,
    typer.Option(
        "--keywords",
        "-k",
        help="One interest; say it again for more. Without any: the day's top ten.",
        show_default=False,
    ),
]
Rhythm = Annotated[
    Cadence | None, typer.Option("--cadence", help="How often; a new reader: on weekdays.")
]
At = Annotated[time | None, typer.Option("--at", parser=_hour, metavar="HH:MM", help="The hour.")]
Zone = Annotated[
    str | None, typer.Option("--zone", parser=_zone, metavar="ZONE", help="The zone of that hour.")
]
Weekday = Annotated[Day | None, typer.Option("--weekday", help="Once a week, on this day.")]
Limit = Annotated[
    int | None,
    typer.Option("--limit", min=0, max=1000, help="Most papers of one interest; 0: all of them."),
]
Shape = Annotated[Layout | None, typer.Option("--layout", help="How much of each paper.")]
Name = Annotated[str | None, typer.Option("--name", help="What to call the reader.")]


@app.command(
    epilog=example(
        "paper-digest subscribers add reader@example.org --keywords 'mixture of experts'",
        "  --keywords 'unlearning -image' --cadence weekdays --at 07:00 --zone Europe/Paris",
    )
)
def add(
    address: Address,
    *,
    keywords: Keywords = None,
    cadence: Rhythm = None,
    at: At = None,
    zone: Zone = None,
    weekday: Weekday = None,
    limit: Limit = DEFAULT_LIMIT,
    layout: Shape = Layout.FULL,
    name: Name = None,
    welcome: Annotated[
        bool, typer.Option("--welcome", help="Send the best of the last 7 days now.")
    ] = False,
) -> None:
    """Add a confirmed reader, who gets a digest from the next hour due on."""
    address = normalize_address(address)
    profiles = interests(keywords or [], DEFAULT_LIMIT if limit is None else limit)
    from digest.app import open_app

    with open_app(settings()) as house:
        now = house.clock()
        schedule = _schedule(Schedule(zone=house.settings.zone), cadence, at, zone, weekday)
        reader = Subscriber(
            address=address,
            profiles=profiles,
            schedule=schedule,
            list_name=house.settings.list_name,
            name=name or "",
            layout=layout or Layout.FULL,
            language=house.settings.language,
            came_from="the command line",
        )
        reader = house.store.subscribers.add(reader.confirm(now), now)
        typer.echo(f"{_what_matches(house, reader)}; {following(reader, now)}")
        if welcome:
            _welcome(house, reader)


@app.command(
    epilog=example(
        "paper-digest subscribers edit reader@example.org --at 18:30 --limit 0",
        "paper-digest subscribers edit reader@example.org --pause --until 2026-12-24",
    )
)
def edit(
    address: Address,
    *,
    keywords: Keywords = None,
    top_ten: Annotated[
        bool, typer.Option("--top-ten", help="No keywords any more: the day's top ten.")
    ] = False,
    cadence: Rhythm = None,
    at: At = None,
    zone: Zone = None,
    weekday: Weekday = None,
    limit: Limit = None,
    layout: Shape = None,
    name: Name = None,
    pause: Annotated[bool, typer.Option("--pause", help="Send nothing for now.")] = False,
    until: Annotated[
        date | None,
        typer.Option("--until", parser=read_date, metavar="DATE", help="The day a pause ends."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Send again.")] = False,
) -> None:
    """Change what is given, and nothing else; --keywords replaces all interests."""
    if pause and resume:
        raise typer.BadParameter("--pause and --resume: only one of the two")
    if keywords and top_ten:
        raise typer.BadParameter("--keywords and --top-ten: only one of the two")
    if until and not pause:
        raise typer.BadParameter("--until goes with --pause")
    given = (keywords, cadence, at, zone, weekday, limit, layout, name)
    if not (top_ten or pause or resume or any(one is not None for one in given)):
        raise typer.BadParameter("say what to change, as in --keywords, --at or --pause")
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        now = house.clock()

        def edited(reader: Subscriber) -> Subscriber:
            if keywords or top_ten:
                old_limit = reader.profiles[0].limit if reader.profiles else DEFAULT_LIMIT
                reader = replace(reader, profiles=interests(keywords or [], old_limit))
            if limit is not None:
                limited = tuple(replace(profile, limit=limit) for profile in reader.profiles)
                reader = replace(reader, profiles=limited)
            reader = replace(
                reader,
                schedule=_schedule(reader.schedule, cadence, at, zone, weekday),
                layout=layout or reader.layout,
                name=reader.name if name is None else name,
            )
            if (pause or resume) or reader.schedule != before.schedule:
                return _moved(reader, pause=pause, until=until, resume=resume, now=now)
            return reader  # what is due stays due

        before = reader_at(house, address)
        reader = house.store.subscribers.change(before.number, edited)
        told = [*_changes(house, before, reader), following(reader, now)]
        typer.echo(f"{reader.address}: {'; '.join(told)}")


@app.command(epilog=example("paper-digest subscribers remove reader@example.org --yes"))
def remove(
    address: Address,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a reader and all that was asked for."""
    from digest.app import open_app
    from digest.selection import nothing_at

    with open_app(settings(), create=False) as house:
        reader = reader_at(house, address)
        if not (yes or confirmed(f"Forget {reader.address}, and what was sent there?")):
            raise typer.Abort
        house.store.subscribers.erase(reader, nothing_at(house.clock()).pack())
    typer.echo(f"{reader.address} is forgotten.")


def _welcome(house: App, reader: Subscriber) -> None:
    """Send the welcome digest now, and say what became of it."""
    from digest.run import deliver, welcome

    if not welcome(house, reader):
        typer.echo("Nothing of the last 7 days matches, so no welcome was sent.")
        return

    def show(sent: Sent) -> None:
        typer.echo(f"Welcome to {sent.delivery.address}: {sent.reply.outcome.value}")

    deliver(house, on_sent=show)


def interests(keywords: Sequence[str], limit: int) -> tuple[Profile, ...]:
    """One interest for each; raises QueryError with the text it is about."""
    if len(keywords) > MAX_INTERESTS:
        raise Conflict(f"these are {len(keywords)} interests, and the most is {MAX_INTERESTS}")
    read = tuple(Profile(keywords_read(text), limit=limit) for text in keywords)
    return read or (Profile(limit=limit),)


def keywords_read(text: str) -> str:
    """The text, if it can be read; raises QueryError that names it, and every mistake in it."""
    from subscribers.query import check, mended

    mistakes = check(text)[1]
    if mistakes:
        first, *more = mistakes
        others = "".join(f" Line {one.line}, column {one.column}: {one.reason}" for one in more)
        together = mended(text) if more else ""
        raise QueryError(
            f"{first.reason.rstrip('.')} in {text!r:.80}.{others}",
            line=first.line,
            column=first.column,
            length=first.length,
            repairs=(together,) if together else first.repairs,
        )
    return text


def _schedule(
    old: Schedule, cadence: Cadence | None, at: time | None, zone: str | None, day: Day | None
) -> Schedule:
    if day is not None and cadence not in {None, Cadence.WEEKLY}:
        raise typer.BadParameter("--weekday goes with --cadence weekly, or with no --cadence")
    return Schedule(
        cadence=cadence or (old.cadence if day is None else Cadence.WEEKLY),
        at=old.at if at is None else at,
        zone=zone or old.zone,
        weekday=old.weekday if day is None else day.number,
    )


def _moved(
    reader: Subscriber, *, pause: bool, until: date | None, resume: bool, now: datetime
) -> Subscriber:
    """The reader with a next_due that fits a changed schedule, a pause or its end."""
    if pause:
        end = None
        if until:
            end = datetime.combine(until, time(), ZoneInfo(reader.schedule.zone)).astimezone(UTC)
            if end <= now:
                raise typer.BadParameter(f"--until {until} is over: a pause ends on a day to come")
            if end > now + LONGEST_PAUSE:
                raise typer.BadParameter(
                    f"--until {until} is too far ahead: without --until a pause has no end"
                )
        return reader.pause(end, now)
    if resume:
        return reader.resume(now)
    if reader.status is Status.PAUSED and reader.paused_until:
        return reader.pause(reader.paused_until, now)
    return reader.reschedule(now) if reader.status is Status.ACTIVE else reader


def reader_at(house: App, address: str) -> Subscriber:
    """The reader of this list at that address; raises NotFound where there is none."""
    return house.store.subscribers.by_address(normalize_address(address), house.settings.list_name)


def _what_matches(house: App, reader: Subscriber) -> str:
    """How many papers of the last 7 days this reader's interests find."""
    from digest.match import match

    now = house.clock()
    today = now.date()
    papers = house.store.papers.between(today - timedelta(days=_LOOK_BACK - 1), today)
    if not papers:
        return "There are no papers yet (paper-digest ingest fetches them)"
    if all(not profile.text for profile in reader.profiles):
        return f"The top ten of {count(len(papers), 'paper')} in the last 7 days"
    found = {hit.paper for matches in match(papers, reader.profiles, now=now) for hit in matches}
    verb = "matches" if len(found) == 1 else "match"
    return f"{count(len(found), 'paper')} of the last 7 days {verb}"


def _changes(house: App, before: Subscriber, after: Subscriber) -> list[str]:
    """What became of it, in words; the papers that match where that may be others now."""
    told = []
    asked = [[one.text for one in reader.profiles] for reader in (before, after)]
    if asked[0] != asked[1]:
        told.append(f"asks for {'; '.join(map(interest, after.profiles))}")
        told.append(_what_matches(house, after))
    limits = [{one.limit for one in reader.profiles} for reader in (before, after)]
    if limits[0] != limits[1]:
        told.append(most(after.profiles[0]) + " of an interest")
    if before.schedule != after.schedule:
        told.append(f"{rhythm(after)} {after.schedule.zone}")
    if before.layout is not after.layout:
        told.append(f"{after.layout.value} layout")
    if before.name != after.name:
        told.append(f"is called {after.name}" if after.name else "has no name")
    if (before.status, before.paused_until) != (after.status, after.paused_until):
        end = f" until {house.at(after.paused_until)}" if after.paused_until else ""
        told.append(f"{after.status.value}{end}")
    return told or ["is so already"]


def most(profile: Profile) -> str:
    """How many papers of an interest are shown."""
    return f"at most {count(profile.limit, 'paper')}" if profile.limit else "all papers"


def following(reader: Subscriber, now: datetime) -> str:
    """When the next digest is due, in the reader's zone; or that none is."""
    if reader.next_due is None:
        return f"{reader.status.value}, no digest is due"
    return f"next digest {when(reader.next_due, reader.schedule.zone, now=now)}"


def interest(profile: Profile) -> str:
    """An interest by its name, or as it was typed."""
    return profile.name or profile.text or "(no keywords: top ten)"


def rhythm(reader: Subscriber) -> str:
    """How often, and at what hour of the reader's zone."""
    schedule = reader.schedule
    every = {
        Cadence.DAILY: "every day",
        Cadence.WEEKDAYS: "every weekday",
        Cadence.WEEKLY: f"every {list(Day)[schedule.weekday].value.capitalize()}",
        Cadence.MONTHLY: "on the first of the month",
    }[schedule.cadence]
    return f"{every} at {schedule.at:%H:%M}"
