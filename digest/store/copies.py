"""Whether this database is the one that was last sent from, or a copy or restored backup of it.

A copy does not know what was sent since it was made, and would send it again. Two things tell it:

A count that grows with every run of a sender stands in the database and, outside of it, in a
small file: a database that is behind the file is an older copy. Only a sender that may send counts
on, so whatever a copy decides before it is asked does not hide it.

In PostgreSQL, which several machines may send from, the row with the count also names the
transaction that wrote it, which the server knows of every row by itself (xmin): a dump holds the
name, and whoever restores it writes the row in another transaction. A copy by CREATE DATABASE ...
TEMPLATE keeps that, so the row names its database as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Table, text

from digest.errors import StoreRestored, StoreUnavailable
from digest.store.tables import metadata

if TYPE_CHECKING:
    from pathlib import Path

    from digest.store.database import Database

Table(
    "seal",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("written_by", BigInteger, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("runs", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("id = 1", name="ck_seal_one"),
)
REMEDY: Final = "If that is meant: `paper-digest send --restored`"
_PLACE: Final = "SELECT CAST(oid AS bigint) FROM pg_database WHERE datname = current_database()"
# Rows keep their xmin when they are frozen (PostgreSQL 9.4 and later); it has 32 bits of the 64.
_WRITER: Final = "written_by % 4294967296 = CAST(CAST(xmin AS text) AS bigint)"
_KEPT: Final = text(f"SELECT {_WRITER} AND place = ({_PLACE}) FROM seal")  # noqa: S608 -- ours
_RUNS: Final = text("SELECT runs FROM seal")
_COUNT: Final = (
    "INSERT INTO seal (id, written_by, place, runs) {values} ON CONFLICT (id) DO UPDATE"
    " SET written_by = excluded.written_by, place = excluded.place, runs = excluded.runs"
)
_COUNT_HERE: Final = text(_COUNT.format(values="VALUES (1, 0, 0, :runs)"))
_COUNT_THERE: Final = text(_COUNT.format(values=f"SELECT 1, txid_current(), ({_PLACE}), :runs"))
_SERVER: Final = text(f"SELECT system_identifier, ({_PLACE}) FROM pg_control_system()")  # noqa: S608


class Copies:
    """The guard against sending from a copy of a database.

    `folder` is where the file of a database on a server lies; that of SQLite lies beside it.
    """

    def __init__(self, database: Database, folder: Path | None = None) -> None:
        self._database = database
        self._folder = folder

    def check(self) -> None:
        """Raise StoreRestored for a copy; else remember that it is sent from.

        Call it under the sender's lock.
        """
        problem = self.problem()
        if problem:
            raise StoreRestored(f"{problem[0].lower()}{problem[1:]} {REMEDY}")
        self.remember()

    def problem(self) -> str:
        """Why nothing is to be sent from this database, in a sentence or two, or nothing."""
        if not self._database.is_sqlite:
            with self._database.read() as connection:
                kept = connection.execute(_KEPT).scalar()
            if kept not in {None, True}:
                return (
                    "This database is a copy, or was restored from a dump: what was sent since "
                    "that was made is not in it, and sending would repeat it."
                )
        if self._runs() >= self._known():
            return ""
        return (
            "This database is an older copy: mails went out since it was made that are not in "
            f"it ({self.file} tells), and sending would repeat some."
        )

    def remember(self) -> None:
        """Count a run's beginning or end, here and outside, so that a copy made earlier is known.

        The database first: if the file is not reached any more, it is only behind.
        """
        runs = max(self._runs(), self._known()) + 1
        with self._database.write() as connection:
            count = _COUNT_HERE if self._database.is_sqlite else _COUNT_THERE
            connection.execute(count, {"runs": runs})
        file = self.file
        if file is None:
            return
        try:
            _write(file, f"{self._whose()}{runs}\n")
        except OSError as error:
            if self._database.is_sqlite:
                raise StoreUnavailable(f"{file} cannot be written: {error.strerror}") from error
            # A server is no worse off than without this file, and `doctor` says so.

    accept = remember
    """Take this database for the one to send from; what it does not know may go out again."""

    @property
    def file(self) -> Path | None:
        """What is remembered outside of the database; None where nothing is."""
        path = self._database.path
        if path is not None:
            return path.with_name(f"{path.name}.runs")
        name = self._database.url.database
        return self._folder / f"{name}.runs" if self._folder and name else None

    def _runs(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(_RUNS).scalar() or 0)

    def _known(self) -> int:
        """What the file holds; 0 where it is not there, or is about another server's database."""
        try:
            said = self.file.read_text("ascii", "replace").strip() if self.file else ""
        except OSError:
            return 0
        whose, _, runs = said.rpartition(" ")
        ours = self._whose().strip()
        return int(runs) if runs.isdigit() and whose == ours else 0

    def _whose(self) -> str:
        """The server and the database of it that the file is about; of SQLite there is but one."""
        if self._database.is_sqlite:
            return ""
        with self._database.read() as connection:
            server, place = connection.execute(_SERVER).one()
        return f"{server} {place} "


def _write(file: Path, said: str) -> None:
    """Whole or not at all."""
    partial = file.with_name(f"{file.name}.part")
    partial.write_text(said, encoding="ascii")
    partial.replace(file)
