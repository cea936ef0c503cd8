"""The history of deliveries, and another try by hand: seen whole, and nothing done twice."""

from __future__ import annotations

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from relay import Relay
from typer.testing import CliRunner

from digest.app import App, open_app, utc_now
from digest.bounces import Kind, Report
from digest.cli import app as command_line
from digest.papers import Listing, Paper, PaperId
from digest.preview import preview
from digest.reopen import Action, act
from digest.run import deliver, ingest, issue
from digest.selection import papers_of
from digest.settings import load
from digest.store.history import Entry, Sought
from digest.trial import send_test
from subscribers.profile import Profile
from subscribers.subscriber import Schedule, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
EVERYTHING = Sought()


@pytest.fixture
def whims() -> Iterator[Relay]:
    with Relay() as relay:
        yield relay


@pytest.fixture
def house(database_url: str, tmp_path: Path, whims: Relay) -> Iterator[App]:
    """Three readers of one keyword, a listing that has it, and a relay with its whims."""
    papers = [
        {"id": f"arxiv:2611.9000{n}", "title": f"Unlearning {n}", "abstract": "x", "day": 0,
         "sample": True}
        for n in (1, 2)
    ]  # fmt: skip
    listing = tmp_path / "listing.json"
    listing.write_text(json.dumps({"source": "arxiv", "label": "arXiv", "papers": papers}))
    settings = load(
        {
            "DIGEST_DATABASE_URL": database_url,
            "DIGEST_SMTP_URL": f"smtp://127.0.0.1:{whims.port}",
            "DIGEST_FROM": "digest@example.org",
            "DIGEST_SOURCES": f"file:{listing}",
            "DIGEST_ZONE": "Europe/Paris",
        }
    )
    with open_app(settings, clock=lambda: NOW) as opened:
        for name in ("ada", "bo", "cy"):
            opened.store.subscribers.add(
                Subscriber(
                    f"{name}@example.org",
                    profiles=(Profile("unlearning"),),
                    schedule=Schedule(zone="UTC"),
                ).confirm(NOW),
                NOW,
            )
        yield opened


def send(app: App) -> None:
    ingest(app)
    issue(app, everybody=True)
    deliver(app)


def entry(app: App, name: str) -> Entry:
    number = app.store.subscribers.by_address(f"{name}@example.org").number
    found = app.store.history.find(Sought((number,)), 10)
    return next(one for one in found if one.number)


def later(app: App, by: timedelta) -> None:
    moment = app.clock() + by
    app.clock = lambda: moment


def test_every_attempt_and_its_reply_is_in_the_history(house: App, whims: Relay) -> None:
    whims.said["ada@example.org"] = "451 4.7.1 Greylisted, come back later"
    send(house)
    first = entry(house, "ada")
    assert (first.state, first.code, first.enhanced) == ("deferred", 451, "4.7.1")
    assert first.not_before is not None
    assert first.not_before > NOW

    whims.said.clear()
    later(house, timedelta(minutes=30))
    deliver(house)

    second = entry(house, "ada")
    assert [(one.number, one.state, one.code, one.text) for one in second.attempts] == [
        (1, "deferred", 451, "Greylisted, come back later"),
        (2, "accepted", 250, "queued as 4711"),
    ]
    assert second.not_before is None


def test_what_came_back_stands_in_the_history_of_its_delivery(house: App) -> None:
    send(house)
    ada = entry(house, "ada")
    returned = Report(
        Kind.SOFT, NOW, "mail", ada.public_id, code=552, enhanced="5.2.2", text="mailbox full"
    )
    later(house, timedelta(minutes=5))
    house.store.suppressions.take(returned, house.clock())
    assert [
        (one.number, one.state, one.code, one.text) for one in entry(house, "ada").attempts
    ] == [
        (1, "accepted", 250, "queued as 4711"),
        (0, "bounced", 552, "soft: mailbox full"),
    ]


