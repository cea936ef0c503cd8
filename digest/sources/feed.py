"""Any RSS, Atom or JSON Feed: journals, blogs, lab pages. `feed:https://example.org/rss`.

The address comes from a person, so it must be public (see guard). feedparser reads bytes only,
with its sanitizer and URI resolver off: with them on it silently cuts `$x<y$` out of abstracts.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from digest.papers import Author, Listing, MalformedPaper, Paper, PaperId, tidy, tidy_text
from digest.sources import Answer, AnswerState, Fetch, FetchState, Options, Pace
from digest.sources.fields import decode_json, instant, items, mapping, plain, text, texts
from digest.sources.timetable import HOURLY, Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from digest.sources import Window
    from digest.sources.http import Polite

MAX_BYTES: Final = 10_000_000
REACH: Final = timedelta(days=14)
"""How old an item may be that a feed still lists: it may come late, but is no news for ever."""
_MAX_PAGES: Final = 5
_MAX_LABEL: Final = 60
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a feed in any format; texts may hold markup."""

    guid: str = ""
    link: str = ""
    title: str = ""
    abstract: str = ""
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    published_at: datetime | None = None
    identifiers: tuple[str, ...] = ()
    venue: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """A feed as far as it could be read; `next_url` is the page behind it, if it says so."""

    title: str
    items: tuple[Item, ...]
    complete: bool = True
    next_url: str = ""


