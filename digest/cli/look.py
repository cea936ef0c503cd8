"""`paper-digest preview`, `deliveries` and `demo`: looking, without changing anything real."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from digest.cli.environment import settings
from digest.cli.readers import Address, AsJson, reader_at
from digest.cli.terminal import table


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when the mails are there; show no page.")
    ] = False,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where the database and the mails are kept.")
    ] = Path("demo"),
) -> None:
    """See it work: invented papers, five readers, a mailbox on this machine.

    Needs no network, no account and no settings, and asks nothing. Run again, it sends nothing
    twice.
    """
    from digest.demo import run_demo  # noqa: PLC0415

    run_demo(folder, once=once or not sys.stdout.isatty())
