"""Notices: messages that are no digests, most of them asked for on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from digest.store.deliveries import DELIVERY, Prepared, new_row
from digest.store.paces import paced
from digest.store.subscribers import SUBSCRIBER

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from digest.store.database import Database
    from subscribers.subscriber import Subscriber


def notice(
    reader: Subscriber, kind: str, now: datetime, lasts: timedelta, about: bytes = b""
) -> Prepared:
    """A notice to freeze; it is not sent any more after `lasts`.

    `about` is kept with it, as a digest's selection is.
    """
    key = f"{reader.number}:{kind}:{now.isoformat()}"
    return Prepared(reader, kind, key, about, now + lasts, None, None)


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

        Counting and writing are one transaction, in which the reader's row is held.
        """
        held = select(SUBSCRIBER.c.id).where(SUBSCRIBER.c.id == reader.number).with_for_update()
        one = notice(reader, kind, now, lasts, about)
        with self._database.write() as connection:
            if connection.execute(held).first() is None or not paced(connection, [one], now):
                return False
            connection.execute(insert(DELIVERY).values(new_row(one, None, channel, domain, now)))
        return True
