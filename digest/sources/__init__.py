"""Sources: places that list new papers, what each answers, and how one is found by name.

A source never raises for what a server sends: every answer is a Fetch that says how far its
papers can be trusted. Names come from the entry-point group `paper_digest.sources`; the part
behind the first colon is the source's own ("arxiv:cs.CL+cs.LG", "file:/srv/listings").
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final, Protocol, cast, runtime_checkable
from urllib.parse import unquote

from digest.errors import SourceError
from digest.settings.values import SOURCE_GROUP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from digest.papers import Paper, PaperId
    from digest.sources.http import Polite

FIRST_REACH: Final = 7
"""List days the first ingest into an empty database reaches back."""

# The same lines as in pyproject.toml, for a checkout that was never installed.
_BUILT_IN: Final = {
    "hf": "digest.sources.huggingface:HuggingFace",
    "arxiv": "digest.sources.arxiv:ArXiv",
    "biorxiv": "digest.sources.biorxiv:BioRxiv",
    "medrxiv": "digest.sources.biorxiv:MedRxiv",
    "pubmed": "digest.sources.pubmed:PubMed",
    "openalex": "digest.sources.openalex:OpenAlex",
    "crossref": "digest.sources.crossref:Crossref",
    "openreview": "digest.sources.openreview:OpenReview",
    "feed": "digest.sources.feed:Feed",
    "file": "digest.sources.file:File",
}


class FetchState(StrEnum):
    """How far the papers of a Fetch can be trusted to be all there were."""

    OK = "ok"
    EMPTY = "empty"
    """Nothing, as expected: a weekend, a holiday, a list not open yet, nothing new."""
    SUSPICIOUS = "suspicious"
    """Nothing, or yesterday's, where there should have been something: ask again."""
    PARTIAL = "partial"
    THROTTLED = "throttled"
    FAILED = "failed"
    MISCONFIGURED = "misconfigured"
    """Asking again will not help: somebody must change a setting."""

    @property
    def complete(self) -> bool:
        """Whether nothing is missing, so that a reader need not be told."""
        return self in {FetchState.OK, FetchState.EMPTY}


