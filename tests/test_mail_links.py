"""Every link of every mail that an installation really sends leads to a page that is there."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx
from house import PUBLIC, settings_in
from loopback import serving

from digest.app import App
from digest.notices import Notice, post
from digest.papers import Listing, Paper, PaperId
from digest.run import deliver, issue, welcome
from digest.store import open_store
from digest.web import create_app
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Schedule, Subscriber

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.add(dict(attrs)["href"] or "")


def paper(number: int) -> Paper:
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        f"Experts, Part {number}",
        abstract="Experts are many.",
        url=f"https://arxiv.org/abs/2611.{number:05}",
        listings=(Listing("arxiv", "arXiv", date(2026, 11, 19)),),
    )


def test_every_link_of_every_mail_answers(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with open_store(settings.database_url) as store:
        app = App(settings, store, lambda: NOW)
        store.papers.ingest([paper(number) for number in range(1, 16)], NOW)

        def add(name: str, layout: Layout = Layout.FULL) -> Subscriber:
            new = Subscriber(
                f"{name}@example.org",
                profiles=(Profile("experts"),),
                schedule=Schedule(zone="Europe/Paris"),
                layout=layout,
            )
            return store.subscribers.add(new.confirm(NOW - timedelta(days=30)), NOW)

        ada = add("ada")
        for layout in Layout:
            add(f"reader-{layout}", layout)
        new = store.subscribers.add(replace(ada, address="new@example.org", number=0), NOW)
        welcome(app, new)
        issue(app, everybody=True)
        for kind in (Notice.ALREADY, Notice.LINK):
            post(app, ada, kind)
        post(app, ada, Notice.MOVE, new_address="ada@elsewhere.example")
        deliver(app)
        links: dict[str, str] = {}
        for file in (tmp_path / "out").glob("*.eml"):
            message = message_from_bytes(file.read_bytes(), policy=policy.default)
            plain = message.get_body(("plain",))
            assert plain is not None
            links |= dict.fromkeys(re.findall(r"https://\S+", plain.get_content()), "text")
            html = message.get_body(("html",))
            assert html is not None
            reader = _Links()
            reader.feed(html.get_content())
            links |= {link: str(message["subject"]) for link in reader.found}
            header = str(message["list-unsubscribe"] or "")
            links |= {way.strip(" <>"): "header" for way in header.split(",") if way}
        ours = {link: told for link, told in links.items() if link.startswith(PUBLIC)}
        kinds = {link.removeprefix(PUBLIC)[:3] for link in ours}
        assert {"/m/", "/p/", "/u/", "/v/", "/f/", ""} <= kinds
        others = set(links) - set(ours)
        assert all(link.startswith(("https://arxiv.org/", "mailto:people@")) for link in others)
        text = "".join(path.read_text("ascii") for path in (tmp_path / "out").glob("*.eml"))
        assert "do=3Dsave" in text
        with serving(create_app(app)) as site:
            for link, told in ours.items():
                answer = httpx.get(link.replace(PUBLIC, f"{site.url}/digest", 1))
                assert answer.status_code == 200, f"{link} of {told!r}: {answer.status_code}"
            all_of_them = next(link for link in ours if link.endswith("?all=1"))
            page = httpx.get(all_of_them.replace(PUBLIC, f"{site.url}/digest", 1)).text
            assert page.count("<h3") == 15
            assert "more matched than fit" not in page
        either = [link for link in links if "/f/" in link and "&do=save" in link]
        assert len(either) >= 8
