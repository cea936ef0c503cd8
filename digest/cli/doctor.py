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
    from digest.app import open_app
    from digest.doctor import examine

    found: list[Finding] = []
    with open_app(settings()) as house:
        for findings in examine(_examinations(house, mail, address or "", selector, dns or "")):
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


def _examinations(
    house: App, mail: Path | None, address: str, selector: str, dns: str
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
    return [
        ("database", partial(look_at_machine, house)),
        ("sources", partial(look_at_sources, house)),
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
    from rich.text import Text

    health = finding.health.value
    line = Text(f"{health:<9}", style=_STYLES[health])
    line.append(f"{finding.topic}: {finding.seen}", style="default")
    shown = console()
    shown.print(line, soft_wrap=True)
    if finding.advice:
        shown.print(Text(f"{_INDENT}{finding.advice}"), soft_wrap=True)


def _described(finding: Finding) -> dict[str, str]:
    return {
        "topic": finding.topic,
        "health": finding.health.value,
        "seen": finding.seen,
        "advice": finding.advice,
    }
