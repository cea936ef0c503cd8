"""bioRxiv, PubMed, OpenAlex, Crossref and OpenReview, each against a server that answers alike."""
# ruff: noqa: E501 -- payloads keep the lines their servers write

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import SourceError
from digest.papers import Author, ListingKind, PaperId
from digest.sources import Fetch, FetchState, Options, Source, Window, known, load
from digest.sources.biorxiv import BioRxiv, MedRxiv
from digest.sources.crossref import Crossref
from digest.sources.openalex import OpenAlex
from digest.sources.openreview import OpenReview
from digest.sources.pubmed import PubMed
from digest.testing import Clock, FixtureServer, Reply, Request, check_source, polite

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 10, 1, 18, 0, tzinfo=UTC)
DAY = date(2026, 10, 1)
TODAY = Window(DAY, DAY, NOW)


def reply(value: object) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def row(number: int = 1, **changes: object) -> dict[str, object]:
    return {
        "title": "An invented preprint on H<sub>2</sub>O &amp; more",
        "authors": "Invented, A.; Exemplar, B.",
        "doi": f"10.1101/2026.09.30.9999{number:02}",
        "date": "2026-10-01",
        "version": "1",
        "category": "cell biology",
        "abstract": "We invent.",
        "published": "NA",
        **changes,
    }


def rows(*found: object, total: object = None) -> Reply:
    message = {"status": "ok", "total": len(found) if total is None else total, "count": 30}
    return reply({"messages": [message], "collection": found})


NO_POSTS = reply({"messages": [{"status": "no posts found"}], "collection": []})

FOUND = reply({"header": {}, "esearchresult": {"count": "1", "idlist": ["49999901"]}})
ARTICLES = b"""<?xml version="1.0" ?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">
<PubmedArticleSet><PubmedArticle><MedlineCitation Status="Publisher" Owner="NLM"><PMID Version="1">49999901</PMID>
<Article><Journal><JournalIssue><PubDate><Year>2026</Year><Month>Oct</Month></PubDate></JournalIssue>
<Title>Example Journal</Title><ISOAbbreviation>Ex J</ISOAbbreviation></Journal>
<ArticleTitle>Invented <i>in vivo</i> study of H<sub>2</sub>O.</ArticleTitle>
<Abstract><AbstractText Label="BACKGROUND">Why.</AbstractText><AbstractText Label="RESULTS">What.</AbstractText></Abstract>
<AuthorList><Author><LastName>Invented</LastName><ForeName>Ada</ForeName></Author>
<Author><CollectiveName>EXAMPLE Study Group</CollectiveName></Author></AuthorList>
<PublicationTypeList><PublicationType>Journal Article</PublicationType></PublicationTypeList></Article></MedlineCitation>
<PubmedData><ArticleIdList><ArticleId IdType="pubmed">49999901</ArticleId><ArticleId IdType="doi">10.1234/ex.1</ArticleId></ArticleIdList>
<ReferenceList><Reference><ArticleIdList><ArticleId IdType="doi">10.9999/someone-elses</ArticleId></ArticleIdList></Reference></ReferenceList>
</PubmedData></PubmedArticle></PubmedArticleSet>"""

WORK: dict[str, object] = {
    "id": "https://openalex.org/W7000000001",
    "doi": "https://doi.org/10.48550/arxiv.2609.99901",
    "title": "An Invented Paper",
    "publication_date": "2026-09-29",
    "ids": {"pmid": "https://pubmed.ncbi.nlm.nih.gov/49999901"},
    "primary_location": {
        "landing_page_url": "https://arxiv.org/abs/2609.99901",
        "source": {"display_name": "arXiv (Cornell University)"},
    },
    "authorships": [{"author": {"display_name": "Ada Invented", "orcid": None}}],
    "abstract_inverted_index": {"paper.": [3], "We": [0], "a": [2], "invent": [1]},
}

