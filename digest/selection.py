"""What goes into one reader's digest. Pure: everything is an argument.

`select` decides; the Selection is frozen in the delivery's row, and everything else of the mail
can be rebuilt from it.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from digest.errors import SelectionError
from digest.match import Reason, ReasonKind, distinct, explain
from digest.retold import TOP_TEN
from subscribers.muting import muted_by
from subscribers.query import Query, check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from digest.match import Match, Ranking
    from digest.papers import Paper
    from digest.variants import Variants
    from subscribers.profile import Profile
    from subscribers.subscriber import Subscriber
    from subscribers.tree import Line


_MOST_COMPARED: Final = 50
"""Misses that are compared with what is in a digest; more nobody is shown."""
_DAMAGED: Final = "what was frozen for it is damaged"


class Pick(NamedTuple):
    """One paper of a digest: the interest it stands under, why, and all interests it fits."""

    paper: int
    profile: int
    line: int
    score: float
    reasons: tuple[Reason, ...]
    interests: tuple[str, ...]
    packed: str
    """The reasons as a row has them: a card is known by it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What was decided for one digest; everything else of the mail can be rebuilt from it.

    `matched` counts every match of the window, `looked_at` every paper; `since` (UTC) is None
    for a first digest. `incomplete` are sentences about sources that did not answer fully.
    """

    kind: str
    picks: tuple[Pick, ...]
    matched: int
    looked_at: int
    since: datetime | None
    until: datetime
    incomplete: tuple[str, ...] = ()
    note: str = ""
    top_ten: bool = False

    @property
    def papers(self) -> frozenset[int]:
        """The numbers of its papers."""
        return frozenset(pick.paper for pick in self.picks)

    def pack(self) -> bytes:
        """A few hundred bytes for the delivery's row.

        JSON, and behind it the reasons of each pick in a line, as they are: within the JSON every
        quote of theirs would be escaped, and a sender reads this for every message.
        """
        fields = {
            "v": 2,
            "kind": self.kind,
            "matched": self.matched,
            "looked_at": self.looked_at,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat(),
            "incomplete": self.incomplete,
            "note": self.note,
            "top_ten": self.top_ten,
            "picks": [
                [one.paper, one.profile, one.line, round(one.score, 4), one.interests]
                for one in self.picks
            ],
        }
        head = json.dumps(fields, separators=(",", ":"))
        return zlib.compress("\n".join([head, *(one.packed for one in self.picks)]).encode())

    @classmethod
    def unpack(cls, data: bytes) -> Selection:
        """A selection packed by `pack`; raises SelectionError for anything else."""
        try:
            return cls._of(*_opened(data))
        except (zlib.error, ValueError, LookupError, TypeError) as error:
            raise SelectionError(_DAMAGED) from error

    @classmethod
    def _of(cls, fields: dict[str, Any], reasons: Sequence[str]) -> Selection:
        since = fields["since"]
        return cls(
            kind=fields["kind"],
            matched=fields["matched"],
            looked_at=fields["looked_at"],
            since=datetime.fromisoformat(since) if since else None,
            until=datetime.fromisoformat(fields["until"]),
            incomplete=tuple(fields["incomplete"]),
            note=fields["note"],
            top_ten=fields["top_ten"],
            picks=tuple(
                [
                    Pick(paper, profile, line, score, reasons_of(said), tuple(names), said)
                    for (paper, profile, line, score, names), said in zip(
                        fields["picks"], reasons, strict=True
                    )
                ]
            ),
        )


def papers_of(packed: bytes) -> frozenset[int]:
    """The numbers of the papers of a packed selection; SelectionError as unpack() has it."""
    try:
        return frozenset([int(pick[0]) for pick in _opened(packed)[0]["picks"]])
    except (zlib.error, ValueError, LookupError, TypeError) as error:
        raise SelectionError(_DAMAGED) from error


def nothing_at(now: datetime) -> Selection:
    """A selection without papers, for a reader who is forgotten."""
    return Selection("digest", (), 0, 0, None, now)


def packed(reasons: Sequence[Reason]) -> str:
    """The reasons as one text."""
    return f"[{','.join([reason.packed for reason in reasons])}]"


@lru_cache(maxsize=16_384)
def reasons_of(packed: str) -> tuple[Reason, ...]:
    """The reasons that `packed` made that text of; the same text gives the same object."""
    return tuple(map(Reason.unpack, json.loads(packed)))


def _opened(data: bytes) -> tuple[dict[str, Any], list[str]]:
    """What was packed, and each pick's reasons; the first form had them among the rest."""
    head, *reasons = zlib.decompress(data).decode().split("\n")
    fields: dict[str, Any] = json.loads(head)
    if fields["v"] == 1:
        reasons = [one if isinstance(one, str) else _dumped(one) for *_, one, _ in fields["picks"]]
        fields["picks"] = [[*first, names] for *first, _, names in fields["picks"]]
    return fields, reasons


