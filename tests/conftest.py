"""What all tests share: a fixed instant, a database of their own, and saying why one is skipped.

A test that needs something of the machine asks `needs`. With REQUIRE_ALL=1 in the environment,
as the runner sets it, a skip is a failure; without it one closing line says what was skipped
and how to get it.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from postgres import Postgres

    from digest.store import Store

REQUIRE_ALL: Final = os.environ.get("REQUIRE_ALL") == "1"
_UNOBTAINABLE: Final = "; nothing that can be installed brings it"

# A busy machine is slow, not wrong; and chance is the same every time, but for `make soak`.
settings.register_profile(
    "paper-digest", deadline=None, derandomize=os.environ.get("EXPLORE") != "1"
)
settings.load_profile("paper-digest")


def needs(present: object, what: str, how: str = "") -> None:
    """Skip the running test when `what` is not `present`; `how` says how to get it.

    Without a `how` it is something no installation brings: such a skip is never a failure.
    """
    if not present:
        pytest.skip(f"{what}: {how}" if how else f"{what}{_UNOBTAINABLE}")


@pytest.fixture
def now() -> datetime:
    """A Friday morning in November, 07:00 UTC."""
    return datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of this process's own, on a socket; ended with the tests."""
    from postgres import Postgres, has_postgres  # noqa: PLC0415 -- most tests need no server

    needs(has_postgres(), "PostgreSQL", "pip install --group dev")
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Where a database of this test's own is: the test runs once on SQLite, once on PostgreSQL."""
    monkeypatch.chdir(tmp_path)  # where it is remembered what was sent from a server
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'digest.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A database with nothing in its tables."""
    from digest.store import open_store  # noqa: PLC0415 -- most tests need no database

    opened = open_store(database_url)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the DIGEST_ settings of whoever runs it."""
    for key in [key for key in os.environ if key.startswith("DIGEST_")]:
        monkeypatch.delenv(key)


def _fail_if_all_is_required(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = _reason(report)
    expected = hasattr(report, "wasxfail") or reason.endswith(_UNOBTAINABLE)
    if REQUIRE_ALL and report.outcome == "skipped" and not expected:
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_ALL=1, and this was skipped. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_all_is_required(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_all_is_required(report)
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line: what was skipped, how often, and how to get it."""
    skipped = Counter(map(_reason, terminalreporter.stats.get("skipped", [])))
    if skipped:
        reasons = " · ".join(f"{reason} ({times})" for reason, times in skipped.most_common())
        terminalreporter.write_line(f"Skipped: {reasons}")
