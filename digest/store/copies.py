"""Whether this database is the one that was last sent from, or a copy or restored backup of it.

A copy does not know what was sent since it was made, and would send it again. Beside a SQLite
database lies a file with the highest number of a delivery ever sent from it. In PostgreSQL a row
names the transaction that wrote it, which the server knows of every row by itself (xmin): a dump
holds the name, and whoever restores it writes the row in another transaction. A copy by CREATE
DATABASE ... TEMPLATE keeps that, so the row names its database as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Table, text

from digest.errors import StoreRestored, StoreUnavailable
from digest.store.tables import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from digest.store.database import Database

Table(
    "seal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("written_by", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="ck_seal_one"),
)
REMEDY: Final = "If that is meant: `paper-digest send --restored`"
# Rows keep their xmin when they are frozen (PostgreSQL 9.4 and later); it has 32 bits of the 64.
_KEPT: Final = text(
    "SELECT written_by % 4294967296 = CAST(CAST(xmin AS text) AS bigint) AND place ="
    " (SELECT CAST(oid AS bigint) FROM pg_database WHERE datname = current_database()) FROM seal"
)
_SEAL: Final = text(
    "INSERT INTO seal (id, written_by, place) SELECT 1, txid_current(), CAST(oid AS bigint)"
    " FROM pg_database WHERE datname = current_database()"
)


class Copies:
    """The guard against sending from a copy of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self) -> None:
        """Raise StoreRestored for a copy; else remember what is about to be sent from.

        Call it under the sender's lock.
        """
        problem = self.problem()
        if problem:
            raise StoreRestored(f"{problem[0].lower()}{problem[1:]} {REMEDY}")
        if not self._database.is_sqlite:
            with self._database.write() as connection:
                if connection.execute(_KEPT).scalar() is None:
                    connection.execute(_SEAL)
            return
        newest = self._newest()
        if self._file is not None and newest > self._known():
            _write(self._file, newest)

    def problem(self) -> str:
        """Why nothing is to be sent from this database, in a sentence or two, or nothing."""
        if not self._database.is_sqlite:
            with self._database.read() as connection:
                kept = connection.execute(_KEPT).scalar()
            if kept in {None, True}:
                return ""
            return (
                "This database is a copy, or was restored from a dump: what was sent since that "
                "was made is not in it, and sending would repeat it."
            )
        newest, known = self._newest(), self._known()
        if newest >= known:
            return ""
        return (
            f"This database is an older copy: it knows {newest} deliveries and {known} were made. "
            "Sending would repeat some."
        )

    def accept(self) -> None:
        """Take this database for the one to send from; what it does not know may go out again."""
        if not self._database.is_sqlite:
            with self._database.write() as connection:
                connection.execute(text("DELETE FROM seal"))
        elif self._file is not None:
            _write(self._file, self._newest())

    @property
    def _file(self) -> Path | None:
        path = self._database.path
        return path.with_name(f"{path.name}.newest") if path else None

    def _newest(self) -> int:
        with self._database.read() as connection:
            return _newest(connection)

    def _known(self) -> int:
        try:
            said = self._file.read_text("ascii", "replace").strip() if self._file else ""
        except FileNotFoundError:
            return 0
        return int(said) if said.isdigit() else 0


def _newest(connection: Connection) -> int:
    """The highest number of any delivery, 0 where there is none."""
    return int(connection.execute(text("SELECT max(id) FROM delivery")).scalar() or 0)


def _write(file: Path, number: int) -> None:
    """Whole or not at all."""
    partial = file.with_name(f"{file.name}.part")
    try:
        partial.write_text(f"{number}\n", encoding="ascii")
        partial.replace(file)
    except OSError as error:
        raise StoreUnavailable(f"{file} cannot be written: {error.strerror}") from error
