"""`paper-digest deliveries`: what happened to each mail, and another try at one."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.cli.options import AsJson, read_date
from digest.cli.readers import reader_at
from digest.cli.terminal import SHORT, count, stamp, table, waits

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from digest.app import App
    from digest.cli.terminal import Cell
    from digest.reopen import Action, Verdict
    from digest.store.history import Attempt, Entry, Sought

_SHOWN: Final = 50
_MOST: Final = 100_000
_REASONS: Final = 3
_OF_ATTEMPT: Final = ("attempt", "ended_at", "state", "relay", "code", "enhanced", "text")

app = typer.Typer(
    help="See what happened to each mail; try one again.",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog=example(
        "paper-digest deliveries --reader ada@example.org",
        "paper-digest deliveries --day 2026-11-20 --state unknown,rejected",
        "paper-digest deliveries --csv > deliveries.csv",
        "paper-digest deliveries show hm4vfnqk",
    ),
)


def _states(text: str) -> tuple[str, ...]:
    from digest.store.history import SEEN_STATES

    states = tuple(filter(None, text.replace(" ", "").split(",")))
    for state in states:
        if state not in SEEN_STATES:
            raise typer.BadParameter(f"{state!r} is no state: {', '.join(SEEN_STATES)}")
    return states


Reader = Annotated[str, typer.Option("--reader", metavar="ADDRESS", help="Only to this address.")]
OnDay = Annotated[
    date | None,
    typer.Option("--day", parser=read_date, metavar="DATE", help="Only of this day (DIGEST_ZONE)."),
]
State = Annotated[
    str, typer.Option("--state", metavar="STATE[,STATE]", help="Only those in these states.")
]
OfIssue = Annotated[
    int | None, typer.Option("--issue", min=1, metavar="ISSUE", help="Only of this issue.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=_MOST, help="At most so many.")]
Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="ID", help="Deliveries, by id or how it begins."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.callback()
def deliveries(
    context: typer.Context,
    *,
    reader: Reader = "",
    day: OnDay = None,
    state: State = "",
    issue: OfIssue = None,
    limit: Limit = _SHOWN,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="For a spreadsheet.")] = False,
) -> None:
    """Show the log of deliveries, newest first, with every attempt and what the relay said.

    With --reader, or --state excluded, it also says when a reader was due and got no mail, and
    why.
    """
    if context.invoked_subcommand:
        return
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        chosen = Chosen(reader, day, state, issue)
        found = house.store.history.find(_sought(house, chosen), limit)
        zone = ZoneInfo(house.settings.zone)
    if as_json:
        typer.echo(json.dumps([_described(entry) for entry in found], indent=2))
    elif as_csv:
        typer.echo(_csv(found), nl=False)
    elif not found:
        typer.echo(
            "No delivery is like that."
            if chosen
            else "Nothing was sent yet: paper-digest run --now sends to everybody."
        )
    else:
        heads = (f"when ({zone.key})", "id", "kind", "reader", "state", "papers", "relay said")
        table(heads, [_row(entry, zone) for entry in found], right=("papers",), remark=True)


@app.command(epilog=example("paper-digest deliveries show hm4vfnqk", "  --json"))
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="A delivery, by id or its beginning.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one delivery with its whole history."""
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        entry = house.store.history.named(name)
        zone = ZoneInfo(house.settings.zone)
    if as_json:
        typer.echo(json.dumps(_described(entry), indent=2))
        return
    facts = (
        ("delivery", entry.public_id),
        ("to", f"{_whose(entry)}, list {entry.list_name}"),
        ("what", f"{entry.kind}, {count(_papers(entry), 'paper')}"),
        ("message", entry.message_id),
        ("made", f"{stamp(entry.created_at, zone)} {zone.key}"),
        ("state", " ".join(filter(None, (entry.state, _ahead(entry, zone))))),
        ("said", _said(entry)),
    )
    for fact, text in facts:
        if text:
            typer.echo(f"{fact:<9} {text}")
    for attempt in entry.attempts:
        typer.echo(f"{'':<9} {_told(attempt, zone)}")


@app.command(
    epilog=example(
        "paper-digest deliveries retry hm4vfnqk",
        "paper-digest deliveries retry --state rejected --day 2026-11-20",
    )
)
def retry(
    ids: Ids = None,
    *,
    reader: Reader = "",
    day: OnDay = None,
    state: State = "",
    issue: OfIssue = None,
    yes: Yes = False,
) -> None:
    """Try again what did not arrive: deferred, rejected, expired, cancelled or dropped.

    Left alone is what holds a paper that went out to the reader since.
    """
    from digest.reopen import Action

    _act(Action.RETRY, ids, Chosen(reader, day, state, issue), yes=yes)


