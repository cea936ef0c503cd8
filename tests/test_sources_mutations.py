"""Payloads damaged at random: our reading held against feedparser's, and against what was sent.

feedparser's own idea of an ill-formed feed is to go on and make items of whatever it finds. Ours
is never to publish half a paper, never to lose a good one silently, and to say what is missing.
"""

from __future__ import annotations

import io
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import feedparser
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.papers import Listing
from digest.sources import Answer, AnswerState
from digest.sources.arxiv_api import read_page
from digest.sources.arxiv_feed import read_feed
from digest.sources.feed import read_channel
from digest.sources.huggingface import read_items
from digest.sources.markup import read_xml

if TYPE_CHECKING:
    from collections.abc import Sequence

DAY: Final = date(2026, 11, 20)
NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
JUNK: Final = (
    b"", b"<", b">", b"&", b"&nbsp;", b"]]>", b"</item>", b"<item>", b"</title>", b"\xff", b"<!--",
    b"\x00", b"\xef\xbb\xbf", b"<![CDATA[", b'"', b"</channel></rss>", b"<?xml version='1.0'?>",
)  # fmt: skip
SLOW: Final = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class Sent:
    """A document and where each of its items stands in it."""

    head: bytes
    items: Sequence[bytes]
    tail: bytes

    @property
    def body(self) -> bytes:
        return self.head + b"".join(self.items) + self.tail

    def intact(self, mutated: bytes) -> list[int]:
        """The items whose bytes are still there as they were, once."""
        return [n for n, item in enumerate(self.items) if mutated.count(item) == 1]


def title(number: int) -> str:
    return f"An Invented Paper with the Number {number}"


RSS: Final = Sent(
    b"<rss xmlns:arxiv='http://arxiv.org/schemas/atom' "
    b"xmlns:dc='http://purl.org/dc/elements/1.1/' version='2.0'><channel>"
    b"<title>cs.RO updates on arXiv.org</title>"
    b"<pubDate>Fri, 20 Nov 2026 00:00:00 -0500</pubDate>",
    [
        f"<item><title>{title(n)}</title><link>https://arxiv.org/abs/2611.{n:05}</link>"
        f"<description>arXiv:2611.{n:05}v1 Announce Type: new \nAbstract: Of {n}.</description>"
        f"<guid isPermaLink='false'>oai:arXiv.org:2611.{n:05}v1</guid><category>cs.RO</category>"
        f"<arxiv:announce_type>new</arxiv:announce_type><dc:creator>Ada {n}</dc:creator>"
        "</item>".encode()
        for n in range(5)
    ],
    b"</channel></rss>",
)
ATOM: Final = Sent(
    b'<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Query</title>',
    [
        f"<entry><id>http://arxiv.org/abs/2611.{n:05}v1</id><title>{title(n)}</title>"
        f"<summary>Of {n}.</summary><author><name>Ada {n}</name></author></entry>".encode()
        for n in range(4)
    ],
    b"</feed>",
)
JSON: Final = Sent(
    b"[",
    [
        json.dumps({"paper": {"id": f"2611.{n:05}", "title": title(n), "upvotes": n}}).encode()
        + (b"," if n < 3 else b"")
        for n in range(4)
    ],
    b"]",
)


@st.composite
def damaged(draw: st.DrawFn, sent: Sent) -> bytes:
    """A document cut short, or with bytes cut out, doubled, replaced or put in."""
    body = sent.body
    if draw(st.booleans()):
        return body[: draw(st.integers(0, len(body)))]
    for _ in range(draw(st.integers(1, 3))):
        at, length = draw(st.integers(0, len(body))), draw(st.integers(0, 60))
        body = body[:at] + draw(st.sampled_from(JUNK)) + body[at + length :]
    return body


def ids(papers: Sequence[object]) -> dict[str, str]:
    return {paper.id.value: paper.title for paper in papers}  # type: ignore[attr-defined]


