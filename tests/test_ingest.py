"""Asking the sources: who is due, side by side, what is kept of each answer, what is told."""

from __future__ import annotations

import fcntl
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING

import pytest

from digest.app import App, open_app
from digest.ingest import ingest, next_try
from digest.news import consider
from digest.papers import Author, Listing, Paper, PaperId
from digest.run import issue
from digest.settings import load
from digest.sources import Entry, Fetch, FetchState, Validator
from digest.testing import Clock, FixtureServer, Reply, Request
from subscribers.profile import Profile
from subscribers.subscriber import Schedule, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from digest.sources import Window
    from digest.sources.http import Polite

FRIDAY = date(2026, 11, 20)
MORNING = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # 07:00 in New York
HOUR = timedelta(hours=1)


def opened(folder: Path, clock: Clock, sources: str, **more: str) -> App:
    values = {"DIGEST_DATABASE_URL": f"sqlite:///{folder / 'd.db'}", "DIGEST_SOURCES": sources}
    return open_app(load(values | more), clock=clock.now, sleep=clock.sleep)


@dataclass
class Scripted:
    """A source that says what it is told to, or raises it."""

    name: str
    says: list[Fetch | BaseException]
    label: str = "Scripted"
    windows: tuple[Window, ...] = ()

    def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
        del client
        self.windows += (window,)
        for said in self.says:
            if isinstance(said, BaseException):
                raise said
            yield said


def paper(number: int, source: str = "one", title: str = "") -> Paper:
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title or f"Invented {number}",
        authors=(Author("Ines Harrow"),),
        listings=(Listing(source, "Scripted", FRIDAY),),
    )


def said(
    source: str, state: FetchState, *papers: Paper, day: date = FRIDAY, note: str = ""
) -> Fetch:
    return Fetch(source, "Scripted", day, state, papers, note=note)


def daily(*numbers: int) -> Reply:
    items = [
        {"paper": {"id": f"2611.{n:05}", "title": f"Invented {n}", "upvotes": n}} for n in numbers
    ]
    return Reply(json.dumps(items).encode())


def test_a_source_that_is_not_due_is_not_asked(tmp_path: Path) -> None:
    clock = Clock(MORNING)
    with (
        FixtureServer(lambda _: daily(1)) as server,
        opened(tmp_path, clock, "hf", DIGEST_HF_URL=server.url) as app,
    ):
        assert ingest(app).new == 1
        asked = len(server.requests)
        assert asked == 7
        again = ingest(app)
        assert len(server.requests) == asked
        (waiting,) = again.waiting
        assert waiting[0] == "hf"
        assert waiting[1] == next_try(app, app.sources[0])
        assert waiting[1] is not None
        assert HOUR < waiting[1] - clock.now() <= 3 * HOUR

        clock.set(waiting[1])
        ingest(app)
        assert [request.query["date"] for request in server.requests[asked:]] == ["2026-11-20"]

        ingest(app, now=True)
        assert len(server.requests) == asked + 1 + 7


def test_a_slow_source_does_not_hold_up_another(tmp_path: Path) -> None:
    """The slow one answers only when what the quick one said is stored."""
    quick_is_stored = Event()

    class Slow(Scripted):
        def fetch(self, window: Window, client: Polite) -> Iterator[Fetch]:
            assert quick_is_stored.wait(20)
            yield from super().fetch(window, client)

    slow = Slow("slow", [said("slow", FetchState.OK, paper(1, "slow"))])
    quick = Scripted("quick", [said("quick", FetchState.OK, paper(2, "quick"))])
    order: list[str] = []
    with opened(tmp_path, Clock(MORNING), "hf") as app:
        app.sources = [Entry("slow", slow), Entry("quick", quick)]

        def stored(progress: object) -> None:
            order.append(progress.fetch.source)  # type: ignore[attr-defined]
            quick_is_stored.set()

        report = ingest(app, on_progress=stored)
        assert order == ["quick", "slow"]
        assert report.new == 2


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a bug of somebody else's"), MemoryError(), KeyError("x"), SystemExit(3)],
    ids=repr,
)
def test_a_source_that_breaks_takes_nothing_from_the_others(
    tmp_path: Path, error: BaseException
) -> None:
    good = said("bad", FetchState.OK, paper(1, "bad"), day=FRIDAY - timedelta(days=1))
    bad = Scripted("bad", [good, error])
    fine = Scripted("fine", [said("fine", FetchState.OK, paper(2, "fine"))])
    with opened(tmp_path, Clock(MORNING), "hf") as app:
        app.sources = [Entry("bad", bad), Entry("fine", fine)]
        report = ingest(app)
        assert report.new == 2
        assert not report.complete
        failed = {fetch.day: fetch for fetch in report.fetches if fetch.state is FetchState.FAILED}
        assert FRIDAY in failed
        assert failed[FRIDAY].note.startswith("could not be asked: ")
        states = {(one.entry, one.day): one.state for one in app.store.sources.answers(date.min)}
        assert states["bad", FRIDAY - timedelta(days=1)] == "ok"
        assert states["bad", FRIDAY] == "failed"
        assert states["fine", FRIDAY] == "ok"


