"""Why: the answer to "why did I get this?" and "why did this reader get nothing?"."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from digest.app import App
from digest.cli import app as command_line
from digest.errors import Conflict, NotFound
from digest.papers import Author, Listing, Paper, PaperId, Signals
from digest.run import deliver, issue
from digest.settings import load
from digest.sources import Fetch, FetchState
from digest.sources.timetable import Steady
from digest.store import open_store
from digest.why import about, about_paper, find_paper
from subscribers.profile import Profile
from subscribers.subscriber import Schedule, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
LACKS = "It is in no digest: it does not fit {!r}, because {}."
TODAY = date(2026, 11, 20)


def paper(number: int, title: str, days_ago: int = 0, upvotes: int | None = None) -> Paper:
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title,
        (Author("Ines Harrow"), Author("B. Bad")) if number == 4 else (Author("Ines Harrow"),),
        abstract="Of things.",
        signals=Signals(upvotes=upvotes),
        aliases=(PaperId("doi", f"10.1000/{number}"),),
        listings=(Listing("arxiv", "arXiv", TODAY - timedelta(days=days_ago)),),
        sample=True,
    )


PAPERS = (
    paper(1, "Machine Unlearning", upvotes=12),
    paper(2, "Unlearning Images"),
    paper(3, "Unlearning for Machine Translation"),
    paper(4, "Unlearning Surveys"),
    paper(5, "Zebrafish Learn", 20),
    paper(6, "Zebrafish Larvae"),
)


class House:
    """An installation whose clock is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        settings = load(
            {
                "DIGEST_DATABASE_URL": f"sqlite:///{folder}/paper-digest.db",
                "DIGEST_SMTP_URL": f"eml:{folder}/outbox",
                "DIGEST_SOURCES": "arxiv,hf",
            }
        )
        self.app = App(settings, open_store(settings.database_url), lambda: self.now)
        self.app.store.papers.ingest(PAPERS, NOW - timedelta(hours=1))

    def reader(self, *profiles: Profile, **more: Any) -> Subscriber:  # noqa: ANN401 -- fields
        return self.app.store.subscribers.add(
            replace(
                Subscriber("ada@example.org", profiles, Schedule(zone="UTC")).confirm(NOW), **more
            ),
            NOW,
        )

    def send(self) -> None:
        issue(self.app, everybody=True)
        deliver(self.app)

    def why(self, reader: Subscriber, named: str) -> str:
        return about_paper(self.app, reader, named, self.now).sentence


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.app.close()


# --- a paper -----------------------------------------------------------------------------------


def test_a_paper_that_was_sent_is_told_with_its_digest_and_its_reasons(house: House) -> None:
    ada = house.reader(Profile("machine unlearning"))
    house.send()
    house.now += timedelta(days=3)
    verdict = about_paper(house.app, ada, "2611.00001", house.now)
    assert verdict.sentence == (
        "It was in the digest of 2026-11-20 07:00 UTC (accepted): machine unlearning (title)."
    )
    assert [entry.kind for entry, _ in verdict.sent] == ["digest"]


def test_what_was_sent_is_told_from_what_was_frozen_whatever_the_keywords_are_now(
    house: House,
) -> None:
    ada = house.reader(Profile("machine unlearning"))
    house.send()
    changed = replace(ada, profiles=(Profile("zebrafish"),))
    house.app.store.subscribers.update(changed)
    verdict = about_paper(house.app, changed, "2611.00001", NOW)
    assert "machine unlearning (title)" in verdict.sentence
    assert verdict.interests[0].lacks == (("zebrafish", "it lacks zebrafish"),)
    assert not verdict.interests[0].fits