@app.command(epilog=example("paper-digest deliveries resend hm4vfnqk"))
def resend(
    ids: Ids = None,
    *,
    reader: Reader = "",
    day: OnDay = None,
    state: State = "",
    issue: OfIssue = None,
    yes: Yes = False,
) -> None:
    """Send again what may have arrived: unknown or accepted. The reader may get it twice.

    It has the Message-ID it had, so a mail program that looks for doubles shows it once.
    """
    from digest.reopen import Action

    _act(Action.RESEND, ids, Chosen(reader, day, state, issue), yes=yes)


@app.command(
    epilog=example(
        "paper-digest deliveries resolve hm4vfnqk --arrived",
        "paper-digest deliveries resolve --day 2026-11-20 --lost",
    )
)
def resolve(
    ids: Ids = None,
    *,
    arrived: Annotated[
        bool | None,
        typer.Option("--arrived/--lost", help="It arrived; or not: its papers are offered again."),
    ] = None,
    reader: Reader = "",
    day: OnDay = None,
    issue: OfIssue = None,
    yes: Yes = False,
) -> None:
    """Say what became of an unknown, without sending anything."""
    from digest.reopen import Action

    if arrived is None:
        raise typer.BadParameter("say --arrived or --lost; the relay's own log knows which")
    action = Action.ARRIVED if arrived else Action.LOST
    state = "unknown" if day or reader or issue else ""
    _act(action, ids, Chosen(reader, day, state, issue), yes=yes)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which deliveries the options of a command choose; none of them: all."""

    reader: str = ""
    day: date | None = None
    state: str = ""
    issue: int | None = None

    def __bool__(self) -> bool:
        return bool(self.reader or self.day or self.state or self.issue)


def _act(action: Action, ids: Sequence[str] | None, chosen: Chosen, *, yes: bool) -> None:
    from digest.app import open_app
    from digest.reopen import act, objection

    if bool(ids) == bool(chosen):
        raise typer.BadParameter(
            "name deliveries by id, or choose some by --reader, --day, --state, --issue"
        )
    with open_app(settings(), create=False) as house:
        if ids:
            entries = [house.store.history.named(one) for one in dict.fromkeys(ids)]
        else:
            found = house.store.history.find(_sought(house, chosen), _MOST)
            entries = [entry for entry in found if not objection(entry, action)]
            if not entries:
                typer.echo(f"Nothing was changed: {_unfit(found, action)}.")
                return
        willing = [entry for entry in entries if not objection(entry, action)]
        if willing and not yes:
            _ask(action, willing)
        verdicts = [act(house, entry, action) for entry in reversed(entries)]
    left = [verdict for verdict in verdicts if not verdict.done]
    _tell_left_alone(left)
    if len(left) < len(verdicts):
        typer.echo(_outcome(action, len(verdicts) - len(left)))
    if left:
        raise typer.Exit(1)


def _unfit(found: Sequence[Entry], action: Action) -> str:
    """Why nothing is to be done about any of the deliveries that were chosen."""
    from digest.reopen import Action

    if not found:
        return "no delivery is like that"
    states = Counter(entry.state for entry in found if entry.number)
    chosen = ", ".join(f"{number:,} {state}" for state, number in states.most_common())
    fits = {
        Action.RETRY: "`retry` is for what is deferred, rejected, expired, cancelled or dropped",
        Action.RESEND: "`resend` is for what is unknown or accepted",
    }.get(action, "`resolve` is for what is unknown")
    return f"{chosen or 'no mail was made'}, and {fits}"


def _tell_left_alone(verdicts: Iterable[Verdict]) -> None:
    """Each reason why something was left alone in a line, with whom it was about."""
    by_why: dict[str, list[str]] = {}
    for verdict in verdicts:
        named = f"{verdict.entry.public_id[:SHORT]} to {_whose(verdict.entry)}"
        by_why.setdefault(verdict.why, []).append(named)
    for why, names in by_why.items():
        more = f" and {len(names) - _REASONS:,} more" if len(names) > _REASONS else ""
        typer.echo(f"Left alone, {why}: {', '.join(names[:_REASONS])}{more}", err=True)


def _ask(action: Action, entries: Sequence[Entry]) -> None:
    """Say what would happen and let a person decide; without one nothing happens."""
    from digest.reopen import Action

    mails = count(len(entries), "mail")
    what = {
        Action.RETRY: f"Send {mails} that did not arrive?",
        Action.RESEND: f"Send {mails} once more? Whoever has it already gets it twice.",
        Action.ARRIVED: f"Count {mails} as arrived?",
        Action.LOST: f"Count {mails} as lost and offer the papers again?",
    }[action]
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{what} Nobody is here to answer: add --yes")
    for entry in entries[:_SHOWN]:
        typer.echo(f"  {entry.public_id}  {_whose(entry)}  {entry.state}")
    if len(entries) > _SHOWN:
        typer.echo(f"  and {len(entries) - _SHOWN:,} more")
    typer.confirm(what, abort=True)


def _outcome(action: Action, done: int) -> str:
    from digest.reopen import Action

    mails = count(done, "mail")
    if action in {Action.RETRY, Action.RESEND}:
        return f"{waits(done, 'mail')}: `paper-digest run` sends now, `serve` within a minute."
    if action is Action.ARRIVED:
        return f"{mails} counted as arrived."
    return f"{mails} counted as lost; what was in there is offered again."


def _sought(house: App, chosen: Chosen) -> Sought:
    from digest.store.history import EXCLUDED, SEEN_STATES, Sought

    states, day = _states(chosen.state), chosen.day
    if not chosen.reader and not states:
        states = tuple(state for state in SEEN_STATES if state != EXCLUDED)
    zone = ZoneInfo(house.settings.zone)
    since = until = None
    if day is not None:
        since = datetime.combine(day, time(), zone).astimezone(UTC)
        until = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    readers = (reader_at(house, chosen.reader).number,) if chosen.reader else None
    return Sought(readers, since, until, states, issue=chosen.issue)


def _row(entry: Entry, zone: ZoneInfo) -> tuple[Cell, ...]:
    """A line for the delivery; in its last column each attempt, where the last is not all."""
    said = " ".join(filter(None, (_said(entry), _ahead(entry, zone))))
    tries = [_told(one, zone) for one in entry.attempts] if len(entry.attempts) > 1 else []
    return (
        stamp(entry.created_at, zone),
        entry.public_id[:SHORT],
        entry.kind,
        _whose(entry),
        entry.state,
        str(_papers(entry)) if entry.number else "",
        (said, *tries),
    )


def _told(one: Attempt, zone: ZoneInfo) -> str:
    """An attempt, a decision about one, or what came back, in one line."""
    by = "at" if one.number else "by"
    relay = f" {by} {one.relay}" if one.relay else ""
    return f"{stamp(one.ended_at, zone)}  {_step(one)}{relay}  {_said(one)}".rstrip()


def _whose(entry: Entry) -> str:
    """The reader, as the log names them: a test mail is nobody's."""
    from digest.store.trials import TEST

    return "(test)" if entry.kind == TEST else entry.address or "(removed)"


