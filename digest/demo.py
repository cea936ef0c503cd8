"""The demo: the whole way of a listing into an inbox, on this machine alone.

Invented papers, five invented readers, a SQLite file, and a mailbox that is a real SMTP server
on loopback. Nothing is asked of the network, and a second run sends nothing twice.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import time, timedelta
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

from digest.cli.sending import send_stage
from digest.cli.stages import ingest_stage, issue_stage
from digest.cli.terminal import Steps, count, near, program, table
from digest.errors import NotFound
from digest.settings import load
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from starlette.types import Receive, Scope, Send

    from digest.app import App
    from digest.news import Considered
    from digest.settings import Settings
    from digest.store.deliveries import Delivery, Frozen

SAMPLE: Final = Path(__file__).parent / "sample"
FIGURES: Final = "https://papers.example.org/figures/"
"""Where the invented papers' pictures would be; they lie beside the sample."""
PORT: Final = 8025
_DOMAIN: Final = "example.org"
_PAGES: Final = "/reader"
"""Where the pages stand that the mails link to."""
_WEEKLY: Final = Schedule(Cadence.WEEKLY, time(7, 0))
_READERS: Final = (
    Subscriber(
        f"ada@{_DOMAIN}",
        name="Ada",
        profiles=(Profile("mixture of experts"), Profile("unlearning -image")),
    ),
    Subscriber(
        f"bo@{_DOMAIN}",
        name="Bo",
        profiles=(Profile("agents"),),
        schedule=_WEEKLY,
        layout=Layout.TITLES,
    ),
    Subscriber(
        f"chidi@{_DOMAIN}",
        name="Chidi",
        profiles=(Profile('author:"Ines Harrow"'), Profile("upvotes>20")),
    ),
    Subscriber(f"dana@{_DOMAIN}", name="Dana"),
    Subscriber(f"emre@{_DOMAIN}", name="Emre", profiles=(Profile("zebrafish"),)),
)


def run_demo(folder: Path, *, once: bool) -> None:
    """Run the whole way once; then, unless `once`, show the mails on a page until Ctrl-C."""
    folder = folder.resolve()
    mails = folder / "mails"
    shutil.copytree(SAMPLE / "figures", mails / "figures", dirs_exist_ok=True)
    print("Paper Digest demo. Nothing leaves this machine; the papers are invented.\n")
    if once:
        with played(folder):
            _say_where(mails)
        return
    from digest.web.listening import address_of
    from digest.web.preview import listen_here

    # The links of the mails lead to pages that are there as long as the demo runs.
    with listen_here(PORT) as listening:
        address = address_of(listening)
        with played(folder, public_url=f"{address}{_PAGES}") as house:
            _say(
                ("Look", address, "type your own keywords there and see your mail"),
                ("Join", f"{address}{_PAGES}/", "sign up there; your mails come into Mails"),
                ("Mails", f"{near(mails)}/", "each as .html for a browser and as .eml"),
                ("Next", f"{program()} init", "your own, in two minutes"),
            )
            print("Ctrl-C ends. Run it again: nothing is sent twice.")
            _serve(house, listening)


@contextmanager
def played(folder: Path, public_url: str = "") -> Iterator[App]:
    """The whole way once, told as it goes; then the installation, its mailbox still open."""
    from digest.app import open_app

    with Mailbox(folder / "mails") as mailbox:
        settings = _settings(folder, mailbox.port, public_url)
        with open_app(settings) as house:
            _invite(house)
            with Steps() as steps:
                ingest_stage(house, steps)
                decided: list[Considered] = []
                report = issue_stage(house, steps, everybody=True, on_considered=decided.extend)
                send_stage(house, steps, to=f"to a mailbox on 127.0.0.1:{mailbox.port}")
            print()
            _show_table(house, decided, report.frozen)
            print()
            yield house


def _settings(folder: Path, port: int, public_url: str) -> Settings:
    """Embedded defaults: nothing of the environment is read."""
    return load(
        {
            "DIGEST_DATABASE_URL": f"sqlite:///{folder / 'demo.db'}",
            "DIGEST_SMTP_URL": f"smtp://127.0.0.1:{port}",
            "DIGEST_FROM": f"Paper Digest <digest@{_DOMAIN}>",
            "DIGEST_SOURCES": f"file:{quote(str(SAMPLE))}",
            "DIGEST_POSTAL_ADDRESS": "Paper Digest demo, 1 Invented Street, Nowhere",
            "DIGEST_PUBLIC_URL": public_url,
            "DIGEST_SECRET_KEY": _secret(folder) if public_url else "",
        }
    )


def _secret(folder: Path) -> str:
    """The key of the demo's links, kept so that those of an earlier run still open."""
    path = folder / "secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="ascii")
    return path.read_text(encoding="ascii")


