"""`paper-digest bounces` and `suppressions`: what comes back, and who is never written to."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.cli.options import AsJson, Quiet
from digest.cli.terminal import SHORT, count, stamp, table
from digest.errors import Conflict, PaperDigestError, Problem, SettingsError
from subscribers.subscriber import normalize_address

if TYPE_CHECKING:
    from typing import BinaryIO

    from digest.bounces.taking import Back, Tally
    from digest.store.suppressions import Returned, Suppression

TRY_AGAIN: Final = 75
"""EX_TEMPFAIL of sysexits.h: a mail system that pipes to us keeps the mail and tries again."""
_PIECE: Final = 65536
_WORDS: Final = {
    "hard": "Hard bounce",
    "soft": "Soft bounce",
    "blocked": "Bounce for a reason that is ours to mend",
    "delayed": "Delay",
    "complaint": "Complaint",
    "unsubscribe": "Wish to leave",
}

_TAKEN: Final = {
    "noted": "noted",
    "suppressed": "its address is suppressed",
    "unsubscribed": "its reader is unsubscribed",
    "repeated": "known already",
    "unknown": "which is not here: its reader was removed",
}

bounces = typer.Typer(
    help="Read what comes back: bounces and complaints.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example("paper-digest bounces fetch", "paper-digest bounces ingest < mail"),
)
suppressions = typer.Typer(
    help="See and change who is never written to, on any list.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example("paper-digest suppressions list"),
)
Address = Annotated[str, typer.Argument(help="The address.", show_default=False)]
Limit = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]


@bounces.command(
    epilog=example(
        "paper-digest bounces ingest < mail",
        "paper-digest bounces ingest returned/*.eml",
    )
)
def ingest(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, help="Mails; without any, one is piped."
        ),
    ] = None,
    *,
    recipient: Annotated[
        str,
        typer.Option(
            help="The envelope recipient; by itself out of ORIGINAL_RECIPIENT or RECIPIENT."
        ),
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Read a mail that came back and do what follows from it.

    Told twice it is done once. What is no bounce, or has no tag of ours, is ignored and said so;
    the exit code is 0 then, and 75 where it should be tried again later.
    """
    from digest.app import open_app
    from digest.bounces.taking import take_mail

    if not files and sys.stdin.isatty():
        raise typer.BadParameter("pipe a mail into it, or name files")
    known = os.environ.get("ORIGINAL_RECIPIENT") or os.environ.get("RECIPIENT") or ""
    try:
        with open_app(settings(), create=False) as house:
            for raw in map(_read, files) if files else [_piped(sys.stdin.buffer)]:
                back = take_mail(house, raw, recipient=recipient or known)
                if not quiet:
                    typer.echo(_line(back))
    except PaperDigestError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(TRY_AGAIN) from error


@bounces.command(epilog=example("paper-digest bounces fetch"))
def fetch(*, quiet: Quiet = False) -> None:
    """Read the mailbox of DIGEST_BOUNCES_URL; `run` and `serve` do it by themselves.

    What was understood is deleted there once it is committed here; the rest stays, marked as
    read.
    """
    from digest.app import open_app
    from digest.bounces.taking import take_mailbox

    ours = settings()
    if not ours.bounces_url:
        wanted = "set it to the mailbox to read, as in imaps://mail.example.org/Bounces"
        raise SettingsError([Problem("DIGEST_BOUNCES_URL", None, wanted)])
    with open_app(ours, create=False) as house:
        tally = take_mailbox(house, on_mail=lambda back: None if quiet else typer.echo(_line(back)))
    if not quiet:
        typer.echo(summed(tally))


