"""The history of deliveries: who was sent what, every attempt and reply, and another try by hand.

`deliveries.py` is what a sender works with; this is what a person looks at afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from digest.errors import Conflict, NotFound
from digest.store.database import chunks
from digest.store.subscribers import SUBSCRIBER, suppressed
from digest.store.tables import (
    NOT_SENT,
    STATES,
    AttemptRow,
    DeliveryRow,
    ExclusionRow,
    IssueRow,
    ReturnRow,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from digest.store.database import Database

DELIVERY = DeliveryRow.__table__  # type: ignore[attr-defined]
ATTEMPT = AttemptRow.__table__  # type: ignore[attr-defined]
ISSUE = IssueRow.__table__  # type: ignore[attr-defined]
EXCLUSION = ExclusionRow.__table__  # type: ignore[attr-defined]
RETURNED = ReturnRow.__table__  # type: ignore[attr-defined]

EXCLUDED: Final = "excluded"
"""What the history calls a reader who was due and got nothing: no delivery, but an answer."""
WITH_PAPERS: Final = ("digest", "welcome")
"""Kinds of delivery that hold papers; the others hold a link."""
SEEN_STATES: Final = (*STATES, EXCLUDED)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at a delivery, a decision about it by hand, or what came back of it afterwards.

    Only a try has a `number`; the others have 0. The `state` of what came back is "bounced",
    "delayed", "complaint" or "unsubscribe".
    """

    number: int
    ended_at: datetime
    state: str
    relay: str = ""
    code: int | None = None
    enhanced: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history: a delivery with all its attempts, or an exclusion. Instants: UTC.

    `number` is the delivery's own, 0 for an exclusion, whose `text` is the reason. `address` is
    "" once the reader was removed, and of a test mail. `not_before` is when it is tried next,
    where it is.
    """

    number: int
    public_id: str
    kind: str
    list_name: str
    subscriber: int | None
    address: str
    issue: int | None
    state: str
    attempt: int
    not_before: datetime | None
    expires_at: datetime | None
    message_id: str
    relay: str
    code: int | None
    enhanced: str
    text: str
    selection: bytes
    created_at: datetime
    settled_at: datetime | None
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Sought:
    """Which part of the history: None or nothing does not narrow it. `since` <= made < `until`."""

    readers: tuple[int, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    issue: int | None = None


class History:
    """The history of an installation's deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, sought: Sought, limit: int) -> list[Entry]:
        """At most `limit` entries, newest first."""
        with self._database.read() as connection:
            found = [
                *_deliveries(connection, sought, limit),
                *_exclusions(connection, sought, limit),
            ]
            found.sort(key=lambda entry: (entry.created_at, entry.number), reverse=True)
            return _with_attempts(connection, found[:limit])

    def named(self, name: str) -> Entry:
        """The delivery of that public id, or of one that begins so.

        NotFound when there is none, Conflict when several begin so.
        """
        query = _log().where(DELIVERY.c.public_id.startswith(name, autoescape=True)).limit(2)
        with self._database.read() as connection:
            rows = connection.execute(query).all() if name else []
            if not rows:
                raise NotFound(
                    f"there is no delivery {name!r}: `paper-digest deliveries` shows their ids"
                )
            if len(rows) > 1:
                raise Conflict(
                    f"several deliveries begin with {name!r}: write more of the id, which "
                    "`paper-digest deliveries --json` shows whole"
                )
            return _with_attempts(connection, [_entry(rows[0])])[0]

    def settle_by_hand(self, entry: Entry, state: str, said: str, now: datetime) -> bool:
        """Write a person's decision about a delivery; False when it is not as it was seen.

        Whoever sent it last can no longer settle it.
        """
        with self._database.write() as connection:
            return _decide(connection, entry, state, said, now)

    def reopen(
        self,
        entry: Entry,
        said: str,
        now: datetime,
        *,
        expires_at: datetime | None,
        papers: Callable[[bytes], Iterable[int]],
    ) -> str:
        """Let a delivery be sent once more; "" when done, else why that must not be.

        Everything is looked at in the transaction that changes it: asked twice it is done once.
        `papers` gives the papers of a packed selection: none of them may have gone out since in
        another delivery.
        """
        with self._database.write() as connection:
            why = _forbids(connection, entry, papers)
            if why:
                return why
            values = {"not_before": now, "expires_at": expires_at}
            done = _decide(connection, entry, "ready", said, now, values)
            return "" if done else "it changed just now: look again"


