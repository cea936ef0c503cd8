"""Storing what a source said: which papers its records belong to, and all that follows from it.

Everything hangs on the record: names, listings and counts are a record's, and a paper is the
records that are together. So two papers that turn out to be one are joined by moving records,
and parted by moving them back. What is written is written in bulk.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from digest.merge import Evidence, evidence, exclude, group, merge, title_key
from digest.papers import Listing, Paper, Signals
from digest.store.catalogue import catalogue, leave
from digest.store.database import chunks
from digest.store.packing import pack, stored, unpack
from digest.store.tables import (
    AliasRow,
    ListingRow,
    MergeRow,
    PaperRow,
    RecordRow,
    SignalRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Row, Table

PAPER: Final[Table] = PaperRow.__table__  # type: ignore[attr-defined]
ALIAS: Final[Table] = AliasRow.__table__  # type: ignore[attr-defined]
RECORD: Final[Table] = RecordRow.__table__  # type: ignore[attr-defined]
LISTING: Final[Table] = ListingRow.__table__  # type: ignore[attr-defined]
SIGNAL: Final[Table] = SignalRow.__table__  # type: ignore[attr-defined]
MERGE: Final[Table] = MergeRow.__table__  # type: ignore[attr-defined]

_BY_RECORD: Final = (ALIAS, LISTING, SIGNAL)
_MANY: Final = 25
"""Papers of one name or title that a record is compared with: more of a kind are no one paper."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """How many papers of a fetch were new, changed, or known already as they are."""

    new: int = 0
    changed: int = 0
    same: int = 0


def title_hash(title: str) -> int | None:
    """The title as titles are compared, in 64 bits; None where it says too little."""
    key = title_key(title)
    if not key:
        return None
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class Incoming:
    """One record as it comes in, ready to be compared with what is stored."""

    __slots__ = ("body", "digest", "name", "paper", "source")

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.source = paper.listings[0].source if paper.listings else ""
        self.name = str(paper.id)
        self.body = pack(paper)
        said = [(one.source, str(one.day), one.kind.value) for one in paper.listings]
        counts = (paper.signals.upvotes, paper.signals.comments, paper.signals.stars)
        hashed = hashlib.blake2b(self.body, digest_size=16)
        hashed.update(repr((said, counts)).encode())
        self.digest = hashed.digest()


def unseen(connection: Connection, incoming: Sequence[Incoming]) -> list[Incoming]:
    """Those that say something which is not stored yet."""
    names = [one.name for one in incoming]
    known: dict[tuple[str, str], bytes] = {}
    for part in chunks(sorted(set(names))):
        rows = connection.execute(
            select(RECORD.c.source, RECORD.c.name, RECORD.c.digest).where(RECORD.c.name.in_(part))
        )
        known.update({(row.source, row.name): row.digest for row in rows})
    return [one for one in incoming if known.get((one.source, one.name)) != one.digest]


@dataclass(eq=False, slots=True)
class _Record:
    """One record; `number` is 0 until it is stored, `said` is what it says now, if anything."""

    source: str
    name: str
    paper: Paper
    number: int = 0
    said: Incoming | None = None
    rewritten: bool = False

    @property
    def spoken(self) -> Paper:
        """The paper as the rules of merging want it: with the source that speaks."""
        return replace(self.paper, listings=(Listing(self.source, "", date.min),))


@dataclass(eq=False, slots=True)
class _Group:
    """The records of one paper; `row` is the paper as stored, None while it is not.

    `moved`: its records are not those it had. `rewritten`: one of them says another thing.
    """

    number: int = 0
    row: Row[Any] | None = None
    records: list[_Record] = field(default_factory=list)
    absorbed: list[_Group] = field(default_factory=list)
    moved: bool = False
    rewritten: bool = False
    listed: bool = False
    signals: Signals | None = None

    @property
    def views(self) -> list[Paper]:
        return [record.spoken for record in self.records]


class Merging:
    """One transaction in which records are stored and find their papers."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._groups: dict[int, _Group] = {}
        self._places: dict[tuple[str, str], tuple[_Group, _Record]] = {}
        self._by_name: defaultdict[str, list[_Group]] = defaultdict(list)
        self._by_title: defaultdict[int, list[_Group]] = defaultdict(list)
        self._apart: set[frozenset[int]] = set()

    def store(self, incoming: Sequence[Incoming]) -> Ingested:
        """Store records that say something new."""
        self._load(incoming)
        for one in incoming:
            self._place(one)
        self._part_what_disagrees()
        spoken_of = (self._places[one.source, one.name][0] for one in incoming)
        moved = (one for one in self._groups.values() if one.moved and one.records)
        touched = list(dict.fromkeys((*spoken_of, *moved)))
        new = sum(one.row is None for one in touched)
        self._write(touched)
        changed = [
            one
            for one in touched
            if one.row is not None and (one.rewritten or one.moved or one.listed or one.signals)
        ]
        return Ingested(new, len(changed))

    def part(self, number: int, names: Iterable[str]) -> int | None:
        """Take the records of these names out of a paper, for good; the paper they are now.

        None where that would leave the paper without a record, or take nothing out of it.
        """
        self._load_groups([number])
        whole = self._groups.get(number)
        if whole is None:
            return None
        wanted = set(names)
        leaving = [record for record in whole.records if record.name in wanted]
        staying = [record for record in whole.records if record.name not in wanted]
        if not leaving or not staying:
            return None
        if _name(whole) in wanted:  # the paper stays with the record that it is named after
            leaving = staying
        gone = self._part(whole, leaving, by_hand=True)
        self._write([whole, gone])
        return gone.number

    # What is there

    def _load(self, incoming: Sequence[Incoming]) -> None:
        """Everything the incoming records could belong to."""
        names = {str(name) for one in incoming for name in (one.paper.id, *one.paper.aliases)}
        titles = {hashed for one in incoming if (hashed := title_hash(one.paper.title)) is not None}
        numbers: set[int] = set()
        for part in chunks(sorted(names)):
            numbers |= set(
                self._connection.execute(
                    select(ALIAS.c.paper).where(ALIAS.c.name.in_(part))
                ).scalars()
            )
        for several in chunks(sorted(titles)):
            numbers |= set(
                self._connection.execute(
                    select(RECORD.c.paper).where(RECORD.c.title.in_(several))
                ).scalars()
            )
        self._load_groups(sorted(numbers))

    def _load_groups(self, numbers: Sequence[int]) -> None:
        for part in chunks(numbers):
            for row in self._connection.execute(select(PAPER).where(PAPER.c.id.in_(part))):
                self._groups[row.id] = _Group(row.id, row)
            rows = self._connection.execute(
                select(RECORD).where(RECORD.c.paper.in_(part)).order_by(RECORD.c.id)
            )
            for row in rows:
                record = _Record(row.source, row.name, unpack(row.body), row.id)
                self._enter(self._groups[row.paper], record)
            pairs = self._connection.execute(
                select(MERGE.c.kept, MERGE.c.lost).where(
                    MERGE.c.by_hand, or_(MERGE.c.kept.in_(part), MERGE.c.lost.in_(part))
                )
            )
            self._apart |= {frozenset((row.kept, row.lost)) for row in pairs}

    def _enter(self, one: _Group, record: _Record) -> None:
        """Let a record stand in a group, to be found there."""
        one.records.append(record)
        self._places[record.source, record.name] = (one, record)
        self._index(one, record)

    def _index(self, one: _Group, record: _Record) -> None:
        for name in dict.fromkeys((record.paper.id, *record.paper.aliases)):
            if one not in (found := self._by_name[str(name)]):
                found.append(one)
        hashed = title_hash(record.paper.title)
        if hashed is not None and one not in (alike := self._by_title[hashed]):
            alike.append(one)

    # Which paper it is

    def _place(self, one: Incoming) -> None:
        """Find the paper a record belongs to, join what it shows to be one, or begin another."""
        own, record = self._places.get((one.source, one.name), (None, None))
        if own is not None and record is not None:
            if record.said is not None:  # said twice in one answer
                listings = (*record.said.paper.listings, *one.paper.listings)
                one.paper = replace(one.paper, listings=listings)
            record.said = one
            if pack(record.paper) == one.body:
                return  # only its listings or counts are new
            record.paper, record.rewritten, own.rewritten = one.paper, True, True
            self._index(own, record)
        else:
            record = _Record(one.source, one.name, one.paper, said=one, rewritten=True)
        found = self._alike(record, own)
        if own is None:
            own = min(found, key=_age) if found else _Group()
            self._enter(own, record)
            own.rewritten = True
        for other in found:
            if other is not own and other.records:
                own = self._join(own, other, record)

    def _alike(self, record: _Record, own: _Group | None) -> list[_Group]:
        """The papers that are the one this record speaks of."""
        names = dict.fromkeys(map(str, (record.paper.id, *record.paper.aliases)))
        hashed = title_hash(record.paper.title)
        near = [one for name in names for one in self._by_name.get(name, ())[:_MANY]]
        if hashed is not None:
            near += self._by_title.get(hashed, ())[:_MANY]
        view = record.spoken
        held = own.views if own else [view]
        found = []
        for one in dict.fromkeys(near):
            if one is own or not one.records:
                continue
            theirs = one.views
            why = {evidence(view, other) for other in theirs}
            if Evidence.ID in why or (why != {None} and not exclude(held, theirs)):
                found.append(one)
        return found

    def _join(self, one: _Group, other: _Group, record: _Record) -> _Group:
        """Make two papers one, the older; as they are where a person has parted them."""
        kept, lost = sorted((one, other), key=_age)
        if frozenset((kept.number, lost.number)) in self._apart:
            return one
        found = {evidence(record.spoken, view) for view in other.views}
        why = next(one for one in Evidence if one in found)
        if why is not Evidence.ID and exclude(kept.views, lost.views):
            return one
        for moving in lost.records:
            self._enter(kept, moving)
        lost.records = []
        kept.moved = kept.rewritten = True
        if lost.number:
            lost.moved = True
            kept.absorbed.append(lost)
            self._log(kept, lost, why.value)
        return kept

    def _part_what_disagrees(self) -> None:
        """Part records that were one paper by what one of them no longer says."""
        for one in list(self._groups.values()):
            if len(one.records) < 2 or not any(r.rewritten and r.number for r in one.records):  # noqa: PLR2004 -- one alone cannot disagree
                continue
            records = list(one.records)
            clusters = [[records[n] for n in apart] for apart in group(one.views)]
            # The paper stays with the record that it is named after.
            clusters.sort(key=lambda cluster: _name(one) not in {r.name for r in cluster})
            for apart in clusters[1:]:
                self._part(one, apart, by_hand=False)

    def _part(self, whole: _Group, leaving: list[_Record], *, by_hand: bool) -> _Group:
        """Take records out of a paper: into the one they came from, if that was another."""
        names = {record.name for record in leaving}
        row = self._connection.execute(
            select(PAPER).where(PAPER.c.merged_into == whole.number, PAPER.c.name.in_(names))
        ).first()
        gone = _Group(row.id, row) if row else _Group()
        whole.records = [record for record in whole.records if record not in leaving]
        for record in leaving:
            self._enter(gone, record)
        whole.moved = gone.moved = whole.rewritten = gone.rewritten = True
        if row:
            self._groups[row.id] = gone
        else:
            self._create([gone])
        self._parted(whole, gone, by_hand=by_hand)
        return gone

    # What is written

    def _log(self, kept: _Group, lost: _Group, why: str) -> None:
        values = {"kept": kept.number, "lost": lost.number, "evidence": why}
        self._connection.execute(insert(MERGE).values(merged_at=self._now, by_hand=False, **values))

    def _parted(self, whole: _Group, gone: _Group, *, by_hand: bool) -> None:
        """Write down that two papers are two: what a reader had of one still counts for both."""
        pair = (MERGE.c.kept == whole.number) & (MERGE.c.lost == gone.number)
        values = {"parted_at": self._now, "by_hand": by_hand}
        if not self._connection.execute(update(MERGE).where(pair).values(**values)).rowcount:
            about = {"kept": whole.number, "lost": gone.number, "evidence": "", **values}
            self._connection.execute(insert(MERGE).values(merged_at=self._now, **about))
        if gone.row is not None:
            self._connection.execute(
                update(PAPER).where(PAPER.c.id == gone.number).values(merged_into=None)
            )

    def _create(self, groups: Sequence[_Group]) -> None:
        """Insert papers that are not there, and learn their numbers."""
        rows = [
            {"name": one.records[0].name, "first_seen_at": self._now, "body": b""} for one in groups
        ]
        self._connection.execute(insert(PAPER), rows)
        numbers = {}
        for part in chunks([row["name"] for row in rows]):
            found = self._connection.execute(
                select(PAPER.c.id, PAPER.c.name).where(PAPER.c.name.in_(part))
            )
            numbers.update({row.name: row.id for row in found})
        for one in groups:
            one.number = numbers[one.records[0].name]
            self._groups[one.number] = one

    def _write(self, touched: Sequence[_Group]) -> None:
        if waiting := [one for one in touched if not one.number]:
            self._create(waiting)
        self._write_records(touched)
        for one in touched:
            if one.moved:
                self._move(one)
        self._write_listings(touched)
        self._write_signals(touched)
        self._derive([one for one in touched if one.rewritten or one.moved or one.listed])

    def _write_records(self, touched: Sequence[_Group]) -> None:
        new, old = [], []
        for one, record in _each(touched):
            said = record.said
            if said is None:
                continue
            values = {
                "body": said.body,
                "digest": said.digest,
                "title": title_hash(said.paper.title),
                "seen_at": self._now,
            }
            if record.number:
                old.append({"b_id": record.number, **values})
            else:
                new.append(
                    {"paper": one.number, "source": record.source, "name": record.name, **values}
                )
        if new:
            self._connection.execute(insert(RECORD), new)
            self._number(touched, [row["name"] for row in new])
        if old:
            self._connection.execute(
                update(RECORD)
                .where(RECORD.c.id == bindparam("b_id"))
                .values({key: bindparam(key) for key in ("body", "digest", "title", "seen_at")}),
                old,
            )
        self._write_names(touched)

    def _number(self, touched: Sequence[_Group], names: Sequence[str]) -> None:
        numbers = {}
        for part in chunks(sorted(set(names))):
            rows = self._connection.execute(
                select(RECORD.c.id, RECORD.c.source, RECORD.c.name).where(RECORD.c.name.in_(part))
            )
            numbers.update({(row.source, row.name): row.id for row in rows})
        for _, record in _each(touched):
            record.number = record.number or numbers[record.source, record.name]

    def _write_names(self, touched: Sequence[_Group]) -> None:
        rewritten = [(one, record) for one, record in _each(touched) if record.rewritten]
        known = [record.number for one, record in rewritten if one.row is not None]
        for part in chunks(known):
            self._connection.execute(delete(ALIAS).where(ALIAS.c.record.in_(part)))
        rows = [
            {"name": name, "record": record.number, "paper": one.number}
            for one, record in rewritten
            for name in dict.fromkeys(map(str, (record.paper.id, *record.paper.aliases)))
        ]
        if rows:
            self._connection.execute(insert(ALIAS), rows)

    def _move(self, one: _Group) -> None:
        """Let everything of the group's records be the group's paper's."""
        numbers = [record.number for record in one.records]
        for part in chunks(numbers):
            for table in _BY_RECORD:
                self._connection.execute(
                    update(table).where(table.c.record.in_(part)).values(paper=one.number)
                )
            self._connection.execute(
                update(RECORD).where(RECORD.c.id.in_(part)).values(paper=one.number)
            )
        for lost in one.absorbed:
            leave(self._connection, lost.number)
            self._connection.execute(
                update(PAPER)
                .where(or_(PAPER.c.id == lost.number, PAPER.c.merged_into == lost.number))
                .values(merged_into=one.number, announced_on=None)
            )

    def _write_listings(self, touched: Sequence[_Group]) -> None:
        stored = [record.number for one, record in _each(touched) if one.row and record.said]
        known = set()
        for part in chunks(stored):
            rows = self._connection.execute(
                select(LISTING.c.record, LISTING.c.source, LISTING.c.day, LISTING.c.kind).where(
                    LISTING.c.record.in_(part)
                )
            )
            known |= {tuple(row) for row in rows}
        new = []
        for one, record in _each(touched):
            for listing in record.said.paper.listings if record.said else ():
                key = (record.number, listing.source, listing.day, listing.kind.value)
                if key in known:
                    continue
                known.add(key)
                one.listed = True
                new.append(_listing(one, record, listing, self._now))
        if new:
            self._connection.execute(insert(LISTING), new)

    def _write_signals(self, touched: Sequence[_Group]) -> None:
        seen, papers = [], []
        for one in touched:
            before = _signals(one)
            for record in one.records:
                moved = _moved(before, record.said.paper.signals) if record.said else None
                if moved is None:
                    continue
                before = one.signals = moved
                counts = {"upvotes": moved.upvotes, "comments": moved.comments}
                counts["stars"] = moved.stars
                about = {"paper": one.number, "record": record.number, "seen_at": self._now}
                seen.append({**about, **counts})
            if one.signals:
                papers.append({
                    "b_id": one.number,
                    "upvotes": one.signals.upvotes,
                    "comments": one.signals.comments,
                    "stars": one.signals.stars,
                    "signals_at": self._now,
                })  # fmt: skip
        if seen:
            self._connection.execute(insert(SIGNAL), seen)
            fields = ("upvotes", "comments", "stars", "signals_at")
            self._connection.execute(
                update(PAPER)
                .where(PAPER.c.id == bindparam("b_id"))
                .values({key: bindparam(key) for key in fields}),
                papers,
            )

    def _derive(self, groups: Sequence[_Group]) -> None:
        """Write the merged view and the first list day from what all records say."""
        if not groups:
            return
        numbers = [one.number for one in groups]
        firsts: dict[int, Row[Any]] = {}
        for part in chunks(numbers):
            rows = self._connection.execute(
                select(
                    LISTING.c.paper,
                    func.min(LISTING.c.day).label("day"),
                    func.min(LISTING.c.first_seen_at).label("seen"),
                )
                .where(LISTING.c.paper.in_(part))
                .group_by(LISTING.c.paper)
            )
            firsts.update({row.paper: row for row in rows})
        values = []
        for one in groups:
            first = firsts.get(one.number)
            values.append({
                "b_id": one.number,
                "body": _merged(one),
                "announced_on": first.day if first else None,
                "first_seen_at": first.seen if first else _first_seen(one, self._now),
            })  # fmt: skip
        fields = ("body", "announced_on", "first_seen_at")
        self._connection.execute(
            update(PAPER)
            .where(PAPER.c.id == bindparam("b_id"))
            .values({key: bindparam(key) for key in fields}),
            values,
        )
        self._count_again([one for one in groups if one.moved])
        catalogue(self._connection, self._views(groups))

    def _views(self, groups: Sequence[_Group]) -> Iterator[Paper]:
        """The papers as they are stored now, with their listings."""
        known = []
        for one in groups:
            said = one.records[0].said if one.row is None and len(one.records) == 1 else None
            if said is None or said.paper.aliases:
                known.append(one.number)
            else:
                yield replace(said.paper, number=one.number)
        for part in chunks(known):
            rows = self._connection.execute(select(PAPER).where(PAPER.c.id.in_(part))).all()
            yield from stored(self._connection, rows)

    def _count_again(self, moved: Sequence[_Group]) -> None:
        """The counts of papers whose records came or went: the newest of each that is known."""
        for one in moved:
            rows = self._connection.execute(
                select(SIGNAL)
                .where(SIGNAL.c.paper == one.number)
                .order_by(SIGNAL.c.seen_at.desc(), SIGNAL.c.id.desc())
            ).all()
            newest = {
                key: next((n for row in rows if (n := getattr(row, key)) is not None), None)
                for key in ("upvotes", "comments", "stars")
            }
            seen = rows[0].seen_at if rows else None
            self._connection.execute(
                update(PAPER).where(PAPER.c.id == one.number).values(signals_at=seen, **newest)
            )


