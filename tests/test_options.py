"""What an interest may ask besides keywords: how many, how different, and what is known."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from digest.app import App
from digest.cli import app as command_line
from digest.match import ReasonKind, match
from digest.news import consider
from digest.papers import Listing, ListingKind, Paper, PaperId, Signals
from digest.run import deliver, issue
from digest.selection import Known, near_misses, papers_of, select
from digest.settings import load
from digest.store import open_store
from digest.variants import Variants
from subscribers.profile import Order, Profile
from subscribers.subscriber import Schedule, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
TODAY = date(2026, 11, 20)
LONG = (
    "Post training quantization reparameterizes activations whose distributions vary between "
    "channels, because inference on small devices needs integers. Scales are merged afterwards; "
    "calibration needs thirty images, nothing else. Experiments with transformers for detection, "
    "segmentation, pose estimation and language show accuracy close to floating point baselines "
    "while latency halves, energy falls, memory shrinks threefold, throughput doubles everywhere."
)
OTHER = (
    "Zebrafish larvae navigate turbid rivers using lateral lines. Recordings of hindbrain cells "
    "reveal oscillations locked onto vortices shed by obstacles; silencing them ends rheotaxis "
    "within seconds. Quantization plays no role, yet routing of sensory signals through parallel "
    "pathways resembles packet switching, which explains robustness against lesions, noise, drugs, "
    "darkness, starvation, temperature shocks, crowding, predators, parasites and age."
)


def paper(number: int, title: str, abstract: str = "", day: int = 0, **more: object) -> Paper:
    listed = TODAY - timedelta(days=day)
    made = Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title,
        abstract=abstract,
        number=number,
        first_seen_at=NOW - timedelta(hours=1),
        listings=(Listing("arxiv", "arXiv", listed),),
        sample=True,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def chosen(
    profile: Profile, *papers: Paper, known: Known | None = None
) -> tuple[list[int], dict[int, str]]:
    """What a digest of these papers holds, and what stopped the others."""
    reader = Subscriber("ada@example.org", (profile,))
    shelf = {each.number: each for each in papers}
    found = match(papers, [profile], now=NOW)
    selection = select(reader, shelf, found, known=known, until=NOW, looked_at=len(papers))
    misses = near_misses(reader, shelf, found, selection, known=known)
    return [pick.paper for pick in selection.picks], {miss.paper: miss.why for miss in misses}


# --- not ten variants of one paper -------------------------------------------------------------

VARIANTS = (
    paper(1, "Quantization of transformers", LONG),
    paper(2, "Quantization of transformers, part two", f"{LONG} We extend this."),
    paper(3, "Quantization in fish", OTHER),
)


def test_variants_wait_until_there_is_room() -> None:
    assert chosen(Profile("quantization", limit=2, diverse=False), *VARIANTS)[0] == [1, 2]
    picks, misses = chosen(Profile("quantization", limit=2), *VARIANTS)
    assert picks == [1, 3]
    assert misses == {2: "it is much like 'Quantization of transformers'"}
    assert sorted(chosen(Profile("quantization", limit=3), *VARIANTS)[0]) == [1, 2, 3]
    assert chosen(Profile("quantization", limit=0), *VARIANTS)[0] == [1, 2, 3]


def test_papers_of_few_words_are_never_variants() -> None:
    papers = [paper(n, "Quantization of transformers") for n in (1, 2, 3)]
    assert len(chosen(Profile("quantization", limit=2), *papers)[0]) == 2
    assert Variants(papers).first_like(1, [2, 3]) is None


def test_likeness_is_mutual() -> None:
    variants = Variants(VARIANTS)
    assert (variants.first_like(1, [3, 2]), variants.first_like(2, [3, 1])) == (2, 1)
    assert variants.first_like(3, [1, 2]) is None


# --- order -------------------------------------------------------------------------------------


def test_what_is_trending_stands_first_in_the_mail_too() -> None:
    fitting = paper(1, "Routing routing", "routing routing")
    loud = paper(2, "X", "routing", signals=Signals(upvotes=400))
    assert chosen(Profile("routing"), fitting, loud)[0] == [1, 2]
    assert chosen(Profile("routing", order=Order.TRENDING), fitting, loud)[0] == [2, 1]
    named = Profile("fitting\nrouting", name="Both", order=Order.TRENDING)
    assert chosen(named, fitting, loud)[0] == [2, 1]


# --- what is known -----------------------------------------------------------------------------


def test_the_library_is_left_out_unless_it_is_wanted() -> None:
    papers = [paper(1, "Routing"), paper(2, "Routing fish")]
    known = Known(library=frozenset({1}))
    picks, misses = chosen(Profile("routing"), *papers, known=known)
    assert (picks, misses) == ([2], {1: "it is in your library"})
    assert sorted(chosen(Profile("routing", skip_library=False), *papers, known=known)[0]) == [1, 2]


class House:
    """An installation whose clock is set by hand, with a reader of routing."""

    def __init__(self, folder: Path) -> None:
        self.now = NOW
        settings = load(
            {
                "DIGEST_DATABASE_URL": f"sqlite:///{folder}/paper-digest.db",
                "DIGEST_SMTP_URL": f"eml:{folder}/outbox",
            }
        )
        self.app = App(settings, open_store(settings.database_url), lambda: self.now)

    def ingest(self, *papers: Paper) -> None:
        self.app.store.papers.ingest(papers, self.now)

    def reader(self, *profiles: Profile) -> Subscriber:
        reader = Subscriber("ada@example.org", profiles, Schedule(zone="UTC")).confirm(NOW)
        return self.app.store.subscribers.add(reader, NOW)

    def next(self, reader: Subscriber) -> list[tuple[str, list[str]]]:
        """The titles of the reader's next digest, each with its reasons."""
        (one,) = consider(self.app, [reader], self.now)
        return [
            (one.papers[pick.paper].title, [reason.text for reason in pick.reasons])
            for pick in one.selection.picks
        ]

    def send(self) -> None:
        issue(self.app, everybody=True)
        deliver(self.app)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.app.close()


