"""Which paper a record belongs to, and what follows when that changes.

Everything hangs on the record: names, listings and counts are a record's, and a paper is the
records that are together. So two papers that turn out to be one are joined by moving records,
and parted by moving them back. Whether they are one is digest.merge's to say.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, insert, or_, select, update

from digest.merge import Evidence, evidence, exclude, group
from digest.store.database import chunks
from digest.store.incoming import (
    ALIAS,
    MERGE,
    PAPER,
    RECORD,
    Group,
    Incoming,
    Ingested,
    Record,
    title_hash,
)
from digest.store.packing import pack, unpack
from digest.store.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

_MANY: Final = 25
"""Papers of one name or title that a record is compared with: more of a kind are no one paper."""
_age: Final = attrgetter("age")


class Merging:
    """One transaction in which records are stored and find their papers."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now
        self._groups: dict[int, Group] = {}
        self._places: dict[tuple[str, str], tuple[Group, Record]] = {}
        self._by_name: defaultdict[str, list[Group]] = defaultdict(list)
        self._by_title: defaultdict[int, list[Group]] = defaultdict(list)
        self._apart: set[frozenset[int]] = set()
        self._writing = Writing(connection, now)

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
        self._writing.write(touched)
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
        if whole.name in wanted:  # the paper stays with the record that it is named after
            leaving = staying
        gone = self._part(whole, leaving, by_hand=True)
        self._writing.write([whole, gone])
        return gone.number

    # What is there

    def _load(self, incoming: Sequence[Incoming]) -> None:
        """Everything the incoming records could belong to."""
        names = {str(name) for one in incoming for name in (one.paper.id, *one.paper.aliases)}
        for one in incoming:
            one.title = title_hash(one.paper.title)
        titles = {one.title for one in incoming if one.title is not None}
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
                self._groups[row.id] = Group(row.id, row)
            rows = self._connection.execute(
                select(RECORD).where(RECORD.c.paper.in_(part)).order_by(RECORD.c.id)
            )
            for row in rows:
                record = Record(
                    row.source, row.name, unpack(row.body), row.id, row.title, stored=True
                )
                self._enter(self._groups[row.paper], record)
            pairs = self._connection.execute(
                select(MERGE.c.kept, MERGE.c.lost).where(
                    MERGE.c.by_hand, or_(MERGE.c.kept.in_(part), MERGE.c.lost.in_(part))
                )
            )
            self._apart |= {frozenset((row.kept, row.lost)) for row in pairs}

    def _enter(self, one: Group, record: Record) -> None:
        """Let a record stand in a group, to be found there."""
        one.records.append(record)
        self._places[record.source, record.name] = (one, record)
        self._index(one, record)

    def _index(self, one: Group, record: Record) -> None:
        for name in dict.fromkeys((record.paper.id, *record.paper.aliases)):
            if one not in (found := self._by_name[str(name)]):
                found.append(one)
        if record.title is not None and one not in (alike := self._by_title[record.title]):
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
            record.paper, record.title = one.paper, one.title
            record.rewritten = own.rewritten = True
            self._index(own, record)
        else:
            record = Record(one.source, one.name, one.paper, 0, one.title, one, rewritten=True)
        found = self._alike(record, own)
        if own is None:
            own = min(found, key=_age) if found else Group()
            self._enter(own, record)
            own.rewritten = True
        for other in found:
            if other is not own and other.records:
                own = self._join(own, other, record)

    def _alike(self, record: Record, own: Group | None) -> list[Group]:
        """The papers that are the one this record speaks of."""
        names = dict.fromkeys(map(str, (record.paper.id, *record.paper.aliases)))
        near = [one for name in names for one in self._by_name.get(name, ())[:_MANY]]
        if record.title is not None:
            near += self._by_title.get(record.title, ())[:_MANY]
        if not near:
            return []
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

    def _join(self, one: Group, other: Group, record: Record) -> Group:
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
        kept.absorbed += lost.absorbed
        lost.absorbed = []
        if lost.number:
            kept.absorbed.append(lost)
            self._log(kept, lost, why.value)
        return kept

    def _part_what_disagrees(self) -> None:
        """Part records that were one paper by what one of them no longer says."""
        for one in list(self._groups.values()):
            if len(one.records) < 2 or not any(r.rewritten and r.stored for r in one.records):  # noqa: PLR2004 -- one alone cannot disagree
                continue
            records = list(one.records)
            clusters = [[records[n] for n in apart] for apart in group(one.views)]
            # The paper stays with the record that it is named after.
            clusters.sort(key=lambda cluster: one.name not in {r.name for r in cluster})
            for apart in clusters[1:]:
                self._part(one, apart, by_hand=False)

    def _part(self, whole: Group, leaving: list[Record], *, by_hand: bool) -> Group:
        """Take records out of a paper: into the one they came from, if that was another."""
        gone = self._former(whole, {record.name for record in leaving})
        whole.records = [record for record in whole.records if record not in leaving]
        for record in leaving:
            self._enter(gone, record)
        whole.moved = gone.moved = whole.rewritten = gone.rewritten = True
        if not gone.number:
            self._writing.create([gone])
        self._groups[gone.number] = gone
        self._parted(whole, gone, by_hand=by_hand)
        return gone

    def _former(self, whole: Group, names: set[str]) -> Group:
        """The paper that records of these names were before they joined another, or a new one."""
        for one in whole.absorbed:  # just now
            if one.row is not None and one.row.name in names:
                whole.absorbed.remove(one)
                return one
        row = self._connection.execute(
            select(PAPER).where(PAPER.c.merged_into == whole.number, PAPER.c.name.in_(names))
        ).first()
        return Group(row.id, row) if row else Group()

    def _log(self, kept: Group, lost: Group, why: str) -> None:
        values = {"kept": kept.number, "lost": lost.number, "evidence": why}
        self._connection.execute(insert(MERGE).values(merged_at=self._now, by_hand=False, **values))

    def _parted(self, whole: Group, gone: Group, *, by_hand: bool) -> None:
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
