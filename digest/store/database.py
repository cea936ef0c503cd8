"""One door to the database: transactions, SQLite's settings, and errors that are ours."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import threading
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from digest.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

T = TypeVar("T")
BUSY_SECONDS = 30
_ADVICE: Final = tuple(
    (re.compile(told, re.IGNORECASE), advice)
    for told, advice in (
        (
            r"disk is full|no space left",
            "make room on its disk, then run it again; nothing is lost",
        ),
        (
            r"is locked",
            "another program keeps it locked; end that, then run it again",
        ),
        (
            r"no such database|does not exist|authentication failed|no pg_hba",
            "mend DIGEST_DATABASE_URL",
        ),
        (
            r"unable to open|readonly|read-only|permission denied",
            "see who may read and write the file and its folder, or mend DIGEST_DATABASE_URL",
        ),
        (
            r"malformed|not a database|disk i/o error",
            "restore the newest backup; docs/operating.md, Backups",
        ),
        (
            r"connection|could not connect|server",
            "start the server, or mend DIGEST_DATABASE_URL; nothing is lost meanwhile",
        ),
    )
)
"""What to do about what a driver says of a database; the first that fits."""
CHUNK = 500
"""Values in one IN (...): well under SQLite's limit of 32,766 variables."""


class Database:
    """SQLite or PostgreSQL behind two context managers, `read()` and `write()`.

    SQLite runs in WAL with synchronous=FULL (NORMAL can lose a committed intent when power
    fails), and a write begins with BEGIN IMMEDIATE so that it waits for the lock at its start
    and not in its middle. Every failure of the driver leaves as StoreUnavailable.
    """

    def __init__(self, url: str) -> None:
        try:
            self.url = make_url(url)
            self.engine = _engine(url)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreUnavailable(
                f"{url!r} is no database this program can open ({error}): "
                "write sqlite:///FILE or postgresql+psycopg://USER@HOST/NAME"
            ) from error
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self.writing = threading.RLock()
        """Held by whoever writes to SQLite from here: its own waiting is unfair, and sleeps."""
        self._watching = threading.Lock()
        self._watch: sqlite3.Connection | None = None

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database; None for a server or one in memory."""
        from pathlib import Path  # noqa: PLC0415 -- only a file has one

        name = self.url.database
        return Path(name) if self.is_sqlite and name and name != ":memory:" else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads: one consistent view of everything."""
        with self._ours(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes; committed durably when the block ends without an error."""
        with (
            self._ours(),
            self.writing if self.is_sqlite else nullcontext(),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def changes(self) -> int | None:
        """A number that is another one after anything was committed, told in microseconds.

        SQLite's data_version, on a connection that never writes; None where nobody tells so
        quickly: by a server, by a file that is gone or locked.
        """
        with self._watching:
            try:
                if self._watch is None:
                    if (path := self.path) is None:
                        return None
                    uri = f"{path.absolute().as_uri()}?mode=ro"
                    self._watch = sqlite3.connect(
                        uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
                    )
                number: int = self._watch.execute("PRAGMA data_version").fetchone()[0]
            except sqlite3.Error:
                return None
        return number

    def close(self) -> None:
        """Give every connection back."""
        with self._watching:
            if self._watch is not None:
                self._watch.close()
                self._watch = None
        self.engine.dispose()

    @contextmanager
    def _ours(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self.ours(error.orig or error) from error

    def ours(self, error: BaseException) -> StoreError:
        """An error of the driver, or of the library above it, as one of ours."""
        if isinstance(error, StoreError):
            return error
        # psycopg explains itself in several lines; an error is one.
        said = " ".join(str(error).split())
        advice = next((what for told, what in _ADVICE if told.search(said)), "")
        end = f": {advice}" if advice else ""
        return StoreUnavailable(f"the database {self._shown()} failed ({said}){end}")

    @contextmanager
    def alone(self, key: int) -> Iterator[bool]:
        """Hold a lock of the whole server while the block runs; False when another process has it.

        PostgreSQL only: it gives the lock back when our connection ends, however it ends.
        """
        with self._locked(f"pg_try_advisory_lock({key:d})") as held:
            yield bool(held)

    @contextmanager
    def turn(self, what: str) -> Iterator[None]:
        """Wait until nobody is at `what` on this database, here or elsewhere; keep others out.

        `what` has at most eight ASCII characters. Whoever ends, however it ends, lets the next
        one in.
        """
        if not self.is_sqlite:
            with self._locked(f"pg_advisory_lock({int.from_bytes(what.encode('ascii')):d})"):
                yield
            return
        if self.path is None:  # in memory: nobody else can see it
            yield
            return
        place = self.path.with_name(f"{self.path.name}.{what}")
        try:
            file = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"{place} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)

    @contextmanager
    def _locked(self, call: str) -> Iterator[object]:
        """Have PostgreSQL make `call`, which locks, on a connection of our own; yields its answer.

        The lock is given back at once, not when the server notices that the connection ended.
        """
        with self._ours(), self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            answer = connection.exec_driver_sql(f"SELECT {call}").scalar_one()
            try:
                yield answer
            finally:
                with suppress(DBAPIError):
                    connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")
                connection.invalidate()

    def _shown(self) -> str:
        return self.url.render_as_string(hide_password=True)


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values in pieces small enough for one IN (...)."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]


def _commit_durably(raw: Any, _record: object) -> None:  # noqa: ANN401 -- psycopg's own
    """Have a commit mean that it is on disk, also where the server is set to lose some."""
    with raw.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false)"
            " WHERE current_setting('synchronous_commit') = 'off'"
        )
    raw.commit()


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True)
        event.listen(engine, "connect", _commit_durably)
        return engine
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})

    name = make_url(url).database or ""

    @event.listens_for(engine, "do_connect")
    def _only_what_is_there(*_: object) -> None:
        # SQLite would make an empty file for one that was moved away, and hide that it is gone.
        if name not in {"", ":memory:"} and not os.path.exists(name):  # noqa: PTH110 -- text is all
            raise sqlite3.OperationalError("unable to open database file: it is gone")

    @event.listens_for(engine, "connect")
    def _settings(raw: Any, _record: object) -> None:  # noqa: ANN401 -- sqlite3's own, behind a proxy
        raw.isolation_level = None  # transactions begin where we say, not where the driver guesses
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
