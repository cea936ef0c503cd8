"""An issue is decided in blocks: one that ends early, or in which things happen meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from digest import run
from digest.app import App, open_app
from digest.papers import Listing, Paper, PaperId
from digest.settings import load
from subscribers.profile import Profile
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from digest.store.outbox import Issue

ROOT = Path(__file__).parent.parent
NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
READERS = 25
BLOCK = 10

KILLED = """
import json, os, signal, sys
from datetime import UTC, datetime, timedelta
from sqlalchemy import event
from digest import run
from digest.app import open_app
from digest.settings import load

order = json.loads(sys.argv[1])
settings = load({"DIGEST_DATABASE_URL": order["database"], "DIGEST_SMTP_URL": "eml:outbox"})
seen = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

with open_app(settings, clock=lambda: datetime.fromisoformat(order["now"])) as app:
    @event.listens_for(app.store.database.engine, "after_cursor_execute")
    def after(connection, cursor, statement, *_):
        global seen
        seen += statement.startswith(order["statement"])
        if seen == order["times"]:
            die()

    def decided(block):
        if order["statement"] == "none" and block.done == order["block"] * order["times"]:
            die()

    run.issue(app, on_decided=decided, block=order["block"])
"""


def house(database_url: str) -> App:
    settings = load({"DIGEST_DATABASE_URL": database_url, "DIGEST_SMTP_URL": "eml:outbox"})
    return open_app(settings, clock=lambda: NOW)


@pytest.fixture
def app(database_url: str) -> Iterator[App]:
    """Readers who are due, every fifth of whom matches nothing, and a paper for the others."""
    with house(database_url) as opened:
        listing = Listing("arxiv", "arXiv", NOW.date())
        paper = Paper(PaperId("arxiv", "2611.00001"), "Larvae", listings=(listing,))
        opened.store.papers.ingest([paper], NOW - timedelta(hours=1))
        for number in range(READERS):
            words = "zebrafish" if number % 5 == 0 else "larvae"
            reader = Subscriber(
                f"r{number}@example.org", (Profile(words),), Schedule(Cadence.DAILY)
            )
            opened.store.subscribers.add(reader.confirm(NOW - timedelta(days=1)), NOW)
        yield opened


def logged(app: App) -> tuple[dict[str, int], dict[int, str]]:
    """How many digests each reader has, and why others were left out."""
    digests = {f"r{number}@example.org": 0 for number in range(READERS)}
    for one in app.store.deliveries.history():
        digests[one.address] += 1
    reasons: dict[int, str] = {}
    for issue in app.store.outbox.issues(9):
        reasons |= dict(app.store.deliveries.excluded(issue.number))
    return digests, reasons


def adds_up(issue: Issue) -> bool:
    return issue.candidates == issue.prepared + issue.excluded and issue.prepared == sum(
        issue.states.values()
    )


@pytest.mark.parametrize(
    ("statement", "times", "kept"),
    [
        ("none", 1, 10),
        ("none", 2, 20),
        ("INSERT INTO delivery", 2, 10),
        ("INSERT INTO exclusion", 1, 0),
        ("UPDATE subscriber", 3, 20),
    ],
)
def test_what_a_killed_issue_did_not_reach_is_decided_by_the_next_and_nobody_twice(
    app: App, database_url: str, statement: str, times: int, kept: int
) -> None:
    """Between two blocks, or in the middle of writing one."""
    order = {
        "database": database_url,
        "now": NOW.isoformat(),
        "block": BLOCK,
        "statement": statement,
        "times": times,
    }
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(order)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL

    issues = app.store.outbox.issues(9)
    assert sum(issue.candidates for issue in issues) == kept
    assert all(map(adds_up, issues))

    rest = run.issue(app).frozen
    assert rest is not None
    assert rest.candidates == READERS - kept
    assert run.issue(app).frozen is None

    digests, reasons = logged(app)
    assert [digests[f"r{n}@example.org"] for n in range(READERS)] == [
        0 if n % 5 == 0 else 1 for n in range(READERS)
    ]
    assert len(reasons) == READERS // 5
    assert all(map(adds_up, app.store.outbox.issues(9)))


def test_who_leaves_while_others_are_decided_is_excluded_with_the_reason(app: App) -> None:
    readers = app.store.subscribers.all()
    left, paused, moved, removed = readers[-4:]

    def go(block: run.Decided) -> None:
        if block.done == BLOCK:
            app.store.subscribers.update(left.unsubscribe())
            app.store.subscribers.update(paused.pause(None, NOW))
            app.store.subscribers.update(moved.reschedule(NOW))
            app.store.subscribers.erase(removed, b"")

    frozen = run.issue(app, on_decided=go, block=BLOCK).frozen

    assert frozen is not None
    (issue,) = app.store.outbox.issues(9)
    assert adds_up(issue)
    assert issue.candidates == frozen.candidates == READERS - 1, "of who is removed nothing is left"
    reasons = dict(app.store.deliveries.excluded(frozen.issue))
    assert reasons[left.number] == "the reader is unsubscribed"
    assert reasons[paused.number] == "the reader is paused"
    assert reasons[moved.number] == "not due any more"
    after = app.store.subscribers.by_numbers([left.number, paused.number, moved.number])
    assert [one.next_due for one in after.values()] == [None, None, NOW + timedelta(days=1)]


def test_a_reader_who_is_removed_while_a_block_is_written_stops_nobody(app: App) -> None:
    """The reader was read and decided, and is gone when the block is frozen."""
    gone = app.store.subscribers.all()[3]

    @event.listens_for(app.store.database.engine, "after_cursor_execute")
    def after(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("SELECT library") and not is_gone:
            is_gone.append(True)
            app.store.subscribers.erase(gone, b"")

    is_gone: list[bool] = []
    frozen = run.issue(app).frozen

    assert frozen is not None
    assert frozen.candidates == READERS - 1


def test_an_issue_that_is_ended_meanwhile_prepares_no_more(app: App) -> None:
    def end(block: run.Decided) -> None:
        if block.done == BLOCK:
            app.store.outbox.cancel(1, "by hand: a mistake", NOW)

    frozen = run.issue(app, on_decided=end, block=BLOCK).frozen

    assert frozen is not None
    (issue,) = app.store.outbox.issues(9)
    assert issue.state == "cancelled"
    assert issue.states == {"cancelled": 8}
    assert adds_up(issue)
    reasons = dict(app.store.deliveries.excluded(1)).values()
    assert sum(why == "the issue was ended: by hand: a mistake" for why in reasons) == 12
    assert run.issue(app).frozen is None, "nobody is due before the next day"


def test_an_issue_that_is_paused_meanwhile_stays_so_and_one_that_was_done_goes_on(app: App) -> None:
    def meanwhile(block: run.Decided) -> None:
        if block.done == BLOCK:
            with app.store.database.write() as connection:
                connection.exec_driver_sql("UPDATE delivery SET state = 'accepted'")
            app.store.outbox.close_issues()
            assert app.store.outbox.issue(1).state == "done"
        elif block.done == 2 * BLOCK:
            assert app.store.outbox.issue(1).state == "sending"
            app.store.outbox.pause(1, "by hand")

    run.issue(app, on_decided=meanwhile, block=BLOCK)

    assert app.store.outbox.issue(1).state == "paused"
    assert app.store.outbox.waiting(NOW) == 0


def test_an_issue_for_everybody_counts_also_those_before_the_first_who_gets_something(
    app: App,
) -> None:
    for reader in app.store.subscribers.all()[: 2 * BLOCK]:
        app.store.subscribers.update(replace(reader, profiles=(Profile("zebrafish"),)))
    blocks: list[run.Decided] = []

    frozen = run.issue(app, everybody=True, on_decided=blocks.append, block=BLOCK).frozen

    assert frozen is not None
    assert (frozen.candidates, frozen.prepared) == (READERS, 4)
    assert len(app.store.deliveries.excluded(frozen.issue)) == READERS - 4
    assert [(block.done, block.total) for block in blocks] == [(10, 25), (20, 25), (25, 25)]
