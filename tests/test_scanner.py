"""A scanner that opens every link of every mail, and every link behind those, changes nothing."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from house import PUBLIC, settings_in
from loopback import Site, serving

from digest.app import App
from digest.notices import Notice, post
from digest.papers import Author, Listing, Paper, PaperId
from digest.roster import Invitation, carry_out, plan
from digest.run import deliver, issue, welcome
from digest.store import open_store
from digest.store.tables import metadata
from digest.web import create_app
from subscribers.profile import Profile
from subscribers.roster import read
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An installation in which every kind of mail was sent."""
    settings = settings_in(tmp_path)
    with open_store(settings.database_url) as store:
        listed = (Listing("arxiv", "arXiv", date(2026, 11, 19)),)
        papers = [
            Paper(PaperId("arxiv", f"{n}"), f"Experts {n}", (Author("A. B"),), listings=listed)
            for n in range(3)
        ]
        store.papers.ingest(papers, NOW)
        app = App(settings, store, lambda: NOW)
        ada = store.subscribers.add(
            Subscriber("ada@example.org", profiles=(Profile("experts"),)).confirm(NOW), NOW
        )
        bo = store.subscribers.add(
            Subscriber("bo@example.org", profiles=(Profile("experts"),)).confirm(NOW), NOW
        )
        new = store.subscribers.add(Subscriber("new@example.org"), NOW)
        rare = Subscriber("cy@example.org", profiles=(Profile("zebrafish"),))
        store.subscribers.add(rare.confirm(NOW - timedelta(days=8)), NOW)
        every_day = replace(rare, address="di@example.org", empty_days=True)
        store.subscribers.add(every_day.confirm(NOW), NOW)
        invited = Invitation("Ada Lovelace", (Profile("experts"),))
        wish = Subscriber("", status=Status.ACTIVE)
        roster = read(("address,keywords\n", "ed@example.org,\n"), wish)
        carry_out(app, plan(app, roster, invited), invited)
        welcome(app, bo)
        for reader in store.subscribers.all():
            if reader.status is Status.ACTIVE:
                store.subscribers.update(replace(reader, next_due=NOW))
        issue(app)
        assert post(app, new, Notice.CONFIRM)
        assert post(app, ada, Notice.ALREADY)
        assert post(app, ada, Notice.LINK)
        assert post(app, ada, Notice.MOVE, new_address="ada@new.example")
        deliver(app)
        sent = {one.kind for one in store.deliveries.history()}
        assert sent == {*Notice, "digest", "welcome"}, "every kind of mail there is"
        yield app


def links_of(app: App) -> set[str]:
    """Every link to this installation in every mail that went out, in both parts and the head."""
    folder = app.settings.smtp_url.removeprefix("eml:")
    found: set[str] = set()
    parser = BytesParser(policy=policy.default)
    for file in Path(folder).glob("*.eml"):
        mail = parser.parsebytes(file.read_bytes())
        texts = [str(mail["List-Unsubscribe"] or "")]
        for kind in ("plain", "html"):
            part = mail.get_body((kind,))
            assert part
            texts.append(part.get_content())
        for text in texts:
            found.update(html.unescape(one) for one in re.findall(PUBLIC + r'[^\s"<>]*', text))
    return found


def everything(app: App) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with app.store.database.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(table.select())]
            for table in metadata.sorted_tables
        }


def test_opening_every_link_and_all_behind_them_changes_no_row(app: App) -> None:
    first = {link.removeprefix("https://uni.example") for link in links_of(app)}
    kinds = {link.split("/")[2] for link in first if link.count("/") >= 3}
    assert kinds >= {"m", "p", "u", "v", "c", "a", "n", "f", "i"}
    before = everything(app)
    with serving(create_app(app)) as site:
        second: set[str] = set()
        for path in sorted(first):
            second |= opened(site, path)
        for path in sorted(second - first):
            opened(site, path)
    assert everything(app) == before


def opened(site: Site, path: str) -> set[str]:
    """Open a page as scanners do, with GET and HEAD; the links it has to pages of ours."""
    page = site.get(path)
    head = site.ask("HEAD", path)
    assert page.status == head.status == 200, path
    assert head.body == b""
    if not page.headers["content-type"].startswith("text/html"):
        return set()
    return {html.unescape(one) for one in re.findall(r'(?:href|src)="(/digest/[^"]*)"', page.text)}
