"""The archive over real HTTP: lists, filters, pages, search, and not being sent twice."""

from __future__ import annotations

import asyncio
import html
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from house import settings_in
from loopback import Site, serving
from starlette.requests import Request

from digest.app import App
from digest.papers import Author, Listing, Paper, PaperId, Signals
from digest.store import open_store
from digest.web import create_app
from digest.web.kept import Kept, Made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
FRIDAY = date(2026, 11, 20)
BASE = "/digest"


def paper(number: int, day: date = FRIDAY, **more: object) -> Paper:
    plain = Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        f"Paper {number}",
        authors=(Author("Ines Harrow"),),
        categories=("cs.LG",),
        listings=(Listing("arxiv", "arXiv", day),),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


@dataclass
class House:
    app: App
    site: Site

    def put(self, *papers: Paper) -> None:
        for one in papers:
            self.app.store.papers.ingest([one], self.app.clock())

    def page(self, path: str) -> str:
        answer = self.site.get(BASE + path)
        assert answer.status == 200, answer.text
        return answer.text

    def titles(self, path: str) -> list[str]:
        found = re.findall(r"<h2[^>]*><a [^>]*>(.*?)</a></h2>", self.page(path))
        return [html.unescape(re.sub(r"</?mark>", "", title)) for title in found]


@contextmanager
def opened(folder: Path, archive: str = "public") -> Iterator[House]:
    settings = settings_in(
        folder,
        archive=archive,
    )
    with open_store(settings.database_url) as store:
        app = App(settings, store, lambda: NOW)
        with serving(create_app(app)) as site:
            yield House(app, site)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with opened(tmp_path) as house:
        yield house


class TestLists:
    def test_a_day_shows_each_paper_as_daily_papers_do(self, house: House) -> None:
        liked = paper(
            2,
            title="Loss < 0.1",
            organization="Lindqvist Institute",
            signals=Signals(48, 7),
            discussion_url="https://talk.example/2",
        )
        house.put(paper(1), liked)
        assert house.titles("/day/2026-11-20") == ["Loss < 0.1", "Paper 1"]
        shown = html.unescape(house.page("/day/2026-11-20")).replace("\xa0", " ")
        assert "<h1>Friday 20 November 2026</h1>" in shown
        assert '<strong dir="auto">Lindqvist Institute</strong> · <bdi>Ines Harrow' in shown
        assert "arXiv cs.LG · 20 Nov 2026 · 48 upvotes" in shown
        assert '<a href="https://talk.example/2"' in shown
        assert ">7 comments</a>" in shown

    def test_the_bare_address_is_the_newest_day(self, house: House) -> None:
        house.put(paper(1, FRIDAY - timedelta(days=1)), paper(2, FRIDAY))
        assert house.titles("/day") == ["Paper 2"]
        assert house.titles("/week") == ["Paper 2", "Paper 1"]
        canonical = '<link rel="canonical" href="https://uni.example/digest/day/2026-11-20">'
        assert canonical in house.page("/day")
        assert "Earlier: Thu 19 Nov" in house.page("/day")

    @pytest.mark.parametrize(
        ("path", "titles"),
        [
            ("/week/2026-W47", ["Paper 3", "Paper 2"]),
            ("/month/2026-11", ["Paper 3", "Paper 2", "Paper 1"]),
            ("/month/2026-10", ["Paper 4"]),
            ("/day/2026-11-19", []),
        ],
    )
    def test_weeks_and_months(self, house: House, path: str, titles: list[str]) -> None:
        days = (date(2026, 11, 1), date(2026, 11, 16), FRIDAY, date(2026, 10, 31))
        house.put(*(paper(number, day) for number, day in enumerate(days, 1)))
        assert house.titles(path) == titles

    @pytest.mark.parametrize(
        "path",
        ["/day/2026-11-31", "/day/20261120", "/day/x", "/week/2026-W54", "/week/2026-47",
         "/month/2026-13", "/month/2026-11-20", "/day/2027-01-01", "/day/2026-11-20?page=2",
         "/day/2026-11-20?page=0", "/day/2026-11-20?page=1e9", "/day/0001-01-01",
         "/week/9999-W53", "/month/9999-12"],
    )  # fmt: skip
    def test_what_is_not_there_is_said_so(self, house: House, path: str) -> None:
        house.put(paper(1))
        assert house.site.get(BASE + path).status == 404

    def test_a_day_to_come_is_not_called_empty(self, house: House) -> None:
        house.put(paper(1))
        told = house.site.get(BASE + "/day/2026-11-21").text
        assert "Saturday 21 November 2026 is not listed yet. /day has the newest." in told
        told = house.site.get(BASE + "/day/2026-11-02").text
        assert "Monday 2 November 2026 holds nothing: the archive begins later." in told

    def test_an_empty_archive_is_a_page_too(self, house: House) -> None:
        for path in ("/day", "/week", "/month", "/trending", "/search", "/search?q=agents"):
            assert house.titles(path) == []

    def test_filters_narrow_a_list_and_stay_while_it_is_turned(self, house: House) -> None:
        other = paper(99, categories=("cs.CL",), organization="Größe & Söhne")
        house.put(other, *(paper(number) for number in range(1, 53)))
        assert house.titles("/day?category=cs.CL") == ["Paper 99"]
        assert house.titles(f"/day?organization={quote('Größe & Söhne')}") == ["Paper 99"]
        assert house.titles("/day?source=arXiv&category=cs.CL") == ["Paper 99"]
        assert house.titles("/day?source=Daily+Papers") == []
        page = house.page("/day?category=cs.LG")
        assert "52\N{NO-BREAK SPACE}papers of cs.LG" in page
        following = re.search(r'<a rel="next" data-key="next" href="([^"]*)"', page)
        assert following
        rest = house.titles(html.unescape(following[1]).removeprefix(BASE))
        assert rest == ["Paper 2", "Paper 1"]

    def test_trending_is_votes_an_hour(self, house: House) -> None:
        old, new = paper(1, signals=Signals(90)), paper(2, signals=Signals(20))
        house.app.store.papers.ingest([old], NOW - timedelta(days=3))
        house.put(new, paper(3))
        assert house.titles("/trending") == ["Paper 2", "Paper 1"]
        assert house.titles("/trending?category=cs.CL") == []

    def test_a_page_can_be_shared(self, house: House) -> None:
        house.put(paper(1))
        page = house.page("/day/2026-11-20")
        for name, content in (
            ("og:title", "Friday 20 November 2026 · Paper Digest"),
            ("og:url", "https://uni.example/digest/day/2026-11-20"),
            ("og:site_name", "Paper Digest"),
        ):
            assert f'<meta property="{name}" content="{content}">' in page
        assert '<meta name="twitter:card" content="summary">' in page
        for kind in ("rss", "atom", "json"):
            assert f'href="/digest/feed.{kind}"' in page