REGISTERED: dict[str, object] = {
    "DOI": "10.1234/EX.1",
    "title": ["An Invented Paper"],
    "container-title": ["Example Journal"],
    "author": [
        {"given": "Ada", "family": "Invented", "ORCID": "https://orcid.org/0000-0002-1825-0097"},
        {"name": "EXAMPLE Group"},
    ],
    "abstract": "<jats:title>Abstract</jats:title><jats:p>We invent \u2026</jats:p>",
    "issued": {"date-parts": [[None]]},
    "published": {"date-parts": [[2026, 10]]},
    "created": {"date-time": "2026-09-30T05:00:52Z"},
    "relation": {"has-preprint": [{"id-type": "doi", "id": "10.48550/arXiv.2609.99901"}]},
}

NOTE: dict[str, object] = {
    "id": "aBcDeFgHiJ",
    "forum": "aBcDeFgHiJ",
    "cdate": 1790600000000,
    "content": {
        "title": {"value": "An Invented Submission"},
        "abstract": {"value": "We invent."},
        "keywords": {"value": ["unlearning"]},
        "TLDR": {"value": "Short."},
        "venue": {"value": "ICLR 2027 poster"},
        "pdf": {"value": "/pdf/abc.pdf"},
    },
}


def pubmed(request: Request) -> Reply:
    return FOUND if "esearch" in request.path else Reply(ARTICLES)


def openalex(*found: object, following: object = None) -> Reply:
    return reply({"meta": {"count": len(found), "next_cursor": following}, "results": found})


def crossref(*found: object) -> Reply:
    return reply({"status": "ok", "message": {"items": found, "next-cursor": "abc"}})


SOURCES: list[tuple[str, Callable[[str], Source], Callable[[Request], Reply]]] = [
    ("biorxiv", lambda url: BioRxiv(Options(url=url)), lambda _: rows(row())),
    ("medrxiv", lambda url: MedRxiv(Options(url=url)), lambda _: rows(row())),
    ("pubmed", lambda url: PubMed(Options("forgetting", url)), pubmed),
    ("openalex", lambda url: OpenAlex(Options("forgetting", url)), lambda _: openalex(WORK)),
    ("crossref", lambda url: Crossref(Options("1234-5678", url)), lambda _: crossref(REGISTERED)),
    (
        "openreview",
        lambda url: OpenReview(Options("ICLR.cc/2027/Conference", url, "token")),
        lambda _: reply({"notes": [NOTE], "count": 1}),
    ),
]


def fetch(
    make: Callable[[str], Source],
    answer: Callable[[Request], Reply],
    window: Window = TODAY,
) -> list[Fetch]:
    with FixtureServer(answer) as server, polite(Clock(NOW)) as client:
        return list(make(server.url).fetch(window, client))


@pytest.mark.parametrize(("name", "make", "good"), SOURCES, ids=[name for name, *_ in SOURCES])
def test_each_passes_the_contract_of_sources(
    name: str, make: Callable[[str], Source], good: Callable[[Request], Reply]
) -> None:
    (found,) = check_source(make, good, TODAY)
    assert found.source == name
    assert name in known()


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=25)
def test_no_row_costs_another_its_place(data: st.DataObject) -> None:
    def spoil(good: dict[str, object]) -> dict[str, object]:
        return {**good, **data.draw(st.dictionaries(st.sampled_from(sorted(good)), JUNK))}

    other = {**REGISTERED, "DOI": "10.1234/other"}
    answers = [
        rows(row(1), data.draw(JUNK), spoil(row(7)), row(2)),
        openalex(spoil(WORK), data.draw(JUNK), WORK),
        crossref(spoil(REGISTERED), None, other),
    ]
    (first,) = fetch(SOURCES[0][1], lambda _: answers[0])
    assert {one.id.value[-2:] for one in first.papers} >= {"01", "02"}
    (second,) = fetch(SOURCES[3][1], lambda _: answers[1])
    assert second.papers
    (third,) = fetch(SOURCES[4][1], lambda _: answers[2])
    assert PaperId("doi", "10.1234/other") in {one.id for one in third.papers}


@given(
    st.integers(0, len(ARTICLES)), st.integers(0, 40), st.sampled_from([b"", b"<", b"&x;", b"\0"])
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=25)
def test_mutated_articles_never_crash(at: int, length: int, junk: bytes) -> None:
    body = ARTICLES[:at] + junk + ARTICLES[at + length :]
    (found,) = fetch(SOURCES[2][1], lambda r: FOUND if "esearch" in r.path else Reply(body))
    assert len(found.papers) <= 1


