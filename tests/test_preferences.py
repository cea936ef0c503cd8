"""What the settings page holds beside what tests/test_web.py saves: synonyms, a library."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice, product
from string import ascii_lowercase
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from house import settings_in
from loopback import Site, serving

from digest.app import App
from digest.papers import Listing, Paper, PaperId
from digest.store import open_store
from digest.web import create_app, preferences
from digest.web.pages import Form
from subscribers.links import Purpose
from subscribers.profile import MAX_INTERESTS, Layout, Order, Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
TITLES = ("Mixture of experts", "MoE at scale", "Sparse routing", "Sparse routing of blorb")


@dataclass
class House:
    """An installation with one reader and a few papers, served."""

    app: App
    site: Site
    number: int

    @property
    def reader(self) -> Subscriber:
        return self.app.store.subscribers.by_number(self.number)

    @property
    def library(self) -> list[str]:
        return self.app.store.libraries.of(self.number)

    def post(self, **fields: str) -> str:
        seen = {"seen": preferences.fingerprint(self.reader)}
        token = self.app.links.token(Purpose.MANAGE, self.reader.public_id)
        return self.site.post(f"/digest/m/{token}", **(seen | fields)).text


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = settings_in(tmp_path)
    with open_store(settings.database_url) as store:
        listing = Listing("hf", "Daily Papers", date(2026, 11, 19))
        store.papers.ingest(
            [
                Paper(PaperId.arxiv(f"2611.0000{n}"), title, listings=(listing,))
                for n, title in enumerate(TITLES, start=1)
            ],
            NOW,
        )
        reader = Subscriber("ada@example.org", profiles=(Profile("sparse routing"),))
        number = store.subscribers.add(reader.confirm(NOW), NOW).number
        app = App(settings, store, lambda: NOW)
        with serving(create_app(app)) as site:
            yield House(app, site, number)


def test_every_option_of_an_interest_can_be_chosen_and_undone() -> None:
    chosen = Profile("agents", "Agents", 5, Order.TRENDING, 1.5, Layout.TITLES)
    chosen = replace(chosen, new_versions=True, diverse=False, skip_library=False)
    reader = Subscriber("ada@example.org", profiles=(chosen,), synonyms=("GNN = graph net",))
    sent = Form({name: [value] for name, value in preferences.fields(reader).items()})
    usual = Subscriber("ada@example.org", profiles=(Profile(),))
    edited = preferences.read(sent, usual, NOW)
    assert edited.is_good
    assert edited.reader == reader


def test_saving_the_page_keeps_as_many_interests_and_lines_as_a_reader_may_have() -> None:
    many = "\n".join(f"word{number} and its long tail of words" for number in range(200))
    asked = tuple(Profile(many if n == 0 else f"topic{n}") for n in range(MAX_INTERESTS))
    reader = Subscriber("ada@example.org", profiles=asked)
    sent = Form({name: [value] for name, value in preferences.fields(reader).items()})
    assert preferences.read(sent, reader, NOW).reader.profiles == asked


def test_own_synonyms_are_offered_with_what_they_add_and_act_once_added(house: House) -> None:
    own = {"text-0": "sparse routing", "synonyms": "sparse routing=mixture of experts"}
    page = house.post(do="show", **own)
    assert "mixture of experts would bring 1 more" in page
    assert not house.reader.synonyms
    asked = urlencode({"field": "0", "q": own["text-0"], "synonyms": own["synonyms"]})
    assert "would bring 1 more" in house.site.get(f"/digest/answer?{asked}").text
    house.post(do="save", **own)
    assert list(house.reader.synonyms) == ["sparse routing = mixture of experts"]
    assert house.reader.profiles[0].text == "sparse routing", "nothing acts by itself"
    (repair,) = re.findall(r'name="repair-0" value="([^"]*)"', page)
    house.post(do="save", **own, **{"repair-0": html.unescape(repair)})
    assert house.reader.profiles[0].text == 'sparse routing OR "mixture of experts"'


def test_a_line_that_is_no_synonym_is_told_and_nothing_is_saved(house: House) -> None:
    page = house.post(do="save", **{"text-0": "agents", "synonyms": "GNN, graph nets"})
    assert "“GNN, graph nets” in your own synonyms" in page
    assert "Write it as MoE = mixture of experts" in page
    assert "GNN, graph nets</textarea>" in page, "what was typed stays"
    assert house.reader.profiles[0].text == "sparse routing"


def test_a_library_is_pasted_counted_and_forgotten(house: House) -> None:
    page = house.post(do="library", papers="2611.00003\r\nSparse routing of blorb\r\n??")
    assert "2 papers are in your library now" in page
    assert house.library == ["arxiv:2611.00003", "title:sparse routing of blorb"]
    assert "Your library: 2 ids and titles" in house.post(do="show")
    assert "No paper is named there" in house.post(do="library", papers="??")
    assert "Your library is forgotten" in house.post(do="forget-library")
    assert house.library == []


def test_a_library_of_too_many_papers_is_refused_in_words(house: House) -> None:
    token = house.app.links.token(Purpose.MANAGE, house.reader.public_id)
    letters = ascii_lowercase + "0123"
    titles = "\n".join(" ".join(three) for three in islice(product(letters, repeat=3), 20_001))
    body = f"do=library&papers={titles}".encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    page = house.site.ask("POST", f"/digest/m/{token}", body, headers).text
    assert "Too many at once: these are 20,001 papers; the most is 20,000." in page
    assert house.library == []
