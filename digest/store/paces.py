"""How often a reader is sent a notice of a kind; kept in the log of deliveries itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, select

from digest.store.database import chunks
from digest.store.tables import DeliveryRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest.store.deliveries import Prepared

DELIVERY = DeliveryRow.__table__  # type: ignore[attr-defined]

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7) - timedelta(hours=1)
"""An hour short: what is due at seven is not put off because it was a minute past a week ago."""
MONTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Pace:
    """The most notices of a kind that one reader is sent, in any 24 hours, week and 30 days."""

    a_day: int
    a_month: int
    a_week: int = 31


PACES: Final = {
    "confirm": Pace(1, 3),
    "already": Pace(1, 3),
    "link": Pace(3, 30),
    "move": Pace(3, 10),
    "invitation": Pace(1, 1),
    "quiet": Pace(1, 5, a_week=1),
    "empty": Pace(2, 31),
}


def paced(connection: Connection, notices: Sequence[Prepared], now: datetime) -> list[Prepared]:
    """Those of these notices, at most one of a reader, that the pace of their kind allows now.

    Whoever calls holds the readers' rows, so that two at once do not each find room for one.
    """
    sent: dict[tuple[int, str], list[datetime]] = {}
    column = DELIVERY.c
    for part in chunks([one.subscriber.number for one in notices]):
        found = select(column.subscriber, column.kind, column.created_at).where(
            column.subscriber.in_(part),
            column.kind.in_({one.kind for one in notices}),
            column.created_at > now - MONTH,
        )
        for row in connection.execute(found):
            sent.setdefault((row.subscriber, row.kind), []).append(row.created_at)
    return [
        one
        for one in notices
        if _allows(PACES[one.kind], sent.get((one.subscriber.number, one.kind), ()), now)
    ]


def _allows(pace: Pace, sent: Sequence[datetime], now: datetime) -> bool:
    spans = ((DAY, pace.a_day), (WEEK, pace.a_week), (MONTH, pace.a_month))
    return all(sum(moment > now - span for moment in sent) < most for span, most in spans)