def _decide(  # noqa: PLR0917 -- one row, everything that is written into it
    connection: Connection,
    entry: Entry,
    state: str,
    said: str,
    now: datetime,
    values: dict[str, Any] | None = None,
) -> bool:
    seen = (
        (DELIVERY.c.id == entry.number)
        & (DELIVERY.c.state == entry.state)
        & (DELIVERY.c.attempt == entry.attempt)
    )
    # The relay's words stay with their attempt.
    decided = {"state": state, "relay": "", "code": None, "enhanced": "", "text": said}
    free = {"lease_owner": None, "lease_until": None, "settled_at": now, **(values or {})}
    if not connection.execute(update(DELIVERY).where(seen).values(**decided, **free)).rowcount:
        return False
    connection.execute(
        insert(ATTEMPT).values(delivery=entry.number, attempt=0, ended_at=now, **decided)
    )
    return True


def _forbids(connection: Connection, entry: Entry, papers: Callable[[bytes], Iterable[int]]) -> str:
    """Why a delivery must not be sent again, or nothing."""
    reader = connection.execute(
        select(SUBSCRIBER.c.status, SUBSCRIBER.c.address)
        .where(SUBSCRIBER.c.id == entry.subscriber)
        .with_for_update()
    ).first()
    if reader is None:
        return "the reader was removed"
    if entry.kind in WITH_PAPERS and reader.status != "active":
        return f"the reader is {reader.status}"
    reason = suppressed(connection, reader.address)
    if reason:
        return f"the address is never written to: {reason}"
    of_issue = select(ISSUE.c.state).where(ISSUE.c.id == entry.issue)
    if connection.execute(of_issue).scalar() == "cancelled":
        return "its issue was cancelled"
    return _sent_since(connection, entry, papers)


def _sent_since(
    connection: Connection, entry: Entry, papers: Callable[[bytes], Iterable[int]]
) -> str:
    """In which other delivery the reader was sent one of these papers, or nothing."""
    if entry.kind not in WITH_PAPERS:
        return ""
    held = set(papers(entry.selection))
    others = connection.execute(
        select(DELIVERY.c.public_id, DELIVERY.c.selection)
        .where(
            DELIVERY.c.subscriber == entry.subscriber,
            DELIVERY.c.id != entry.number,
            DELIVERY.c.state.not_in(NOT_SENT),
            DELIVERY.c.kind.in_(WITH_PAPERS),
        )
        .order_by(DELIVERY.c.id.desc())
    )
    for other in others:
        again = held.intersection(papers(other.selection))
        if again:
            some = "all" if len(again) == len(held) else f"{len(again)} of"
            what = f"{some} its {len(held)} papers are" if len(held) > 1 else "its paper is"
            return f"{what} in delivery {other.public_id} already"
    return ""


def _log() -> Any:  # noqa: ANN401 -- an SQL expression
    return select(DELIVERY, SUBSCRIBER.c.address).select_from(
        DELIVERY.outerjoin(SUBSCRIBER, DELIVERY.c.subscriber == SUBSCRIBER.c.id)
    )