def test_who_was_due_and_got_nothing_is_in_the_history_with_the_reason(house: App) -> None:
    send(house)
    later(house, timedelta(days=3))
    issue(house)
    found = house.store.history.find(Sought(states=("excluded",)), 10)
    assert {(one.address, one.text) for one in found} == {
        (f"{name}@example.org", "nothing new was listed") for name in ("ada", "bo", "cy")
    }
    assert [one.state for one in house.store.history.find(EVERYTHING, 100)] == [
        *["excluded"] * 3,
        *["accepted"] * 3,
    ]
    assert len(house.store.history.find(EVERYTHING, 4)) == 4


def test_the_history_is_narrowed_by_reader_day_and_state(house: App, whims: Relay) -> None:
    whims.said["bo@example.org"] = "550 5.1.1 No such user"
    send(house)
    find = house.store.history.find
    assert [one.address for one in find(Sought(states=("rejected",)), 10)] == ["bo@example.org"]
    assert [one.state for one in find(Sought((entry(house, "ada").subscriber or 0,)), 10)] == [
        "accepted"
    ]
    assert len(find(Sought(since=NOW, until=NOW + timedelta(hours=1)), 10)) == 3
    assert find(Sought(until=NOW), 10) == []
    assert find(Sought(since=NOW + timedelta(seconds=1)), 10) == []
    assert find(Sought(kinds=("welcome",)), 10) == []


def test_a_rejected_digest_is_retried_once_however_often_it_is_asked_for(
    house: App, whims: Relay
) -> None:
    whims.said["bo@example.org"] = "550 5.7.1 Not today"
    send(house)
    whims.said.clear()
    seen = entry(house, "bo")

    assert act(house, seen, Action.RETRY).done
    again = act(house, seen, Action.RETRY)
    assert again.why == "it changed just now: look again"
    waiting = entry(house, "bo")
    assert (waiting.state, waiting.code, waiting.text) == (
        "ready",
        None,
        "by hand: to be tried again",
    )
    assert act(house, entry(house, "bo"), Action.RETRY).why == "it waits to be sent"
    deliver(house)
    deliver(house)

    assert whims.accepted.count("bo@example.org") == 1
    told = entry(house, "bo")
    assert told.state == "accepted"
    assert [one.state for one in told.attempts] == ["rejected", "ready", "accepted"]
    assert told.attempts[1].text == "by hand: to be tried again"


def test_an_unknown_is_never_retried_only_resent_or_resolved(house: App, whims: Relay) -> None:
    whims.dropped = {"ada@example.org", "bo@example.org", "cy@example.org"}
    send(house)
    for name in ("ada", "bo", "cy"):
        assert entry(house, name).state == "unknown"
        why = act(house, entry(house, name), Action.RETRY).why
        assert why.startswith("it may have arrived: `deliveries resend`")
    whims.dropped.clear()

    assert act(house, entry(house, "ada"), Action.RESEND).done
    assert act(house, entry(house, "bo"), Action.ARRIVED).done
    assert act(house, entry(house, "cy"), Action.LOST).done
    deliver(house)

    states = {name: entry(house, name).state for name in ("ada", "bo", "cy")}
    assert states == {"ada": "accepted", "bo": "accepted", "cy": "dropped"}
    assert [whims.accepted.count(f"{name}@example.org") for name in ("ada", "bo", "cy")] == [
        2,
        1,
        1,
    ]
    assert act(house, entry(house, "bo"), Action.LOST).why == (
        "it is accepted: there is nothing to resolve"
    )
    # What was lost is offered again, and then nothing of it can be sent a second time.
    later(house, timedelta(hours=1))
    lost = entry(house, "cy")
    send(house)
    assert entry(house, "cy").number != lost.number
    why = act(house, lost, Action.RETRY).why
    assert why == f"all its 2 papers are in delivery {entry(house, 'cy').public_id} already"


def list_also(app: App, title: str) -> None:
    """One more paper, first seen now."""
    paper = Paper(
        PaperId("arxiv", "2611.90009"),
        title,
        listings=(Listing("arxiv", "arXiv", app.clock().date()),),
    )
    app.store.papers.ingest([paper], app.clock())