def found_by_feedparser(body: bytes) -> list[Any]:
    """Its entries; none where the damage is too much for it."""
    with suppress(KeyError, AssertionError):  # what it raises inside, of a </link> nobody opened
        return list(
            feedparser.parse(
                io.BytesIO(body), sanitize_html=False, resolve_relative_uris=False
            ).entries
        )
    return []


@SLOW
@given(damaged(RSS))
def test_a_damaged_feed_of_arxiv_loses_no_good_paper_in_silence(body: bytes) -> None:
    feed = read_feed(body, "arxiv", "arXiv", DAY)
    theirs = found_by_feedparser(body)
    intact = {f"2611.{n:05}": title(n) for n in RSS.intact(body)}
    if feed is None or feed.error:
        return  # no feed: the day is asked for elsewhere
    ours = ids(feed.papers)
    if feed.complete:
        # What feedparser finds as it was sent, we must have as it was sent.
        seen = {str(e.get("id", "")).removeprefix("oai:arXiv.org:")[:-2]: e for e in theirs}
        for name, wanted in intact.items():
            if name in seen and seen[name].get("title") == wanted:
                assert ours.get(name) == wanted
    for name, found in ours.items():
        if name in intact:
            assert found == intact[name], "a whole item was changed"


@SLOW
@given(st.integers(0, len(RSS.body)))
def test_a_feed_cut_short_gives_every_paper_before_the_cut_and_none_after(at: int) -> None:
    body = RSS.body[:at]
    whole = RSS.intact(body)
    feed = read_feed(body, "arxiv", "arXiv", DAY)
    if feed is None:
        assert b"arXiv.org</title>" not in body
        return
    assert list(ids(feed.papers)) == [f"2611.{n:05}" for n in whole]
    assert feed.complete == (at == len(RSS.body))
    channel = read_channel(answer(body))
    if channel is not None:  # the same bytes, read as any journal's feed
        assert [item.title for item in channel.items] == [title(n) for n in whole]
    elif whole:
        raise AssertionError("good items were lost")


@SLOW
@given(damaged(RSS))
def test_a_damaged_journal_feed_never_publishes_half_an_item(body: bytes) -> None:
    channel = read_channel(answer(body))
    if channel is None:
        return
    intact = {title(n) for n in RSS.intact(body)}
    closed = body.lower().count(b"</item>") + body.lower().count(b"</entry>")
    if not channel.complete:
        assert len(channel.items) <= closed
    elif not feedparser.parse(io.BytesIO(body)).bozo:
        assert intact <= {item.title for item in channel.items}


@SLOW
@given(damaged(ATOM))
def test_damaged_results_lose_no_good_paper_in_silence(body: bytes) -> None:
    page = read_page(body, Listing("arxiv", "arXiv", DAY))
    if page is None or not page.complete:
        return
    found = ids(page.papers)
    document = read_xml(body)
    entries = document.root.all("http://www.w3.org/2005/Atom entry")
    for n in ATOM.intact(body):
        name = f"2611.{n:05}"
        if any(name in entry.text for entry in entries):
            assert found.get(name) == title(n)


@SLOW
@given(damaged(JSON))
def test_a_damaged_list_is_no_list_or_gives_every_paper_that_is_whole(body: bytes) -> None:
    try:
        listed = json.loads(body)
    except ValueError:
        return
    if not isinstance(listed, list):
        return
    papers, skipped = read_items(listed, DAY, NOW)
    assert len(papers) + len(skipped) <= len(listed)
    found = ids(papers)
    for n in JSON.intact(body):
        if any(isinstance(one, dict) and one.get("paper", {}) == whole(n) for one in listed):
            assert found[f"2611.{n:05}"] == title(n)


def whole(number: int) -> object:
    return {"id": f"2611.{number:05}", "title": title(number), "upvotes": number}


def answer(body: bytes) -> Answer:
    return Answer(
        AnswerState.OK, "https://journal.example/rss", 200, body, {"content-type": "text/xml"}
    )