def _invite(house: App) -> None:
    """Add the five readers who are not there yet."""
    now = house.clock()
    for reader in _READERS:
        try:
            house.store.subscribers.by_address(reader.address)
        except NotFound:
            invited = replace(reader, came_from="the demo")
            house.store.subscribers.add(invited.confirm(now), now)


def _show_table(house: App, decided: Sequence[Considered], frozen: Frozen | None) -> None:
    issue = frozen.issue if frozen else 0
    rows = sorted(_row(house, one, issue) for one in decided)
    heads = ("reader", "asked for", "matched", "sent", "server said")
    table(heads, rows, right=("matched", "sent"))


def _row(house: App, one: Considered, issue: int) -> tuple[str, ...]:
    reader = one.reader
    name = reader.address.partition("@")[0]
    sent = house.store.deliveries.history(reader.number, limit=1)
    if not sent:
        return (name, _asked(reader), "0", "–", f"no mail: {one.reason}")
    if sent[0].issue != issue:
        return (name, _asked(reader), "0", "–", "no mail: nothing new since the last one")
    return (name, _asked(reader), *_told(sent[0]))


def _asked(reader: Subscriber) -> str:
    """What a reader asked for, in a few words."""
    texts = "; ".join(profile.text for profile in reader.profiles if profile.text)
    ways = [
        *(["titles only"] if reader.layout is Layout.TITLES else []),
        *(["weekly"] if reader.schedule.cadence is Cadence.WEEKLY else []),
    ]
    return (texts or "(no keywords: top ten)") + (f" ({', '.join(ways)})" if ways else "")


def _told(delivery: Delivery) -> tuple[str, str, str]:
    from digest.selection import Selection

    selection = Selection.unpack(delivery.selection)
    matched = selection.looked_at if selection.top_ten else selection.matched
    said = f"{delivery.code or ''} {delivery.state}".strip()
    return str(matched), str(len(selection.picks)), said


def _say_where(mails: Path) -> None:
    kept = count(len(list(mails.glob("*.eml"))), "mail")
    _say(
        ("Mails", f"{near(mails)}/", f"{kept}, each as .html for a browser and as .eml"),
        ("Next", f"{program()} init", "your own, in two minutes"),
    )


def _say(*lines: tuple[str, str, str]) -> None:
    """A name, a place and what is there, one below the other."""
    wide = max(len(place) for _, place, _ in lines)
    for name, place, about in lines:
        print(f"{name:<10}{place:<{wide}}  {about}")


def _serve(house: App, listening: socket.socket) -> None:
    """Show the preview page, and under _PAGES the readers' own, until Ctrl-C."""
    from digest.run import deliver
    from digest.schedule import Scheduler, Tick
    from digest.web import create_app
    from digest.web.preview import create_preview_app, serve_preview

    look, pages = create_preview_app(house, house.store.subscribers.all()), create_app(house)

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        is_readers = f"{scope['path']}/".startswith(f"{_PAGES}/")
        await (pages if is_readers else look)(scope, receive, send)

    # Whoever signs up there is written to at once: to confirm, and then with a welcome.
    answers = Tick("answers", timedelta(seconds=1), lambda: deliver(house))
    with Scheduler([answers]), suppress(KeyboardInterrupt):
        serve_preview(both, listening)


class Mailbox:
    """An SMTP server on a free port of 127.0.0.1 that keeps each mail as NAME.eml and NAME.html.

    NAME is the part of the recipient's address before the @, with a number from the second mail
    on. A mail is on disk before the server says 250.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="mailbox", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        from aiosmtpd.smtp import SMTP

        return await self._loop.create_server(
            lambda: SMTP(self, hostname="mailbox.example.org", loop=self._loop), "127.0.0.1", 0
        )

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        # Connections that are still open end with their tasks.
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def handle_DATA(  # noqa: N802 -- aiosmtpd's name
        self,
        _server: object,
        _session: object,
        envelope: Any,  # noqa: ANN401 -- aiosmtpd ships no types
    ) -> str:
        """Keep a mail, then say so."""
        for recipient in envelope.rcpt_tos:
            name = re.sub(r"[^\w-]", "_", recipient.partition("@")[0])
            self._keep(name, envelope.original_content)
        return "250 accepted"

    def _keep(self, name: str, content: bytes) -> None:
        number, path = 1, self.folder / f"{name}.eml"
        while path.exists():
            number += 1
            path = self.folder / f"{name}-{number}.eml"
        html = BytesParser(policy=policy.default).parsebytes(content).get_body(("html",))
        if html is not None:
            page = html.get_content().replace(FIGURES, "figures/")
            path.with_suffix(".html").write_text(page, encoding="utf-8")
        path.write_bytes(content)
