"""The two writes of a sender, one at a time, for tests that play one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digest.store.journal import Journal, Settled

if TYPE_CHECKING:
    from datetime import datetime

    from digest.store import Store
    from digest.store.deliveries import Delivery


def intend(store: Store, delivery: Delivery, owner: str, now: datetime) -> bool:
    """Commit that the final dot is about to be sent; whether the delivery is still the owner's."""
    journal = Journal(store.database, owner, lambda: now)
    try:
        return journal.intend([(delivery, "")])[0]
    finally:
        journal.close()


def settle(
    store: Store,
    delivery: Delivery,
    owner: str,
    state: str,
    now: datetime,
    **more: Any,  # noqa: ANN401 -- fields of Settled
) -> None:
    """Commit what became of an attempt."""
    journal = Journal(store.database, owner, lambda: now)
    journal.settle(Settled(delivery, state, now, **more))
    journal.close()
