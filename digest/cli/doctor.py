"""`paper-digest doctor`: what is well and what is not, and what to do about it."""

from __future__ import annotations

import json
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from digest.cli.environment import settings
from digest.cli.options import AsJson
from digest.cli.terminal import console, count

if TYPE_CHECKING:
    from digest.app import App
    from digest.doctor import Examination, Finding

_STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "bold red"}
_INDENT: Final = " " * 9
_ADVICE: Final = "Nothing is sent meanwhile, and nothing is lost. See DIGEST_DATABASE_URL."


def _ip(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no address: write it as 192.0.2.1") from None


def _server(text: str) -> str:
    from digest.doctor.names import Names, Unanswered

    try:
        Names(text)
    except (ValueError, Unanswered):
        said = f"{text!r} is no DNS server: write it as 9.9.9.9 or 127.0.0.1:5353"
        raise typer.BadParameter(said) from None
    return text


def doctor(
    *,
    mail: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A digest that arrived, saved with all its headers."
        ),
    ] = None,
    address: Annotated[
        str | None, typer.Option(parser=_ip, metavar="IP", help="The address mails leave from.")
    ] = None,
    selector: Annotated[str, typer.Option(metavar="NAME", help="The name of the DKIM key.")] = "",
    dns: Annotated[
        str | None,
        typer.Option(parser=_server, metavar="SERVER", help="Ask this DNS server instead."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at everything a digest needs on its way, and say what to do.

    Changes nothing and sends nothing. Each line is ok, a warning, or failed; with one that
    failed the exit code is 1. Nothing takes longer than half a minute.
    """
    from digest.doctor import examine

    found: list[Finding] = []
    house, missing = _patient()
    with house:
        looks = _examinations(house, missing, mail, address or "", selector, dns or "")
        for findings in examine(looks):
            for finding in findings:
                found.append(finding)
                if not as_json:
                    _show(finding)
    counts = {health: sum(one.health == health for one in found) for health in _STYLES}
    if as_json:
        typer.echo(json.dumps([_described(one) for one in found], indent=2))
    else:
        typer.echo(
            f"{counts['ok']} ok, {count(counts['warning'], 'warning')}, {counts['failed']} failed"
        )
    if counts["failed"]:
        raise typer.Exit(1)


def _patient() -> tuple[App, Finding | None]:
    """The installation; or one without a database, and why there is none, or none to be read."""
    from digest.app import App, open_app, utc_now
    from digest.doctor import failed
    from digest.errors import StoreAbsent, StoreError
    from digest.store import Store
    from digest.store.database import Database

    ours = settings()
    try:
        return open_app(ours, create=False, upgrade=False), None
    except StoreError as error:
        advice = "" if isinstance(error, StoreAbsent) else _ADVICE
        missing = failed("database", str(error), advice)
    return App(ours, Store(Database("sqlite://")), utc_now), missing


def _examinations(  # noqa: PLR0917 -- the options of the command
    house: App, missing: Finding | None, mail: Path | None, address: str, selector: str, dns: str
) -> list[Examination]:
    from digest.doctor.listings import look_at_sources
    from digest.doctor.machine import look_at_machine
    from digest.doctor.online import look_at_pages
    from digest.doctor.records import look_at_records
    from digest.doctor.relay import look_at_mailbox, look_at_relay
    from digest.doctor.signature import look_at_signature, selectors

    domain = house.settings.sender_address.rpartition("@")[2]
    if mail is not None and not selector:
        selector = next(iter(selectors(mail, domain)), "")
    stored: list[Examination] = [
        ("database", partial(look_at_machine, house)),
        ("sources", partial(look_at_sources, house)),
    ]
    return [
        *([("database", lambda: [missing])] if missing else stored),
        ("relay", partial(look_at_relay, house)),
        (
            "DNS",
            lambda: look_at_records(
                house.settings, signer=house.signer, dns=dns, address=address, selector=selector
            ),
        ),
        *(
            [("signed headers", partial(look_at_signature, house, mail))]
            if mail is not None or not house.settings.writes_files
            else []
        ),
        ("one-click", partial(look_at_pages, house)),
        ("bounces", partial(look_at_mailbox, house)),
    ]


def _show(finding: Finding) -> None:
    """One finding: on a terminal in lines that fit, elsewhere as long as it is."""
    from rich.padding import Padding
    from rich.text import Text

    health = finding.health.value
    said = f"{finding.topic}: {finding.seen}"
    shown = console()
    if not shown.is_terminal:
        typer.echo(f"{health:<{len(_INDENT)}}{said}")
        if finding.advice:
            typer.echo(f"{_INDENT}{finding.advice}")
        return
    lines = Text(said).wrap(shown, shown.width - len(_INDENT))
    shown.print(Text(f"{health:<{len(_INDENT)}}", style=_STYLES[health]), lines[0], sep="")
    for line in (*lines[1:], *Text(finding.advice).wrap(shown, shown.width - len(_INDENT))):
        shown.print(Padding.indent(line, len(_INDENT)))


def _described(finding: Finding) -> dict[str, str]:
    return {
        "topic": finding.topic,
        "health": finding.health.value,
        "seen": finding.seen,
        "advice": finding.advice,
    }
