"""Arguments and options that several commands share."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="The reader's address.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")]


def read_date(text: str) -> date:
    """A day as people write it to machines."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date: write it as 2026-12-24") from None
