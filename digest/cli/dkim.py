"""`paper-digest dkim`: a key that signs our mails, and its record in the DNS."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.errors import Conflict

app = typer.Typer(
    help="Sign mails ourselves, where the relay does not.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example("paper-digest dkim new", "paper-digest dkim show"),
)
Ed25519 = Annotated[
    bool,
    typer.Option(
        "--ed25519", help="A small key; as a second one only, because few verify it (RFC 8463)."
    ),
]


@app.command(epilog=example("paper-digest dkim new", "paper-digest dkim new --selector d2026b"))
def new(
    *,
    selector: Annotated[
        str, typer.Option("--selector", help="Its name in the DNS; by default of this month.")
    ] = "",
    ed25519: Ed25519 = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="The file to keep it in.", show_default=False)
    ] = None,
) -> None:
    """Make a key, and say what to publish and what to set.

    The file is readable by nobody else, and one that is there is never overwritten.
    """
    from digest.dkim import new_key, zone_line
    from digest.settings.values import selectors

    ours = settings()
    name = selector or f"d{datetime.now(UTC):%Y%m}{'e' if ed25519 else 'r'}"
    try:
        (name,) = selectors(name)
    except ValueError:
        raise typer.BadParameter(
            f"{name!r} is no selector: lower-case letters, digits and hyphens, as in d2026a"
        ) from None
    file = out or Path(f"dkim-{name}.pem")
    key = new_key(name, small=ed25519)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(f"{file} is there already: choose another --selector or --out") from None
    with open(descriptor, "w", encoding="ascii") as stream:  # noqa: PTH123 -- it has its mode
        stream.write(key.pem)
    typer.echo(
        f"Wrote {file}, readable only by you.\n\n"
        f"1. Publish this record and wait until it is seen:\n\n{zone_line(key, ours.dkim_domain)}\n"
        f"\n2. Then set:\n\nDIGEST_DKIM_KEY_FILE={file.resolve()}\nDIGEST_DKIM_SELECTOR={name}"
    )


@app.command(epilog=example("paper-digest dkim show"))
def show() -> None:
    """Print the record of each key that is set."""
    from digest.dkim import read_keys, zone_line

    ours = settings()
    if not ours.dkim_key:
        typer.echo("No key is set: the relay signs, or nobody does. paper-digest dkim new")
        return
    for key in read_keys(ours.dkim_key, ours.dkim_selectors):
        typer.echo(zone_line(key, ours.dkim_domain))