def test_papers_that_cannot_be_stored_fail_alone_and_are_asked_for_again(tmp_path: Path) -> None:
    broken = paper(1, "bad", title="half a letter \ud800")
    validator = Validator("https://example.org/list", etag='"1"')
    answer = replace(said("bad", FetchState.OK, paper(9, "bad"), broken), validators=(validator,))
    fine = Scripted("fine", [said("fine", FetchState.OK, paper(2, "fine"))])
    with opened(tmp_path, Clock(MORNING), "hf") as app:
        app.sources = [Entry("bad", Scripted("bad", [answer])), Entry("fine", fine)]
        report = ingest(app)
        assert report.new == 1
        (failed,) = [fetch for fetch in report.fetches if not fetch.state.complete]
        assert failed.note.startswith("gave papers that cannot be stored: ")
        # A validator without its papers would hide them for ever.
        assert app.store.sources.validators("bad") == {}
        assert app.store.sources.good_days("bad", date.min, date.max) == frozenset()


def test_a_validator_is_kept_with_its_papers_and_asked_with(tmp_path: Path) -> None:
    clock = Clock(MORNING)

    def answer(request: Request) -> Reply:
        if request.etag == '"v1"':
            return Reply(status=304)
        return replace(daily(1, 2), headers={"ETag": '"v1"'})

    with FixtureServer(answer) as server:
        with opened(tmp_path, clock, "hf", DIGEST_HF_URL=server.url) as app:
            ingest(app)
        clock.advance(9 * HOUR)
        with opened(tmp_path, clock, "hf", DIGEST_HF_URL=server.url) as app:
            asked = len(server.requests)
            report = ingest(app)
            assert {request.etag for request in server.requests[asked:]} == {'"v1"'}
            assert {fetch.state for fetch in report.fetches} == {FetchState.EMPTY}
            newest = app.store.sources.answers(FRIDAY)[0]
            # "Nothing new" takes nothing away from what was there.
            assert (newest.state, newest.papers, newest.good_at) == ("ok", 2, clock.now())


@pytest.mark.parametrize("bad", [state for state in FetchState if not state.complete])
def test_a_good_day_is_never_made_worse_by_a_later_answer(tmp_path: Path, bad: FetchState) -> None:
    clock = Clock(MORNING)
    with opened(tmp_path, clock, "hf") as app:
        source = Scripted("one", [said("one", FetchState.OK, paper(1), paper(2))])
        app.sources = [Entry("one", source)]
        ingest(app)
        first = clock.now()
        clock.advance(2 * HOUR)
        source.says = [said("one", bad, note="did not answer"), said("one", bad, paper(3))]
        ingest(app)
        (answer,) = app.store.sources.answers(date.min)
        assert (answer.state, answer.papers, answer.good_at) == ("ok", 2, first)
        assert (answer.said, answer.tries, answer.asked_at) == (bad.value, 2, clock.now())
        assert not answer.lacking
        assert app.store.papers.count() == 3, "what came with a bad answer is a paper all the same"


def test_a_list_that_still_fills_and_is_not_answered_is_incomplete_and_the_digest_says_so(
    tmp_path: Path,
) -> None:
    clock = Clock(MORNING)
    reader = Subscriber("ada@example.org", profiles=(Profile(""),), schedule=Schedule(zone="UTC"))
    with FixtureServer() as server, opened(tmp_path, clock, "hf", DIGEST_HF_URL=server.url) as app:
        server.on("/api/daily_papers", daily(1))
        ingest(app)
        assert consider(app, [reader], clock.now())[0].selection.incomplete == ()
        clock.advance(3 * HOUR)
        server.on("/api/daily_papers", Reply(b"", 502))
        ingest(app)
        newest = app.store.sources.answers(FRIDAY)[0]
        assert (newest.state, newest.lacking) == ("ok", True)
        (line,) = consider(app, [reader], clock.now())[0].selection.incomplete
        assert line == (
            "Daily Papers answered 502. We keep asking; what you missed comes with your next "
            "digest."
        )
        server.on("/api/daily_papers", daily(1, 2))
        clock.advance(timedelta(minutes=25))
        assert ingest(app).new == 1
        assert consider(app, [reader], clock.now())[0].selection.incomplete == ()


def test_a_source_out_of_reach_is_given_up_quickly(tmp_path: Path) -> None:
    clock = Clock(MORNING)
    with opened(tmp_path, clock, "hf", DIGEST_HF_URL="http://127.0.0.1:1") as app:
        report = ingest(app)
    assert {fetch.note for fetch in report.fetches} == {"could not be reached"}
    assert len({fetch.day for fetch in report.fetches}) == 7
    assert clock.now() - MORNING < timedelta(seconds=5)


