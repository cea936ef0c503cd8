"""A paper's own page: one address, all listings, counts over time, what is like it, citations."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_web_archive import BASE, FRIDAY, NOW, House, opened, paper

from digest.papers import Author, Listing, ListingKind, PaperId, Signals
from digest.web.plot import HEIGHT, WIDTH, plots
from digest.web.similar import rarities

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with opened(tmp_path) as house:
        yield house


class TestOneAddress:
    def test_every_other_name_leads_to_it(self, house: House) -> None:
        house.put(paper(1, aliases=(PaperId.doi("10.1000/x"),)))
        number = house.app.store.archive.number_of("arxiv:2611.00001")
        assert '<h1 dir="auto">Paper 1</h1>' in house.page("/paper/arxiv:2611.00001")
        for name in ("doi:10.1000/x", str(number)):
            answer = house.site.get(f"{BASE}/paper/{name}")
            assert answer.status == 301
            assert answer.headers["location"] == f"{BASE}/paper/arxiv:2611.00001"

    def test_a_paper_named_by_its_url_is_at_its_number(self, house: House) -> None:
        house.put(replace(paper(1), id=PaperId("url", "https://example.org/1?a=b")))
        (path,) = re.findall(r'<h2[^>]*><a href="([^"]*)"', house.page("/day"))
        assert re.fullmatch(BASE + r"/paper/\d+", path)
        assert '<h1 dir="auto">Paper 1</h1>' in house.site.get(path).text

    @pytest.mark.parametrize(
        "name", ["arxiv:0", "0", "99", "9" * 30, "", "..%2F..", "%00", "x:" + "y" * 5000]
    )
    def test_nobody_is_404(self, house: House, name: str) -> None:
        assert house.site.get(f"{BASE}/paper/{name}").status == 404


class TestThePage:
    def test_it_says_where_it_was_listed_and_where_to_go(self, house: House) -> None:
        first = paper(
            1,
            FRIDAY - timedelta(days=1),
            title="Loss < 0.1",
            organization="Lindqvist Institute",
            abstract="On routing.",
            summary="A summary.",
            keywords=("routing",),
            url="https://arxiv.org/abs/2611.00001",
            pdf_url="https://arxiv.org/pdf/2611.00001",
            code_url="https://github.com/lindqvist/regret",
            image_url="https://papers.example/1.png",
            signals=Signals(3, 2, 1300),
            discussion_url="https://talk.example/1",
        )
        featured = (Listing("hf", "Daily Papers", FRIDAY, ListingKind.FEATURED),)
        newer = (Listing("arxiv", "arXiv", FRIDAY, ListingKind.REPLACE, version=2),)
        house.put(first, replace(first, listings=featured), replace(first, listings=newer))
        page = html.unescape(house.page("/paper/arxiv:2611.00001")).replace("\xa0", " ")
        rows = re.findall(
            r'<th scope="row">(.*?)</th><td class="how">(.*?)</td><td>.*?>(.*?)</a>', page
        )
        assert rows == [
            ("arXiv", "listed", "19 Nov 2026"),
            ("Daily Papers", "featured", "20 Nov 2026"),
            ("arXiv", "version 2", "20 Nov 2026"),
        ]
        links = re.findall(r'<a href="(https://[^"]*)" rel="noreferrer">(.*?)</a>', page)
        assert links == [
            ("https://arxiv.org/abs/2611.00001", "arXiv"),
            ("https://arxiv.org/pdf/2611.00001", "PDF"),
            ("https://github.com/lindqvist/regret", "GitHub 1.3k"),
            ("https://talk.example/1", "2 comments"),
        ]
        assert '<meta property="og:image" content="https://papers.example/1.png">' in page
        assert '<meta name="description" content="A summary.">' in page
        for asked in ("author%3A%22Ines+Harrow%22", "category%3A%22cs.LG%22", "%22routing%22"):
            (path,) = set(re.findall(rf'href="([^"]*q={re.escape(asked)})"', page))
            assert house.titles(path.removeprefix(BASE)) == ["Loss < 0.1"]

    def test_counts_over_time_are_drawn_and_said(self, house: House) -> None:
        for hours, upvotes in ((0, 1), (24, 9)):
            said = paper(1, signals=Signals(upvotes=upvotes, comments=2))
            house.app.store.papers.ingest([said], NOW + timedelta(hours=hours))
        page = house.page("/paper/arxiv:2611.00001")
        assert 'aria-label="Upvotes from 1 on 20 Nov 2026 to 9 on 21 Nov 2026."' in page
        assert page.count("<svg") == 1

    def test_a_vote_is_on_it_at_once(self, house: House) -> None:
        house.put(paper(1))
        house.page("/paper/arxiv:2611.00001")
        house.put(paper(1, signals=Signals(upvotes=7)))
        assert "7\N{NO-BREAK SPACE}upvotes" in house.page("/paper/arxiv:2611.00001")

    def test_what_shares_its_rare_words_is_similar(self, house: House) -> None:
        house.put(
            paper(1, title="Machine Unlearning of Whole Classes"),
            paper(2, title="A Budget", abstract="For machine unlearning of classes."),
            paper(3, title="Auditing Machine Unlearning"),
            *(paper(number, title=f"The Machine of Number {number}") for number in range(4, 20)),
        )
        page = house.page("/paper/arxiv:2611.00001")
        assert re.findall(r"<h3[^>]*><a [^>]*>(.*?)</a>", page) == [
            "A Budget",
            "Auditing Machine Unlearning",
        ]

    def test_nothing_is_like_what_stands_alone(self, house: House) -> None:
        house.put(paper(1, title="Zebrafish"), paper(2, title="Routing"))
        assert "Similar papers" not in house.page("/paper/arxiv:2611.00001")

    def test_it_is_cited(self, house: House) -> None:
        house.put(paper(1, title="Routing", authors=(Author("Ines Harrow"),)))
        for kind, media, begins in (
            ("bib", "application/x-bibtex", "@misc{harrow2026routing,"),
            ("ris", "application/x-research-info-systems", "TY  - UNPB\r\n"),
        ):
            answer = house.site.get(f"{BASE}/cite.{kind}?paper=arxiv%3A2611.00001")
            assert answer.headers["content-type"] == f"{media}; charset=utf-8"
            assert answer.text.startswith(begins)
        assert house.site.get(f"{BASE}/cite.doc?paper=arxiv%3A2611.00001").status == 404
        assert house.site.get(f"{BASE}/cite.bib").status == 404


counts = st.none() | st.integers(0, 10**9)


@given(st.lists(st.tuples(counts, counts, counts), max_size=12))
def test_a_plot_stays_in_its_box(rows: list[tuple[int | None, int | None, int | None]]) -> None:
    history = [
        Signals(up, said, stars, NOW + timedelta(hours=hour))
        for hour, (up, said, stars) in enumerate(rows)
    ]
    for plot in plots(history):
        across = [float(text) for text in re.findall(r"[MH](-?[\d.e+]+)", plot.area)]
        down = [float(text) for text in re.findall(r"(?:V|M\S+ )(-?[\d.e+]+)", plot.area)]
        assert 0 <= min(across) <= max(across) <= WIDTH
        assert 0 <= min(down) <= max(down) <= HEIGHT


def test_a_word_tells_more_the_fewer_papers_have_it() -> None:
    common = list(range(1000, 0, -1))
    told = rarities({"rare": [999], "usual": [999, 500, 3], "common": common, "unheard": []})
    assert told["rare"] > told["usual"] > told["common"] == told["unheard"] == 0
