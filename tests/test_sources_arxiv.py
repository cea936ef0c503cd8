"""arXiv's feed, query API and OAI-PMH, against a server that answers as theirs do."""
# ruff: noqa: E501 -- payloads keep the lines arXiv writes

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import SourceError
from digest.papers import Author, Listing, ListingKind, PaperId
from digest.sources import Fetch, FetchState, Options, Window, arxiv_api, arxiv_oai, load
from digest.sources.arxiv import ArXiv
from digest.sources.arxiv_feed import read_feed, split_creators
from digest.sources.calendar import announces_on, carries_papers, received
from digest.testing import Clock, FixtureServer, Reply, Request, check_source, polite
from digest.tex import letters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

THURSDAY = date(2026, 10, 1)
MORNING = datetime(2026, 10, 1, 11, 0, tzinfo=UTC)  # 07:00 in New York
LISTING = Listing("arxiv", "arXiv", THURSDAY)
SATURDAY = datetime(2026, 10, 3, 11, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Sample:
    number: int
    kind: str = "new"
    title: str = "An Invented Paper: $\\alpha$-Policies & More"
    abstract: str = "For all $x<y$ we show 10 < 20.\nIt has two lines."
    version: int = 1
    creator: str = "John Doe, Ana Fern\\'andez"
    categories: Sequence[str] = ("cs.RO", "cs.LG")
    arxiv: str = ""

    @property
    def id(self) -> str:
        return self.arxiv or f"2609.{self.number:05}"


def rss(
    *samples: Sample, day: str = "Thu, 01 Oct 2026 00:00:00 -0400", query: str = "cs.RO"
) -> bytes:
    items = "".join(
        f"""    <item>
      <title>{escape(one.title)}</title>
      <link>https://arxiv.org/abs/{one.id}</link>
      <description>arXiv:{one.id}v{one.version} Announce Type: {one.kind} \nAbstract: {escape(one.abstract)}</description>
      <guid isPermaLink="false">oai:arXiv.org:{one.id}v{one.version}</guid>
      {"".join(f"<category>{c}</category>" for c in one.categories)}
      <pubDate>{day}</pubDate>
      <arxiv:announce_type>{one.kind}</arxiv:announce_type>
      <arxiv:DOI>10.1234/EX.{one.number}</arxiv:DOI>
      <dc:creator>{escape(one.creator)}</dc:creator>
    </item>
"""
        for one in samples
    )
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" version="2.0">
  <channel>
    <title>{query} updates on arXiv.org</title>
    <link>http://rss.arxiv.org/rss/{query}</link>
    <description>{query} updates on the arXiv.org e-print archive.</description>
    <atom:link href="http://rss.arxiv.org/rss/{query}" rel="self" type="application/rss+xml"/>
    <lastBuildDate>Thu, 01 Oct 2026 04:00:06 +0000</lastBuildDate>
    <pubDate>{day}</pubDate>
    <skipDays><day>Sunday</day><day>Saturday</day></skipDays>
{items}  </channel>
</rss>
""".encode()


ATOM = b"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns="http://www.w3.org/2005/Atom" xml:lang="en-us">
  <id>http://rss.arxiv.org/atom/cs.RO</id>
  <title>cs.RO updates on arXiv.org</title>
  <updated>2026-10-01T04:00:06+00:00</updated>
  <entry>
    <id>oai:arXiv.org:hep-th/9901001v3</id>
    <title>A Replaced Paper</title>
    <updated>2026-10-01T04:00:06.368135+00:00</updated>
    <link href="https://arxiv.org/abs/hep-th/9901001"/>
    <summary>arXiv:hep-th/9901001v3 Announce Type: replace
Abstract: For all $x&lt;y$ we show 10 &lt; 20.</summary>
    <category term="cs.RO"/>
    <published>2026-10-01T00:00:00-04:00</published>
    <arxiv:announce_type>replace</arxiv:announce_type>
    <dc:creator>Jane Roe (Example University, Cambridge, MA)</dc:creator>
  </entry>
</feed>"""

BAD = b"""<?xml version='1.0' encoding='UTF-8'?>
<rss version="2.0"><channel><title>Feed error for query: http://rss.arxiv.org/rss/cs.XX</title>
<description>Bad subject class 'XX'. Valid subject classes for the archive 'cs' are: cs.AI</description>
<managingEditor>rss-help.arxiv.org</managingEditor></channel></rss>"""


def api(*samples: Sample, total: int | None = None, comment: str = "12 pages") -> bytes:
    entries = "".join(
        f"""<entry><arxiv:primary_category term="{one.categories[0]}"/>
        <title>{escape(one.title)}</title><id>http://arxiv.org/abs/{one.id}v{one.version}</id>
        <author><name>Ada Invented</name></author><author><name>Bo Exemplar</name></author>
        <updated>2026-09-29T08:18:33Z</updated><published>2026-09-29T08:18:33Z</published>
        <summary>  {escape(one.abstract)}</summary><arxiv:comment>{comment}</arxiv:comment>
        {"".join(f'<category term="{c}"/>' for c in one.categories)}</entry>"""
        for one in samples
    )
    count = len(samples) if total is None else total
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
<id>https://arxiv.org/api/x</id><title>arXiv Query</title><updated>2026-10-01T22:10:26Z</updated>
<opensearch:totalResults>{count}</opensearch:totalResults>{entries}</feed>""".encode()


ERROR_ENTRY = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Search Results</title><entry>
<id>https://arxiv.org/api/errors#incorrect_id_format_for_abc</id><title>Error</title>
<summary>incorrect id format for abc</summary><author><name>arXiv api core</name></author></entry></feed>"""


def oai(*samples: Sample, token: str = "", error: str = "", created: str = "2026-09-30") -> bytes:
    records = "".join(
        f"""<record><header><identifier>oai:arXiv.org:{one.id}</identifier></header><metadata>
        <arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{one.id}</id><created>{created}</created>
        <authors><author><keyname>Exemplar</keyname><forenames>Bo</forenames><suffix>Jr</suffix></author></authors>
        <title>{escape(one.title)}</title><categories>{" ".join(one.categories)}</categories>
        <doi>10.1234/ex.1</doi><abstract>  {escape(one.abstract)}\n</abstract></arXiv></metadata></record>"""
        for one in samples
    )
    inside = (
        f'<error code="{error}">Reason: none</error>'
        if error
        else f"<ListRecords>{records}<resumptionToken expires='2026-10-03T00:00:00Z'>{token}</resumptionToken></ListRecords>"
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2026-10-02T03:10:11Z</responseDate>{inside}</OAI-PMH>""".encode()


@dataclass
class ArXivServer:
    """All of arXiv: what the feed, the API and OAI answer, one after the other."""

    feed: list[Reply] = field(default_factory=lambda: [Reply(rss(Sample(1)))])
    api: list[Reply] = field(default_factory=lambda: [Reply(b"down", 500)])
    oai: list[Reply] = field(default_factory=lambda: [Reply(b"down", 500)])
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        script = {"/api/query": self.api, "/oai": self.oai}.get(request.path, self.feed)
        return script.pop(0) if len(script) > 1 else script[0]

    def fetch(
        self,
        now: datetime = MORNING,
        *,
        categories: str = "cs.RO",
        days: int = 1,
        listed: Mapping[date, frozenset[PaperId]] | None = None,
    ) -> list[Fetch]:
        window = Window.last(days, now)
        window = Window(window.since, window.until, now, listed=listed or {})
        with FixtureServer(self) as server, polite(Clock(now)) as client:
            source = ArXiv(Options(argument=categories, url=server.url))
            return list(source.fetch(window, client))


def test_it_passes_the_contract_of_sources() -> None:
    def good(request: Request) -> Reply:
        return Reply(rss(Sample(1), Sample(2)) if "/rss/" in request.path else b"", 200)

    check_source(
        lambda url: ArXiv(Options(argument="cs.RO", url=url)),
        good,
        Window(THURSDAY, THURSDAY, MORNING),
    )


def test_the_four_announce_types_and_every_field_arrive() -> None:
    kinds = ["new", "cross", "replace", "replace-cross"]
    server = ArXivServer([Reply(rss(*[Sample(n, kind) for n, kind in enumerate(kinds)]))])
    (found,) = server.fetch()
    assert found.state is FetchState.OK
    assert [paper.listings[0].kind for paper in found.papers] == [
        ListingKind.NEW,
        ListingKind.CROSS,
        ListingKind.REPLACE,
        ListingKind.REPLACE,
    ]
    paper = found.papers[0]
    assert paper.title == "An Invented Paper: $\\alpha$-Policies & More"
    assert paper.abstract == "For all $x<y$ we show 10 < 20. It has two lines."
    assert paper.authors == (Author("John Doe"), Author("Ana Fernández"))
    assert paper.categories == ("cs.RO", "cs.LG")
    assert paper.aliases == (PaperId("doi", "10.1234/ex.0"),)
    assert (paper.version, paper.url) == (1, "https://arxiv.org/abs/2609.00000")
    listing = paper.listings[0]
    assert (listing.source, listing.day, listing.category) == ("arxiv", THURSDAY, "cs.RO")
    assert server.asked[0].path == "/rss/cs.RO"


def test_categories_are_asked_for_in_one_request() -> None:
    server = ArXivServer()
    server.fetch(categories="cs.ro,cs.LG hep-th+physics.plasm-ph")
    assert [request.path for request in server.asked] == [
        "/rss/cs.RO+cs.LG+hep-th+physics.plasm-ph"
    ]


@pytest.mark.parametrize("argument", ["", "cs.CL;drop", "../etc", "cs.CL+http://x"])
def test_what_is_no_category_is_refused_at_once(argument: str) -> None:
    with pytest.raises(SourceError, match="arxiv"):
        load([f"arxiv:{argument}"], {})


def test_atom_and_old_ids_are_read_too() -> None:
    feed = read_feed(ATOM, "arxiv", "arXiv", date(2020, 1, 1))
    assert feed is not None
    (paper,) = feed.papers
    assert (feed.day, paper.id.value, paper.version) == (THURSDAY, "hep-th/9901001", 3)
    assert paper.authors == (Author("Jane Roe"),)
    assert paper.abstract == "For all $x<y$ we show 10 < 20."


def test_authors_are_split_outside_brackets_only() -> None:
    text = 'Jane Roe (Example University, Cambridge, MA), John Doe, M. M\\"uller (A (B, C))'
    assert [author.name for author in split_creators(text)] == ["Jane Roe", "John Doe", "M. Müller"]


@pytest.mark.parametrize("now", [SATURDAY, datetime(2026, 11, 27, 12, 0, tzinfo=UTC)])
def test_weekends_and_holidays_are_quiet(now: datetime) -> None:
    day = now.strftime("%a, %d %b %Y 00:00:00 -0400")
    (found,) = ArXivServer([Reply(rss(day=day))]).fetch(now)
    assert (found.state, found.note) == (FetchState.EMPTY, "announces nothing that day")


def test_a_feed_that_still_stands_on_a_weekend_is_no_failure() -> None:
    (found,) = ArXivServer([Reply(rss(Sample(1), day="Fri, 02 Oct 2026 00:00:00 -0400"))]).fetch(
        SATURDAY
    )
    assert (found.state, found.papers) == (FetchState.EMPTY, ())
    assert found.note == "announces nothing that day"


def test_an_unknown_category_is_named_and_the_others_go_on() -> None:
    def answer(request: Request) -> Reply:
        return Reply(BAD, 400) if "cs.XX" in request.path else Reply(rss(Sample(1)))

    with FixtureServer(answer) as server, polite(Clock(MORNING)) as client:
        source = ArXiv(Options(argument="cs.RO+cs.XX+cs.LG", url=server.url))
        (found,) = source.fetch(Window(THURSDAY, THURSDAY, MORNING), client)
    assert found.state is FetchState.MISCONFIGURED
    assert found.note.startswith("has no cs.XX: Bad subject class 'XX'.")
    assert len(found.papers) == 1


def test_a_feed_that_is_down_is_replaced_by_the_api_and_said_so() -> None:
    server = ArXivServer(feed=[Reply(b"down", 500)], api=[Reply(api(Sample(1), Sample(2)))])
    (found,) = server.fetch()
    assert (found.state, len(found.papers)) == (FetchState.OK, 2)
    assert found.note == "answered 500; taken from its query API"
    query = server.asked[-1].query["search_query"]
    assert query == "(cat:cs.RO) AND submittedDate:[202609291800 TO 202609301800]"
    assert found.papers[0].listings[0].day == THURSDAY
    assert found.papers[0].published_at == datetime(2026, 9, 29, 8, 18, 33, tzinfo=UTC)


def test_where_the_api_fails_too_oai_is_asked() -> None:
    pages = [
        Reply(oai(Sample(1), Sample(2), token="verb%3DListRecords%26skip%3D2000")),
        Reply(oai(Sample(2), Sample(3))),
    ]
    server = ArXivServer(feed=[Reply(b"down", 500)], oai=pages)
    (found,) = server.fetch()
    assert (found.state, len(found.papers)) == (FetchState.OK, 3)
    assert found.note == "answered 500; its query API answered 500; taken from OAI-PMH"
    assert found.papers[0].authors == (Author("Bo Exemplar Jr"),)
    assert server.asked[-2].query["set"] == "cs:cs:RO"
    assert server.asked[-1].query == {
        "verb": "ListRecords",
        "resumptionToken": "verb%3DListRecords%26skip%3D2000",
    }


def test_when_everything_is_down_it_is_a_failure() -> None:
    (found,) = ArXivServer(feed=[Reply(b"down", 500)]).fetch()
    assert (found.state, found.papers) == (FetchState.FAILED, ())


def test_yesterdays_feed_once_more_is_found_out() -> None:
    samples = [Sample(n) for n in range(20)]
    before = {date(2026, 9, 30): frozenset(PaperId("arxiv", one.id) for one in samples[:19])}
    (found,) = ArXivServer([Reply(rss(*samples))]).fetch(listed=before)
    assert (found.state, found.papers) == (FetchState.FAILED, ())
    assert found.note == "had yesterday's feed once more"
    (mended,) = ArXivServer([Reply(rss(*samples))], [Reply(api(Sample(99)))]).fetch(listed=before)
    assert [paper.id.value for paper in mended.papers] == ["2609.00099"]


def test_a_feed_of_another_day_is_not_todays() -> None:
    old = rss(Sample(1), day="Wed, 30 Sep 2026 00:00:00 -0400")
    (found,) = ArXivServer([Reply(old)]).fetch()
    assert found.note == "still had its feed of 2026-09-30"
    early = datetime(2026, 10, 1, 4, 5, tzinfo=UTC)
    (waiting,) = ArXivServer([Reply(old)]).fetch(early)
    assert (waiting.state, waiting.note) == (
        FetchState.SUSPICIOUS,
        "has not rebuilt its feed yet",
    )


def test_an_empty_working_day_is_suspicious_and_then_full() -> None:
    server = ArXivServer([Reply(rss()), Reply(rss(Sample(1)))], [Reply(api())])
    (first,) = server.fetch()
    assert (first.state, first.note) == (
        FetchState.SUSPICIOUS,
        "had an empty feed on a working day",
    )
    (second,) = server.fetch()
    assert (second.state, len(second.papers)) == (FetchState.OK, 1)


def test_a_feed_cut_at_its_cap_is_asked_for_in_parts() -> None:
    full = rss(*[Sample(n, abstract="x") for n in range(2000)])
    halves = [Reply(rss(Sample(1), Sample(2, "cross"))), Reply(rss(Sample(2), Sample(3)))]
    server = ArXivServer([Reply(full), *halves])
    (found,) = server.fetch(categories="cs.RO+cs.LG")
    assert [request.path for request in server.asked[1:]] == ["/rss/cs.RO", "/rss/cs.LG"]
    assert found.state is FetchState.OK
    kinds = {paper.id.value: paper.listings[0].kind for paper in found.papers}
    assert kinds == dict.fromkeys(["2609.00001", "2609.00002", "2609.00003"], ListingKind.NEW)


def test_one_category_cut_at_its_cap_is_completed_or_partial() -> None:
    full = rss(*[Sample(n, abstract="x") for n in range(2000)])
    (partial,) = ArXivServer([Reply(full)]).fetch()
    assert (partial.state, len(partial.papers)) == (FetchState.PARTIAL, 2000)
    (whole,) = ArXivServer([Reply(full)], [Reply(api(Sample(5000)))]).fetch()
    assert (whole.state, len(whole.papers)) == (FetchState.OK, 2001)


def test_a_feed_that_breaks_off_gives_what_was_whole() -> None:
    body = rss(Sample(1), Sample(2))
    cut = body[: body.rindex(b"Abstract:") + 30]
    (found,) = ArXivServer([Reply(cut)]).fetch()
    assert (found.state, found.note) == (FetchState.PARTIAL, "broke off in the middle")
    assert [paper.id.value for paper in found.papers] == ["2609.00001"]


def test_oddly_encoded_feeds_are_read() -> None:
    plain = rss(Sample(1, title="Ctrl\x0b and \u00e9"))
    for body in (plain, b"\xef\xbb\xbf" + plain, plain.replace(b"<title>Ctrl", b"<title>\x00Ctrl")):
        reply = Reply(body, headers={"Content-Type": "text/html"}, compress=True)
        (found,) = ArXivServer([reply]).fetch()
        assert found.papers[0].title == "Ctrl and é"


def test_a_day_that_was_missed_is_made_up_for_and_one_we_have_is_not_asked_for() -> None:
    server = ArXivServer(api=[Reply(api(Sample(7)))])
    fetches = server.fetch(days=4)
    assert [found.day.day for found in fetches] == [28, 29, 30, 1]
    assert all(found.state is FetchState.OK for found in fetches)
    with FixtureServer(server) as running, polite(Clock(MORNING)) as client:
        server.asked.clear()
        have = frozenset(date(2026, 9, day) for day in (28, 29, 30))
        window = Window(date(2026, 9, 28), THURSDAY, MORNING, have=have)
        source = ArXiv(Options(argument="cs.RO", url=running.url))
        assert [found.day for found in source.fetch(window, client)] == [THURSDAY]
    assert len(server.asked) == 1


def test_an_unchanged_feed_is_not_sent_again() -> None:
    sha = "a" * 64
    server = ArXivServer([Reply(rss(Sample(1)), headers={"ETag": sha}), Reply(status=304)])
    with FixtureServer(server) as running, polite(Clock(MORNING)) as client:
        source = ArXiv(Options(argument="cs.RO", url=running.url))
        (first,) = source.fetch(Window(THURSDAY, THURSDAY, MORNING), client)
        kept = {one.url: one for one in first.validators}
        window = Window(THURSDAY, THURSDAY, MORNING, kept, have=frozenset({THURSDAY}))
        (second,) = source.fetch(window, client)
    assert server.asked[1].etag == sha
    assert (second.state, second.note) == (FetchState.EMPTY, "has nothing new")


def test_api_pages_are_followed_through_short_and_empty_ones() -> None:
    server = ArXivServer(
        feed=[Reply(b"", 500)],
        api=[
            Reply(api(Sample(1), Sample(2), total=3)),
            Reply(api(total=3)),
            Reply(api(Sample(3), total=3)),
        ],
    )
    (found,) = server.fetch()
    assert len(found.papers) == 3
    assert [one.query["start"] for one in server.asked if "start" in one.query] == ["0", "2", "2"]


def test_an_error_entry_is_no_paper() -> None:
    for status in (200, 400):
        server = ArXivServer(feed=[Reply(b"", 500)], api=[Reply(ERROR_ENTRY, status)])
        (found,) = server.fetch()
        assert found.papers == ()
        assert found.state is FetchState.FAILED


def test_a_throttled_api_is_left_alone() -> None:
    server = ArXivServer(feed=[Reply(b"", 500)], api=[Reply(b"Rate exceeded.", 429)])
    (found,) = server.fetch()
    assert not found.papers
    assert found.retry_at is not None
    assert found.retry_at >= MORNING + timedelta(seconds=60)


def test_a_withdrawn_paper_is_no_news_and_code_is_found_in_comments() -> None:
    gone = ArXivServer(
        [Reply(b"", 500)], [Reply(api(Sample(1), comment="Withdrawn by the author"))]
    )
    assert gone.fetch()[0].skipped == ("result 1: 2609.00001 was withdrawn",)
    code = "Code: https://github.com/example/invented. Supersedes one that has been withdrawn"
    (found,) = ArXivServer([Reply(b"", 500)], [Reply(api(Sample(1), comment=code))]).fetch()
    assert found.papers[0].code_url == "https://github.com/example/invented"


def test_oai_errors_are_understood() -> None:
    down = Reply(b"", 500)
    nothing = ArXivServer([down], oai=[Reply(oai(error="noRecordsMatch"))]).fetch()[0]
    assert nothing.state is FetchState.SUSPICIOUS
    restart = [
        Reply(oai(Sample(1), token="t")),
        Reply(oai(error="badResumptionToken")),
        Reply(oai(Sample(1), token="u")),
        Reply(oai(Sample(2))),
    ]
    assert len(ArXivServer([down], oai=restart).fetch()[0].papers) == 2
    refused = ArXivServer([down], oai=[Reply(oai(error="badArgument"))]).fetch()[0]
    assert refused.state is FetchState.FAILED
    old = ArXivServer([down], oai=[Reply(oai(Sample(1), created="2019-01-01"))]).fetch()[0]
    assert old.papers == ()


def test_single_papers_are_looked_up_around_a_bad_id() -> None:
    def answer(request: Request) -> Reply:
        ids = request.query["id_list"].split(",")
        if "2609.66666" in ids and len(ids) > 1:
            return Reply(b"", 500)
        return Reply(api(*[Sample(0, arxiv=one) for one in ids if one != "2609.66666"]))

    with FixtureServer(answer) as server, polite(Clock(MORNING)) as client:
        source = ArXiv(Options(argument="cs.RO", url=server.url))
        ids = ["2609.00001", "nonsense", "2609.66666", "hep-th/9901001"]
        found = source.look_up(ids, THURSDAY, client)
    assert [paper.id.value for paper in found.papers] == ["2609.00001", "hep-th/9901001"]


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("cs.LG", "cs:cs:LG"), ("cs", "cs"), ("hep-th", "physics:hep-th"), ("stat.ML", "stat:stat:ML"),
        ("physics.plasm-ph", "physics:physics:plasm-ph"), ("astro-ph.CO", "physics:astro-ph:CO"),
        ("physics", "physics"), ("math.NA", "math:math:NA"),
    ],
)  # fmt: skip
def test_oai_names_of_categories(category: str, name: str) -> None:
    assert arxiv_oai.set_of(category) == name


def test_the_calendar_knows_evenings_weekends_and_holidays() -> None:
    assert [announces_on(date(2026, 10, day)) for day in range(1, 5)] == [True, False, False, True]
    assert [carries_papers(date(2026, 10, day)) for day in range(1, 6)] == [
        True, True, False, False, True,
    ]  # fmt: skip
    assert not carries_papers(date(2026, 11, 27))
    monday = received(date(2026, 10, 5))
    assert monday == (datetime(2026, 10, 1, 18, tzinfo=UTC), datetime(2026, 10, 2, 18, tzinfo=UTC))
    tuesday = received(date(2026, 10, 6))
    assert tuesday == (datetime(2026, 10, 2, 18, tzinfo=UTC), datetime(2026, 10, 5, 18, tzinfo=UTC))
    # The clocks go back on 1 November: 14:00 is 18:00 UTC before and 19:00 after.
    autumn = received(date(2026, 11, 3))
    assert autumn == (datetime(2026, 10, 30, 18, tzinfo=UTC), datetime(2026, 11, 2, 19, tzinfo=UTC))


def test_no_hour_of_a_year_is_received_twice_or_never() -> None:
    days = [date(2026, 1, 5) + timedelta(days=n) for n in range(360)]
    spans = [received(day) for day in days if announces_on(day - timedelta(days=1))]
    assert all(one[1] == two[0] for one, two in itertools.pairwise(spans))


@pytest.mark.parametrize(
    ("tex", "plain"),
    [
        ("Fern\\'andez", "Fernández"), ("Abrah\\~ao", "Abrahão"), ("\\v{S}koda", "Škoda"),
        ('M{\\"u}ller', "Müller"), ("{\\o}rsted", "ørsted"), ("Erd\\H{o}s", "Erdős"),
        ("\\L ukasz", "Łukasz"), ("\\'{\\i}", "í"), ('na\\"\\i ve', "naïve"), ("stra\\ss e", "straße"),
        ("$\\'a$ and \\'a", "$\\'a$ and á"), ("{ABC \\'{e}}", "{ABC é}"),
        ("50% of $x<y$ & R&D \\cite{x} \\alpha", "50% of $x<y$ & R&D \\cite{x} \\alpha"),
    ],
)  # fmt: skip
def test_accents_become_letters_and_nothing_else_changes(tex: str, plain: str) -> None:
    assert letters(tex) == plain


@given(st.text(alphabet="\\{}'\"`^~=. $uvHcodbaeizLAEss ij%&"))
def test_accents_are_read_once(text: str) -> None:
    assert letters(letters(text)) == letters(text)


@st.composite
def mutations(draw: st.DrawFn, body: bytes) -> bytes:
    """A body with a few bytes cut out, doubled, replaced or put in."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        length = draw(st.integers(0, 40))
        junk = draw(
            st.sampled_from([b"", b"<", b"&", b"]]>", b"</item>", b"\xff", b"<!--", b"\x00"])
        )
        body = body[:at] + junk + body[at + length :]
    return body


@given(mutations(rss(*[Sample(n) for n in range(4)])))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_a_mutated_feed_never_crashes_and_never_gives_half_a_paper(body: bytes) -> None:
    feed = read_feed(body, "arxiv", "arXiv", THURSDAY)
    whole = body.count(b"</item>")
    if feed is not None and not feed.error:
        assert len(feed.papers) + len(feed.skipped) <= max(whole, 4)
        assert feed.complete is False or len(feed.papers) + len(feed.skipped) >= min(whole, 1)


@given(mutations(api(Sample(1), Sample(2))), mutations(oai(Sample(1), Sample(2))))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_mutated_results_never_crash(results: bytes, records: bytes) -> None:
    page = arxiv_api.read_page(results, LISTING)
    assert page is None or len(page.papers) <= 4
    other = arxiv_oai.read_page(records, LISTING, date(2026, 9, 1), THURSDAY)
    assert other is None or len(other.papers) <= 4