def replaced(number: int, title: str, days_on: int = 0) -> Paper:
    day = TODAY + timedelta(days=days_on)
    listing = Listing("arxiv", "arXiv", day, ListingKind.REPLACE, version=2)
    return replace(paper(number, title), listings=(listing,))


def test_a_library_by_id_by_doi_or_by_title_is_left_out_and_gone_with_the_reader(
    house: House,
) -> None:
    doi = replace(paper(2, "Routing two ways home"), aliases=(PaperId("doi", "10.1000/2"),))
    house.ingest(
        paper(1, "Routing one"), doi, paper(3, "Routing Three Ways Home"), paper(4, "Routing four")
    )
    ada = house.reader(Profile("routing"))
    libraries = house.app.store.libraries
    names = ["arxiv:2611.00001", "doi:10.1000/2", "title:routing three way home"]
    assert libraries.add(ada.number, [*names, names[0]]) == 3
    assert libraries.add(ada.number, names[:1]) == 0
    assert [title for title, _ in house.next(ada)] == ["Routing four"]
    assert libraries.remove(ada.number, [names[1], "arxiv:none"]) == 1
    assert len(house.next(ada)) == 2
    house.app.store.subscribers.erase(ada, b"")
    assert libraries.of(ada.number) == []


def test_a_new_version_comes_again_to_who_asked_for_new_versions_and_only_once(
    house: House,
) -> None:
    house.ingest(paper(1, "Routing"))
    ada = house.reader(Profile("routing", new_versions=True))
    house.send()
    house.now += timedelta(days=3)
    assert house.next(ada) == []
    house.ingest(replaced(1, "Routing", 3))
    assert house.next(ada) == [("Routing", ["routing", "new version of a paper you were sent"])]
    assert house.next(replace(ada, profiles=(Profile("routing"),))) == []
    house.send()
    house.now += timedelta(days=1)
    assert house.next(ada) == []


