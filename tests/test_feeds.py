"""Papers as RSS, Atom and JSON Feed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.papers import Author, Listing, Paper, PaperId
from digest.web.feeds import FORMATS, Feed, atom, json_feed, rss

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
ATOM = {"a": "http://www.w3.org/2005/Atom"}


def read(feed: bytes) -> ET.Element:
    return ET.fromstring(feed)  # noqa: S314 -- our own writing, read back


def feed(*papers: Paper) -> Feed:
    home = "https://digest.example.org/"
    return Feed("Paper Digest", home, home + "feed.rss?q=a&b", papers, NOW)


PAPER = Paper(
    PaperId("arxiv", "2611.00001"),
    "Loss < 0.1 & “falling”",
    authors=(Author("Ines Harrow"), Author("Yuki Arano")),
    abstract="An abstract.",
    categories=("cs.LG",),
    url="https://arxiv.org/abs/2611.00001",
    listings=(Listing("arxiv", "arXiv", date(2026, 11, 19)),),
    first_seen_at=datetime(2026, 11, 19, 5, 0, tzinfo=UTC),
)


def test_rss_carries_the_paper() -> None:
    channel = read(rss(feed(PAPER))).find("channel")
    assert channel is not None
    item = channel.find("item")
    assert item is not None
    assert item.findtext("title") == PAPER.title
    assert item.findtext("guid") == "urn:arxiv:2611.00001"
    assert parsedate_to_datetime(item.findtext("pubDate", "")) == PAPER.first_seen_at
    creators = item.findall("{http://purl.org/dc/elements/1.1/}creator")
    assert [creator.text for creator in creators] == ["Ines Harrow", "Yuki Arano"]


def test_atom_carries_the_paper_and_every_entry_has_an_author() -> None:
    nobody = Paper(PaperId("url", "https://example.org/1"), "By nobody")
    entries = read(atom(feed(PAPER, nobody))).findall("a:entry", ATOM)
    assert [entry.findtext("a:title", "", ATOM) for entry in entries] == [PAPER.title, "By nobody"]
    assert [len(entry.findall("a:author", ATOM)) for entry in entries] == [2, 1]
    assert entries[1].findtext("a:updated", "", ATOM) == NOW.isoformat()


def test_json_feed_carries_the_paper() -> None:
    document = json.loads(json_feed(feed(PAPER)))
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["items"][0]["title"] == PAPER.title
    assert document["items"][0]["authors"][0] == {"name": "Ines Harrow"}


def test_a_paper_without_any_link_leads_to_the_page_of_the_feed() -> None:
    bare = feed(Paper(PaperId("pmid", "1"), "Bare"))
    link = read(atom(bare)).find("a:entry/a:link", ATOM)
    assert link is not None
    assert link.get("href") == read(rss(bare)).findtext("channel/item/link") == bare.home
    assert json.loads(json_feed(bare))["items"][0]["url"] == bare.home


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_feed_is_a_feed(name: str) -> None:
    assert FORMATS[name].write(feed())


@given(st.text(max_size=200))
def test_any_text_makes_a_feed_that_can_be_read_back(text: str) -> None:
    paper = Paper(PaperId("url", text), text, authors=(Author(text),), abstract=text)
    read(rss(feed(paper)))
    read(atom(feed(paper)))
    json.loads(json_feed(feed(paper)))