def test_what_was_lost_is_offered_again_also_where_that_is_known_after_the_next_digest(
    house: App, whims: Relay
) -> None:
    whims.dropped = {"bo@example.org", "cy@example.org"}
    send(house)
    held = house.store.papers.count()
    lost = {name: entry(house, name) for name in ("bo", "cy")}
    whims.dropped.clear()
    later(house, timedelta(days=1))
    list_also(house, "Unlearning, a day later")
    send(house)
    assert all(entry(house, name).number > lost[name].number for name in lost)

    later(house, timedelta(hours=1))
    assert act(house, lost["bo"], Action.LOST).done
    assert act(house, lost["cy"], Action.ARRIVED).done
    later(house, timedelta(hours=1))
    send(house)

    again = entry(house, "bo")
    assert papers_of(again.selection) == papers_of(lost["bo"].selection)
    assert len(papers_of(again.selection)) == held == 2
    assert again.state == "accepted"
    # Nobody else had anything new, and the next time nobody has.
    later(house, timedelta(hours=1))
    assert issue(house, everybody=True).frozen is None
    # The relay took the first ones, too, before the line broke.
    taken = [whims.accepted.count(f"{name}@example.org") for name in ("ada", "bo", "cy")]
    assert taken == [2, 3, 2]


def test_a_message_resent_is_the_same_message(house: App, whims: Relay) -> None:
    send(house)
    before = entry(house, "ada")
    assert act(house, before, Action.RETRY).why == (
        "it was accepted: `deliveries resend` sends it once more"
    )
    assert act(house, before, Action.RESEND).done
    deliver(house)
    assert whims.accepted.count("ada@example.org") == 2
    assert entry(house, "ada").message_id == before.message_id


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("left", "the reader is unsubscribed"),
        ("removed", "the reader was removed"),
        ("suppressed", "the address is never written to: by hand"),
    ],
)
def test_who_is_not_written_to_any_more_is_not_retried(
    house: App, whims: Relay, what: str, why: str
) -> None:
    whims.said["bo@example.org"] = "550 5.7.1 Not today"
    send(house)
    seen = entry(house, "bo")
    reader = house.store.subscribers.by_address("bo@example.org")
    if what == "left":
        house.store.subscribers.update(reader.unsubscribe())
    elif what == "removed":
        house.store.subscribers.erase(reader, b"")
        seen = house.store.history.named(seen.public_id)
    else:
        house.store.suppressions.add(reader.address, "by hand", NOW)
    assert act(house, seen, Action.RETRY).why == why
    assert house.store.history.named(seen.public_id).state == "rejected"


def test_a_retried_digest_ends_when_the_next_one_is_due(house: App, whims: Relay) -> None:
    whims.said["bo@example.org"] = "550 5.7.1 Not today"
    send(house)
    act(house, entry(house, "bo"), Action.RETRY)
    due = house.store.subscribers.by_address("bo@example.org").next_due
    assert due is not None
    assert entry(house, "bo").expires_at == due
    house.clock = lambda: due
    deliver(house)
    assert entry(house, "bo").state == "expired"


def call(*words: str, say: str = "") -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(command_line, words, input=say)


