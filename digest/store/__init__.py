"""Every line of SQL: the tables, and one file per aggregate.

`open_store` gives a Store; rows stay inside, what crosses is frozen dataclasses. SQLAlchemy and
SQLModel are imported when a store is opened, so that `digest.store.glance` can do without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from digest.errors import StoreAbsent, StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from digest.store.database import Database


class Store:
    """An open database, one aggregate an attribute."""

    def __init__(self, database: Database, folder: Path | None = None) -> None:
        from digest.store.archive import Archive  # noqa: PLC0415 -- see the module
        from digest.store.briefs import Briefs  # noqa: PLC0415
        from digest.store.copies import Copies  # noqa: PLC0415
        from digest.store.deliveries import Deliveries  # noqa: PLC0415
        from digest.store.feedback import FeedbackLog  # noqa: PLC0415
        from digest.store.history import History  # noqa: PLC0415
        from digest.store.library import Libraries  # noqa: PLC0415
        from digest.store.notices import Notices  # noqa: PLC0415
        from digest.store.outbox import Outbox  # noqa: PLC0415
        from digest.store.papers import Papers  # noqa: PLC0415
        from digest.store.sources import Sources  # noqa: PLC0415
        from digest.store.subscribers import Subscribers  # noqa: PLC0415
        from digest.store.suppressions import Suppressions  # noqa: PLC0415
        from digest.store.trials import Trials  # noqa: PLC0415

        self.database = database
        self.papers = Papers(database)
        self.briefs = Briefs(database)
        self.archive = Archive(database)
        self.sources = Sources(database)
        self.subscribers = Subscribers(database)
        self.deliveries = Deliveries(database)
        self.history = History(database)
        self.suppressions = Suppressions(database)
        self.outbox = Outbox(database)
        self.copies = Copies(database, folder)
        self.feedback = FeedbackLog(database)
        self.notices = Notices(database)
        self.trials = Trials(database)
        self.libraries = Libraries(database)

    def close(self) -> None:
        """Give every connection back."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_store(
    url: str, *, create: bool = True, upgrade: bool = True, folder: Path | None = None
) -> Store:
    """Open a database and bring it to this version's tables.

    `url` is SQLAlchemy's: sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME. `folder` is
    where is remembered what was sent from a server (see `digest.store.copies`). Raises
    StoreUnavailable when it cannot be opened or has no folder to be in, StoreAbsent when it is
    not there and `create` is False, StoreOlder when an older version of the program wrote it and
    `upgrade` is False, StoreNewer when a newer one did.
    """
    from digest.store.database import Database  # noqa: PLC0415 -- see the module
    from digest.store.migrate import migrate  # noqa: PLC0415

    database = Database(url)
    path = database.path
    if path is not None and not path.exists():
        if not path.parent.is_dir():
            raise StoreUnavailable(
                f"there is no folder {path.parent.absolute()} for the database: make it, or mend "
                "DIGEST_DATABASE_URL"
            )
        if not create:
            raise StoreAbsent(
                f"there is no database at {path.absolute()}: run `paper-digest ingest` or "
                "`paper-digest subscribers add` to make it, or mend DIGEST_DATABASE_URL"
            )
        path.touch(mode=0o600)  # it will hold people's addresses
    migrate(database, upgrade=upgrade)
    return Store(database, folder)
