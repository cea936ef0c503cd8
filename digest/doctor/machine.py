"""This machine: the database, its disk, the clock, and what waits to be sent."""

from __future__ import annotations

import os
import shutil
import stat
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from digest.doctor import Finding, failed, ok, warning
from digest.store.copies import REMEDY
from digest.store.health import condition

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from digest.app import App
    from digest.store.health import Condition

LITTLE: Final = 200_000_000
"""Bytes of free disk below which one morning's ingest may not fit."""
LATE: Final = timedelta(hours=3)
"""A digest that has been due for so long: nobody comes to decide what is in it."""
MUCH_AHEAD: Final = timedelta(minutes=5)


def look_at_machine(app: App) -> list[Finding]:
    """The database, the disk under it, the clock, and what waits."""
    now = app.clock()
    seen = condition(app.store.database, now)
    path = app.store.database.path
    return [
        _database(seen),
        *_copy(app),
        *(_disk(path) if path else ()),
        *_clock(app, seen, now),
        _waiting(app, seen, now),
    ]


def _database(seen: Condition) -> Finding:
    size = f"{seen.size / 1_000_000:,.1f} MB"
    told = (
        f"{seen.kind}, {size}, {_count(seen.readers, 'reader')}, {_count(seen.papers, 'paper')}, "
        f"revision {seen.revision}"
    )
    if seen.broken:
        return failed(
            "database", f"{told}; damaged: {seen.broken}",
            "Stop the program and restore the newest backup; docs/operating.md, Backups.",
        )  # fmt: skip
    if not seen.checked:
        return warning(
            "database", f"{told}; too large to be checked in 10 seconds",
            'At a quiet hour: sqlite3 paper-digest.db "pragma integrity_check".',
        )  # fmt: skip
    return ok("database", f"{told}, whole")


def _copy(app: App) -> list[Finding]:
    copies = app.store.copies
    problem = copies.problem()
    if problem:
        return [failed("copy", problem, f"Nothing is sent from it. {REMEDY}.")]
    if copies.file is not None and not os.access(copies.file.parent, os.W_OK):
        return [
            warning(
                "copy", f"{copies.file} cannot be written: a server put back goes unnoticed",
                "Run the program in a folder that it may write to.",
            )
        ]  # fmt: skip
    return []


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _disk(path: Path) -> list[Finding]:
    found = []
    free = shutil.disk_usage(path.parent).free
    told = f"{free / 1_000_000_000:,.1f} GB free where {path.name} lies"
    found.append(
        failed("disk", told, "Make room: with a full disk sending stops.")
        if free < LITTLE
        else ok("disk", told)
    )
    mode = path.stat().st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        found.append(
            warning(
                "disk",
                f"everybody on this machine can read {path.name}, which holds addresses",
                f"chmod o-rwx {path}",
            )
        )
    if not os.access(path.parent, os.W_OK):
        found.append(
            failed(
                "disk", f"{path.parent} cannot be written to", "SQLite needs to write beside it."
            )
        )
    return found


def _clock(app: App, seen: Condition, now: datetime) -> list[Finding]:
    told = app.at(now)
    if seen.newest is not None and seen.newest - now > MUCH_AHEAD:
        return [
            failed(
                "clock", f"{told}; the database has things of {app.at(seen.newest)}",
                "The clock was set back, or runs wrong: let NTP set it (timedatectl).",
            )
        ]  # fmt: skip
    if abs(seen.offset) > timedelta(seconds=30):
        return [
            warning(
                "clock",
                f"{told}; the database server's is {seen.offset.total_seconds():+.0f} s off",
                "Let NTP set both clocks.",
            )
        ]
    return [ok("clock", told)]


def _waiting(app: App, seen: Condition, now: datetime) -> Finding:
    counts = {state: seen.states.get(state, 0) for state in ("ready", "deferred", "unknown")}
    told = ", ".join(f"{number:,} {state}" for state, number in counts.items() if number)
    if seen.paused:
        number, why = seen.paused[0]
        return failed(
            "sending", f"issue {number} is paused: {why or 'by hand'}",
            f"Mend that, then `paper-digest issues resume {number}`.",
        )  # fmt: skip
    if counts["unknown"]:
        return warning(
            "sending",
            f"{told}; of what is unknown nobody knows whether it arrived",
            "`paper-digest deliveries --state unknown`, then resend or resolve.",
        )
    readers, since = seen.overdue
    if since is not None and now - since > LATE:
        due = "reader is" if readers == 1 else "readers are"
        return warning(
            "sending", f"{readers:,} {due} due, the first since {app.at(since)}",
            "Does cron or `paper-digest serve` run? `paper-digest run` does it now.",
        )  # fmt: skip
    return ok("sending", told or "nothing waits")
