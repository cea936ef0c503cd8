"""Behind Debian's nginx, with the lines of docs/operating.md, at an address with a path."""

from __future__ import annotations

import html
import http.client
import os
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import pytest
from conftest import needs
from house import settings_in
from loopback import Site, serving

from digest.app import App
from digest.papers import Author, Listing, Paper, PaperId
from digest.store import open_store
from digest.web import create_app
from digest.web.guard import MAX_BODY
from subscribers.links import Purpose
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.web.signup import Desk

NGINX: Final = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
OPERATING: Final = Path(__file__).parent.parent / "docs" / "operating.md"
FOLDERS: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass
class House:
    """An installation with one reader, behind nginx."""

    app: App
    desk: Desk
    site: Site
    hands: list[datetime]

    def path(self, purpose: Purpose) -> str:
        (reader,) = self.app.store.subscribers.all()
        return self.app.links.url(purpose, reader.public_id).removeprefix("https://uni.example")


def documented() -> str:
    """The lines for nginx as the documentation has them."""
    blocks = re.findall(r"```\n(.*?)```", OPERATING.read_text("utf-8"), re.DOTALL)
    (block,) = [block for block in blocks if "proxy_pass" in block]
    return str(block)


@pytest.fixture(params=["as documented", "path stripped"])
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    needs(NGINX, "nginx", "apt-get install nginx")
    settings = settings_in(tmp_path)
    hands = [datetime(2026, 11, 20, 5, 0, tzinfo=UTC)]
    with open_store(settings.database_url) as store:
        app = App(settings, store, lambda: hands[0])
        store.subscribers.add(Subscriber("ada@example.org").confirm(hands[0]), hands[0])
        web = create_app(app)
        with serving(web, proxies=settings.proxies) as behind:
            lines = documented().replace("127.0.0.1:8000", f"127.0.0.1:{behind.port}")
            if request.param == "path stripped":
                lines = lines.replace(f":{behind.port};", f":{behind.port}/;")
            with before(tmp_path, lines) as site:
                yield House(app, web.state.desk, site, hands)


class before:  # noqa: N801 -- it is used like a function
    """nginx with these lines in its server, until the block ends."""

    def __init__(self, folder: Path, lines: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.conf = folder / "nginx.conf"
        temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in FOLDERS)
        user = "user root;\n" if os.geteuid() == 0 else ""
        self.conf.write_text(
            f"{user}pid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\nworker_processes 1;\n"
            f"events {{ worker_connections 64; }}\nhttp {{\naccess_log off;\n{temporary}"
            f"server {{\nlisten 127.0.0.1:{self.port};\n{lines}}}\n}}\n"
        )
        self.command = [str(NGINX), "-q", "-c", str(self.conf), "-e", str(folder / "nginx.log")]

    def __enter__(self) -> Site:
        # It returns once it listens, and goes on in the background.
        subprocess.run(self.command, check=True)
        return Site(self.port)

    def __exit__(self, *_: object) -> None:
        subprocess.run([*self.command, "-s", "stop"], check=True)


def test_pages_and_all_they_need_are_there_under_the_path(house: House) -> None:
    page = house.site.get("/digest/")
    assert page.status == 200
    own = set(re.findall(r'(?:href|src)="(/[^"?]*)"', page.text))
    assert "/digest/static/site.css" in own
    for path in own:
        assert path.startswith("/digest/")
        assert house.site.get(path).status == 200, path
    assert house.site.get("/digest").status in {200, 301}
    assert house.site.get("/digest/nothing").status == 404


def test_every_link_of_the_archive_resolves_under_the_path(house: House) -> None:
    listed = (Listing("arxiv", "arXiv", date(2026, 11, 19)),)
    papers = [
        Paper(
            PaperId("arxiv", f"2611.{n:05}"),
            f"Routing Agents {n}",
            authors=(Author("Ines Harrow"),),
            categories=("cs.LG",),
            listings=listed,
        )
        for n in range(1, 60)
    ]
    house.app.store.papers.ingest(papers, house.hands[0])
    known, waiting = {"/digest/day"}, ["/digest/day"]
    kinds = set()
    while waiting:
        path = waiting.pop()
        answer = house.site.get(path)
        assert answer.status == 200, path
        kinds.add(path.split("?")[0].split("/")[2])
        if not answer.headers["content-type"].startswith("text/html") or "/paper/" in path:
            continue
        links = re.findall(r'(?:href|src|action)="([^"#]+)"', answer.text)
        own = {html.unescape(link) for link in links if not link.startswith(("http", "mailto:"))}
        assert not [link for link in own if not link.startswith("/digest")], path
        waiting += sorted(own - known)
        known |= own
    assert kinds >= {"day", "week", "month", "trending", "paper", "search", "settings", "static"}
    assert kinds >= {"feed.rss", "feed.atom", "feed.json"}


def test_one_click_and_settings_work(house: House) -> None:
    assert house.site.get(house.path(Purpose.MANAGE)).status == 200
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = house.site.ask(
        "POST", house.path(Purpose.UNSUBSCRIBE), b"List-Unsubscribe=One-Click", headers
    )
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    (reader,) = house.app.store.subscribers.all()
    assert reader.status is Status.UNSUBSCRIBED


def test_a_body_too_long_is_refused(house: House) -> None:
    assert house.site.ask("POST", "/digest/", b"x" * (MAX_BODY + 1)).status == 413


def test_limits_count_who_really_asks_whatever_they_say_they_are(house: House) -> None:
    now = house.hands[0]
    stamps = [house.desk.stamps.give(now) for _ in range(30)]
    house.hands[0] += timedelta(seconds=5)
    answers = [
        sign_up(house.site.port, f"a@d{n}.example", stamp, "127.0.0.2", claims=f"203.0.113.{n}")
        for n, stamp in enumerate(stamps)
    ]
    assert (answers.count(200), answers.count(429)) == (20, 10)
    stamp = house.desk.stamps.give(now)
    assert sign_up(house.site.port, "bo@example.org", stamp, "127.0.1.3") == 200


def sign_up(port: int, email: str, stamp: str, source: str, claims: str = "") -> int:
    """Send the form from an address of this machine; `claims` is what it says of itself."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=20, source_address=(source, 0)
    )
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if claims:
        headers["x-forwarded-for"] = claims
    body = urlencode({"do": "join", "email": email, "stamp": stamp})
    connection.request("POST", "/digest/", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status
