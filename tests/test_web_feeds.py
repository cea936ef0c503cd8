"""Feeds over real HTTP: of everything, of any text, of one reader; asked for again and again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from test_web_archive import BASE, FRIDAY, NOW, House, opened, paper

from digest.papers import Author, Signals
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with opened(tmp_path) as house:
        yield house


def titles(house: House, path: str) -> list[str]:
    return [item["title"] for item in json.loads(house.site.get(BASE + path).text)["items"]]


def joined(house: House, *profiles: Profile, **more: object) -> tuple[Subscriber, str]:
    """A reader, and the path of their feed."""
    reader = Subscriber("ada@example.org", profiles=profiles).confirm(NOW)
    stored = house.app.store.subscribers.add(replace(reader, **more), NOW)  # type: ignore[arg-type]
    url = house.app.links.url(Purpose.FEED, stored.public_id)
    return stored, url.removeprefix("https://uni.example/digest")


class TestEverybodys:
    def test_everything_and_any_text_newest_first(self, house: House) -> None:
        house.put(
            paper(1, FRIDAY - timedelta(days=60), title="Old Agents"),
            paper(2, title="Agents"),
            paper(3, title="Routing"),
        )
        assert titles(house, "/feed.json") == ["Routing", "Agents", "Old Agents"]
        asked = urlencode({"q": 'agents\n"broken'})
        assert titles(house, f"/feed.json?{asked}") == ["Agents", "Old Agents"]

    @pytest.mark.parametrize("kind", ["rss", "atom", "json"])
    def test_formulas_are_set_as_on_the_pages(self, house: House, kind: str) -> None:
        house.put(paper(1, title=r"Into $8\times 2$B Mixtures", abstract=r"With $\beta=1$."))
        feed = house.site.get(f"{BASE}/feed.{kind}").text
        assert "Into 8×2B Mixtures" in feed
        assert "With β = 1." in feed

    def test_it_is_no_longer_than_fifty(self, house: House) -> None:
        house.put(*(paper(number) for number in range(1, 71)))
        found = titles(house, "/feed.json?q=paper")
        assert (len(found), found[0]) == (50, "Paper 70")

    @pytest.mark.parametrize("kind", ["rss", "atom", "json"])
    def test_what_a_reader_has_is_not_sent_again(self, house: House, kind: str) -> None:
        house.put(paper(1))
        path = f"{BASE}/feed.{kind}?q=paper"
        first = house.site.get(path)
        has_tag = {"If-None-Match": first.headers["etag"]}
        has_date = {"If-Modified-Since": first.headers["last-modified"]}
        for asked in (has_tag, has_date):
            again = house.site.ask("GET", path, headers=asked)
            assert (again.status, again.body) == (304, b"")
        both = house.site.ask("GET", path, headers={"If-None-Match": '"x"', **has_date})
        assert both.status == 200, "a tag is more than a date"
        for broken in ("", "yesterday", "Fri, 99 Nov 2026 07:00:00 GMT", "0"):
            assert house.site.ask("GET", path, headers={"If-Modified-Since": broken}).body
        assert first.headers["cache-control"] == "max-age=600"

    def test_a_new_paper_is_in_it_and_a_vote_is_no_news(self, house: House) -> None:
        house.put(paper(1))
        first = house.site.get(f"{BASE}/feed.atom").headers["etag"]
        house.put(paper(1, signals=Signals(upvotes=9)))
        asked = {"If-None-Match": first}
        assert house.site.ask("GET", f"{BASE}/feed.atom", headers=asked).status == 304
        house.app.store.papers.ingest([paper(2)], NOW + timedelta(hours=1))
        assert house.site.ask("GET", f"{BASE}/feed.atom", headers=asked).status == 200

    def test_pages_say_where_their_feeds_are(self, house: House) -> None:
        for path, asked in (("/", ""), ("/day", ""), ("/search?q=agents", "?q=agents")):
            found = re.findall(
                r'<link rel="alternate" type="([^"]*)" title="[^"]*" href="([^"]*)">',
                house.page(path),
            )
            assert found == [
                ("application/rss+xml", f"{BASE}/feed.rss{asked}"),
                ("application/atom+xml", f"{BASE}/feed.atom{asked}"),
                ("application/feed+json", f"{BASE}/feed.json{asked}"),
            ]

    def test_an_empty_feed_is_a_feed_and_stays_the_same(self, house: House) -> None:
        first, second = (house.site.get(f"{BASE}/feed.rss") for _ in range(2))
        assert first.headers["etag"] == second.headers["etag"]
        assert ET.fromstring(first.body).find("channel/item") is None  # noqa: S314 -- our own

    def test_a_closed_archive_has_none_and_leads_to_none(self, tmp_path: Path) -> None:
        folder = tmp_path / "closed"
        folder.mkdir()
        with opened(folder, archive="closed") as house:
            assert house.site.get(f"{BASE}/feed.rss").status == 404
            assert "feed." not in house.page("/")
            _, path = joined(house, Profile("agents"))
            house.put(paper(1, title="Agents"))
            assert titles(house, f"{path}.json") == ["Agents"]


class TestOnesOwn:
    def test_all_interests_less_what_is_muted(self, house: House) -> None:
        house.put(
            paper(1, title="Agents"),
            paper(2, title="Routing agents", authors=(Author("Pavel Tomsa"),)),
            paper(3, title="Routing"),
            paper(4, title="Routing images"),
            paper(5, title="Elsewhere"),
        )
        _, path = joined(
            house,
            Profile("agents"),
            Profile("routing", name="Ways"),
            muted_words=("image",),
            muted_authors=("Pavel Tomsa",),
        )
        assert titles(house, f"{path}.json") == ["Routing", "Agents"]
        feed = json.loads(house.site.get(f"{BASE}{path}.json").text)
        assert feed["title"] == "Paper Digest: agents, Ways"
        assert feed["feed_url"] == f"https://uni.example/digest{path}.json"

    def test_without_keywords_it_is_the_top_ten_of_each_day(self, house: House) -> None:
        house.put(*(paper(n, signals=Signals(upvotes=n)) for n in range(1, 15)))
        _, path = joined(house, Profile())
        assert titles(house, f"{path}.json") == [f"Paper {n}" for n in range(14, 4, -1)]

    def test_nobody_else_keeps_or_finds_it(self, house: House) -> None:
        _, path = joined(house, Profile("agents"))
        answer = house.site.get(f"{BASE}{path}.atom")
        assert answer.headers["cache-control"] == "private, max-age=600"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert "ada" not in answer.text
        again = house.site.ask(
            "GET", f"{BASE}{path}.atom", headers={"If-None-Match": answer.headers["etag"]}
        )
        assert again.status == 304

    def test_it_goes_on_in_a_pause_and_ends_with_leaving(self, house: House) -> None:
        reader, path = joined(house, Profile("agents"))
        store = house.app.store.subscribers
        store.update(reader.pause(None, NOW))
        assert house.site.get(f"{BASE}{path}.rss").status == 200
        store.update(reader.unsubscribe())
        assert house.site.get(f"{BASE}{path}.rss").status == 404
        assert store.by_number(reader.number).status is Status.UNSUBSCRIBED

    def test_another_purpose_or_a_changed_token_opens_nothing(self, house: House) -> None:
        reader, path = joined(house, Profile("agents"))
        manage = house.app.links.token(Purpose.MANAGE, reader.public_id)
        for token in (manage, path[3:-1], path[3:] + "A", "x"):
            assert house.site.get(f"{BASE}/r/{token}.rss").status == 404
        assert house.site.get(f"{BASE}{path}.exe").status == 404

    def test_the_settings_page_has_it(self, house: House) -> None:
        reader, path = joined(house, Profile("agents"))
        manage = house.app.links.url(Purpose.MANAGE, reader.public_id)
        assert f'href="{BASE}{path}.rss"' in house.page(manage.partition("/digest")[2])
