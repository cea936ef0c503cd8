"""Bring a database to this version's tables: Alembic's steps in one transaction.

SQLite: foreign keys off, our own BEGIN IMMEDIATE around every step, and a foreign_key_check
before the commit, so that a step that fails leaves nothing behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from digest.errors import StoreError, StoreNewer, StoreOlder, StoreUnavailable

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from digest.store.database import Database

HEAD: Final = "0016"
"""The newest revision; a test keeps it equal to what the migrations say."""


def migrate(database: Database, *, upgrade: bool = True) -> None:
    """Make or upgrade the tables; does nothing, and imports nothing, when they are current.

    Without `upgrade` it never changes anything. Raises StoreOlder for tables that it would have
    to change then, StoreNewer for those of a newer version.
    """
    found = _revision(database)
    if found == HEAD:
        return
    from alembic.config import Config  # noqa: PLC0415 -- slow import, needed once a version
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreNewer(
            f"the database is at revision {found}, which this version does not know: "
            "upgrade paper-digest, or open an older copy"
        )
    if not upgrade:
        raise StoreOlder(
            f"the database is at revision {found or 'none'}, and this version wants {HEAD}: "
            "make a backup, then any other command upgrades it"
        )
    _upgrade(database, config)


def _upgrade(database: Database, config: object) -> None:
    from alembic import command  # noqa: PLC0415 -- slow import, needed once a version

    from digest.store.papers import enter_missing  # noqa: PLC0415

    engine = database.engine
    try:
        with engine.connect().execution_options(writes=True) as connection:
            if database.is_sqlite:  # has no effect inside a transaction
                raw = connection.connection.driver_connection
                raw.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
            with connection.begin():
                config.attributes["connection"] = connection  # type: ignore[attr-defined]
                command.upgrade(config, "head")  # type: ignore[arg-type]
                enter_missing(connection)
                if database.is_sqlite:
                    _check(connection)
            if database.is_sqlite:
                raw.execute("PRAGMA foreign_keys=ON")  # type: ignore[union-attr]
    except DBAPIError as error:
        raise StoreUnavailable(f"the database could not be upgraded: {error.orig}") from error


def _check(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise StoreError(f"the upgrade would leave {len(broken)} rows pointing nowhere: not done")


def _revision(database: Database) -> str | None:
    """The revision the database is at, or None when it is empty."""
    with database.read() as connection:
        names = (
            "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
            if database.is_sqlite
            else "SELECT 1 FROM pg_tables WHERE tablename = 'alembic_version'"
            " AND schemaname = current_schema()"
        )
        if connection.execute(text(names)).first() is None:
            return None
        row = connection.execute(text("SELECT version_num FROM alembic_version")).first()
        return None if row is None else str(row[0])
