"""Notices: messages that are no digests, asked for on a page; how often is kept in the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, insert, select

from digest.store.deliveries import DELIVERY, Prepared, new_row
from digest.store.subscribers import SUBSCRIBER

if TYPE_CHECKING:
    from datetime import datetime

    from digest.store.database import Database
    from subscribers.subscriber import Subscriber

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


class Notices:
    """The notices of an installation; they wait in the log of deliveries like everything else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def post(
        self,
        reader: Subscriber,
        kind: str,
        *,
        channel: str,
        domain: str,
        now: datetime,
        lasts: timedelta,
        about: bytes = b"",
    ) -> bool:
        """Freeze one notice, if the pace of its kind allows it; False when it does not.

        It is not sent any more after `lasts`. `about` is kept with it, as a digest's selection
        is. Counting and writing are one transaction, in which the reader's row is held.
        """
        pace = PACES[kind]
        held = select(SUBSCRIBER.c.id).where(SUBSCRIBER.c.id == reader.number).with_for_update()
        with self._database.write() as connection:
            if connection.execute(held).first() is None:
                return False
            for span, most in ((DAY, pace.a_day), (WEEK, pace.a_week), (MONTH, pace.a_month)):
                count = select(func.count()).where(
                    DELIVERY.c.subscriber == reader.number,
                    DELIVERY.c.kind == kind,
                    DELIVERY.c.created_at > now - span,
                )
                if connection.execute(count).scalar_one() >= most:
                    return False
            key = f"{reader.number}:{kind}:{now.isoformat()}"
            notice = Prepared(reader, kind, key, about, now + lasts, None, None)
            connection.execute(insert(DELIVERY).values(new_row(notice, None, channel, domain, now)))
        return True