def test_a_source_that_only_fails_is_asked_once_a_day_after_the_first(tmp_path: Path) -> None:
    clock = Clock(MORNING)
    with FixtureServer(lambda _: Reply(b"", 500)) as server:
        with opened(tmp_path, clock, "hf", DIGEST_HF_URL=server.url) as app:
            ingest(app)
        assert len(server.requests) == 4 + 6
    assert clock.now() - MORNING < timedelta(seconds=40)


def test_an_entry_that_names_nothing_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    clock = Clock(MORNING)
    fine = Scripted("fine", [said("fine", FetchState.OK, paper(2, "fine"))])
    with opened(tmp_path, clock, "arxiv:nowhere.at-all.xx,hf") as app:
        app.sources = [app.sources[0], Entry("fine", fine)]
        report = ingest(app)
        assert report.new == 1
        (told,) = report.failed
        assert told == (
            "DIGEST_SOURCES: source 'arxiv:nowhere.at-all.xx': 'nowhere.at-all.xx' is no category: "
            "write cs.CL, hep-th or math.NA"
        )
        (wrong,) = app.store.sources.answers(date.min, ["arxiv:nowhere.at-all.xx"])
        assert (wrong.state, next_try(app, app.sources[0])) == ("misconfigured", None)


def test_two_entries_of_one_source_are_kept_apart(tmp_path: Path) -> None:
    """One category that fails is not hidden by another that answers."""
    with opened(tmp_path, Clock(MORNING), "hf") as app:
        one = Scripted("arxiv", [said("arxiv", FetchState.OK, paper(1, "arxiv"))])
        other = Scripted("arxiv", [said("arxiv", FetchState.FAILED, note="answered 500")])
        app.sources = [Entry("arxiv:cs.CL", one), Entry("arxiv:hep-th", other)]
        ingest(app)
        states = {a.entry: a.state for a in app.store.sources.answers(date.min)}
        assert states == {"arxiv:cs.CL": "ok", "arxiv:hep-th": "failed"}


def test_a_day_a_source_is_silent_about_is_not_asked_for_for_ever(tmp_path: Path) -> None:
    """An arXiv holiday in the past brings no answer at all."""
    clock = Clock(datetime(2026, 12, 28, 12, 0, tzinfo=UTC))
    quiet = Reply(b'<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Query</title></feed>')
    with (
        FixtureServer(lambda _: quiet) as server,
        opened(tmp_path, clock, "arxiv:cs.CL", DIGEST_ARXIV_URL=server.url) as app,
    ):
        ingest(app)
        asked = {a.day: a for a in app.store.sources.answers(date(2026, 12, 20))}
        assert asked[date(2026, 12, 25)].state == "empty"
        assert asked[date(2026, 12, 25)].next_at is None


def test_what_a_source_listed_before_reaches_its_next_window(tmp_path: Path) -> None:
    clock = Clock(MORNING)
    source = Scripted("one", [said("one", FetchState.OK, paper(1), paper(2))])
    with opened(tmp_path, clock, "hf") as app:
        app.sources = [Entry("one", source)]
        ingest(app)
        clock.advance(timedelta(days=1))
        ingest(app)
    assert source.windows[0].listed == {}
    assert source.windows[1].listed == {FRIDAY: {paper(1).id, paper(2).id}}


def test_nothing_is_stored_under_an_earlier_instant_while_an_issue_is_decided(
    tmp_path: Path,
) -> None:
    hand, taken = [MORNING], {}

    def clock() -> datetime:
        """A second later each time; notes whether the turn of deciding was taken then."""
        hand[0] += timedelta(seconds=1)
        with (tmp_path / "d.db.issue").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                taken[hand[0]] = False
            except BlockingIOError:
                taken[hand[0]] = True
        return hand[0]

    each = {"id": "arxiv:2611.90001", "title": "Unlearning", "abstract": "x", "day": 0}
    listing = {"source": "arxiv", "label": "arXiv", "papers": [{**each, "sample": True}]}
    (tmp_path / "list.json").write_text(json.dumps(listing), encoding="utf-8")
    url = f"sqlite:///{tmp_path / 'd.db'}"
    settings = load({"DIGEST_DATABASE_URL": url, "DIGEST_SOURCES": f"file:{tmp_path}/list.json"})
    with open_app(settings, clock=clock) as app:
        ingest(app)
        (found,) = app.store.papers.by_numbers([1]).values()
        reader = Subscriber("ada@example.org", profiles=(Profile("unlearning"),))
        ada = app.store.subscribers.add(reader.confirm(MORNING), MORNING)
        issue(app, everybody=True)
        (digest,) = app.store.deliveries.history(ada.number, limit=1)
    assert found.first_seen_at is not None
    assert taken[found.first_seen_at]
    assert taken[digest.created_at]