@dataclass(frozen=True, slots=True)
class Validator:
    """What a server gave us to ask "has this changed?" with (RFC 9110 section 8.8)."""

    url: str
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetch:
    """What one source said about one list day.

    `note` is a verb phrase to stand behind the label ("did not answer"). `skipped` has one
    line for each item that is no paper. `retry_at` (UTC) is when the server wants to be asked
    again. `day` is a date in the source's own zone.
    """

    source: str
    label: str
    day: date
    state: FetchState
    papers: tuple[Paper, ...] = ()
    skipped: tuple[str, ...] = ()
    note: str = ""
    retry_at: datetime | None = None
    validators: tuple[Validator, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """The list days to ask for, both ends included, and the instant (UTC) of asking.

    `validators` are those of earlier fetches by their URL; leave them out to ask for
    everything again. `have` are days that are complete already: a source to which an old day
    costs a question of its own leaves them out. `due` are the days that asking for is worth
    while now; None means all. `listed` says what this source listed on earlier days, so that
    one that repeats yesterday is found out. All of them may be left empty.
    """

    since: date
    until: date
    now: datetime
    validators: Mapping[str, Validator] = field(default_factory=dict)
    have: frozenset[date] = frozenset()
    due: frozenset[date] | None = None
    listed: Mapping[date, frozenset[PaperId]] = field(default_factory=dict)

    @classmethod
    def last(cls, days: int, now: datetime) -> Window:
        """The last `days` list days that can be open anywhere at `now`.

        No list is dated later than the UTC date of the instant it opens: Daily Papers open at
        01:30 or 02:30 UTC of their date, arXiv's feeds at 04:00 or 05:00.
        """
        today = now.astimezone(UTC).date()
        return cls(today - timedelta(days=days - 1), today, now)

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of it, oldest first."""
        count = (self.until - self.since).days + 1
        return tuple(self.since + timedelta(days=n) for n in range(count))

    def wants(self, day: date) -> bool:
        """Whether that day is worth asking for now."""
        return self.due is None or day in self.due

    def clip(self, since: date = date.min, until: date = date.max) -> Window:
        """The part of it between two days; it may have no day at all."""
        return replace(self, since=max(self.since, since), until=min(self.until, until))


@dataclass(frozen=True, slots=True)
class Pace:
    """How a group of hosts wants to be asked.

    At most one request each `gap` seconds over `connections` connections. `patience` is the
    first wait, in seconds, after a throttling answer that names none; it doubles each time.
    `throttles` are the statuses that mean "too fast" there.
    """

    group: str
    gap: float
    connections: int = 1
    patience: float = 60.0
    throttles: frozenset[int] = frozenset({429, 503})


class AnswerState(StrEnum):
    """What became of one request."""

    OK = "ok"
    UNCHANGED = "unchanged"
    THROTTLED = "throttled"
    REFUSED = "refused"
    """The server understood and will not: the request itself must change."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a server, complete and decompressed, or why there is none.

    `status` is 0 where no status came. `headers` have lower-case names. `reason` is a verb
    phrase ("answered 503"). `moved_to` is set where the server says the address has changed
    for good. A body is given with REFUSED too, because some servers explain there.
    """

    state: AnswerState
    url: str
    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    retry_at: datetime | None = None
    validator: Validator | None = None
    moved_to: str = ""

    @property
    def fetch_state(self) -> FetchState:
        """The state of a Fetch that rests on this answer alone."""
        if self.state is AnswerState.REFUSED:
            # 401, 404, 410: a key or an address is wrong. Other refusals may pass.
            wrong = self.status in {400, 401, 404, 410}
            return FetchState.MISCONFIGURED if wrong else FetchState.FAILED
        return {
            AnswerState.OK: FetchState.OK,
            AnswerState.UNCHANGED: FetchState.EMPTY,
            AnswerState.THROTTLED: FetchState.THROTTLED,
        }.get(self.state, FetchState.FAILED)


@runtime_checkable
class Source(Protocol):
    """A place that lists new papers."""

    @property
    def name(self) -> str:
        """What its listings are filed under: "hf", "arxiv", "feed:https://..."."""
        ...

    @property
    def label(self) -> str:
        """What readers call it: "Daily Papers", "arXiv"."""
        ...

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        """One Fetch for each list day of the window that is open.

        A source without list days gives one under the newest day, each paper under its own.
        Never raises for what a server or a file holds. Papers are tidy and carry exactly the
        listings this source saw.
        """
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What an installation says about one source.

    `argument` is the part of its name behind the colon, percent-decoded; `url` another base
    address than the public one; `key` a token or API key; `more` what else is set for it, by
    the part of its name behind the underscore. Empty means none.
    """

    argument: str = ""
    url: str = ""
    key: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One name of DIGEST_SOURCES and the source it stands for.

    Where there is none, `problem` says why, in a sentence to stand behind the name.
    """

    name: str
    source: Source | None
    problem: str = ""


def entries(names: Sequence[str], options: Mapping[str, str]) -> list[Entry]:
    """The same as load(), but a name that is wrong takes nothing from the others."""
    places = known()
    found = []
    for name in dict.fromkeys(one.strip() for one in names):
        try:
            found.append(Entry(name, _load(name, options, places)))
        except SourceError as error:
            found.append(Entry(name, None, str(error)))
    return found


def load(names: Sequence[str], options: Mapping[str, str]) -> list[Source]:
    """The sources of these names, in their order.

    `options` holds base URLs by source ("hf": "https://huggingface.co"), keys by source and
    `_key` ("hf_key"), and what else a source knows ("arxiv_oai"). Raises SourceError, naming
    all that are known, for a name nobody registered, and for one its source cannot read.
    """
    places = known()
    return [_load(name.strip(), options, places) for name in dict.fromkeys(names)]


def known() -> dict[str, str]:
    """Every registered source: its name and where it lives, as "module:attribute"."""
    return _BUILT_IN | {point.name: point.value for point in entry_points(group=SOURCE_GROUP)}


def _load(name: str, options: Mapping[str, str], places: Mapping[str, str]) -> Source:
    scheme, _, argument = name.partition(":")
    if scheme not in places:
        raise SourceError(f"there is no source {scheme!r}: known are {', '.join(sorted(places))}")
    module, _, attribute = places[scheme].partition(":")
    given = Options(
        # A feed's address is percent-encoded for its server, not for us.
        argument=argument if "://" in argument else unquote(argument),
        url=options.get(scheme, "").rstrip("/"),
        key=options.get(f"{scheme}_key", ""),
        more={
            key.removeprefix(f"{scheme}_"): value.rstrip("/")
            for key, value in options.items()
            if key.startswith(f"{scheme}_") and key != f"{scheme}_key"
        },
    )
    try:
        make = cast("Callable[[Options], Source]", getattr(import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise SourceError(f"the source {scheme!r} cannot be loaded: {error}") from error
    try:
        return make(given)
    except ValueError as error:
        raise SourceError(f"source {name!r}: {error}") from error