def _deliveries(connection: Connection, sought: Sought, limit: int) -> list[Entry]:
    states = [state for state in sought.states if state != EXCLUDED]
    if sought.states and not states:
        return []
    query = _log().order_by(DELIVERY.c.id.desc()).limit(limit)
    if sought.readers is not None:
        query = query.where(DELIVERY.c.subscriber.in_(sought.readers))
    if states:
        query = query.where(DELIVERY.c.state.in_(states))
    if sought.kinds:
        query = query.where(DELIVERY.c.kind.in_(sought.kinds))
    if sought.issue is not None:
        query = query.where(DELIVERY.c.issue == sought.issue)
    query = _between(query, DELIVERY.c.created_at, sought)
    return [_entry(row) for row in connection.execute(query)]


def _exclusions(connection: Connection, sought: Sought, limit: int) -> list[Entry]:
    if sought.states and EXCLUDED not in sought.states:
        return []
    if sought.kinds and "digest" not in sought.kinds:
        return []
    query = (
        select(
            EXCLUSION.c.reason,
            EXCLUSION.c.issue,
            EXCLUSION.c.subscriber,
            ISSUE.c.frozen_at,
            SUBSCRIBER.c.address,
            SUBSCRIBER.c.list_name,
        )
        .select_from(EXCLUSION.join(ISSUE).join(SUBSCRIBER))
        .order_by(EXCLUSION.c.id.desc())
        .limit(limit)
    )
    if sought.readers is not None:
        query = query.where(EXCLUSION.c.subscriber.in_(sought.readers))
    if sought.issue is not None:
        query = query.where(EXCLUSION.c.issue == sought.issue)
    query = _between(query, ISSUE.c.frozen_at, sought)
    return [_excluded(row) for row in connection.execute(query)]


def _between(query: Any, column: Any, sought: Sought) -> Any:  # noqa: ANN401 -- SQL expressions
    if sought.since is not None:
        query = query.where(column >= sought.since)
    return query if sought.until is None else query.where(column < sought.until)


def _with_attempts(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    tried: dict[int, list[Attempt]] = {}
    numbers = [entry.number for entry in entries if entry.number]
    for part in chunks(numbers):
        query = select(ATTEMPT).where(ATTEMPT.c.delivery.in_(part)).order_by(ATTEMPT.c.id)
        for row in connection.execute(query):
            one = Attempt(
                row.attempt, row.ended_at, row.state, row.relay, row.code, row.enhanced, row.text
            )
            tried.setdefault(row.delivery, []).append(one)
        # What the relay refused at the door is an attempt already.
        back = select(RETURNED).where(RETURNED.c.delivery.in_(part), RETURNED.c.via != "relay")
        for row in connection.execute(back):
            tried.setdefault(row.delivery, []).append(_came_back(row))
    for attempts in tried.values():
        attempts.sort(key=lambda one: one.ended_at)
    return [replace(entry, attempts=tuple(tried.get(entry.number, ()))) for entry in entries]


def _came_back(row: Row[Any]) -> Attempt:
    state = "bounced" if row.kind in {"hard", "soft", "blocked"} else row.kind
    text = f"{row.kind}: {row.text}" if state == "bounced" else row.text
    return Attempt(0, row.taken_at, state, row.via, row.code, row.enhanced, text)


def _entry(row: Row[Any]) -> Entry:
    names = set(Entry.__slots__) - {"number", "address", "attempts"}
    values = {name: getattr(row, name) for name in names}
    if row.state not in {"ready", "deferred"}:
        values["not_before"] = None
    return Entry(number=row.id, address=row.address or "", **values)


def _excluded(row: Row[Any]) -> Entry:
    return Entry(
        number=0,
        public_id="",
        kind="digest",
        list_name=row.list_name,
        subscriber=row.subscriber,
        address=row.address,
        issue=row.issue,
        state=EXCLUDED,
        attempt=0,
        not_before=None,
        expires_at=None,
        message_id="",
        relay="",
        code=None,
        enhanced="",
        text=row.reason,
        selection=b"",
        created_at=row.frozen_at,
        settled_at=row.frozen_at,
    )