@pytest.mark.parametrize(
    ("profile", "more", "named", "said"),
    [
        (Profile("unlearning"), {}, "2611.00001",
         "It would be in a digest now: unlearning (title)."),
        (Profile("unlearning", limit=1), {}, "2611.00002",
         "It would not be in a digest now: it came after the best 1."),
        (Profile("unlearning", lowest_score=99), {}, "2611.00001",
         "It would not be in a digest now: its score 3.9 is below 99.0."),
        (Profile("unlearning"), {"muted_words": ("survey",)}, "2611.00004",
         "It would not be in a digest now: you muted survey."),
        (Profile("unlearning"), {"muted_authors": ("Bad, B.",)}, "2611.00004",
         "It would not be in a digest now: you muted Bad, B.."),
        (Profile("unlearning -image"), {}, "2611.00002",
         LACKS.format("unlearning -image", "it is left out by -image")),
        (Profile("unlearning\n-image"), {}, "2611.00002",
         LACKS.format("unlearning", "it is left out by -image")),
        (Profile("unlearning upvotes>20"), {}, "2611.00001",
         LACKS.format("unlearning upvotes>20", "it has 12 upvotes, the line asks for more than 20")),  # noqa: E501
        (Profile("unlearning upvotes>20"), {}, "2611.00002",
         LACKS.format("unlearning upvotes>20", "nobody told us its upvotes")),
        (Profile("larvae fish\nrobots that walk"), {}, "2611.00006",
         LACKS.format("larvae fish", "it lacks fish (nor any other line)")),
        (Profile(), {}, "2611.00006",
         "It would be in a digest now: new in arXiv."),
        (Profile("-zebrafish"), {}, "2611.00006",
         LACKS.format("top ten", "it is left out by -zebrafish")),
        (Profile("zebrafish"), {}, "2611.00005",
         "It is in no digest now: listed on 2026-10-31, and one reaches 7 days back."),
    ],
)  # fmt: skip
def test_what_stopped_a_paper_is_named(
    profile: Profile, more: dict[str, Any], named: str, said: str, house: House
) -> None:
    ada = house.reader(profile, **more)
    expected = said.replace("its score 3.9", "its score")
    sentence = house.why(ada, named)
    if expected != said:
        assert sentence.startswith("It would not be in a digest now: its score ")
        assert sentence.endswith(" is below 99.0.")
    else:
        assert sentence == said


def test_a_paper_of_an_earlier_digest_that_did_not_fit_is_told_with_that_digest(
    house: House,
) -> None:
    ada = house.reader(Profile("unlearning", limit=1))
    house.send()
    house.now += timedelta(days=3)
    assert house.why(ada, "2611.00002") == (
        "It was not in the digest of 2026-11-20 07:00 UTC: it came after the best 1."
    )


def test_a_paper_of_a_day_without_a_digest_is_told_with_the_reason_of_that_day(
    house: House,
) -> None:
    ada = house.reader(Profile("robots"))
    house.app.store.subscribers.update(replace(ada, next_due=NOW))
    issue(house.app)
    house.now += timedelta(days=60)
    ada = replace(house.app.store.subscribers.by_number(ada.number), profiles=(Profile("larvae"),))
    assert house.why(ada, "2611.00006") == (
        "Nothing was sent on 2026-11-20 07:00 UTC, when it was new: nothing matched, 5 looked at."
    )


@pytest.mark.parametrize(
    "named",
    [
        "2611.00006", "arXiv:2611.00006v2", "https://arxiv.org/pdf/2611.00006v1.pdf",
        "https://huggingface.co/papers/2611.00006", "10.1000/6", "https://doi.org/10.1000/6",
        "doi:10.1000/6", "zebrafish larvae", "Zebrafish-Larvæ", "larvae",
    ],
)  # fmt: skip
def test_a_paper_is_named_by_id_doi_address_or_title(named: str, house: House) -> None:
    assert find_paper(house.app, named).title == "Zebrafish Larvae"


def test_a_title_that_means_several_names_them_and_a_whole_title_means_one(house: House) -> None:
    with pytest.raises(Conflict, match=r"4 papers have that .* arxiv:2611.0000\d Un?"):
        find_paper(house.app, "unlearning")
    assert find_paper(house.app, "machine unlearning").number == 1
    for named in ("robots", "2501.00001", '"', "", "x" * 5_000):
        with pytest.raises(NotFound, match="there is no paper"):
            find_paper(house.app, named)


