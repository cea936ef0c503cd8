"""Writing what became of papers and their records, in bulk."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from digest.merge import merge
from digest.papers import Listing, Paper, Signals
from digest.store.catalogue import catalogue, leave
from digest.store.database import chunks
from digest.store.incoming import ALIAS, LISTING, PAPER, RECORD, SIGNAL, Group, Record
from digest.store.packing import pack, stored
from digest.store.shelves import days_of, shelve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from sqlalchemy import Row

_BY_RECORD: Final = (ALIAS, LISTING, SIGNAL)


class Writing:
    """One transaction's writing."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def create(self, groups: Sequence[Group]) -> None:
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

    def write(self, touched: Sequence[Group]) -> None:
        """Everything that is new about these papers."""
        if waiting := [one for one in touched if not one.number]:
            self.create(waiting)
        self._write_records(touched)
        moved = [one for one in touched if one.moved]
        gone = [lost.number for one in moved for lost in one.absorbed]
        days = days_of(self._connection, gone)
        for one in moved:
            self._move(one)
        self._write_listings(touched)
        self._write_signals(touched)
        days |= self._derive([one for one in touched if one.rewritten or one.moved or one.listed])
        counted = [one.number for one in touched if one.signals or one.moved]
        shelve(self._connection, days | days_of(self._connection, counted))

    def _write_records(self, touched: Sequence[Group]) -> None:
        new: list[dict[str, Any]] = []
        old: list[dict[str, Any]] = []
        for one, record in _each(touched):
            said = record.said
            if said is None:
                continue
            values = {
                "body": said.body,
                "digest": said.digest,
                "title": said.title,
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

    def _number(self, touched: Sequence[Group], names: Sequence[str]) -> None:
        numbers = {}
        for part in chunks(sorted(set(names))):
            rows = self._connection.execute(
                select(RECORD.c.id, RECORD.c.source, RECORD.c.name).where(RECORD.c.name.in_(part))
            )
            numbers.update({(row.source, row.name): row.id for row in rows})
        for _, record in _each(touched):
            record.number = record.number or numbers[record.source, record.name]

    def _write_names(self, touched: Sequence[Group]) -> None:
        rewritten = [(one, record) for one, record in _each(touched) if record.rewritten]
        known = [record.number for _, record in rewritten if record.stored]
        for part in chunks(known):
            self._connection.execute(delete(ALIAS).where(ALIAS.c.record.in_(part)))
        rows = [
            {"name": name, "record": record.number, "paper": one.number}
            for one, record in rewritten
            for name in dict.fromkeys(map(str, (record.paper.id, *record.paper.aliases)))
        ]
        if rows:
            self._connection.execute(insert(ALIAS), rows)

    def _move(self, one: Group) -> None:
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

    def _write_listings(self, touched: Sequence[Group]) -> None:
        stored = [record.number for _, record in _each(touched) if record.stored and record.said]
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

    def _write_signals(self, touched: Sequence[Group]) -> None:
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

    def _derive(self, groups: Sequence[Group]) -> set[date]:
        """Write the merged view and the first list day from what all records say.

        The days on which one of them now stands under something else than before.
        """
        if not groups:
            return set()
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
        return catalogue(self._connection, self._views(groups))

    def _views(self, groups: Sequence[Group]) -> Iterator[Paper]:
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

    def _count_again(self, moved: Sequence[Group]) -> None:
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


def _first_seen(one: Group, now: datetime) -> datetime:
    seen: datetime = one.row.first_seen_at if one.row is not None else now
    return seen


def _each(groups: Iterable[Group]) -> Iterator[tuple[Group, Record]]:
    for one in groups:
        for record in one.records:
            yield one, record


def _merged(one: Group) -> bytes:
    """The merged view of a group."""
    if len(one.records) == 1:
        alone = one.records[0]
        if alone.said and not alone.paper.aliases:
            return alone.said.body
    return pack(merge(one.views))


def _signals(one: Group) -> Signals:
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


def _listing(one: Group, record: Record, listing: Listing, now: datetime) -> dict[str, Any]:
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
