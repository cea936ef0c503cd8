"""An installation with one reader, its pages served over real HTTP; for tests of the pages."""

from __future__ import annotations

import html
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from house import PUBLIC, settings_in
from loopback import Answer, Site, serving

from digest.app import App
from digest.papers import Listing, Paper, PaperId
from digest.store import open_store
from digest.web import create_app
from digest.web.months import NAME
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Schedule, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
ADDRESS = "ada@example.org"


@dataclass
class House:
    """An installation with one reader, served; the clock's hands stand where they are put."""

    app: App
    site: Site
    number: int
    hands: list[datetime]

    @property
    def reader(self) -> Subscriber:
        return self.app.store.subscribers.by_number(self.number)

    def status(self) -> Status:
        return self.reader.status

    def put(self, reader: Subscriber) -> None:
        self.app.store.subscribers.update(reader)

    def path(self, purpose: Purpose) -> str:
        url = self.app.links.url(purpose, self.reader.public_id)
        assert url.startswith(PUBLIC)
        return url.removeprefix("https://uni.example")

    def fields(self, **changed: str) -> dict[str, str]:
        """What the browser sends when nothing but this was changed on the settings page."""
        return form_fields(self.site.get(self.path(Purpose.MANAGE)).text) | changed

    def save(self, fields: dict[str, str]) -> Answer:
        return self.site.post(self.path(Purpose.MANAGE), **fields)


@contextmanager
def reading_late(app: App) -> Iterator[tuple[Site, Callable[[], None]]]:
    """The pages while the papers behind the live answer are read; the call lets that end."""
    may_read = threading.Event()

    def clock() -> datetime:
        """Whoever reads the papers asks the time first, and is held up there."""
        if threading.current_thread().name == NAME:
            may_read.wait(60)
        return app.clock()

    web = create_app(replace(app, clock=clock))
    reading = web.state.months.begin()

    def read() -> None:
        may_read.set()
        reading.join()

    with serving(web) as site:
        yield site, read


def form_fields(page: str) -> dict[str, str]:
    """The first form of a page as a browser would send it untouched (WHATWG form submission)."""
    form = page[page.index("<form") : page.index("</form>")]
    fields: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = {
            name: html.unescape(value) for name, value in re.findall(r'(\S+)="([^"]*)"', tag)
        }
        if attributes.get("type") != "checkbox" or " checked" in tag:
            fields[attributes["name"]] = attributes.get("value", "")
    for name, text in re.findall(
        r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL
    ):
        fields[name] = html.unescape(text).replace("\n", "\r\n")
    select = r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>'
    for name, options in re.findall(select, form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(
            r'value="([^"]*)"', options
        )
        assert chosen
        fields[name] = html.unescape(chosen[1])
    return fields


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = settings_in(tmp_path)
    with open_store(settings.database_url) as store:
        reader = Subscriber(
            ADDRESS,
            profiles=(Profile("mixture of experts\nunlearning -image"),),
            schedule=Schedule(zone="Europe/Paris"),
        ).confirm(NOW)
        number = store.subscribers.add(reader, NOW).number
        hands = [NOW]
        app = App(settings, store, lambda: hands[0])
        with serving(create_app(app)) as site:
            yield House(app, site, number, hands)


def paper(number: int, title: str, abstract: str = "") -> Paper:
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title,
        abstract=abstract,
        url=f"https://arxiv.org/abs/2611.{number:05}",
        listings=(Listing("arxiv", "arXiv", date(2026, 11, 19)),),
    )


PAPERS = (
    paper(1, "Routing a Mixture of Experts"),
    paper(2, "Unlearning without Images"),
    paper(3, "A <script>alert(1)</script> of Paints", "Nothing about any of it."),
)


@pytest.fixture
def listed(house: House) -> House:
    """The installation with three papers in it."""
    house.app.store.papers.ingest(PAPERS, NOW)
    return house