def _dumped(reasons: list[list[object]]) -> str:
    return json.dumps(reasons, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Miss:
    """A paper that matched and is not in the digest, and what stopped it."""

    paper: int
    why: str


def interest(profile: Profile, line: int) -> str:
    """The heading a match stands under: the profile's name, else its line, else the top ten."""
    query = readable(profile)
    names = {one.number: one.name for one in query.lines}
    return profile.name or names.get(line) or _whole(profile, query)


def readable(profile: Profile) -> Query:
    """The query of a profile; lines that were stored with a mistake are left out."""
    return check(profile.text)[0]


def _whole(profile: Profile, query: Query) -> str:
    """The heading of what no single line brought."""
    return TOP_TEN if query.is_empty else profile.text.strip()


@dataclass(frozen=True, slots=True)
class Known:
    """What a reader knows of the papers at hand, by number.

    `already` went out in an earlier digest, `library` the reader says they have; of `replaced`
    only a new version is news, to be shown to who asked for new versions.
    """

    already: AbstractSet[int] = frozenset()
    library: AbstractSet[int] = frozenset()
    replaced: AbstractSet[int] = frozenset()

    def stopped(self, profile: Profile) -> AbstractSet[int]:
        """The papers that stops() keeps from a profile."""
        known = self.already | self.library if profile.skip_library else self.already
        return known - self.replaced if profile.new_versions else known | self.replaced

    def stops(self, profile: Profile, number: int) -> str:
        """What of it keeps a paper from a profile, or nothing."""
        if number in self.replaced:
            return "" if profile.new_versions else "only a new version of it is new"
        if number in self.already:
            return "it was in an earlier digest"
        if profile.skip_library and number in self.library:
            return "it is in your library"
        return ""


def select(
    reader: Subscriber,
    papers: Mapping[int, Paper],
    rankings: Sequence[Ranking],
    *,
    known: Known | None = None,
    variants: Variants | None = None,
    since: datetime | None = None,
    until: datetime,
    looked_at: int,
) -> Selection:
    """Decide what one digest holds.

    `papers` are the candidates of the reader's window by number, `rankings` what each profile
    matches; other papers, muted words or authors, and what the reader knows are passed over.
    """
    known = known or Known()
    standing = []
    for profile, found in zip(reader.profiles, rankings, strict=True):
        kept = np.zeros(found.papers, dtype=np.bool_)
        for match in found:
            paper = papers.get(match.paper)
            if paper is not None and not _stopped(reader, profile, match, paper, known):
                kept[match.place] = True
        standing.append(found.only(kept))
    choice = choose(reader, standing, variants or variants_of(rankings))
    explain(choice.matches)
    return told(reader, choice, known=known, since=since, until=until, looked_at=looked_at)


@dataclass(frozen=True, slots=True)
class Choice:
    """The papers of a digest, before anybody has said why they are there.

    `picks` has for each paper the matches that brought it, each with the position of its
    interest; it stands under the first. `matched` papers could have been in.
    """

    picks: Mapping[int, Sequence[tuple[int, Match]]]
    matched: int
    top_ten: bool

    @property
    def matches(self) -> Iterator[Match]:
        """Everything that is to be explained."""
        return (match for brought in self.picks.values() for _, match in brought)


def choose(reader: Subscriber, standing: Sequence[Ranking], variants: Variants) -> Choice:
    """Choose the papers of a digest out of what of each profile nothing stops.

    A paper stands once, under the first interest it fits. Of papers that are much alike the best
    stands first, the others where there is room left.
    """
    picks: dict[int, list[tuple[int, Match]]] = {}
    places: list[int] = []
    for position, (profile, found) in enumerate(zip(reader.profiles, standing, strict=True)):
        for match in found.among(places) if places else ():
            picks[match.paper].append((position, match))
        limit = profile.limit
        wants_few = profile.diverse and limit
        taken: dict[int, Match] = {}
        waiting: list[Match] = []
        for match in found:
            if limit and len(taken) >= limit:
                break
            paper = match.paper
            if paper in picks:
                continue
            if wants_few and not taken.keys().isdisjoint(variants.like(paper)):
                waiting.append(match)
            else:
                taken[paper] = match
        for match in waiting[: limit - len(taken)]:
            taken[match.paper] = match
        for paper, match in taken.items():
            picks[paper] = [(position, match)]
        if position < len(standing) - 1:
            places += [match.place for match in taken.values()]
    is_top_ten = [found.query.is_empty for found in standing]
    matched = len(picks) if is_top_ten == [True] else distinct(standing)
    return Choice(picks, matched, all(is_top_ten))


def told(
    reader: Subscriber,
    choice: Choice,
    *,
    known: Known,
    kind: str = "digest",
    since: datetime | None,
    until: datetime,
    looked_at: int,
    incomplete: Sequence[str] = (),
    note: str = "",
) -> Selection:
    """What was chosen, with the reasons."""
    picks = []
    for (position, match), *others in choice.picks.values():
        pick = _pick(reader.profiles[position], position, match, known)
        for where, other in others:
            pick = _also(pick, other, _headings(reader.profiles[where], other, other.fits)[0])
        picks.append(pick)
    return Selection(
        kind=kind,
        picks=in_mail_order(picks),
        matched=choice.matched,
        looked_at=looked_at,
        since=since,
        until=until,
        incomplete=tuple(incomplete),
        note=note,
        top_ten=choice.top_ten,
    )


def variants_of(rankings: Sequence[Ranking]) -> Variants:
    """The papers that were at hand, to be compared."""
    from digest.variants import Variants  # noqa: PLC0415 -- with scipy, which senders do not need

    if not rankings:
        return Variants(())
    engine = rankings[0].answered.engine
    return Variants(engine.papers, engine.index.scan)


def _stopped(reader: Subscriber, profile: Profile, match: Match, paper: Paper, known: Known) -> str:
    """What keeps a match from a digest, whatever else is in it; or nothing."""
    if stop := known.stops(profile, match.paper) or muted(reader, paper):
        return stop
    if match.score < profile.lowest_score:
        return f"its score {match.score:.1f} is below {profile.lowest_score:.1f}"
    return ""


def _headings(profile: Profile, match: Match, fits: Sequence[Line]) -> tuple[str, ...]:
    """What a match may stand under, best first: the profile's name, or the lines it fits."""
    if profile.name:
        return (profile.name,)
    if len(fits) == 1:
        return (fits[0].name,)
    names = [line.name for line in (*fits[:1], *sorted(fits[1:], key=_number_of))]
    return tuple(dict.fromkeys(names)) or (_whole(profile, match.ranking.query),)


def _number_of(line: Line) -> int:
    return line.number


def _pick(profile: Profile, position: int, match: Match, known: Known) -> Pick:
    fits = match.fits
    names = _headings(profile, match, fits)
    reasons = match.reasons
    if match.paper in known.replaced:
        sent = " of a paper you were sent" if match.paper in known.already else ""
        reasons = (*reasons, Reason(ReasonKind.VERSION, f"new version{sent}"))
    line = fits[0].number if fits else 0
    return Pick(match.paper, position, line, match.score, reasons, names, packed(reasons))


def in_mail_order(picks: Iterable[Pick]) -> tuple[Pick, ...]:
    """The picks as a mail shows them: by interest, in each as they come, the best first.

    So a paper's number in the mail is its place here, which its feedback links name.
    """
    ordered = list(picks)
    names = [one.interests[0] for one in sorted(ordered, key=lambda one: (one.profile, one.line))]
    groups: dict[str, list[Pick]] = {name: [] for name in names}
    for pick in ordered:
        groups[pick.interests[0]].append(pick)
    return tuple(pick for group in groups.values() for pick in group)


def near_misses(
    reader: Subscriber,
    papers: Mapping[int, Paper],
    rankings: Sequence[Ranking],
    selection: Selection,
    *,
    known: Known | None = None,
    variants: Variants | None = None,
) -> tuple[Miss, ...]:
    """What matched and is not in the selection, and what stopped each, best first."""
    known = known or Known()
    variants = variants or variants_of(rankings)
    misses: dict[int, Miss] = {}
    picked = selection.papers
    for position, (profile, found) in enumerate(zip(reader.profiles, rankings, strict=True)):
        held = [pick.paper for pick in selection.picks if pick.profile == position]
        own = [number for number in held if number in papers]
        for match in found:
            paper = papers.get(match.paper)
            if paper is None or match.paper in picked or match.paper in misses:
                continue
            why = _stopped(reader, profile, match, paper, known)
            if not why and profile.diverse and len(misses) < _MOST_COMPARED:
                like = variants.first_like(match.paper, own)
                why = f"it is much like {papers[like].title!r}" if like is not None else ""
            misses[match.paper] = Miss(
                match.paper, why or f"it came after the best {profile.limit}"
            )
    return tuple(misses.values())


def muted(reader: Subscriber, paper: Paper) -> str:
    """Which mute of the reader keeps the paper out, or nothing."""
    if not (reader.muted_words or reader.muted_authors):
        return ""  # most mute nothing, and this is asked for every match
    mute = muted_by(reader.muted_words, reader.muted_authors, paper)
    return f"you muted {mute}" if mute else ""


def _also(pick: Pick, match: Match, name: str) -> Pick:
    """The pick, now also there for another interest; its why line names both."""
    new = tuple(reason for reason in match.reasons if reason not in pick.reasons)
    names = tuple(dict.fromkeys((*pick.interests, name)))
    reasons = (*pick.reasons, *new)
    return pick._replace(reasons=reasons, interests=names, packed=packed(reasons))
