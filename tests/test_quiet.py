"""A word when there is nothing: at most once a week, or on each such day, and only if wished."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING

import pytest
from house import settings_in

from digest.app import App
from digest.errors import StoreError
from digest.papers import Listing, Paper, PaperId
from digest.run import deliver, issue
from digest.store import open_store
from subscribers.profile import Profile
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 6, 59, tzinfo=UTC)
"""A Friday, a minute before the reader's hour."""


@dataclass
class House:
    """An installation with one reader of zebrafish, who is due every day at seven."""

    app: App
    hands: list[datetime]
    number: int
    out: Path

    def day(self, *titles: str) -> list[str]:
        """List papers, let the hour come, send; the subjects of what went out."""
        self.hands[0] += timedelta(days=1)
        listed = (Listing("arxiv", "arXiv", self.hands[0].date()),)
        name = self.hands[0].date().isoformat()
        papers = [
            Paper(PaperId("arxiv", f"{name}.{n}"), title, url="https://a.example", listings=listed)
            for n, title in enumerate(titles)
        ]
        self.app.store.papers.ingest(papers, self.hands[0] - timedelta(minutes=30))
        before = set(self.out.glob("*.eml"))
        self.hands[0] += timedelta(minutes=2)
        issue(self.app)
        deliver(self.app)
        self.hands[0] -= timedelta(minutes=2)
        parser = BytesParser(policy=policy.default)
        new = set(self.out.glob("*.eml")) - before
        self.newest = [parser.parsebytes(file.read_bytes()) for file in new]
        return [str(mail["Subject"]) for mail in self.newest]

    def wish(self, **wanted: bool) -> None:
        self.app.store.subscribers.change(self.number, lambda one: replace(one, **wanted))  # type: ignore[arg-type]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = settings_in(tmp_path)
    hands = [NOW]
    with open_store(settings.database_url) as store:
        reader = Subscriber(
            "ada@example.org",
            profiles=(Profile("zebrafish larvae"),),
            schedule=Schedule(Cadence.DAILY),
        ).confirm(NOW)
        app = App(settings, store, lambda: hands[0])
        yield House(app, hands, store.subscribers.add(reader, NOW).number, tmp_path / "out")


def test_a_quiet_week_is_told_once_and_again_after_another(house: House) -> None:
    said = [house.day("Larvae", "Routing") for _ in range(15)]
    assert [number for number, subjects in enumerate(said, start=1) if subjects] == [7, 14]
    assert said[6][0].startswith("A quiet week: nothing matched since")


def test_the_note_names_the_nearest_paper_and_can_be_ended(house: House) -> None:
    for _ in range(7):
        house.day("Larvae under Pressure", "Routing")
    (mail,) = house.newest
    part = mail.get_body(("plain",))
    assert part
    text = " ".join(part.get_content().split())
    assert "Larvae under Pressure" in text
    assert "zebrafish" in text
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "uni.example/digest/m/" in text


def test_a_digest_begins_the_week_anew(house: House) -> None:
    said = [house.day("Larvae") for _ in range(5)]
    said += [house.day("Zebrafish Larvae")]
    said += [house.day("Larvae") for _ in range(7)]
    assert [len(subjects) for subjects in said] == [0] * 5 + [1] + [0] * 6 + [1]


def test_who_wants_to_hear_nothing_hears_nothing(house: House) -> None:
    house.wish(quiet_notes=False)
    assert not any(house.day("Larvae") for _ in range(10))


def test_empty_days_are_told_to_who_wants_it_and_none_when_nothing_was_listed(
    house: House,
) -> None:
    house.wish(empty_days=True)
    assert house.day("Larvae", "Routing")[0].startswith("Nothing new today (2 looked at)")
    assert house.day() == []
    assert len(house.day("Larvae")) == 1


def test_a_note_that_cannot_be_written_leaves_its_reader_due(house: House) -> None:
    """Who got nothing is told so in the transaction that says so: a crash loses neither."""
    for _ in range(6):
        house.day("Larvae")
    database = house.app.store.database
    with database.write() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON delivery BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(StoreError):
        house.day("Larvae")
    house.hands[0] -= timedelta(days=1)
    with database.write() as connection:
        connection.exec_driver_sql("DROP TRIGGER full")
    assert len(house.day("Larvae")) == 1


def test_notes_are_no_digests(house: House) -> None:
    for _ in range(7):
        house.day("Larvae")
    assert house.app.store.deliveries.last_sent([house.number]) == {}
    assert len(house.day("Zebrafish Larvae")) == 1