def test_biorxiv_steps_by_what_it_received() -> None:
    asked = []

    def answer(request: Request) -> Reply:
        cursor = int(request.path.split("/")[-2])
        asked.append(cursor)
        return rows(*[row(n) for n in range(cursor, min(60, cursor + 30))], total="60")

    (found,) = fetch(SOURCES[0][1], answer)
    assert (asked, len(found.papers)) == ([0, 30], 60)


def test_biorxiv_keeps_versions_subjects_and_journals_apart() -> None:
    published = row(1, version="2", published="10.5678/J.2", doi="10.1101/2026.09.30.999901v2")
    other = row(2, category="neuroscience")
    make = load(["biorxiv:cell_biology"], {"biorxiv": "http://unused.invalid"})
    assert [source.label for source in make] == ["bioRxiv"]
    (found,) = fetch(
        lambda url: BioRxiv(Options("cell_biology", url)), lambda _: rows(row(1), published, other)
    )
    (paper,) = found.papers
    assert (paper.version, paper.listings[0].kind) == (2, ListingKind.REPLACE)
    assert paper.id == PaperId("doi", "10.1101/2026.09.30.999901")
    assert paper.aliases == (PaperId("doi", "10.5678/j.2"),)
    assert paper.authors == (Author("A. Invented"), Author("B. Exemplar"))
    assert paper.title == "An invented preprint on H2O & more"
    assert paper.url == "https://www.biorxiv.org/content/10.1101/2026.09.30.999901v2"


def test_biorxiv_days_are_quiet_suspicious_or_partial() -> None:
    week = Window(date(2026, 9, 26), DAY, NOW)
    states = {one.day: one.state for one in fetch(SOURCES[0][1], lambda _: NO_POSTS, week)}
    assert states[DAY] is FetchState.EMPTY
    assert states[date(2026, 9, 30)] is FetchState.SUSPICIOUS
    assert states[date(2026, 9, 27)] is FetchState.EMPTY
    have = frozenset(week.days)
    again = fetch(SOURCES[0][1], lambda _: NO_POSTS, Window(week.since, DAY, NOW, have=have))
    assert [one.day for one in again] == [DAY, date(2026, 9, 30)]

    def short(request: Request) -> Reply:
        return rows(row(), total=60) if request.path.endswith("/0/json") else rows(total=60)

    (cut,) = fetch(SOURCES[0][1], short)
    assert (cut.state, len(cut.papers)) == (FetchState.PARTIAL, 1)


def test_pubmed_reads_the_article_and_not_what_it_cites() -> None:
    (found,) = fetch(SOURCES[2][1], pubmed)
    (paper,) = found.papers
    assert paper.title == "Invented in vivo study of H2O."
    assert paper.abstract == "Background: Why. Results: What."
    assert paper.aliases == (PaperId("doi", "10.1234/ex.1"),)
    assert [author.name for author in paper.authors] == ["Ada Invented", "EXAMPLE Study Group"]
    assert paper.published_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert paper.venue == "Ex J"


def test_pubmed_says_who_asks_what_it_ignored_and_nothing_of_the_key() -> None:
    ignored = {"count": "0", "idlist": [], "warninglist": {"quotedphrasesnotfound": ['"flurb"']}}
    with FixtureServer(lambda _: reply({"esearchresult": ignored})) as server:
        with polite(Clock(NOW)) as client:
            source = PubMed(Options("flurb", server.url, "secret"))
            (found,) = source.fetch(TODAY, client)
        asked = server.requests[0].query
    assert (found.state, found.note) == (FetchState.EMPTY, 'ignored "flurb" of the query')
    assert (asked["tool"], asked["email"]) == ("paper-digest", "operator@example.org")
    assert (asked["mindate"], asked["datetype"]) == ("2026/10/01", "edat")
    leak = json.dumps({"error": "API rate limit exceeded", "api-key": "secret"}).encode()
    (limited,) = fetch(SOURCES[2][1], lambda _: Reply(leak, 429, headers={"Retry-After": "900"}))
    assert limited.state is FetchState.THROTTLED
    assert "secret" not in limited.note
    (refused,) = fetch(SOURCES[2][1], lambda _: reply({"esearchresult": {"ERROR": "secret"}}))
    assert (refused.state, refused.note) == (FetchState.FAILED, "refused the query")


