"""`paper-digest preview` and `demo`: looking, without changing anything real."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from digest.cli.environment import settings
from digest.cli.options import Address
from digest.cli.readers import reader_at

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
