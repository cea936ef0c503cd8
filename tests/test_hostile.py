"""What no person types and no page sends: numbers without end, NUL, half a surrogate pair."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from house import settings_in
from loopback import serving
from served import ADDRESS, NOW, House
from starlette.requests import Request

from digest.app import App
from digest.papers import Author, Listing, MalformedPaper, Paper, PaperId, tidy
from digest.sources.fields import count
from digest.store import open_store
from digest.web import create_app
from digest.web.kept import Kept, Made
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Schedule, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENDLESS = "9" * 5_000
"""More digits than Python reads (sys.set_int_max_str_digits)."""
BIG = "9" * 30
"""More than a database keeps."""


@pytest.fixture
def house(tmp_path: Path, database_url: str) -> Iterator[House]:
    settings = settings_in(tmp_path, archive="public", signup="open", webhook_secret=b"x" * 32)
    settings = replace(settings, database_url=database_url)
    with open_store(database_url) as store:
        reader = Subscriber(
            ADDRESS, profiles=(Profile("experts"),), schedule=Schedule(zone="Asia/Tokyo")
        )
        number = store.subscribers.add(reader.confirm(NOW), NOW).number
        app = App(settings, store, lambda: NOW)
        with serving(create_app(app)) as site:
            yield House(app, site, number, [NOW])


def test_numbers_without_end_are_no_numbers(house: House) -> None:
    account = house.app.links.url(
        Purpose.ACCOUNT, house.reader.public_id, expires=NOW + timedelta(hours=1)
    ).removeprefix("https://uni.example")
    before = house.reader
    for number in (ENDLESS, BIG):
        asked = [
            house.site.post("/", do="join", email="bo@example.org", hour=number),
            house.site.post("/", do="show", q="a", repair__0=f"{number}:b"),
            house.site.post(account, do="save", paper=number),
            house.site.post(house.path(Purpose.MANAGE), do="save", weekday=number, hour=number),
            house.site.post(house.path(Purpose.MANAGE), do="show", text__0="a", limit__0=number),
        ]
        assert {answer.status for answer in asked} <= {200, 422}
    assert house.reader == before
    assert house.site.post_json("/api/subscribers", email="x@y.example", hour=BIG).status == 422


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_pause_until_the_ends_of_time_is_refused_in_words(house: House, day: str) -> None:
    answer = house.site.post(house.path(Purpose.PAUSE), do="pause", until=day)
    assert answer.status == 200
    assert house.status() is Status.ACTIVE


@pytest.mark.parametrize(
    "path",
    [
        "/paper/a%00b",
        "/cite.bib?paper=%00",
        "/trending?category=%00",
        "/search?q=%00a",
        "/mail?q=%00",
    ],
)
def test_a_nul_in_an_address_is_nothing_that_is_here(house: House, path: str) -> None:
    assert house.site.get(path).status in {200, 404}


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, rb'{"email": "x\ud800@example.org", "q": "a\ud800"}', b"\xff", b"7"]
)
def test_a_program_that_sends_nonsense_is_told_so(house: House, body: bytes) -> None:
    sent = {"content-type": "application/json"}
    assert house.site.ask("POST", "/api/subscribers", body, sent).status == 422


def test_a_webhook_from_another_age_of_the_world_is_refused(house: House) -> None:
    headers = {"webhook-id": "a", "webhook-timestamp": "9" * 12, "webhook-signature": "v1,x"}
    assert house.site.ask("POST", "/hooks/mail", b"{}", headers).status == 403


def test_answers_that_say_nothing_are_not_kept_for_ever() -> None:
    """A redirect has no body, and anybody can make its address another one, and longer."""
    made = list[str]()
    kept = Kept(lambda: "1", budget=20_000)

    def ask(query: str) -> None:
        scope = {"type": "http", "path": "/paper/1", "query_string": query.encode(), "headers": []}

        def make() -> Made:
            made.append(query)
            return Made(b"", moved="/paper/arxiv:2611.00001")

        asyncio.run(kept.answer(Request(scope), make))

    asked = [f"{n:05000}" for n in range(4)]
    for query in [*asked, asked[0], asked[3]]:
        ask(query)
    assert made == [*asked, asked[0]]


def test_a_store_that_fails_is_no_news_of_where_it_stands(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with (
        open_store(settings.database_url) as store,
        serving(create_app(App(settings, store, lambda: NOW))) as site,
    ):
        assert site.get("/health").status == 200
        store.close()
        (tmp_path / "papers.db").unlink()
        answer = site.get("/health")
    assert answer.status == 503
    assert str(tmp_path) not in answer.text
    assert "does not answer" in answer.text


def test_a_paper_of_odd_names_costs_the_others_of_its_list_nothing(house: House) -> None:
    odd = tidy(
        Paper(
            PaperId("arxiv", "2611.00001"),
            "Unlearning",
            authors=(Author("A. Author", semantic_scholar="\ud800\x00"),),
            aliases=(PaperId("doi", "10.1234/a\x00"), PaperId("doi", "10.1234/\ud800")),
            listings=(Listing("arxiv", "arXiv\x00", NOW.date(), category="cs\x00\ud800"),),
        )
    )
    fine = tidy(Paper(PaperId("arxiv", "2611.00002"), "Fine", aliases=(PaperId("doi", "10.1/b"),)))
    store = house.app.store.papers
    assert store.ingest([odd, fine], NOW).new == 2
    assert store.ingest([odd, fine], NOW).same == 2
    kept = {paper.title: paper for paper in store.by_numbers([1, 2]).values()}
    assert kept["Unlearning"].aliases == ()
    assert kept["Fine"].aliases == fine.aliases


def test_a_name_is_no_longer_than_an_index_keeps(house: House) -> None:
    # A word after the other in another order: what repeats would be kept packed, and shorter.
    long = "".join(chr(0x4E00 + n * n * 7919 % 0x5000) for n in range(950))
    with pytest.raises(MalformedPaper, match="is none"):
        tidy(Paper(PaperId("url", f"https://lab.example/{long}"), "Unlearning"))
    listed = (Listing("feed", "Lab", NOW.date(), category=long),)
    odd = tidy(
        Paper(
            PaperId("arxiv", "2611.00001"),
            "Unlearning",
            aliases=(PaperId("doi", f"10.1234/{long}"),),
            listings=listed,
        )
    )
    assert odd.aliases == ()
    assert house.app.store.papers.ingest([odd], NOW).new == 1


def test_a_count_is_one_that_every_database_keeps() -> None:
    assert count(2**31 - 1) == 2**31 - 1
    assert count(2**31) is None
    assert count(str(2**31)) is None