class TestNotTwice:
    def test_what_a_browser_has_is_not_sent_again(self, house: House) -> None:
        house.put(paper(1))
        for path in ("/day", "/trending", "/search?q=paper"):
            first = house.site.get(BASE + path)
            tag = first.headers["etag"]
            for asked in (tag, f"W/{tag}", f'"other", {tag}', "*"):
                again = house.site.ask("GET", BASE + path, headers={"If-None-Match": asked})
                assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
            assert house.site.ask("GET", BASE + path, headers={"If-None-Match": '"x"'}).body
            assert first.headers["cache-control"] == "no-cache"

    def test_a_new_paper_or_vote_is_there_at_once(self, house: House) -> None:
        house.put(paper(1))
        first = house.site.get(BASE + "/day")
        house.put(paper(2))
        second = house.site.ask(
            "GET", BASE + "/day", headers={"If-None-Match": first.headers["etag"]}
        )
        assert second.status == 200
        assert house.titles("/day") == ["Paper 2", "Paper 1"]
        house.put(paper(1, signals=Signals(upvotes=5)))
        assert house.titles("/day") == ["Paper 1", "Paper 2"]

    def test_head_is_answered_without_a_body(self, house: House) -> None:
        answer = house.site.ask("HEAD", BASE + "/day")
        assert (answer.status, answer.body) == (200, b"")
        assert int(answer.headers["content-length"]) > 500

    def test_what_is_kept_is_bounded_and_forgotten_with_its_revision(self) -> None:
        revision, made = ["1"], list[str]()
        kept = Kept(lambda: revision[0], budget=2_500)

        def ask(path: str) -> None:
            scope = {"type": "http", "path": path, "query_string": b"", "headers": [],
                     "scheme": "http", "server": ("here", 80), "method": "GET"}  # fmt: skip

            def make() -> Made:
                made.append(path)
                return Made(b"x" * 100)

            asyncio.run(kept.answer(Request(scope), make))

        for path in "ababcab":  # c is one too many: a, asked for longest ago, goes
            ask(path)
        assert "".join(made) == "abcab"
        revision[0] = "2"
        ask("b")
        assert "".join(made) == "abcabb"

    def test_what_others_write_is_seen_at_once_though_nobody_asks_while_nothing_is(
        self, house: House
    ) -> None:
        house.put(paper(1))
        store, asked = house.app.store, list[str]()
        archive = store.archive

        def revision() -> str:
            asked.append("")
            return archive.revision()

        kept = Kept(revision, archive.changes)

        def shown() -> bytes:
            scope = {"type": "http", "path": "/", "query_string": b"", "headers": []}
            answer = kept.answer(Request(scope), lambda: Made(b"%d" % store.papers.count()))
            return bytes(asyncio.run(answer).body)

        assert [shown(), shown(), shown()] == [b"1"] * 3
        assert len(asked) == (1 if archive.changes() is not None else 3)
        with open_store(store.database.url.render_as_string(hide_password=False)) as other:
            other.papers.ingest([paper(2)], NOW)
        assert [shown(), shown()] == [b"2"] * 2
        assert len(asked) == (2 if archive.changes() is not None else 5)


