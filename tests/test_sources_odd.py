"""Every odd and hostile thing a payload can hold, in the words of every source.

A good paper stands beside an odd one. The good one must come out as it went in, the odd one
harmless or skipped, whichever the source; what is wrong with whole answers (HTML with 200, bombs,
resets, redirects, wrong lengths) is digest.testing.HOSTILE and runs in check_source().
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import pytest

from digest.papers import MAX_AUTHORS, MAX_TITLE, Paper, PaperId, tidy
from digest.sources import Fetch, FetchState, Options, Window
from digest.sources.arxiv import ArXiv
from digest.sources.biorxiv import BioRxiv
from digest.sources.crossref import Crossref
from digest.sources.feed import Feed
from digest.sources.file import File
from digest.sources.huggingface import HuggingFace
from digest.sources.openalex import OpenAlex
from digest.sources.openreview import OpenReview
from digest.sources.pubmed import PubMed
from digest.store import open_store
from digest.testing import Clock, FixtureServer, Reply, Request, polite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from digest.sources import Source

    Make = Callable[[str], Source]
    Build = Callable[[Sequence["Item"]], Mapping[str, Reply]]

OWN: Final = {"arxiv.org", "huggingface.co", "www.biorxiv.org", "pubmed.ncbi.nlm.nih.gov"}
JSON: Final = ("hf", "biorxiv", "openalex", "crossref", "openreview", "json feed")
NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TITLE: Final = "A Good Paper of Everybody Beside an Odd One"


@dataclass(frozen=True)
class Item:
    """A paper as a source would tell of it."""

    number: int
    title: str = "An Odd Paper"
    authors: Sequence[str] = ("Ines Harrow",)
    date: str = "2026-11-20"
    text: str = "We invent."
    name: str = ""

    @property
    def arxiv(self) -> str:
        return self.name or f"2611.{self.number:05}"

    @property
    def doi(self) -> str:
        return self.name or f"10.1101/2026.11.{self.number:05}"


def reply(value: object) -> Reply:
    return Reply(json.dumps(value).encode())


def hugging_face(items: Sequence[Item]) -> Mapping[str, Reply]:
    return {"/api/daily_papers": reply([
        {"paper": {
            "id": one.arxiv, "title": one.title, "summary": one.text, "publishedAt": one.date,
            "submittedOnDailyAt": one.date, "authors": [{"name": name} for name in one.authors],
        }}
        for one in items
    ])}  # fmt: skip


def arxiv_feed(items: Sequence[Item]) -> Mapping[str, Reply]:
    entries = "".join(
        f"<item><title>{escape(one.title)}</title><guid>oai:arXiv.org:{escape(one.arxiv)}v1</guid>"
        f"<description>arXiv:x Announce Type: new \nAbstract: {escape(one.text)}</description>"
        f"<arxiv:announce_type>new</arxiv:announce_type>"
        f"<dc:creator>{escape(', '.join(one.authors))}</dc:creator></item>"
        for one in items
    )
    return {"/rss/cs.CL": Reply(
        '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        "<title>cs.CL updates on arXiv.org</title>"
        f"<pubDate>Fri, 20 Nov 2026 00:00:00 -0500</pubDate>{entries}</channel></rss>".encode()
    )}  # fmt: skip


def arxiv_api(items: Sequence[Item]) -> Mapping[str, Reply]:
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/{escape(one.arxiv)}v1</id>"
        f"<title>{escape(one.title)}</title><summary>{escape(one.text)}</summary>"
        f"<published>{one.date}T00:00:00Z</published>"
        f"{''.join(f'<author><name>{escape(n)}</name></author>' for n in one.authors)}</entry>"
        for one in items
    )
    return {"/api/query": Reply(
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Query</title>{entries}</feed>'
        .encode()
    )}  # fmt: skip


def arxiv_oai(items: Sequence[Item]) -> Mapping[str, Reply]:
    records = "".join(
        '<record><header/><metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/">'
        f"<id>{escape(one.arxiv)}</id><created>{one.date.replace('-20', '-19')}</created>"
        "<authors>"
        f"{''.join(f'<author><keyname>{escape(n)}</keyname></author>' for n in one.authors)}"
        f"</authors><title>{escape(one.title)}</title><categories>cs.CL</categories>"
        f"<abstract>{escape(one.text)}</abstract></arXiv></metadata></record>"
        for one in items
    )
    return {"/oai": Reply(
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<ListRecords>{records}</ListRecords></OAI-PMH>".encode()
    )}  # fmt: skip


def biorxiv(items: Sequence[Item]) -> Mapping[str, Reply]:
    return {"/details/biorxiv/2026-11-20/2026-11-20/0/json": reply({
        "messages": [{"status": "ok", "total": len(items)}],
        "collection": [
            {"doi": one.doi, "title": one.title, "abstract": one.text, "date": one.date,
             "authors": "; ".join(one.authors), "version": 1}
            for one in items
        ],
    })}  # fmt: skip


def pubmed(items: Sequence[Item]) -> Mapping[str, Reply]:
    articles = "".join(
        f"<PubmedArticle><MedlineCitation><PMID>{one.name or one.number}</PMID><Article>"
        f"<ArticleTitle>{escape(one.title)}</ArticleTitle><ArticleDate><Year>{one.date[:4]}</Year>"
        f"<Month>11</Month><Day>20</Day></ArticleDate>"
        f"<Abstract><AbstractText>{escape(one.text)}</AbstractText></Abstract><AuthorList>"
        f"{''.join(f'<Author><LastName>{escape(n)}</LastName></Author>' for n in one.authors)}"
        "</AuthorList></Article></MedlineCitation></PubmedArticle>"
        for one in items
    )
    ids = [str(one.number) for one in items]
    return {
        "/esearch.fcgi": reply({"esearchresult": {"count": str(len(ids)), "idlist": ids}}),
        "/efetch.fcgi": Reply(f"<PubmedArticleSet>{articles}</PubmedArticleSet>".encode()),
    }


def openalex(items: Sequence[Item]) -> Mapping[str, Reply]:
    return {"/works": reply({"meta": {"next_cursor": None}, "results": [
        {"id": f"https://openalex.org/W{one.number}", "doi": f"https://doi.org/{one.doi}",
         "title": one.title, "publication_date": one.date,
         "abstract_inverted_index": {one.text: [0]},
         "authorships": [{"author": {"display_name": name}} for name in one.authors]}
        for one in items
    ]})}  # fmt: skip


def crossref(items: Sequence[Item]) -> Mapping[str, Reply]:
    return {"/works": reply({"message": {"items": [
        {"DOI": one.doi, "title": [one.title], "abstract": one.text,
         "published": {"date-parts": [[int(part) for part in one.date.split("-")]]},
         "created": {"date-time": f"{one.date}T00:00:00Z"},
         "author": [{"name": name} for name in one.authors]}
        for one in items
    ]}})}  # fmt: skip


def openreview(items: Sequence[Item]) -> Mapping[str, Reply]:
    def milliseconds(one: Item) -> float:
        return datetime.fromisoformat(one.date).replace(tzinfo=UTC).timestamp() * 1000

    return {"/notes": reply({"notes": [
        {"id": one.name or f"forum{one.number}", "cdate": milliseconds(one), "content": {
            "title": {"value": one.title}, "abstract": {"value": one.text},
            "authors": {"value": list(one.authors)},
        }}
        for one in items
    ]})}  # fmt: skip


def rss(items: Sequence[Item]) -> Mapping[str, Reply]:
    entries = "".join(
        f"<item><title>{escape(escape(one.title))}</title>"
        f"<link>https://journal.example/{escape(one.name or str(one.number))}</link>"
        f"<pubDate>{one.date}T00:00:00Z</pubDate><description>{escape(escape(one.text))}"
        f"</description><dc:creator>{escape(', '.join(one.authors))}</dc:creator></item>"
        for one in items
    )
    return {"/rss": Reply(
        '<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>Journal</title>{entries}</channel></rss>".encode()
    )}  # fmt: skip


def json_feed(items: Sequence[Item]) -> Mapping[str, Reply]:
    return {"/rss": reply({"version": "https://jsonfeed.org/version/1.1", "title": "J", "items": [
        {"id": one.number, "url": f"https://journal.example/{one.name or one.number}",
         "title": one.title, "content_text": one.text, "date_published": f"{one.date}T00:00:00Z",
         "authors": [{"name": name} for name in one.authors]}
        for one in items
    ]})}  # fmt: skip


SOURCES: Final[Mapping[str, tuple[Make, Build]]] = {
    "hf": (lambda url: HuggingFace(Options(url=url)), hugging_face),
    "arxiv feed": (lambda url: ArXiv(Options(url=url, argument="cs.CL")), arxiv_feed),
    "arxiv api": (lambda url: ArXiv(Options(url=url, argument="cs.CL")), arxiv_api),
    "arxiv oai": (lambda url: ArXiv(Options(url=url, argument="cs.CL")), arxiv_oai),
    "biorxiv": (lambda url: BioRxiv(Options(url=url)), biorxiv),
    "pubmed": (lambda url: PubMed(Options(url=url, argument="x")), pubmed),
    "openalex": (lambda url: OpenAlex(Options(url=url, argument="x")), openalex),
    "crossref": (lambda url: Crossref(Options(url=url, argument="x")), crossref),
    "openreview": (lambda url: OpenReview(Options(url=url, argument="V", key="k")), openreview),
    "rss": (lambda url: Feed(Options(argument=f"{url}/rss")), rss),
    "json feed": (lambda url: Feed(Options(argument=f"{url}/rss")), json_feed),
}

GOOD: Final = Item(1, TITLE)
ODD: Final[Mapping[str, Item]] = {
    "the year 0001": Item(2, date="0001-01-01"),
    "a date far ahead": Item(2, date="2199-12-31"),
    "the day clocks go back": Item(2, date="2026-11-01"),
    "10,000 authors": Item(2, authors=[f"Author{n} Name" for n in range(10_000)]),
    "no authors": Item(2, authors=()),
    "an empty title": Item(2, title=""),
    "a title of blanks": Item(2, title=" \t\n "),
    "a title of a megabyte": Item(2, title="Very " * 200_000),
    "HTML and scripts": Item(
        2,
        title="<script>alert(1)</script><b>Bold</b> & <img src=x onerror=alert(1)>",
        text="<p onclick='x()'>Text</p><style>*{display:none}</style>",
        authors=("<a href='javascript:alert(1)'>Ada</a>",),
    ),
    "a header in the title": Item(2, title="Hello\r\nBcc: everybody@example.org\r\n\r\nBody"),
    "text that turns around": Item(
        2, title="\u202eevil\u202c \u2066isolated\u2069 \u200bzero\ufeff", text="\u202eevil"
    ),
    "mathematics and TeX": Item(2, title="For $x<y$ & 100% of \\'Etudes", text="$a<b>c$ 10 < 20"),
    "emoji and right to left": Item(2, title="مرحبا 🧪 שלום 한국어", text="🧪" * 50),
    "an id that climbs": Item(2, name="../../etc/passwd"),
    "an id that is encoded": Item(2, name="2611.00002%2F..%2Fx"),
    "an id of a script": Item(2, name="javascript:alert(1)"),
    "an id of a megabyte": Item(2, name="x" * 1_000_000),
    "an old id": Item(2, name="cs/0112017"),
    "the same paper twice": GOOD,
}


def fetched(source: str, items: Sequence[Item]) -> list[Fetch]:
    """What a source makes of a list of these, on the day they are dated."""
    make, build = SOURCES[source]
    pages = build(items)
    skewed = {"Date": "Thu, 01 Jan 1970 00:00:00 GMT"}  # a server whose clock is decades off

    def answer(request: Request) -> Reply:
        page = pages.get(request.path)
        # What arXiv's other endpoints would say is down, so that this one is asked.
        return replace(page, headers=skewed) if page else Reply(b"", 404, headers=skewed)

    with FixtureServer(answer) as server, polite(Clock(NOW)) as client:
        return list(make(server.url).fetch(Window.last(1, NOW), client))


@pytest.mark.parametrize("trouble", ODD)
@pytest.mark.parametrize("source", SOURCES)
def test_an_odd_paper_is_harmless_and_costs_another_nothing(source: str, trouble: str) -> None:
    fetches = fetched(source, [GOOD, ODD[trouble]])
    papers = [paper for fetch in fetches for paper in fetch.papers]
    good = [paper for paper in papers if paper.title == TITLE]
    assert len(good) == 1, [(fetch.state, fetch.note, fetch.skipped) for fetch in fetches]
    assert [author.name for author in good[0].authors] == ["Ines Harrow"]
    assert good[0].abstract == "We invent."
    for paper in papers:
        _check(paper)
    if trouble == "an empty title":
        assert len(papers) == 1
        assert any(fetch.skipped for fetch in fetches)
    if trouble in {"mathematics and TeX", "emoji and right to left", "10,000 authors"}:
        assert len(papers) == 2, "it is odd, but a paper"
    if trouble == "mathematics and TeX":
        odd = next(paper for paper in papers if paper is not good[0])
        assert "$x<y$ & 100%" in odd.title
        assert "10 < 20" in odd.abstract


def test_whatever_came_of_them_can_be_stored_and_is_found_again(tmp_path: Path) -> None:
    items = [GOOD, *(replace(one, number=n) for n, one in enumerate(ODD.values(), start=2))]
    with open_store(f"sqlite:///{tmp_path / 'd.db'}") as store:
        for source in SOURCES:
            for fetch in fetched(source, items):
                store.papers.ingest(fetch.papers, NOW)
                again = store.papers.ingest(fetch.papers, NOW)
                assert (again.new, again.changed) == (0, 0)
        for paper in store.papers.by_numbers(range(store.papers.count() + 99)).values():
            _check(replace(paper, number=0, first_seen_at=None))


def _check(paper: Paper) -> None:
    assert tidy(paper) == paper
    assert 0 < len(paper.title) <= MAX_TITLE
    assert len(paper.authors) <= MAX_AUTHORS
    if paper.published_at is not None:
        assert 1700 <= paper.published_at.year < 2200
    assert all(listing.day <= NOW.date() for listing in paper.listings), "listed in the future"
    for text in (paper.title, paper.abstract, *(author.name for author in paper.authors)):
        bad = {c for c in text if unicodedata.category(c) in {"Cc", "Zl", "Zp"}}
        assert not bad | {c for c in text if c in "\u202e\u2066\u200b\ufeff"}
    for url in (paper.url, paper.pdf_url, paper.code_url, paper.project_url, paper.image_url):
        assert not url or url.startswith(("http://", "https://"))
        host = urlsplit(url).hostname
        assert host not in OWN or ".." not in url.split("/"), "an id made its way into an address"


NULLS: Final[tuple[object, ...]] = (
    None,
    "",
    [],
    {},
    0,
    -1,
    "0",
    True,
    1e300,
    "NaN",
    ["x"],
    {"a": 1},
)


@pytest.mark.parametrize("source", JSON)
def test_a_field_of_another_type_costs_another_paper_nothing(source: str) -> None:
    """Numbers as text and text as numbers, null, absent and unknown fields."""
    make, build = SOURCES[source]
    ((path, page),) = build([GOOD, Item(2)]).items()
    whole = json.loads(page.body)
    mutated = 0
    for place in _leaves(_items(whole)[1]):
        for value in NULLS:
            changed = json.loads(page.body)
            holder = _items(changed)[1]
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = value
            holder["unknown"] = value if isinstance(holder, dict) else None
            mutated += 1
            _survives(make, path, changed)
    assert mutated > 20


def _items(value: Any) -> Any:  # noqa: ANN401 -- JSON
    """The list of papers of a payload, wherever it stands."""
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], dict):
        return value
    inside = value.values() if isinstance(value, dict) else ()
    return next((found for one in inside if (found := _items(one)) is not None), None)


def _leaves(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 -- JSON
    """The way to every field that holds no other, objects only."""
    if not isinstance(value, dict):
        return [place] if place else []
    return [leaf for key, one in value.items() for leaf in _leaves(one, (*place, key))]


def _survives(make: Callable[[str], Source], path: str, payload: object) -> None:
    with (
        FixtureServer(lambda r: reply(payload) if r.path == path else Reply(b"", 404)) as server,
        polite(Clock(NOW)) as client,
    ):
        fetches = list(make(server.url).fetch(Window.last(1, NOW), client))
    papers = [paper for fetch in fetches for paper in fetch.papers]
    assert [paper for paper in papers if paper.title == TITLE], payload
    for paper in papers:
        _check(paper)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_a_wrong_charset_is_read_or_told_and_never_half_read(source: str, encoding: str) -> None:
    make, build = SOURCES[source]
    title = "Gödel und die Übung des guten Papiers"
    pages = {
        path: replace(page, body=_encoded(page.body, encoding))
        for path, page in build([replace(GOOD, title=title)]).items()
    }
    with (
        FixtureServer(lambda r: pages.get(r.path, Reply(b"", 404))) as server,
        polite(Clock(NOW)) as client,
    ):
        fetches = list(make(server.url).fetch(Window.last(1, NOW), client))
    papers = [paper for fetch in fetches for paper in fetch.papers]
    assert [paper.title for paper in papers] in ([title], [])
    if not papers:
        assert not any(fetch.state.complete for fetch in fetches)
    if encoding == "utf-8-sig":
        assert papers


def _encoded(body: bytes, encoding: str) -> bytes:
    """The payload in another charset, with its letters as letters and not as JSON's escapes."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False).encode(encoding)
    except ValueError:
        return body.decode().encode(encoding)


def test_files_hold_odd_papers_too(tmp_path: Path) -> None:
    papers = [
        {"id": f"arxiv:2611.{n:05}", "title": one.title, "authors": list(one.authors),
         "abstract": one.text, "published": one.date}
        for n, one in enumerate(ODD.values(), start=2)
    ]  # fmt: skip
    good = {"id": "arxiv:2611.00001", "title": TITLE, "authors": ["Ines Harrow"]}
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"source": "arxiv", "papers": [*papers, good]}), encoding="utf-8")
    (fetch,) = File(Options(argument=str(path))).fetch(Window.last(1, NOW))
    assert fetch.state is FetchState.OK
    assert PaperId("arxiv", "2611.00001") in {paper.id for paper in fetch.papers}
    for paper in fetch.papers:
        _check(paper)