def _name(one: _Group) -> str:
    """The name a paper has in its table."""
    return one.row.name if one.row is not None else one.records[0].name


def _first_seen(one: _Group, now: datetime) -> datetime:
    seen: datetime = one.row.first_seen_at if one.row is not None else now
    return seen


def _age(one: _Group) -> int:
    """The older a paper, the smaller; one that is not stored is the youngest."""
    return one.number or 1 << 62


def _each(groups: Iterable[_Group]) -> Iterator[tuple[_Group, _Record]]:
    for one in groups:
        for record in one.records:
            yield one, record


def _merged(one: _Group) -> bytes:
    """The merged view of a group."""
    if len(one.records) == 1:
        alone = one.records[0]
        if alone.said and not alone.paper.aliases:
            return alone.said.body
    return pack(merge(one.views))


def _signals(one: _Group) -> Signals:
    row = one.row
    return Signals() if row is None else Signals(row.upvotes, row.comments, row.stars)


def _moved(before: Signals, now: Signals) -> Signals | None:
    """The counts with what is newly known, or None when nothing moved; silence moves nothing."""
    after = Signals(
        before.upvotes if now.upvotes is None else now.upvotes,
        before.comments if now.comments is None else now.comments,
        before.stars if now.stars is None else now.stars,
    )
    return None if after == before else after


def _listing(one: _Group, record: _Record, listing: Listing, now: datetime) -> dict[str, Any]:
    return {
        "paper": one.number,
        "record": record.number,
        "source": listing.source,
        "label": listing.label,
        "day": listing.day,
        "kind": listing.kind.value,
        "category": listing.category,
        "version": listing.version,
        "first_seen_at": listing.first_seen_at or now,
    }
