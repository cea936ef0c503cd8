"""`paper-digest issues`: the batches of digests, and stopping one that is being sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.cli.options import AsJson
from digest.cli.terminal import count, stamp, table, waits

if TYPE_CHECKING:
    from digest.cli.terminal import Cell
    from digest.store.outbox import Issue

app = typer.Typer(
    help="See each batch of digests; pause, resume or cancel one, also while it is being sent.",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog=example(
        "paper-digest issues",
        "paper-digest issues pause 42 --reason 'wrong note of the day'",
        "paper-digest issues resume 42",
    ),
)
Number = Annotated[int, typer.Argument(metavar="ISSUE", help="Its number.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is shown with the issue.")]


@app.callback()
def issues(
    context: typer.Context,
    *,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest issues: whom each was for, and how far it is."""
    if context.invoked_subcommand is not None:
        return
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        found = house.store.outbox.issues(limit)
        zone = ZoneInfo(house.settings.zone)
    if as_json:
        typer.echo(json.dumps([_described(one) for one in found], indent=2))
    elif not found:
        typer.echo("Nothing was sent yet: paper-digest run --now sends to everybody.")
    else:
        heads = ("issue", f"frozen ({zone.key})", "state", "readers", "digests", "so far")
        rows = [_row(one, zone) for one in found]
        table(heads, rows, right=("issue", "readers", "digests"), remark=True)


@app.command(epilog=example("paper-digest issues pause 42 --reason 'wrong note of the day'"))
def pause(number: Number, *, reason: Reason = "by hand") -> None:
    """Send nothing more of an issue for now; what is already at the relay is settled."""
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        house.store.outbox.pause(number, reason)
        waiting = house.store.outbox.issue(number).waiting
    typer.echo(f"Issue {number} is paused; {waits(waiting, 'digest')}.")


@app.command(epilog=example("paper-digest issues resume 42"))
def resume(number: Number) -> None:
    """Let a paused issue go on; the next run, or `serve` within a minute, sends the rest."""
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        house.store.outbox.resume(number)
        waiting = house.store.outbox.issue(number).waiting
    typer.echo(f"Issue {number} goes on; {count(waiting, 'digest')} will be sent.")


@app.command(epilog=example("paper-digest issues cancel 42 --reason 'sent by mistake'"))
def cancel(number: Number, *, reason: Reason = "by hand") -> None:
    """End an issue: what was not sent never is, and its papers are offered again."""
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        ended = house.store.outbox.cancel(number, reason, house.clock())
    typer.echo(f"Issue {number} is cancelled; {count(ended, 'digest')} will not be sent.")


def _row(issue: Issue, zone: ZoneInfo) -> tuple[Cell, ...]:
    states = ", ".join(f"{times:,} {state}" for state, times in sorted(issue.states.items()))
    counts = (f"{issue.candidates:,}", f"{issue.prepared:,}")
    return (
        str(issue.number),
        stamp(issue.frozen_at, zone),
        issue.state,
        *counts,
        (states, issue.reason),
    )


def _described(issue: Issue) -> dict[str, object]:
    return {
        "issue": issue.number,
        "frozen_at": issue.frozen_at.isoformat(),
        "state": issue.state,
        "reason": issue.reason,
        "candidates": issue.candidates,
        "prepared": issue.prepared,
        "excluded": issue.excluded,
        "states": issue.states,
    }
