"""What goes into one reader's digest. Pure: everything is an argument.

`select` decides; the Selection is frozen in the delivery's row, and everything else of the mail
can be rebuilt from it.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from digest.match import Reason
from subscribers.muting import muted_by
from subscribers.query import Query, check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from digest.match import Match
    from digest.papers import Paper
    from subscribers.profile import Profile
    from subscribers.subscriber import Subscriber


@dataclass(frozen=True, slots=True)
class Pick:
    """One paper of a digest: the interest it stands under, why, and all interests it fits."""

    paper: int
    profile: int
    line: int
    score: float
    reasons: tuple[Reason, ...]
    interests: tuple[str, ...]
    packed: str = field(default="", compare=False)
    """The reasons as a row has them, where they come from one: a card is known by it."""


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
        """A few hundred bytes for the delivery's row."""
        fields = {
            "v": 1,
            "kind": self.kind,
            "matched": self.matched,
            "looked_at": self.looked_at,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat(),
            "incomplete": self.incomplete,
            "note": self.note,
            "top_ten": self.top_ten,
            "picks": [
                [
                    one.paper,
                    one.profile,
                    one.line,
                    round(one.score, 4),
                    one.packed or packed(one.reasons),
                    one.interests,
                ]
                for one in self.picks
            ],
        }
        return zlib.compress(json.dumps(fields, separators=(",", ":")).encode())

    @classmethod
    def unpack(cls, data: bytes) -> Selection:
        """A selection packed by `pack`."""
        fields: dict[str, Any] = json.loads(zlib.decompress(data))
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
                Pick(paper, profile, line, score, reasons_of(said), tuple(names), said)
                for paper, profile, line, score, reasons, names in fields["picks"]
                for said in [reasons if isinstance(reasons, str) else _dumped(reasons)]
            ),
        )


def packed(reasons: Sequence[Reason]) -> str:
    """The reasons as one text."""
    return _dumped([reason.pack() for reason in reasons])


@lru_cache(maxsize=16_384)
def reasons_of(packed: str) -> tuple[Reason, ...]:
    """The reasons that `packed` made that text of; the same text gives the same object."""
    return tuple(map(Reason.unpack, json.loads(packed)))


def _dumped(reasons: list[list[object]]) -> str:
    return json.dumps(reasons, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Miss:
    """A paper that matched and is not in the digest, and what stopped it."""

    paper: int
    why: str


def interest(profile: Profile, line: int) -> str:
    """The heading a match stands under: the profile's name, else its line, else the top ten."""
    if profile.name:
        return profile.name
    query = readable(profile)
    names = {one.number: one.name for one in query.lines}
    return names.get(line) or ("Top ten" if query.is_empty else profile.text.strip())


def readable(profile: Profile) -> Query:
    """The query of a profile; lines that were stored with a mistake are left out."""
    return check(profile.text)[0]


def select(
    reader: Subscriber,
    papers: Mapping[int, Paper],
    matches: Sequence[Sequence[Match]],
    *,
    already: AbstractSet[int] = frozenset(),
    kind: str = "digest",
    since: datetime | None = None,
    until: datetime,
    looked_at: int,
    incomplete: Sequence[str] = (),
    note: str = "",
) -> Selection:
    """Decide what one digest holds.

    `papers` are the candidates of the reader's window by number, `matches` the matches per
    profile, best first; those of other papers, of muted words or authors, and of what was sent
    already are passed over. A paper stands once, under the first interest it fits.
    """
    picks: dict[int, Pick] = {}
    fits: set[int] = set()
    for position, profile in enumerate(reader.profiles):
        top_ten = readable(profile).is_empty
        taken = 0
        for match in matches[position]:
            paper = papers.get(match.paper)
            if paper is None or match.paper in already or muted(reader, paper):
                continue
            if match.score < profile.lowest_score:
                continue
            fits.add(match.paper)
            known = picks.get(match.paper)
            if known is not None:
                picks[match.paper] = _also(known, match, interest(profile, match.line))
            elif not profile.limit or taken < profile.limit:
                taken += 1
                name = interest(profile, match.line)
                also = (interest(profile, line) for line in match.also_lines)
                names = tuple(dict.fromkeys((name, *also)))
                picks[match.paper] = Pick(
                    match.paper, position, match.line, match.score, match.reasons, names
                )
        if top_ten and len(reader.profiles) == 1:
            fits = set(picks)
    return Selection(
        kind=kind,
        picks=in_mail_order(picks.values()),
        matched=len(fits),
        looked_at=looked_at,
        since=since,
        until=until,
        incomplete=tuple(incomplete),
        note=note,
        top_ten=all(readable(profile).is_empty for profile in reader.profiles),
    )


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
    matches: Sequence[Sequence[Match]],
    selection: Selection,
    *,
    already: AbstractSet[int] = frozenset(),
) -> tuple[Miss, ...]:
    """What matched and is not in the selection, and what stopped each, best first."""
    misses: dict[int, Miss] = {}
    for profile, found in zip(reader.profiles, matches, strict=True):
        for match in found:
            paper = papers.get(match.paper)
            if paper is None or match.paper in selection.papers or match.paper in misses:
                continue
            if match.paper in already:
                why = "it was in an earlier digest"
            elif mute := muted(reader, paper):
                why = mute
            elif match.score < profile.lowest_score:
                why = f"its score {match.score:.1f} is below {profile.lowest_score:.1f}"
            else:
                why = f"it came after the best {profile.limit}"
            misses[match.paper] = Miss(match.paper, why)
    return tuple(misses.values())


def muted(reader: Subscriber, paper: Paper) -> str:
    """Which mute of the reader keeps the paper out, or nothing."""
    mute = muted_by(reader.muted_words, reader.muted_authors, paper)
    return f"you muted {mute}" if mute else ""


def _also(pick: Pick, match: Match, name: str) -> Pick:
    """The pick, now also there for another interest; its why line names both."""
    new = tuple(reason for reason in match.reasons if reason not in pick.reasons)
    names = tuple(dict.fromkeys((*pick.interests, name)))
    return Pick(pick.paper, pick.profile, pick.line, pick.score, (*pick.reasons, *new), names)
