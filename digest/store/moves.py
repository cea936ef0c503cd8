"""Addresses that readers had before: what comes back late is about the one it was sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, ForeignKey, Table, Text, func, insert, select

from digest.store.columns import Key
from digest.store.tables import DeliveryRow, metadata

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

DELIVERY = DeliveryRow.__table__  # type: ignore[attr-defined]
FORMER: Final = Table(
    "former_address",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column(
        "subscriber",
        Key,
        ForeignKey("subscriber.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("address_key", Text, nullable=False),
    Column("last_delivery", Key, nullable=False),
    sqlite_autoincrement=True,
)
_STILL_TO_GO: Final = ("ready", "deferred", "leased")


def note_move(connection: Connection, reader: int, address_key: str) -> None:
    """Keep which deliveries of a reader went to the address that is given up now."""
    mine = DELIVERY.c.subscriber == reader
    newest = select(func.max(DELIVERY.c.id)).where(mine, DELIVERY.c.state.not_in(_STILL_TO_GO))
    last = connection.execute(newest).scalar()
    if last is not None:
        row = {"subscriber": reader, "address_key": address_key, "last_delivery": last}
        connection.execute(insert(FORMER).values(row))


def sent_to(connection: Connection, delivery: Row[Any]) -> str:
    """The key of the address a delivery went to, where it is not the reader's of today, or "".

    The row has the id, the subscriber, the kind and the selection of the delivery.
    """
    if delivery.kind == "move":  # it asks whoever reads there; see `digest.notices`
        return bytes(delivery.selection).decode().casefold()
    before = (
        select(FORMER.c.address_key)
        .where(FORMER.c.subscriber == delivery.subscriber, FORMER.c.last_delivery >= delivery.id)
        .order_by(FORMER.c.last_delivery)
        .limit(1)
    )
    return connection.execute(before).scalar() or ""
