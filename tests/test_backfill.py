"""Filling in the past: every day once, politely, and on where it was stopped."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from digest.app import App, open_app
from digest.backfill import Step, backfill
from digest.cli import app as commands
from digest.errors import SourceError
from digest.settings import load
from digest.testing import Clock, FixtureServer, Reply, Request

if TYPE_CHECKING:
    from pathlib import Path

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
FIRST, LAST = date(2026, 11, 2), date(2026, 11, 11)


def opened(folder: Path, clock: Clock, sources: str, **more: str) -> App:
    values = {"DIGEST_DATABASE_URL": f"sqlite:///{folder / 'd.db'}", "DIGEST_SOURCES": sources}
    return open_app(load(values | more), clock=clock.now, sleep=clock.sleep)


def daily(request: Request) -> Reply:
    """Two papers for each day of a week; nothing on a weekend."""
    day = date.fromisoformat(request.query["date"])
    if day.weekday() >= 5:
        return Reply(b"[]")
    items = [
        {"paper": {"id": f"{day:%y%m}.{day:%d}{n:03}", "title": f"Invented {day} {n}"}}
        for n in range(2)
    ]
    return Reply(json.dumps(items).encode())


def test_every_day_is_asked_for_once_and_a_second_time_nothing_is(tmp_path: Path) -> None:
    clock = Clock(NOON)
    steps: list[Step] = []
    with (
        FixtureServer(daily) as server,
        opened(tmp_path, clock, "hf", DIGEST_HF_URL=server.url) as app,
    ):
        report = backfill(app, app.sources[0], FIRST, LAST, on_step=steps.append)
        assert (report.days, report.had, report.new, report.stopped) == (10, 0, 16, "")
        assert [step.done for step in steps] == list(range(1, 11))
        asked = Counter(request.query["date"] for request in server.requests)
        assert asked == {str(FIRST + timedelta(days=n)): 1 for n in range(10)}
        assert clock.now() - NOON >= timedelta(seconds=9)  # one request a second

        again = backfill(app, app.sources[0], FIRST, LAST)
        assert (again.had, again.new, len(server.requests)) == (10, 0, 10)
        wider = backfill(app, app.sources[0], FIRST - timedelta(days=1), LAST)
        assert (wider.had, len(server.requests)) == (10, 11)


def test_what_a_server_does_not_give_stops_it_and_comes_the_next_time(tmp_path: Path) -> None:
    clock = Clock(NOON)
    quiet = Reply(b"", 429, {"Retry-After": "600"})
    with FixtureServer() as server, opened(tmp_path, clock, "hf", DIGEST_HF_URL=server.url) as app:
        good = daily(Request("", {"date": str(FIRST)}, {}))
        server.on("/api/daily_papers", good, good, quiet)
        report = backfill(app, app.sources[0], FIRST, LAST)
        assert report.stopped == "asks us to wait until 17:10 UTC"
        assert len(server.requests) == 3
        server.on("/api/daily_papers", good)
        clock.advance(timedelta(minutes=10))
        again = backfill(app, app.sources[0], FIRST, LAST)
        assert (again.had, again.stopped, again.incomplete) == (2, "", ())
        assert len(server.requests) == 3 + 8


def test_a_server_that_is_down_is_left_after_three_days(tmp_path: Path) -> None:
    clock = Clock(NOON)
    with opened(tmp_path, clock, "hf", DIGEST_HF_URL="http://127.0.0.1:1") as app:
        report = backfill(app, app.sources[0], FIRST, LAST)
    assert report.stopped == "could not be reached"
    assert len(report.incomplete) == 3


def test_one_bad_day_does_not_end_it(tmp_path: Path) -> None:
    clock = Clock(NOON)

    def answer(request: Request) -> Reply:
        return Reply(b"{", 200) if request.query["date"] == "2026-11-04" else daily(request)

    with (
        FixtureServer(answer) as server,
        opened(tmp_path, clock, "hf", DIGEST_HF_URL=server.url) as app,
    ):
        report = backfill(app, app.sources[0], FIRST, LAST)
        assert [fetch.day for fetch in report.incomplete] == [date(2026, 11, 4)]
        assert (report.new, report.stopped) == (14, "")


def test_arxiv_days_come_from_the_query_api_or_from_oai_and_weekends_cost_nothing(
    tmp_path: Path,
) -> None:
    clock = Clock(NOON)

    def answer(request: Request) -> Reply:
        if request.path == "/api/query":
            return Reply(b"<h1>Bad Gateway</h1>", 502)
        if request.path == "/oai":
            created = request.query["from"]
            number = created.replace("-", "")[-5:]
            return Reply(OAI.replace("NUMBER", number).replace("DAY", created).encode())
        return Reply(b"", 404)

    with (
        FixtureServer(answer) as server,
        opened(tmp_path, clock, "arxiv:cs.RO", DIGEST_ARXIV_URL=server.url) as app,
    ):
        report = backfill(app, app.sources[0], date(2026, 11, 6), date(2026, 11, 9))
        assert (report.new, report.incomplete) == (2, ())
        notes = {a.day: a.note for a in app.store.sources.answers(date(2026, 11, 1))}
        friday, monday = date(2026, 11, 6), date(2026, 11, 9)
        assert notes[friday] == notes[monday] == "its query API answered 502; taken from OAI-PMH"
        assert notes[date(2026, 11, 7)] == "lists nothing that day"
        oai = [request for request in server.requests if request.path == "/oai"]
        assert len(oai) == 2


OAI = """<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>
<record><header><identifier>oai:arXiv.org:2611.00001</identifier></header><metadata>
<arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>2611.NUMBER</id><created>DAY</created><authors><author>
<keyname>Harrow</keyname><forenames>Ines</forenames></author></authors><title>Of DAY</title>
<categories>cs.RO</categories><abstract>We go.</abstract></arXiv></metadata></record>
</ListRecords></OAI-PMH>"""


def test_a_source_that_lists_only_what_is_new_cannot_be_asked_for_the_past(tmp_path: Path) -> None:
    with opened(tmp_path, Clock(NOON), "feed:https://example.org/rss,arxiv:.") as app:
        with pytest.raises(SourceError, match="only says what it lists now"):
            backfill(app, app.sources[0], FIRST, LAST)
        with pytest.raises(SourceError, match="is no category"):
            backfill(app, app.sources[1], FIRST, LAST)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(server: FixtureServer, *words: str, sources: str = "hf") -> Result:
    given = {"DIGEST_SOURCES": sources, "DIGEST_HF_URL": server.url}
    return CliRunner().invoke(commands, list(words), env=given)


@pytest.mark.usefixtures("house")
def test_the_command_line_fills_in_and_shows_the_sources() -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    with FixtureServer(daily) as server:
        days = ["--since", str(yesterday), "--until", str(yesterday)]
        filled = call(server, "backfill", "--source", "hf", *days)
        assert filled.exit_code == 0, filled.output
        assert "hf: 1 day, " in filled.stdout
        again = call(server, "backfill", "--source", "hf", *days)
        assert "1 of them there already" in again.stdout or yesterday.weekday() == 6
        shown = call(server, "sources")
        assert shown.stdout.splitlines()[0].split()[:2] == ["source", "state"]
        (row,) = json.loads(call(server, "sources", "--json").stdout)
        assert (row["source"], row["label"], row["day"]) == ("hf", "Daily Papers", str(yesterday))
        assert row["state"] in {"ok", "empty"}
        assert row["good_at"] is not None
        assert row["next_try"] is not None


@pytest.mark.usefixtures("house")
def test_a_source_can_be_tried_once_and_nothing_is_stored() -> None:
    odd = json.dumps([
        {"paper": {"id": "2611.00001", "title": "Invented", "authors": [{"name": "A"}]}},
        {"paper": {"id": "2611.00002", "title": ""}},
    ]).encode()  # fmt: skip
    with FixtureServer(lambda _: Reply(odd)) as server:
        tried = call(server, "sources", "test", "hf")
        assert tried.exit_code == 0
        first, *lines = tried.stdout.splitlines()
        assert "ok, 1 paper, 1 request, " in first
        assert lines == [
            "  arxiv:2611.00001  Invented",
            "  odd: item 2: it has no title",
            "  odd: 1 paper has no abstract, as arxiv:2611.00001",
            "  odd: 1 paper has no date, as arxiv:2611.00001",
        ]
        assert len(server.requests) == 1
        (row,) = json.loads(call(server, "sources", "--json").stdout)
        assert (row["state"], row["papers"]) == ("never asked", 0)


@pytest.mark.usefixtures("house")
def test_a_source_that_fails_its_trial_ends_with_one() -> None:
    with FixtureServer(lambda _: Reply(b"no list", 404)) as server:
        tried = call(server, "sources", "test", "hf")
        assert tried.exit_code == 1
        assert "misconfigured (answered 404)" in tried.stdout
        unknown = call(server, "sources", "test", "nope")
        assert unknown.exit_code == 1
        assert unknown.stderr.startswith("there is no source 'nope': known are arxiv, ")
        assert "Traceback" not in unknown.stderr


@pytest.mark.usefixtures("house")
def test_days_that_have_not_been_are_refused() -> None:
    with FixtureServer(daily) as server:
        for days in (["2031-01-01"], ["2026-11-05", "--until", "2026-11-01"], ["soon"]):
            result = call(server, "backfill", "--source", "hf", "--since", *days)
            assert result.exit_code == 2
        assert server.requests == []
