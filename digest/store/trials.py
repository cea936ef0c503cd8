"""Trials: test mails in the log of deliveries. They are nobody's, so they are in no ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, update

from digest.store.deliveries import DELIVERY

if TYPE_CHECKING:
    from datetime import datetime

    from digest.channels import Reply
    from digest.store.database import Database

TEST: Final = "test"
"""The kind of delivery that a test mail is."""


class Trials:
    """The test mails of an installation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(
        self,
        public_id: str,
        message_id: str,
        selection: bytes,
        *,
        channel: str,
        list_name: str,
        now: datetime,
    ) -> None:
        """Write down that a test mail is about to leave; until `settle` its outcome is unknown."""
        with self._database.write() as connection:
            connection.execute(
                insert(DELIVERY).values(
                    public_id=public_id,
                    kind=TEST,
                    channel=channel,
                    list_name=list_name,
                    subscriber=None,
                    dedupe_key=f"{TEST}:{public_id}",
                    state="unknown",
                    attempt=1,
                    not_before=now,
                    message_id=message_id,
                    relay="",
                    enhanced="",
                    text="",
                    selection=selection,
                    created_at=now,
                )
            )

    def settle(self, public_id: str, reply: Reply, now: datetime) -> None:
        """Write down what became of it; a test is not tried again by itself."""
        state = "rejected" if reply.outcome.value == "deferred" else reply.outcome.value
        with self._database.write() as connection:
            connection.execute(
                update(DELIVERY)
                .where(DELIVERY.c.public_id == public_id, DELIVERY.c.kind == TEST)
                .values(
                    state=state,
                    relay=reply.relay,
                    code=reply.code,
                    enhanced=reply.enhanced,
                    text=reply.text,
                    settled_at=now,
                )
            )
