"""`paper-digest subscribers import` and `export`: readers as a table."""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from digest.cli.environment import settings
from digest.cli.options import Quiet, read_date
from digest.cli.readers import Keywords, interests
from digest.cli.terminal import count
from digest.errors import RosterError
from subscribers.profile import DEFAULT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest.roster import Consent, Invitation, Planned

MOST_BYTES: Final = 50_000_000
_FIRST: Final = 20
"""Lines of a file that are told one by one, of each kind but the wrong ones."""


class Format(Enum):
    """What readers are written as."""

    CSV = "csv"
    JSON = "json"


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="A CSV file; its first line names the columns: address, ...",
        ),
    ],
    *,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="Add them: they agreed to be written to.")
    ] = False,
    consent_date: Annotated[
        date | None,
        typer.Option(
            "--consent-date",
            parser=read_date,
            metavar="DATE",
            help="The day they agreed; a column consent_date goes before.",
        ),
    ] = None,
    consent_source: Annotated[
        str | None,
        typer.Option(
            "--consent-source", help="Where they agreed; a column consent_source goes before."
        ),
    ] = None,
    invite: Annotated[
        bool,
        typer.Option("--invite", help="Ask each of them by one mail; nobody is added unasked."),
    ] = False,
    invited_by: Annotated[
        str | None, typer.Option("--invited-by", help="Who invites, as the mail says it.")
    ] = None,
    keywords: Keywords = None,
    skip_wrong: Annotated[
        bool, typer.Option("--skip-wrong", help="Import the rest where lines are wrong.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Import readers from a CSV file; says what would happen until told how.

    Without --confirmed or --invite nothing is changed. Whoever left, or is never to be written
    to, stays away whatever the file says; who is there already is left as they are.
    """
    how = _how(
        confirmed=confirmed, day=consent_date, source=consent_source, invite=invite, by=invited_by,
        keywords=keywords,
    )  # fmt: skip
    from digest.app import open_app
    from digest.roster import Fate, carry_out, plan
    from subscribers.roster import read
    from subscribers.subscriber import Schedule, Status, Subscriber

    with open_app(settings()) as house:
        ours = house.settings
        if invite and not ours.public_url:
            raise RosterError("invitations need links: set DIGEST_PUBLIC_URL")
        defaults = Subscriber(
            "",
            profiles=interests(keywords or [], DEFAULT_LIMIT),
            schedule=Schedule(zone=ours.zone),
            list_name=ours.list_name,
            language=ours.language,
            status=Status.ACTIVE,
        )
        planned = plan(house, read(_lines(file), defaults), how)
        _tell(planned, quiet=quiet)
        wrong = [one for one in planned if one.fate is Fate.WRONG]
        if how is None:
            typer.echo("Nothing was changed. To add them: --confirmed; to ask them: --invite.")
        elif wrong and not skip_wrong:
            raise RosterError(
                "Nothing was changed. Mend the lines, or import the rest: --skip-wrong"
            )
        else:
            done = carry_out(house, planned, how)
            typer.echo(f"{count(done, 'reader')} {'invited' if invite else 'added'}.")
    if wrong and how is None:
        raise typer.Exit(1)


def export(
    *,
    form: Annotated[Format, typer.Option("--as", help="The table, or objects.")] = Format.CSV,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A file; without one, standard output.")
    ] = None,
) -> None:
    """Write every reader of the list as CSV, which import reads, or as JSON."""
    from digest.app import open_app
    from subscribers.roster import as_json, write

    with open_app(settings(), create=False) as house:
        name = house.settings.list_name
        readers = [reader for reader in house.store.subscribers.all() if reader.list_name == name]
        libraries = house.store.libraries.of_all([reader.number for reader in readers])
    if form is Format.JSON:
        told = [as_json(reader, libraries.get(reader.number, ())) for reader in readers]
        text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    else:
        text = "".join(write(readers, libraries))
    if out is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.flush()
    else:
        out.touch(mode=0o600)  # addresses are nobody else's to read
        out.write_bytes(text.encode())
        typer.echo(f"{count(len(readers), 'reader')} in {out}")


def _how(
    *,
    confirmed: bool,
    day: date | None,
    source: str | None,
    invite: bool,
    by: str | None,
    keywords: Sequence[str] | None,
) -> Consent | Invitation | None:
    from digest.roster import Consent, Invitation

    if confirmed and invite:
        raise typer.BadParameter("--confirmed and --invite: only one of the two")
    if invite:
        if not (by and by.strip()):
            raise typer.BadParameter("--invite goes with --invited-by: who invites")
        if day or source:
            raise typer.BadParameter("--consent-date and --consent-source go with --confirmed")
        return Invitation(" ".join(by.split())[:80], interests(keywords or [], DEFAULT_LIMIT))
    if by:
        raise typer.BadParameter("--invited-by goes with --invite")
    return Consent(day, " ".join((source or "").split())[:200]) if confirmed else None


def _lines(file: Path) -> Iterator[str]:
    """The file's lines, none longer than a roster's may be by more than a character."""
    from subscribers.roster import LONGEST_LINE

    size = file.stat().st_size
    if size > MOST_BYTES:
        raise RosterError(f"{file} has {size:,} bytes, more than {MOST_BYTES:,}: split it")
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            while line := opened.readline(LONGEST_LINE + 1):
                yield line
    except UnicodeDecodeError as error:
        raise RosterError(f"{file} is not UTF-8 text: save it as CSV in UTF-8") from error


_FATES: Final = {
    "add": "new",
    "invite": "to ask",
    "there": "there already",
    "never": "never to be written to",
    "wrong": "wrong",
}


def _tell(planned: Sequence[Planned], *, quiet: bool) -> None:
    """What becomes of each line that is wrong, of the first of the others, and of how many."""
    counts, told_of = Counter(one.fate.value for one in planned), Counter[str]()
    widest = max((len(one.address) for one in planned), default=0)
    for one in planned:
        fate = one.fate.value
        told_of[fate] += 1
        if fate != "wrong" and (quiet or told_of[fate] > _FIRST):
            continue
        typer.echo(f"line {one.line:<5} {one.address:<{widest}}  {one.why}".rstrip())
        if fate != "wrong" and told_of[fate] == _FIRST < counts[fate]:
            typer.echo(f"{'':<10} and {counts[fate] - _FIRST:,} more: {_FATES[fate]}")
    told = [f"{counts[fate]:,} {words}" for fate, words in _FATES.items() if counts[fate]]
    typer.echo(f"{count(len(planned), 'line')}: {', '.join(told) or 'nobody in it'}")