@pytest.fixture
def shell(house: App, whims: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """The same house from the command line, after an issue in which bo's digest was refused."""
    whims.said["bo@example.org"] = "550 5.7.1 Not today"
    send(house)
    monkeypatch.chdir(tmp_path)
    url = house.store.database.url.render_as_string(hide_password=False)
    monkeypatch.setenv("DIGEST_DATABASE_URL", url)
    monkeypatch.setenv("DIGEST_SMTP_URL", house.settings.smtp_url)
    monkeypatch.setenv("DIGEST_FROM", "digest@example.org")
    monkeypatch.setenv("DIGEST_ZONE", "Europe/Paris")
    return house


def test_the_command_shows_the_log_as_a_table_as_json_and_as_csv(shell: App) -> None:
    shown = call("deliveries", "--day", "2026-11-20").stdout
    assert "when (Europe/Paris)" in shown
    assert "2026-11-20 08:00" in shown
    assert "550 5.7.1 Not today" in shown
    assert call("deliveries", "--day", "2026-11-19").stdout == "No delivery is like that.\n"
    (only,) = json.loads(call("deliveries", "--state", "rejected", "--json").stdout)
    assert (only["reader"], only["papers"], only["attempts"][0]["code"]) == (
        "bo@example.org",
        2,
        550,
    )
    rows = list(csv.DictReader(StringIO(call("deliveries", "--csv").stdout)))
    assert sorted((row["reader"], row["attempt_state"]) for row in rows) == [
        ("ada@example.org", "accepted"),
        ("bo@example.org", "rejected"),
        ("cy@example.org", "accepted"),
    ]
    name = entry(shell, "bo").public_id
    told = call("deliveries", "show", name[:6]).stdout
    assert "1. rejected at 127.0.0.1:" in told
    assert f"delivery  {name}" in told


def test_the_command_retries_by_filter_and_says_what_comes_next(shell: App, whims: Relay) -> None:
    asked = call("deliveries", "retry", "--day", "2026-11-20")
    assert asked.exit_code == 2
    assert "Send 1 mail that did not arrive?" in asked.stderr
    assert "--yes" in asked.stderr
    assert entry(shell, "bo").state == "rejected"

    done = call("deliveries", "retry", "--day", "2026-11-20", "--yes")
    assert done.exit_code == 0, done.output
    assert "1 mail waits: `paper-digest run` sends now" in done.stdout
    assert call("deliveries", "retry", "--day", "2026-11-20", "--yes").stdout == (
        "Nothing was changed: 2 accepted, 1 ready, and `retry` is for what is deferred, "
        "rejected, expired, cancelled or dropped.\n"
    )
    whims.said.clear()
    shell.clock = utc_now  # the command goes by the real one
    deliver(shell)
    assert whims.accepted.count("bo@example.org") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retry"], "name deliveries by id, or choose some"),
        (["retry", "x", "--state", "rejected"], "name deliveries by id, or choose some"),
        (["retry", "nothere", "--yes"], "there is no delivery 'nothere'"),
        (["resolve", "x"], "say --arrived or --lost"),
        (["--state", "lost"], "'lost' is no state: ready,"),
        (["--day", "yesterday"], "'yesterday' is no date"),
        (["--reader", "nobody@example.org"], "there is no reader nobody@example.org"),
        (["show", "%"], "there is no delivery '%'"),
    ],
)
@pytest.mark.usefixtures("shell")
def test_what_the_command_cannot_do_is_said_in_one_line(words: list[str], said: str) -> None:
    result = call("deliveries", *words)
    assert result.exit_code != 0
    assert said in result.stderr


def test_what_is_left_alone_is_named_and_the_exit_code_says_so(shell: App) -> None:
    accepted = entry(shell, "ada").public_id
    result = call("deliveries", "retry", accepted, "--yes")
    assert result.exit_code == 1
    assert result.stderr == (
        "Left alone, it was accepted: `deliveries resend` sends it once more: "
        f"{accepted[:8]} to ada@example.org\n"
    )
    assert result.stdout == ""


def test_a_test_mail_is_nobodys_and_not_a_reader_who_was_removed(shell: App) -> None:
    send_test(shell, preview(shell, "unlearning", now=NOW), "grace@example.org")
    (kept,) = shell.store.history.find(Sought(kinds=("test",)), 10)
    table = call("deliveries").stdout
    assert "(removed)" not in table
    assert re.search(r" test +\(test\) +accepted +2 ", table)
    shown = call("deliveries", "show", kept.public_id).stdout
    assert "to        (test), list " in shown
    assert "what      test, 2 papers" in shown
    again = call("deliveries", "resend", "--yes", kept.public_id)
    assert again.exit_code == 1
    assert "it is a test mail: `paper-digest preview --send` sends another" in again.stderr
    assert shell.store.history.named(kept.public_id) == kept