@bounces.command("list", epilog=example("paper-digest bounces list --address ada@example.org"))
def list_returned(
    *,
    address: Annotated[str, typer.Option(help="Only about this address.")] = "",
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List what came back, newest first."""
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        rows = house.store.suppressions.returned(address, limit)
        zone = ZoneInfo(house.settings.zone)
    if as_json:
        typer.echo(json.dumps([_described(row) for row in rows], indent=2))
    elif not rows:
        typer.echo("Nothing came back.")
    else:
        heads = (f"when ({zone.key})", "kind", "address", "delivery", "by", "said")
        table(heads, [_row(row, zone) for row in rows], remark=True)


@suppressions.command(
    "list", epilog=example("paper-digest suppressions list --json | jq -r .[].address")
)
def list_suppressed(*, as_json: AsJson = False) -> None:
    """List the addresses that are never written to, newest first, and why."""
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        rows = house.store.suppressions.all()
        zone = ZoneInfo(house.settings.zone)
    if as_json:
        typer.echo(json.dumps([_told(row) for row in rows], indent=2))
    elif not rows:
        typer.echo("No address is suppressed.")
    else:
        told = [(stamp(one.since, zone), one.address, one.cause, one.reason) for one in rows]
        table((f"since ({zone.key})", "address", "cause", "reason"), told, remark=True)


@suppressions.command(
    epilog=example("paper-digest suppressions add ada@example.org --reason 'asked by telephone'")
)
def add(
    address: Address,
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks.")] = "by hand",
) -> None:
    """Never write to an address again, on any list; mails that wait for it are cancelled."""
    from digest.app import open_app

    address = normalize_address(address)
    with open_app(settings()) as house:
        done = house.store.suppressions.add(address, " ".join(reason.split())[:300], house.clock())
    said = "is never written to from now on" if done else "was suppressed already"
    typer.echo(f"{address} {said}")


@suppressions.command(epilog=example("paper-digest suppressions remove ada@example.org"))
def remove(address: Address) -> None:
    """Write to an address again: its bounces are forgiven.

    Who was unsubscribed by a complaint stays so.
    """
    from digest.app import open_app

    address = normalize_address(address)
    with open_app(settings(), create=False) as house:
        done = house.store.suppressions.remove(address)
    if not done:
        raise Conflict(
            f"{address} is not suppressed: `paper-digest suppressions list` shows who is"
        )
    typer.echo(f"{address} may be written to again")


def summed(tally: Tally) -> str:
    """A visit to the mailbox in one line."""
    mails = sum(tally.taken.values()) + sum(tally.ignored.values())
    parts = [f"{number} {taken.value}" for taken, number in sorted(tally.taken.items())]
    if tally.ignored:
        parts.append(f"{sum(tally.ignored.values())} left there for you to look at")
    return count(mails, "mail") + (f": {', '.join(parts)}" if parts else "")


def _line(back: Back) -> str:
    """What one mail came to."""
    from digest.bounces import Ignored

    if isinstance(back.report, Ignored):
        return f"Ignored: {back.report.why}"
    report = back.report
    said = " ".join(filter(None, (str(report.code or ""), report.enhanced, report.text)))
    taken = _TAKEN[back.taken.value] if back.taken else ""
    about = f"{_WORDS[report.kind.value]} of delivery {report.public_id}, {taken}"
    return f"{about}: {said}" if said else about


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return _piped(file)


def _piped(stream: BinaryIO) -> bytes:
    """As much of a mail as is looked at; the rest is read and let go, so that no writer breaks."""
    from digest.bounces.mime import MAX_BYTES

    kept = stream.read(MAX_BYTES)
    while stream.read(_PIECE):
        pass
    return kept


def _row(row: Returned, zone: ZoneInfo) -> tuple[str, ...]:
    said = " ".join(filter(None, (str(row.code or ""), row.enhanced, row.text)))
    return (stamp(row.at, zone), row.kind, row.address, row.delivery[:SHORT], row.via, said)


def _described(row: Returned) -> dict[str, object]:
    return {
        "at": row.at.isoformat(),
        "kind": row.kind.value,
        "address": row.address,
        "delivery": row.delivery or None,
        "via": row.via,
        "code": row.code,
        "enhanced": row.enhanced,
        "text": row.text,
        "counts": row.counts,
    }


def _told(one: Suppression) -> dict[str, object]:
    return {
        "address": one.address,
        "cause": one.cause.value,
        "reason": one.reason,
        "since": one.since.isoformat(),
    }