class TestSearch:
    def test_it_finds_marks_and_quotes(self, house: House) -> None:
        house.put(
            paper(1, title="A Mixture of Experts", abstract="Experts."),
            paper(
                2,
                title="Routing",
                abstract=f"{'So long. ' * 60}A mixture of experts, <b>really</b>.",
            ),
        )
        assert house.titles("/search?q=mixture+of+experts") == ["Routing", "A Mixture of Experts"]
        page = house.page("/search?q=mixture+of+experts")
        assert "A <mark>Mixture of Experts</mark>" in page
        assert "A <mark>mixture of experts</mark>, &lt;b&gt;" in page
        assert "Papers with all of the words mixture of experts" in page

    def test_a_mistake_is_told_with_its_repairs_and_the_other_lines_are_answered(
        self, house: House
    ) -> None:
        house.put(paper(1, title="Agents"))
        asked = urlencode({"q": 'agents\n"unlearning'})
        page = house.page(f"/search?{asked}")
        assert "<strong>Line 2:</strong>" in page
        assert house.titles(f"/search?{asked}") == ["Agents"]
        repair = re.search(r'name="repair-0" value="([^"]*)"', page)
        assert repair
        mended = urlencode({"repair-0": html.unescape(repair[1])})
        assert "agents\n&#34;unlearning&#34;</textarea>" in house.page(f"/search?{asked}&{mended}")

    def test_older_papers_are_a_page_away_and_none_is_twice(self, house: House) -> None:
        house.put(*(paper(number, FRIDAY - timedelta(days=number)) for number in range(1, 46)))
        seen, path = [], "/search?q=paper"
        while path:
            seen += house.titles(path)
            following = re.search(r'<a rel="next" data-key="next" href="([^"]*)"', house.page(path))
            path = html.unescape(following[1]).removeprefix(BASE) if following else ""
        assert seen == [f"Paper {number}" for number in range(1, 46)]

    def test_exclusions_alone_are_all_other_papers(self, house: House) -> None:
        house.put(paper(1), paper(2, title="Images"))
        assert house.titles("/search?q=-image") == ["Paper 1"]

    @pytest.mark.parametrize(
        "text", ["(", '"', "a" * 9000, "\x00", "'; DROP TABLE paper; --", "<script>", "*", ":)"]
    )
    def test_no_text_breaks_it_or_the_page(self, house: House, text: str) -> None:
        house.put(paper(1))
        page = house.page(f"/search?{urlencode({'q': text})}")
        assert "<script>" not in page.replace("<script src", "")
        assert house.app.store.papers.count() == 1


def test_a_closed_archive_has_no_lists_no_search_and_no_links_to_them(tmp_path: Path) -> None:
    with opened(tmp_path, archive="closed") as house:
        house.put(paper(1))
        for path in ("/day", "/week", "/month", "/trending", "/search?q=paper"):
            assert house.site.get(BASE + path).status == 404
        assert "/search" not in house.page("/")
        assert f'<a href="{BASE}/settings">My settings</a>' in house.page("/")
