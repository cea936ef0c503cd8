"""`paper-digest preview`, `deliveries` and `demo`: looking, without changing anything real."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from digest.cli.options import Address, AsJson


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
    from digest.demo import run_demo  # noqa: PLC0415

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


def deliveries(
    *,
    reader: Annotated[str, typer.Option("--reader", help="Only those to this address.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the log of deliveries, newest first."""
