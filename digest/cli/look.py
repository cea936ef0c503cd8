"""`paper-digest preview` and `demo`: looking, without changing anything real."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from digest.cli.environment import settings
from digest.cli.keywords import meant
from digest.cli.readers import keywords_read, reader_at
from digest.errors import NotFound
from subscribers.profile import Layout

if TYPE_CHECKING:
    from digest.app import App
    from subscribers.subscriber import Subscriber

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
    address: Annotated[str, typer.Argument(help="A reader's address; none with --query.")] = "",
    *,
    query: Annotated[
        str | None, typer.Option("--query", "-q", help="Keywords instead of a reader's.")
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="The digest of that day."),
    ] = None,
    layout: Annotated[
        Layout | None, typer.Option("--layout", help="How much of each paper is shown.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path("out"),
    show: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show it on a page that follows your templates.")
    ] = False,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of --serve.")] = 8025,
    send: Annotated[
        str, typer.Option("--send", help="Send it to this address as a test mail.")
    ] = "",
) -> None:
    """See a reader's next digest, or what keywords would bring, before anything is sent.

    It is written as .html, .txt and .eml, with every link, of which none acts. Nothing is marked
    as sent; --send sends one test mail, marked as a test and in nobody's ledger.
    """
    from digest.app import open_app
    from digest.hints import BUDGET
    from digest.preview import preview as look_ahead

    if bool(address) == (query is not None) and not (serve and not address):
        raise NotFound("name a reader's address or --query 'your keywords', one of the two")
    with open_app(settings(), create=False) as house:
        reader = reader_at(house, address) if address else None
        if serve:
            _serve(house, reader, query, day, port)
            return
        asked = reader or keywords_read(query or "")
        seen = look_ahead(
            house, asked, now=house.clock(), layout=layout, day=day.date() if day else None
        )
        nearly = seen.near[:_NEARLY]
        typer.echo(f"{address or 'these keywords'}: {seen.outcome}")
        if not house.store.sources.newest():
            typer.echo("No source was asked yet: paper-digest ingest asks them.")
        for line in nearly:
            typer.echo(f"  nearly in: {line.title} ({line.why})")
        if not seen.has_mail:
            _say_instead(house, reader, query, day)
            return
        for hint in seen.hints:
            typer.echo(f"  hint: {hint}")
        if send:
            from digest.trial import send_test

            reply = send_test(house, seen, send)
            typer.echo(f"test mail to {send}: {reply.outcome.value} {reply.text}".rstrip())
            return
    out.mkdir(parents=True, exist_ok=True)
    page, text, raw = (out / f"{address or 'query'}{end}" for end in (".html", ".txt", ".eml"))
    page.write_text(seen.rendered.html, encoding="utf-8")
    text.write_text(seen.rendered.text, encoding="utf-8")
    raw.write_bytes(seen.message)
    typer.echo(f"Subject: {seen.rendered.subject}")
    typer.echo(f"Size: {seen.size / 1000:.0f} kB of {BUDGET // 1000} kB\n{page}\n{text}\n{raw}")
    if show and not _opened(page.resolve().as_uri()):
        typer.echo("No browser was found here: open the .html by hand.", err=True)


def _say_instead(
    house: App, reader: Subscriber | None, query: str | None, day: datetime | None
) -> None:
    """Where there is no mail: what may have been meant, and the day of the last mail."""
    from digest.preview import made

    texts = [one.text for one in reader.profiles] if reader else [query or ""]
    for said in meant(house, texts):
        typer.echo(f"  {said}")
    if reader and not day and (last := made(house, reader)):
        then = last[0].created_at.astimezone(ZoneInfo(reader.schedule.zone))
        typer.echo(f"The last one: paper-digest preview {reader.address} --date {then:%Y-%m-%d}")


def _opened(uri: str) -> bool:
    """Show a file in the browser, whose own messages are nobody's; False where there is none."""
    command = shutil.which("xdg-open") or shutil.which("open")
    if command is None:
        import webbrowser

        return webbrowser.open(uri)
    subprocess.Popen(
        [command, uri],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C here is not meant for the browser
    )
    return True


def _serve(
    house: App, reader: Subscriber | None, query: str | None, day: datetime | None, port: int
) -> None:
    """Show the preview page until Ctrl-C."""
    from contextlib import suppress
    from urllib.parse import urlencode

    from digest.web.listening import address_of
    from digest.web.preview import create_preview_app, listen_here, serve_preview

    readers = house.store.subscribers.all()
    first = {"reader": reader.public_id} if reader else {"q": query or ""}
    if day:
        first["date"] = f"{day:%Y-%m-%d}"
    with listen_here(port) as listening:
        address = f"{address_of(listening)}/?{urlencode(first)}"
        typer.echo(f"Look      {address}\nCtrl-C ends.")
        with suppress(KeyboardInterrupt):
            serve_preview(create_preview_app(house, readers), listening)