class Feed:
    """One feed by its address."""

    def __init__(self, options: Options) -> None:
        self._url = options.argument or options.url
        parts = urlsplit(self._url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("needs an address, as in feed:https://example.org/rss")
        self.name = f"feed:{self._url}"
        self.label = parts.hostname
        self.timetable: Timetable = HOURLY
        self._pace = Pace(parts.netloc, gap=2.0)

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        """One Fetch under the newest day, each item under its own date; see Source.fetch."""
        day = window.until
        url, seen = self._url, set[str]()
        found: list[Item] = []
        label, trouble, moved = self.label, "", ""
        answer: Answer | None = None
        kept = window.validators
        while url and url not in seen and len(seen) < _MAX_PAGES:
            seen.add(url)
            answer = client.get(url, pace=self._pace, validators=kept, guarded=True)
            kept = {}
            if answer.state is AnswerState.UNCHANGED and answer.validator:
                yield self._fetch(day, FetchState.EMPTY, "has nothing new", answer)
                return
            channel = read_channel(answer) if answer.state is AnswerState.OK else None
            if channel is None:
                trouble = answer.reason or "did not answer with a feed"
                break
            moved = moved or answer.moved_to
            label = tidy_text(plain(channel.title), _MAX_LABEL) or label
            found += channel.items
            trouble = trouble or ("" if channel.complete else "broke off in the middle")
            url = _beside(url, channel.next_url)
        if answer is None or (trouble and not found):
            yield self._failed(day, trouble, answer)
            return
        papers, skipped = self._papers(found, label, window)
        state = FetchState.PARTIAL if trouble else FetchState.OK
        note = trouble or (f"has moved to {moved}: change its address" if moved else "")
        if state is FetchState.OK and not papers:
            state, note = FetchState.EMPTY, note or "has nothing new"
            if skipped and len(skipped) == len(found):
                state, note = FetchState.FAILED, "sent items that we cannot read"
        validators = (answer.validator,) if answer.validator and len(seen) == 1 else ()
        yield Fetch(self.name, label, day, state, papers, skipped, note, validators=validators)

    def _papers(
        self, found: Sequence[Item], label: str, window: Window
    ) -> tuple[tuple[Paper, ...], tuple[str, ...]]:
        papers: dict[PaperId, Paper] = {}
        skipped = []
        for number, item in enumerate(found, start=1):
            listed = item.published_at.date() if item.published_at else window.until
            if listed < window.until - REACH:
                continue
            try:
                paper = self._paper(item, label, min(listed, window.until))
            except MalformedPaper as error:
                skipped.append(f"item {number}: {error}")
            else:
                papers.setdefault(paper.id, paper)
        return tuple(papers.values()), tuple(skipped)

    def _paper(self, item: Item, label: str, day: date) -> Paper:
        link = _beside(self._url, item.link)
        names = _names(item, link)
        if not names:
            seed = "\0".join((self._url, item.guid or plain(item.title) + str(item.published_at)))
            names = [PaperId("feed", hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest())]
        own = names[0]
        return tidy(
            Paper(
                id=own,
                title=plain(item.title),
                authors=tuple(Author(plain(name)) for name in item.authors),
                abstract=plain(item.abstract),
                categories=item.tags,
                published_at=item.published_at,
                venue=plain(item.venue),
                url=link or (item.guid if item.guid.startswith("http") else ""),
                aliases=tuple(names[1:]),
                listings=(Listing(self.name, label, day),),
            )
        )

    def _failed(self, day: date, trouble: str, answer: Answer | None) -> Fetch:
        if answer is None or answer.state is AnswerState.OK:
            return self._fetch(day, FetchState.FAILED, trouble, None)
        if answer.status == _GONE:
            trouble = "is gone for good: take it out of the settings"
        return self._fetch(day, answer.fetch_state, trouble, answer)

    def _fetch(self, day: date, state: FetchState, note: str, answer: Answer | None) -> Fetch:
        return Fetch(
            self.name,
            self.label,
            day,
            state,
            note=note,
            retry_at=answer.retry_at if answer else None,
            validators=(answer.validator,) if answer and answer.validator else (),
        )


def read_channel(answer: Answer) -> Channel | None:
    """The feed in an answer, or None when it is none."""
    if len(answer.body) > MAX_BYTES:
        return None
    if answer.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return _read_json(answer.body)
    return _read_xml(answer)


def _read_json(body: bytes) -> Channel | None:
    """JSON Feed 1 and 1.1 (jsonfeed.org)."""
    try:
        feed = mapping(decode_json(body))
    except ValueError:
        return None
    if "jsonfeed.org" not in text(feed.get("version")):
        return None
    found = []
    for item in map(mapping, items(feed.get("items"))):
        people = items(item.get("authors")) or [item.get("author")]
        found.append(
            Item(
                guid=text(item.get("id")),
                link=text(item.get("url")) or text(item.get("external_url")),
                title=text(item.get("title")),
                abstract=text(item.get("content_html"))
                or text(item.get("content_text"))
                or text(item.get("summary")),
                authors=tuple(filter(None, (text(mapping(one).get("name")) for one in people))),
                tags=texts(item.get("tags")),
                published_at=instant(item.get("date_published")),
            )
        )
    return Channel(text(feed.get("title")), tuple(found), next_url=text(feed.get("next_url")))


def _read_xml(answer: Answer) -> Channel | None:
    import feedparser  # noqa: PLC0415 -- slow to import, needed by feeds alone

    try:
        parsed = feedparser.parse(
            io.BytesIO(answer.body),
            response_headers={
                "content-type": answer.headers.get("content-type", ""),
                "content-location": answer.url,
            },
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception:  # noqa: BLE001 -- a </link> nobody opened is its KeyError, and there are others
        return None
    entries: Sequence[Mapping[str, Any]] = parsed.get("entries", [])
    # An error page gives no version; a document too damaged to hold an item is no empty feed.
    if not parsed.get("version") or (parsed.get("bozo") and not entries):
        return None
    lower = answer.body.lower()
    closed = lower.count(b"</item>") + lower.count(b"</entry>")
    complete = True
    if parsed.get("bozo") and b"\x00" not in lower and closed != len(entries):
        # The loose parser makes an item of what broke off: it must not be published.
        entries, complete = entries[: min(closed, len(entries))], False
    title = text(mapping(parsed.get("feed")).get("title"))
    return Channel(title, tuple(map(_entry, entries)), complete=complete)


def _entry(entry: Mapping[str, object]) -> Item:
    people = [text(mapping(one).get("name")) for one in items(entry.get("authors"))]
    contents = [text(mapping(one).get("value")) for one in items(entry.get("content"))]
    # Asked for what is not there, feedparser answers with a warning and another date.
    dated = next((entry[key] for key in ("published_parsed", "updated_parsed") if key in entry), "")
    return Item(
        guid=text(entry.get("id")),
        link=text(entry.get("link")),
        title=text(entry.get("title")),
        abstract=max([text(entry.get("summary")), *contents], key=len),
        authors=tuple(filter(None, people or [text(entry.get("author"))])),
        tags=tuple(
            filter(None, (text(mapping(one).get("term")) for one in items(entry.get("tags"))))
        ),
        published_at=_moment(dated),
        identifiers=(text(entry.get("prism_doi")), text(entry.get("dc_identifier"))),
        venue=text(entry.get("prism_publicationname")),
    )


def _moment(parts: object) -> datetime | None:
    """The instant of a struct_time in UTC, as feedparser gives it."""
    if not isinstance(parts, tuple):
        return None
    try:
        year, month, day, hour, minute, second = map(int, parts[:6])
        moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return instant(moment.isoformat())


def _names(item: Item, link: str) -> list[PaperId]:
    """Every id an item gives, the one to trust most first."""
    found: list[PaperId] = []
    for written in (*item.identifiers, item.guid, link):
        for read in (PaperId.arxiv, PaperId.doi):
            try:
                found.append(read(written))
            except ValueError:
                continue
    for written in (link, item.guid):
        canonical = canonical_url(written)
        if canonical:
            found.append(PaperId("url", canonical))
            break
    return sorted(dict.fromkeys(found), key=lambda one: ("arxiv", "doi", "url").index(one.scheme))


def _beside(base: str, link: str) -> str:
    """Where a link leads from there; nothing where it is none."""
    try:
        return urljoin(base, link) if link else ""
    except ValueError:  # as http://[x
        return ""


def canonical_url(url: str) -> str:
    """The address without what only says where a reader came from; nothing if it is none."""
    try:
        parts = urlsplit(url)
        if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
            return ""
        query = [
            (key, value)
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
            if not key.lower().startswith("utm_")
        ]
    except ValueError:
        return ""
    return urlunsplit(
        (parts.scheme.lower(), parts.netloc.lower(), parts.path, urlencode(query), "")
    )