# --- a reader ----------------------------------------------------------------------------------


def test_a_reader_is_told_what_is_new_what_would_come_and_what_nearly(house: House) -> None:
    ada = house.reader(Profile("machine unlearning\nzebrafish -larvae", limit=1))
    known = about(house.app, ada, NOW)
    assert (known.looked_at, known.matched) == (5, 2)
    assert [(one.paper.number, one.why) for one in known.picks] == [
        (1, "machine unlearning (title)")
    ]
    nearly = {one.paper.number: one.why for one in known.misses}
    assert nearly[3] == "it came after the best 1"
    assert nearly[6] == "left out by -larvae"
    assert nearly[2] == "it lacks machine"
    assert known.stopped == ()


def test_a_source_that_failed_is_told(house: House) -> None:
    ada = house.reader(Profile("unlearning"))
    for source, state in (("arxiv", FetchState.OK), ("hf", FetchState.FAILED)):
        fetch = Fetch(source, source, TODAY, state, note="did not answer" if source == "hf" else "")
        record(house, source, fetch)
    known = about(house.app, ada, NOW)
    assert {answer.label: answer.state for answer in known.sources} == {
        "arxiv": "ok", "hf": "failed",
    }  # fmt: skip
    assert any("did not answer" in sentence for sentence in known.incomplete)


def record(house: House, source: str, fetch: Fetch) -> None:
    house.app.store.sources.record(source, [fetch], NOW, Steady())


@pytest.mark.parametrize(
    ("status", "until", "said"),
    [
        (Status.PENDING, None, "the address was never confirmed, so nothing is sent to it"),
        (Status.UNSUBSCRIBED, None, "the reader unsubscribed"),
        (Status.PAUSED, None, "paused until resumed"),
        (Status.PAUSED, NOW + timedelta(days=2), "paused until 2026-11-22 07:00 UTC"),
    ],
)
def test_a_reader_to_whom_nothing_is_sent_is_told_why(
    status: Status, until: datetime | None, said: str, house: House
) -> None:
    ada = house.reader(Profile("unlearning"), status=status, paused_until=until)
    assert about(house.app, ada, NOW).stopped == (said,)


def test_an_address_that_is_never_written_to_is_told_since_when_and_why(house: House) -> None:
    ada = house.reader(Profile("unlearning"))
    house.app.store.suppressions.add("ADA@example.org", "asked by phone", NOW)
    assert about(house.app, ada, NOW).stopped == (
        f"never written to since {house.app.at(NOW)}: asked by phone",
    )


# --- on the command line -----------------------------------------------------------------------


def call(*words: str) -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(command_line, words)


def test_why_on_the_command_line(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    house.reader(Profile("unlearning -image", name="Forgetting"))
    house.send()
    said = call("why", "ada@example.org").stdout
    assert "Next digest: " in said
    assert "2026-11-20 07:00  digest  accepted       3" in said
    said = call("why", "ada@example.org", "2611.00002").stdout
    assert said.startswith(
        "Unlearning Images (arxiv:2611.00002)\n  listed by arXiv on 2026-11-20\n"
    )
    assert "Forgetting      –  unlearning -image  left out by -image" in said
    told = json.loads(call("why", "ada@example.org", "machine unlearning", "--json").stdout)
    assert told["sent"][0]["state"] == "accepted"
    assert told["interests"][0]["lines"] == [{"text": "unlearning -image", "lacks": None}]
    told = json.loads(call("why", "ada@example.org", "--json").stdout)
    assert told["last"][0]["state"] == "accepted"
    result = call("why", "ada@example.org", "robots")
    assert (result.exit_code, result.stdout) == (1, "")
    assert call("why", "bo@example.org").exit_code == 1