def _step(one: Attempt) -> str:
    """The number and the outcome of a try; a decision, and what came back, has no number."""
    return f"{one.number}. {one.state}" if one.number else one.state


def _said(one: Entry | Attempt) -> str:
    return " ".join(filter(None, (str(one.code or ""), one.enhanced, one.text)))


def _ahead(entry: Entry, zone: ZoneInfo) -> str:
    """When it is tried next, where it was before, and until when."""
    if not entry.attempt or entry.not_before is None:
        return ""
    until = f", until {stamp(entry.expires_at, zone)}" if entry.expires_at else ""
    return f"(again {stamp(entry.not_before, zone)}{until})"


def _papers(entry: Entry) -> int:
    from digest.selection import Selection
    from digest.store.history import WITH_PAPERS
    from digest.store.trials import TEST

    if entry.kind not in {*WITH_PAPERS, TEST} or not entry.number:
        return 0
    return len(Selection.unpack(entry.selection).picks)


def _described(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.public_id or None,
        "kind": entry.kind,
        "list": entry.list_name,
        "reader": entry.address,
        "issue": entry.issue,
        "state": entry.state,
        "papers": _papers(entry),
        "message_id": entry.message_id or None,
        "relay": entry.relay,
        "code": entry.code,
        "enhanced": entry.enhanced,
        "text": entry.text,
        "created_at": entry.created_at.isoformat(),
        "settled_at": _iso(entry.settled_at),
        "not_before": _iso(entry.not_before),
        "expires_at": _iso(entry.expires_at),
        "attempts": [
            {
                "attempt": one.number,
                "ended_at": one.ended_at.isoformat(),
                "state": one.state,
                "relay": one.relay,
                "code": one.code,
                "enhanced": one.enhanced,
                "text": one.text,
            }
            for one in entry.attempts
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _csv(entries: Iterable[Entry]) -> str:
    """One line for each attempt, or for a delivery without one (RFC 4180)."""
    out = StringIO()
    writer = csv.writer(out)
    heads = ("id", "kind", "list", "reader", "issue", "papers", "message_id", "created_at", "state")
    writer.writerow([*heads, "attempt", *(f"attempt_{name}" for name in _OF_ATTEMPT[1:])])
    for entry in entries:
        described = _described(entry)
        whole = [_cell(described[name]) for name in heads]
        attempts = described["attempts"]
        for one in attempts or [dict.fromkeys(_OF_ATTEMPT)]:  # type: ignore[attr-defined]
            writer.writerow([*whole, *(_cell(one[name]) for name in _OF_ATTEMPT)])
    return out.getvalue()


def _cell(value: object) -> str:
    """The value as a cell; what a spreadsheet would take for a formula is quoted (CWE-1236)."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t"} else text
