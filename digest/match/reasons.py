"""Reasons: why a paper is in a digest, in the words and places that did it."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from digest.match.score import age
from subscribers.finding import Hit, categories, evidence, signal_of
from subscribers.tree import Term

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from digest.papers import Paper
    from subscribers.finding import Reading
    from subscribers.tree import Line

_DAY: Final = 24
_HOURS_TOLD: Final = 48
MOST_HITS: Final = 50
"""Places kept per reason: enough to mark a text, whatever a hostile abstract repeats."""
_RANKS: Final = {"title": 0, "abstract": 1, "summary": 1, "org": 2, "author": 3, "": 5}
_OTHER_RANK: Final = 4


class ReasonKind(StrEnum):
    """What kind of thing brought a paper in."""

    TERM = "term"
    AUTHOR = "author"
    FLOOR = "floor"
    TREND = "trend"
    VERSION = "version"
    LEARNED = "learned"


class Reason:
    """One reason: a term with the field and places it stands in, an author, a floor, the trend.

    Nobody changes one, and two that say the same are equal. What a run freezes of a digest is
    their packed form, and few are ever looked at: each is read from it, or packed, when asked.
    """

    __slots__ = ("_packed", "_said")

    def __init__(
        self, kind: ReasonKind, text: str, field: str = "", hits: Sequence[Hit] = ()
    ) -> None:
        self._packed = ""
        self._said: _Said | None = _Said(kind, text, field, tuple(hits))

    @classmethod
    def of(cls, packed: str) -> Reason:
        """The reason that has this packed form."""
        made = cls.__new__(cls)
        made._packed, made._said = packed, None  # noqa: SLF001 -- it is one of ours
        return made

    @classmethod
    def unpack(cls, loaded: Sequence[object]) -> Reason:
        """The reason whose packed form was loaded as this; ValueError for anything else."""
        try:
            kind, text, field, hits = loaded
            places = tuple(_hits_of(str(text), hits))
            return cls(ReasonKind(str(kind)), str(text), str(field), places)
        except (TypeError, ValueError) as error:
            reason = f"{loaded!r:.80} is no packed reason"
            raise ValueError(reason) from error

    @property
    def packed(self) -> str:
        """All of it as JSON."""
        if not self._packed:
            self._packed = _packed(self._read())
        return self._packed

    @property
    def kind(self) -> ReasonKind:
        """What kind of thing it is."""
        return self._read().kind

    @property
    def text(self) -> str:
        """The term as the reader wrote it, the author's name as the paper has it, or words.

        Words stand by themselves: "passed 20 upvotes today".
        """
        return self._read().text

    @property
    def field(self) -> str:
        """The best field that a term stands in, or nothing."""
        return self._read().field

    @property
    def rank(self) -> int:
        """The smaller the better: title, abstract, organization, authors, other fields, floors."""
        return _RANKS.get(self.field, _OTHER_RANK)

    @property
    def hits(self) -> tuple[Hit, ...]:
        """Where a term stands, in reading order."""
        return self._read().hits

    def _read(self) -> _Said:
        if self._said is None:
            kind, text, field, hits = json.loads(self._packed)
            self._said = _Said(ReasonKind(kind), text, field, tuple(_hits_of(text, hits)))
        return self._said

    def __eq__(self, other: object) -> bool:
        """Whether they say the same."""
        return self._read() == other._read() if isinstance(other, Reason) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._read())

    def __repr__(self) -> str:
        return f"Reason{self._read()[:]}"


class _Said(NamedTuple):
    kind: ReasonKind
    text: str
    field: str
    hits: tuple[Hit, ...]


def _packed(said: _Said) -> str:
    kind, text, field, hits = said
    inside: dict[str, list[int]] = {}
    for hit in hits:
        inside.setdefault(hit.field, []).extend((hit.start, hit.end))
    # The words of a reader, at places of their paper: where all is so, it is not said each time.
    places = inside if kind is ReasonKind.TERM and {hit.term for hit in hits} == {text} else hits
    return json.dumps([kind, text, field, places])


def _hits_of(term: str, packed: object) -> Iterator[Hit]:
    """The hits of which a packed reason has the places."""
    if isinstance(packed, dict):
        for field, bounds in packed.items():
            for start, end in zip(bounds[::2], bounds[1::2], strict=True):
                yield Hit(term, str(field), int(start), int(end))
        return
    for each, field, start, end in cast("list[list[str]]", packed):
        yield Hit(str(each), str(field), int(start), int(end))


def told_by(line: Line, reading: Reading, now: datetime) -> tuple[Reason, ...]:
    """The reasons of one line that a paper fits; none where only what is not there fits."""
    tree, paper = line.tree, reading.paper
    if isinstance(tree, Term) and tree.patterns:
        return (_termed(paper, tree.text, reading.found(tree)),)
    hits, floors = evidence(tree, reading)
    by_term: dict[tuple[str, bool], list[Hit]] = {}
    for hit in hits:
        by_term.setdefault((hit.term, hit.field == "author"), []).append(hit)
    told = [
        _authored(paper, found) if is_author else _termed(paper, term, found)
        for (term, is_author), found in by_term.items()
    ]
    told += [Reason(ReasonKind.FLOOR, _passed(paper, floor, now)) for floor in floors]
    return tuple(told)


def _termed(paper: Paper, term: str, hits: Sequence[Hit]) -> Reason:
    field = hits[0].field
    if field == "category":
        return Reason(ReasonKind.TERM, categories(paper)[hits[0].start], field, tuple(hits))
    if field == "source":
        return Reason(ReasonKind.TERM, paper.listings[hits[0].start].label, field, tuple(hits))
    return Reason(ReasonKind.TERM, term, field, tuple(hits[:MOST_HITS]))


def _authored(paper: Paper, hits: list[Hit]) -> Reason:
    name = paper.authors[hits[0].start].name
    return Reason(ReasonKind.AUTHOR, name, "author", tuple(hits[:MOST_HITS]))


def _passed(paper: Paper, floor: str, now: datetime) -> str:
    signal, _, above = floor.partition(">")
    today = " today" if age(paper, now) <= _DAY else ""
    return f"passed {int(above):,} {signal}{today}"


def trend_reason(paper: Paper, now: datetime) -> Reason:
    """For readers of the top ten: "48 upvotes in 18 hours, 7 comments", or where it is new."""
    counts = [(signal_of(paper.signals, name), name) for name in ("upvotes", "comments", "stars")]
    told = [f"{count:,} {name if count != 1 else name[:-1]}" for count, name in counts if count]
    if told:
        told[0] += _since(paper, now)
        return Reason(ReasonKind.TREND, ", ".join(told))
    label = paper.listings[0].label if paper.listings else ""
    return Reason(ReasonKind.TREND, f"new in {label}" if label else "new")


def learned_reason(papers: int) -> Reason:
    """For what was ranked higher by what was learned: "like 3 papers you saved"."""
    return Reason(ReasonKind.LEARNED, f"like {papers} paper{'s' if papers > 1 else ''} you saved")


def _since(paper: Paper, now: datetime) -> str:
    if paper.first_seen_at is None and paper.published_at is None:
        return ""
    hours = max(round(age(paper, now)), 1)
    if hours <= _HOURS_TOLD:
        return f" in {hours} hour{'s' if hours > 1 else ''}"
    return f" in {round(hours / _DAY)} days"