def test_a_paper_that_was_only_ever_replaced_is_no_new_paper(house: House) -> None:
    house.ingest(replaced(1, "Routing"))
    ada = house.reader(Profile("routing"))
    assert house.next(ada) == []
    assert house.next(replace(ada, profiles=(Profile(),))) == []
    wanting = replace(ada, profiles=(Profile("routing", new_versions=True),))
    assert house.next(wanting) == [("Routing", ["routing", "new version"])]


def test_a_version_of_a_paper_listed_long_ago_is_found(house: House) -> None:
    house.now -= timedelta(days=60)
    house.ingest(paper(1, "Routing", day=60))
    house.now += timedelta(days=60)
    house.ingest(replaced(1, "Routing"), paper(2, "Other"))
    wanting = house.reader(Profile("routing", new_versions=True))
    assert house.next(wanting) == [("Routing", ["routing", "new version"])]


def test_the_reason_of_a_version_is_kept_with_the_delivery(house: House) -> None:
    house.ingest(replaced(1, "Routing"))
    ada = house.reader(Profile("routing", new_versions=True))
    (one,) = consider(house.app, [ada], NOW)
    (pick,) = type(one.selection).unpack(one.selection.pack()).picks
    assert pick.reasons[-1].kind is ReasonKind.VERSION


def test_what_earlier_versions_froze_is_read_as_it_was(house: House) -> None:
    house.ingest(replaced(1, "Routing"))
    ada = house.reader(Profile("routing", new_versions=True))
    (one,) = consider(house.app, [ada], NOW)
    head, *reasons = zlib.decompress(one.selection.pack()).decode().split("\n")
    fields = json.loads(head)
    for kept in (reasons, list(map(json.loads, reasons))):  # as text, and before that as it is
        picks = [
            [*first, said, names]
            for (*first, names), said in zip(fields["picks"], kept, strict=True)
        ]
        old = zlib.compress(json.dumps({**fields, "v": 1, "picks": picks}).encode())
        again = type(one.selection).unpack(old)
        assert [pick.reasons for pick in again.picks] == [p.reasons for p in one.selection.picks]
        assert replace(again, picks=()) == replace(one.selection, picks=())
        assert papers_of(old) == one.selection.papers


# --- on the command line -----------------------------------------------------------------------


def call(*words: str, say: str = "") -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(command_line, words, input=say)


def test_a_library_is_entered_from_bibtex_and_from_pasted_names(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_SMTP_URL", "eml:outbox")
    house.reader(Profile("routing"))
    bib = "@misc{a, eprint={2611.00001}}\n@book{b, title={Routing Three Ways Home}}\n"
    (tmp_path / "mine.bib").write_text(bib, encoding="utf-8")
    (tmp_path / "bad.bib").write_bytes(b"\xff")
    ada = ("keywords", "library", "ada@example.org")
    assert (
        call(*ada, "--file", "mine.bib").stdout == "2 read, 1 of them by title alone; 2 new. "
        "ada@example.org has 2 ids and titles in the library.\n"
    )
    assert call(*ada, "2611.00001v2", "10.1000/2").stdout.startswith("2 read; 1 new. ")
    assert call(*ada, "--file", "-", say="2611.00009\n").stdout.startswith("1 read; 1 new. ")
    assert call(*ada, "10.1000/2", "--remove").stdout.startswith("1 read; 1 struck. ")
    assert call(*ada).stdout == "ada@example.org has 3 ids and titles in the library.\n"
    for words, said in (
        (["--file", "none.bib"], "cannot be read"),
        (["--file", "bad.bib"], "it is not UTF-8 text"),
        (["2611.00001", "nothing"], "'nothing' names no paper: write an arXiv id"),
        (["--remove"], "--remove goes with papers"),
        (["--clear", "2611.00001"], "name none with it"),
    ):
        result = call(*ada, *words)
        assert result.exit_code in {1, 2}
        assert said in result.stderr
    assert call(*ada, "--clear").stdout.startswith("Forgotten. ada@example.org has 0 ")
    told = json.loads(call("why", "ada@example.org", "--json").stdout)
    assert told["reader"] == "ada@example.org"
