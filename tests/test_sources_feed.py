"""Any feed, against a real server (all papers invented)."""
# ruff: noqa: E501 -- payloads keep the lines feeds write

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import feedparser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import SourceError
from digest.papers import Author, PaperId
from digest.sources import Answer, AnswerState, Fetch, FetchState, Options, Window, load
from digest.sources.feed import Feed, canonical_url, read_channel
from digest.sources.http import Polite
from digest.testing import Clock, FixtureServer, Reply, check_source, polite

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TODAY = Window.last(1, NOW)

RSS = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/">
<channel><title>Invented Journal</title><link>https://journal.example/</link>
<item><title>For all $x&lt;y$ &amp;amp; H&lt;sub&gt;2&lt;/sub&gt;O</title>
  <link>https://journal.example/a?utm_source=rss#top</link><guid>urn:a</guid>
  <description>For all $x&lt;y$ we show 10 &lt; 20.</description><dc:creator>Ada Invented</dc:creator>
  <prism:doi>10.1234/EX.1</prism:doi><prism:publicationName>Invented J.</prism:publicationName>
  <pubDate>Thu, 19 Nov 2026 08:00:00 +0200</pubDate></item>
<item><title>An arXiv Paper</title><link>https://arxiv.org/abs/2611.00001v2</link></item>
<item><title></title><link>https://journal.example/none</link></item>
<item><title>Long Ago</title><link>https://journal.example/old</link><pubDate>Thu, 19 Nov 2020 08:00:00 GMT</pubDate></item>
</channel></rss>"""

JSON: Mapping[str, object] = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "Lab News",
    "items": [
        {
            "id": 7,
            "url": "https://lab.example/7",
            "title": "A Number as Id",
            "content_html": "<p>We <em>invent</em>.</p><script>alert(1)</script>",
            "date_published": "2026-11-19T14:04:00-05:00",
            "author": {"name": "Ada Invented"},
            "tags": ["news", None],
        },
        None,
    ],
}


def fetch(*replies: Reply, window: Window = TODAY) -> Fetch:
    with FixtureServer() as server, polite(Clock(NOW)) as client:
        server.on("/rss", *replies)
        (found,) = Feed(Options(argument=f"{server.url}/rss")).fetch(window, client)
    return found


def as_json(**changes: object) -> Reply:
    return Reply(json.dumps({**JSON, **changes}).encode())


def answer(body: bytes) -> Answer:
    return Answer(AnswerState.OK, "https://journal.example/rss", 200, body)


def test_a_link_that_is_none_costs_the_other_items_nothing() -> None:
    odd = {"id": "1", "url": "http://[x", "title": "Odd", "content_text": "x"}
    fine = {"id": "2", "url": "https://lab.example/2", "title": "Fine", "content_text": "x"}
    found = fetch(as_json(items=[odd, fine], next_url="https://[y"))
    assert found.state is FetchState.OK
    assert "Fine" in {paper.title for paper in found.papers}


def test_it_passes_the_contract_of_sources() -> None:
    check_source(lambda url: Feed(Options(argument=f"{url}/rss")), lambda _: Reply(RSS), TODAY)


def test_a_journals_feed_keeps_its_mathematics_and_gives_its_doi() -> None:
    found = fetch(Reply(RSS))
    assert (found.state, found.label) == (FetchState.OK, "Invented Journal")
    first, second = found.papers
    assert first.title == "For all $x<y$ & H2O"
    assert first.abstract == "For all $x<y$ we show 10 < 20."
    assert first.authors == (Author("Ada Invented"),)
    assert first.id == PaperId("doi", "10.1234/ex.1")
    assert first.aliases == (PaperId("url", "https://journal.example/a"),)
    assert first.venue == "Invented J."
    assert first.published_at == datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
    assert first.listings[0].day == date(2026, 11, 19)
    assert second.id == PaperId("arxiv", "2611.00001")
    assert found.skipped == ("item 3: it has no title",)


def test_json_feeds_are_read_with_their_sloppiness() -> None:
    found = fetch(as_json())
    (paper,) = found.papers
    assert (paper.title, paper.abstract) == ("A Number as Id", "We invent.")
    assert paper.authors == (Author("Ada Invented"),)
    assert paper.categories == ("news",)
    assert paper.listings[0].day == date(2026, 11, 19)


def test_pages_that_lead_in_circles_end() -> None:
    assert len(fetch(as_json(next_url="/rss")).papers) == 1
    many = [as_json(next_url=f"/rss?page={n}") for n in range(20)]
    assert fetch(*many).state is FetchState.OK


def test_a_feed_that_breaks_off_gives_only_whole_items() -> None:
    cut = RSS[: RSS.index(b"An arXiv") + 12]
    found = fetch(Reply(cut))
    assert (found.state, found.note) == (FetchState.PARTIAL, "broke off in the middle")
    assert len(found.papers) == 1


def test_a_sloppy_feed_that_is_whole_is_no_trouble() -> None:
    sloppy = RSS.replace(b"An arXiv Paper", b"An arXiv&nbsp;Paper & more")
    found = fetch(Reply(sloppy))
    assert (found.state, len(found.papers)) == (FetchState.OK, 2)


@pytest.mark.parametrize(
    ("reply", "state", "note"),
    [
        (Reply(b"<!doctype html><title>Welcome</title>"), "failed", "did not answer with a feed"),
        (Reply(b"", 410), "misconfigured", "is gone for good: take it out of the settings"),
        (Reply(b'{"version": "2"}'), "failed", "did not answer with a feed"),
        (Reply(b"{" * 100), "failed", "did not answer with a feed"),
    ],
)
def test_what_is_no_feed_is_never_a_quiet_day(reply: Reply, state: str, note: str) -> None:
    found = fetch(reply)
    assert (found.state.value, found.note) == (state, note)


def test_a_feed_that_moved_says_where_to() -> None:
    with FixtureServer() as server, polite(Clock(NOW)) as client:
        server.on("/rss", Reply(status=301, headers={"Location": "/new"}))
        server.on("/new", Reply(RSS))
        (found,) = Feed(Options(argument=f"{server.url}/rss")).fetch(TODAY, client)
        assert found.note == f"has moved to {server.url}/new: change its address"
        assert len(found.papers) == 2


def test_an_unchanged_feed_is_not_sent_again() -> None:
    with FixtureServer() as server, polite(Clock(NOW)) as client:
        server.on("/rss", Reply(RSS, headers={"ETag": '"1"'}), Reply(status=304))
        source = Feed(Options(argument=f"{server.url}/rss"))
        (first,) = source.fetch(TODAY, client)
        kept = {one.url: one for one in first.validators}
        (second,) = source.fetch(Window(TODAY.since, TODAY.until, NOW, kept), client)
    assert second.state is FetchState.EMPTY
    assert server.requests[1].etag == '"1"'


def test_a_feed_inside_our_own_network_is_not_asked() -> None:
    with FixtureServer() as server, Polite(contact="", clock=Clock(NOW)) as client:
        server.on("/rss", Reply(RSS))
        (found,) = Feed(Options(argument=f"{server.url}/rss")).fetch(TODAY, client)
        assert found.note == "leads to 127.0.0.1, which is no public address"
        assert server.requests == []


@pytest.mark.parametrize(
    "name", ["feed", "feed:file:///etc/passwd", "feed:nonsense", "feed:http://"]
)
def test_what_is_no_address_is_refused_at_once(name: str) -> None:
    with pytest.raises(SourceError, match="needs an address"):
        load([name], {})


def test_addresses_lose_only_what_says_where_a_reader_came_from() -> None:
    assert canonical_url("HTTPS://A.example/p?b=1&utm_x=2#f") == "https://a.example/p?b=1"
    assert canonical_url("javascript:alert(1)") == ""


def test_a_feed_that_trips_the_parser_up_is_no_feed() -> None:
    body = RSS.replace(b"<description>", b"<textInput><description>")
    with pytest.raises(KeyError):
        feedparser.parse(body)
    assert read_channel(answer(body)) is None


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
def test_no_mutation_of_a_feed_crashes(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from([RSS, as_json().body]))
    for _ in range(data.draw(st.integers(1, 3))):
        at, length = data.draw(st.integers(0, len(body))), data.draw(st.integers(0, 60))
        junk = data.draw(st.sampled_from([b"", b"<", b"&x;", b"</item>", b"\xff\xfe", b"{", b'"']))
        body = body[:at] + junk + body[at + length :]
    channel = read_channel(answer(body))
    assert channel is None or len(channel.items) <= 10
