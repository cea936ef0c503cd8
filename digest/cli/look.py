"""`paper-digest preview`, `deliveries` and `demo`: looking, without changing anything real."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from digest.cli.environment import settings
from digest.cli.options import Address, AsJson
from digest.cli.readers import reader_at
from digest.cli.terminal import table

if TYPE_CHECKING:
    from digest.store.deliveries import Delivery

_NEARLY: Final = 5


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when the mails are there; show no page.")
    ] = False,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where the database and the mails are kept.")
    ] = Path("demo"),
) -> None:
    """See it work, on this machine alone.

    Sixty invented papers, five readers, a mailbox that is a real mail server on this machine.
    Needs no network, no account and no settings, and asks nothing. Run again, it sends nothing
    twice.
    """
    from digest.demo import run_demo

    run_demo(folder, once=once or not sys.stdout.isatty())


def preview(
    address: Address,
    *,
    out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path("out"),
    show: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """See a reader's next digest before it is sent.

    It is written as .html and .txt; nothing is sent and nothing is marked as sent.
    """
    from digest.app import open_app
    from digest.preview import preview as look_ahead

    with open_app(settings()) as house:
        reader = reader_at(house, address)
        seen = look_ahead(house, reader, now=house.clock())
        nearly = seen.near[:_NEARLY]
    typer.echo(f"{reader.address}: {seen.outcome}")
    for line in nearly:
        typer.echo(f"  nearly in: {line.title} ({line.why})")
    if not seen.has_mail:
        return
    out.mkdir(parents=True, exist_ok=True)
    page, text = out / f"{reader.address}.html", out / f"{reader.address}.txt"
    page.write_text(seen.rendered.html, encoding="utf-8")
    text.write_text(seen.rendered.text, encoding="utf-8")
    typer.echo(f"Subject: {seen.rendered.subject}\n{page}\n{text}")
    if show:
        typer.launch(page.resolve().as_uri())


def deliveries(
    *,
    reader: Annotated[str, typer.Option("--reader", help="Only those to this address.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the log of deliveries, newest first."""
    from digest.app import open_app

    with open_app(settings()) as house:
        number = reader_at(house, reader).number if reader else None
        rows = house.store.deliveries.history(number, limit)
    if as_json:
        typer.echo(json.dumps([_described(row) for row in rows], indent=2))
    elif not rows:
        typer.echo("Nothing was sent yet: paper-digest run --now sends to everybody.")
    else:
        heads = ("when (UTC)", "kind", "reader", "state", "papers", "relay said")
        table(heads, map(_row, rows), right=("papers",))


def _row(row: Delivery) -> tuple[str, ...]:
    said = " ".join(filter(None, (str(row.code or ""), row.enhanced, row.text)))
    when = f"{row.created_at:%Y-%m-%d %H:%M}"
    return (when, row.kind, row.address or "(removed)", row.state, str(_papers(row)), said)


def _described(row: Delivery) -> dict[str, object]:
    return {
        "id": row.public_id,
        "kind": row.kind,
        "channel": row.channel,
        "reader": row.address,
        "state": row.state,
        "attempt": row.attempt,
        "papers": _papers(row),
        "message_id": row.message_id,
        "relay": row.relay,
        "code": row.code,
        "enhanced": row.enhanced,
        "text": row.text,
        "created_at": row.created_at.isoformat(),
        "settled_at": row.settled_at.isoformat() if row.settled_at else None,
    }


def _papers(row: Delivery) -> int:
    from digest.selection import Selection

    return len(Selection.unpack(row.selection).picks)
