"""Papers as a feed: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1, out of one description. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, time
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from digest.tex import typeset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from digest.papers import Paper

_ATOM: Final = "http://www.w3.org/2005/Atom"
_DC: Final = "http://purl.org/dc/elements/1.1/"
_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

register_namespace("atom", _ATOM)
register_namespace("dc", _DC)


@dataclass(frozen=True, slots=True)
class Feed:
    """Papers with a name; `here` is the feed's own URL, `home` the page it belongs to."""

    title: str
    home: str
    here: str
    papers: Sequence[Paper]
    updated: datetime


def rss(feed: Feed) -> bytes:
    """RSS 2.0, with authors in Dublin Core because RSS wants e-mail addresses."""
    root = Element("rss", version="2.0")
    channel = SubElement(root, "channel")
    _say(channel, "title", feed.title)
    _say(channel, "link", feed.home)
    _say(channel, "description", f"{feed.title}: new papers")
    _say(channel, "lastBuildDate", format_datetime(feed.updated.astimezone(UTC), usegmt=True))
    itself = {"href": feed.here, "rel": "self", "type": "application/rss+xml"}
    SubElement(channel, f"{{{_ATOM}}}link", itself)
    for paper in feed.papers:
        item = SubElement(channel, "item")
        _say(item, "title", typeset(paper.title).text)
        _say(item, "link", _url(paper, feed))
        SubElement(item, "guid", isPermaLink="false").text = _clean(_guid(paper))
        _say(item, "pubDate", format_datetime(_moment(paper, feed), usegmt=True))
        for author in paper.authors:
            _say(item, f"{{{_DC}}}creator", author.name)
        for category in paper.categories:
            _say(item, "category", category)
        _say(item, "description", _text(paper))
    return _document(root)


def atom(feed: Feed) -> bytes:
    """Atom 1.0 (RFC 4287)."""
    root = Element("feed", xmlns=_ATOM)
    _say(root, "id", feed.here)
    _say(root, "title", feed.title)
    _say(root, "updated", feed.updated.astimezone(UTC).isoformat())
    SubElement(root, "link", href=feed.here, rel="self", type="application/atom+xml")
    SubElement(root, "link", href=feed.home, rel="alternate", type="text/html")
    for paper in feed.papers:
        entry = SubElement(root, "entry")
        _say(entry, "id", _guid(paper))
        _say(entry, "title", typeset(paper.title).text)
        _say(entry, "updated", _moment(paper, feed).isoformat())
        SubElement(entry, "link", href=_url(paper, feed), rel="alternate")
        for name in [author.name for author in paper.authors] or [paper.organization or feed.title]:
            _say(SubElement(entry, "author"), "name", name)
        for category in paper.categories:
            SubElement(entry, "category", term=_clean(category))
        _say(entry, "summary", _text(paper))
    return _document(root)


def json_feed(feed: Feed) -> bytes:
    """JSON Feed 1.1 (jsonfeed.org/version/1.1)."""
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.here,
        "items": [
            {
                "id": _guid(paper),
                "url": _url(paper, feed),
                "title": typeset(paper.title).text,
                "content_text": _text(paper),
                "date_published": _moment(paper, feed).isoformat(),
                "authors": [{"name": author.name} for author in paper.authors],
                "tags": list(paper.categories),
            }
            for paper in feed.papers
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Format:
    """A way to write a feed: how, and the media type it is served as."""

    write: Callable[[Feed], bytes]
    media_type: str


FORMATS: Final = {
    "rss": Format(rss, "application/rss+xml; charset=utf-8"),
    "atom": Format(atom, "application/atom+xml; charset=utf-8"),
    "json": Format(json_feed, "application/feed+json; charset=utf-8"),
}


def _document(root: Element) -> bytes:
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _say(parent: Element, tag: str, text: str) -> None:
    if text:
        SubElement(parent, tag).text = _clean(text)


def _clean(text: str) -> str:
    """Without what XML 1.0 cannot carry, escaped or not."""
    return _NOT_XML.sub("", text)


def _url(paper: Paper, feed: Feed) -> str:
    """Where an item leads, which Atom asks for: the feed's own page where a paper has nothing."""
    return paper.url or paper.discussion_url or paper.pdf_url or feed.home


def _text(paper: Paper) -> str:
    """What it is about, formulas set as the pages set them."""
    return typeset(paper.summary or paper.abstract).text


def _guid(paper: Paper) -> str:
    return paper.id.value if paper.id.scheme == "url" else f"urn:{paper.id}"


def _moment(paper: Paper, feed: Feed) -> datetime:
    """When it appeared here: first seen, else midnight of its list day."""
    if paper.first_seen_at is not None:
        return paper.first_seen_at.astimezone(UTC)
    if paper.announced_on is not None:
        return datetime.combine(paper.announced_on, time(0), UTC)
    return feed.updated.astimezone(UTC)