def test_a_retracted_article_is_no_news() -> None:
    body = ARTICLES.replace(b"Journal Article", b"Retracted Publication")
    (found,) = fetch(SOURCES[2][1], lambda r: FOUND if "esearch" in r.path else Reply(body))
    assert found.skipped == ("item 1: 49999901 was retracted",)


def test_openalex_folds_arxivs_doi_and_rebuilds_the_abstract() -> None:
    pages = [openalex(WORK, following="next"), openalex()]
    (found,) = fetch(SOURCES[3][1], lambda _: pages.pop(0) if len(pages) > 1 else pages[0])
    (paper,) = found.papers
    assert paper.id == PaperId("arxiv", "2609.99901")
    assert PaperId("pmid", "49999901") in paper.aliases
    assert paper.abstract == "We invent a paper."
    assert paper.listings[0].day == date(2026, 9, 29)
    ahead = {**WORK, "publication_date": "2027-05-01"}
    (found,) = fetch(SOURCES[3][1], lambda _: openalex(ahead))
    assert found.papers[0].listings[0].day == DAY


def test_openalex_filters_words_and_takes_filters_as_they_are() -> None:
    asked: list[str] = []

    def answer(request: Request) -> Reply:
        asked.append(request.query["filter"])
        return openalex()

    fetch(lambda url: OpenAlex(Options("a, b", url)), answer)
    fetch(lambda url: OpenAlex(Options("primary_location.source.id:S4", url)), answer)
    dates = ",from_publication_date:2026-09-24,to_publication_date:2026-10-01"
    assert asked == [
        f"title_and_abstract.search:a  b{dates}",
        f"primary_location.source.id:S4{dates}",
    ]


def test_crossref_reads_what_publishers_leave_out() -> None:
    (found,) = fetch(
        SOURCES[4][1], lambda _: crossref(REGISTERED, {"DOI": "10.1000/x", "title": []})
    )
    (paper,) = found.papers
    assert paper.id == PaperId("doi", "10.1234/ex.1")
    assert paper.aliases == (PaperId("arxiv", "2609.99901"),)
    assert paper.abstract == "We invent …"
    assert paper.published_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert paper.authors[0] == Author("Ada Invented", "0000-0002-1825-0097")
    assert paper.authors[1] == Author("EXAMPLE Group")
    assert paper.listings[0].day == date(2026, 9, 30)
    assert found.skipped == ("item 2: it has no title",)


def test_openreview_needs_a_token_and_reads_blind_submissions() -> None:
    with pytest.raises(SourceError, match="needs a token"):
        load(["openreview:ICLR.cc/2027/Conference"], {})
    (found,) = fetch(*SOURCES[5][1:])
    (paper,) = found.papers
    assert (paper.title, paper.authors) == ("An Invented Submission", ())
    assert paper.pdf_url == "https://openreview.net/pdf/abc.pdf"
    challenge = reply({"name": "ChallengeRequiredError"})
    (denied,) = fetch(SOURCES[5][1], lambda _: Reply(challenge.body, 403))
    assert denied.state is FetchState.MISCONFIGURED


ENDLESS: dict[str, Reply] = {
    "biorxiv": rows(row(), total=10**6),
    "openalex": reply({"results": [WORK], "meta": {"next_cursor": "more"}}),
    "crossref": reply({"message": {"items": [REGISTERED] * 200, "next-cursor": "more"}}),
    "openreview": reply({"notes": [NOTE] * 1000}),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_source_that_always_has_one_more_page_is_read_so_far_and_told(name: str) -> None:
    (make,) = [make for known, make, _ in SOURCES if known == name]
    found = fetch(make, lambda _: ENDLESS[name])[-1]
    assert found.state is FetchState.PARTIAL
    assert len(found.papers) == 1
    assert "more" in found.note


@pytest.mark.parametrize("name", ["pubmed", "openalex", "crossref", "openreview"])
def test_a_source_without_its_question_is_refused_at_once(name: str) -> None:
    with pytest.raises(SourceError, match=f"source '{name}'"):
        load([name], {})
