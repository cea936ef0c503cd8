"""What a fresh link opens: another address, past mails, saved papers, one's data, the end of it."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from house import link_to, settings_in
from loopback import Answer, Site, serving
from served import reading_late

from digest.app import App
from digest.errors import NotFound
from digest.news import learned_of
from digest.notices import LASTS, Notice
from digest.papers import Author, Listing, Paper, PaperId
from digest.run import deliver, issue
from digest.selection import Selection
from digest.store import open_store
from digest.web import create_app
from subscribers.feedback import Feedback, Verdict
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from digest.web.signup import Desk

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
ADA, NEW = "ada@example.org", "ada@new.example"
TITLES = ("=Experts of [Sums] & <b>", "Zebrafish")


@dataclass
class House:
    """An installation with one reader, who has had a digest and saved a paper."""

    app: App
    site: Site
    desk: Desk
    hands: list[datetime]
    number: int
    folder: Path

    @property
    def reader(self) -> Subscriber:
        return self.app.store.subscribers.by_number(self.number)

    @property
    def path(self) -> str:
        ends = self.hands[0] + LASTS[Notice.LINK]
        token = self.app.links.token(Purpose.ACCOUNT, self.reader.public_id, expires=ends)
        return f"/digest/a/{token}"

    def do(self, what: str, **fields: str) -> Answer:
        answer = self.site.post(self.path, do=what, **fields)
        self.desk.settled()
        return answer

    def link_to(self, address: str) -> str:
        """The link in the mail that was sent there."""
        deliver(self.app)
        return link_to(address, self.folder)

    def saved(self) -> list[int]:
        return [one.paper for one in self.app.store.feedback.of(self.number, Verdict.SAVE)]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = settings_in(tmp_path)
    with open_store(settings.database_url) as store:
        listed = (Listing("arxiv", "arXiv", date(2026, 11, 19)),)
        papers = [
            Paper(
                PaperId("arxiv", f"2611.0000{number}"),
                title,
                authors=(Author("Ines Harrow"), Author("O. *Brandl*")),
                url=f"https://arxiv.org/abs/2611.0000{number}",
                listings=listed,
            )
            for number, title in enumerate(TITLES, start=1)
        ]
        store.papers.ingest(papers, NOW)
        profiles = (Profile("experts"), Profile("secret interest"))
        number = store.subscribers.add(Subscriber(ADA, profiles).confirm(NOW), NOW).number
        hands = [NOW]
        app = App(settings, store, lambda: hands[0])
        issue(app, everybody=True)
        store.feedback.give(Feedback(number, 1, Verdict.SAVE, NOW))
        web = create_app(app)
        with serving(web) as site:
            yield House(app, site, web.state.desk, hands, number, tmp_path)


def test_a_fresh_link_shows_everything_for_an_hour(house: House) -> None:
    path = house.path
    page = house.site.get(path)
    assert ADA in page.text
    assert page.headers["cache-control"] == "no-store"
    house.hands[0] += timedelta(hours=1)
    ended = house.site.get(path)
    assert ended.status == 404
    assert "This link has ended" in ended.text
    assert house.site.post(path, do="delete-everything").status == 404
    assert house.reader.address == ADA


def test_no_other_link_opens_it(house: House) -> None:
    for purpose in Purpose:
        if purpose is not Purpose.ACCOUNT:
            token = house.app.links.token(purpose, house.reader.public_id)
            for path in (f"/a/{token}", f"/a/{token}/data.json", f"/a/{token}/saved.bib"):
                assert house.site.get(path).status == 404


def test_past_mails_can_be_viewed(house: House) -> None:
    page = house.site.get(house.path).text
    (view,) = re.findall(r'href="(/digest/v/[^"]*)"', page)
    assert "Experts of [Sums]" in house.site.get(view).text


class TestSavedPapers:
    def test_one_is_taken_off_and_put_back(self, house: House) -> None:
        page = house.do("unsave", paper="1").text
        assert house.saved() == []
        (paper,) = re.findall(r'name="paper" value="(\d+)"><button[^>]*value="save"', page)
        house.do("save", paper=paper)
        assert house.saved() == [1]

    @pytest.mark.parametrize("paper", ["", "99", "-1", "x"])
    def test_what_is_no_paper_is_passed_over(self, house: House, paper: str) -> None:
        for do in ("save", "unsave"):
            assert house.do(do, paper=paper).status == 200
        assert house.saved() == [1]

    def test_as_bibtex_and_ris(self, house: House) -> None:
        bibtex = house.site.get(f"{house.path}/saved.bib")
        assert "2611.00001" in bibtex.text
        assert bibtex.headers["content-disposition"] == 'attachment; filename="saved.bib"'
        assert bibtex.headers["cache-control"] == "no-store"
        assert house.site.get(f"{house.path}/saved.ris").text.startswith("TY  - ")

    def test_as_a_table_that_runs_no_formula(self, house: House) -> None:
        rows = list(csv.DictReader(io.StringIO(house.site.get(f"{house.path}/saved.csv").text)))
        assert [row["title"] for row in rows] == [f"'{TITLES[0]}"]
        assert rows[0]["authors"] == "Ines Harrow; O. *Brandl*"
        assert rows[0]["date"] == "2026-11-19"

    def test_as_markdown_that_shows_what_was_written(self, house: House) -> None:
        assert house.site.get(f"{house.path}/saved.md").text == (
            "- [=Experts of \\[Sums\\] & \\<b\\>](<https://arxiv.org/abs/2611.00001>). "
            "Ines Harrow, O. \\*Brandl\\*\n"
        )

    def test_there_is_no_other_file(self, house: House) -> None:
        assert house.site.get(f"{house.path}/saved.exe").status == 404


class TestWhatWasLearned:
    def test_too_few_saved_papers_teach_nothing(self, house: House) -> None:
        page = house.site.get(house.path).text
        assert "Nothing yet: 1 saved, and from 5 on" in page

    @pytest.fixture
    def saved(self, house: House) -> None:
        """Eight papers of one kind, saved by the reader, among many others."""
        listed = (Listing("arxiv", "arXiv", date(2026, 11, 20)),)
        titles = [f"Sparse routing of tokens {n}" for n in range(8)]
        titles += [f"Larvae under pressure {n}" for n in range(30)]
        papers = [
            Paper(PaperId("arxiv", f"2611.1{n:04}"), title, listings=listed)
            for n, title in enumerate(titles)
        ]
        house.app.store.papers.ingest(papers, NOW)
        for paper in house.app.store.papers.between(date(2026, 11, 20), date(2026, 11, 20)):
            if "Sparse" in paper.title:
                said = Feedback(house.number, paper.number, Verdict.SAVE, NOW)
                house.app.store.feedback.give(said)

    @pytest.mark.usefixtures("saved")
    def test_it_is_told_while_the_papers_for_the_live_answer_are_still_being_read(
        self, house: House
    ) -> None:
        with reading_late(house.app) as (site, read):
            page = site.get(house.path).text
            read()
            assert "From 9 saved papers" in page
            assert re.search(r"Counts for more<small>[^<]*routing", page)

    @pytest.mark.usefixtures("saved")
    def test_it_is_shown_switched_off_and_on_again(self, house: House) -> None:
        page = house.site.get(house.path).text
        assert "From 9 saved papers" in page
        assert re.search(r"Counts for more<small>[^<]*routing", page)
        papers = house.app.store.papers.between(date(2026, 11, 19), date(2026, 11, 20))
        assert learned_of(house.app, [house.reader], papers)
        assert "It is switched off." in house.do("forget").text
        assert learned_of(house.app, [house.reader], papers) == {}
        house.do("learn")
        assert learned_of(house.app, [house.reader], papers)


class TestAnotherAddress:
    def test_it_is_asked_there_and_changes_with_its_button(self, house: House) -> None:
        assert "Look into the inbox" in house.do("move", email=NEW).text
        assert house.reader.address == ADA
        link = house.link_to(NEW)
        page = house.site.get(link).text
        assert page.count("<button") == 1
        assert ADA not in page
        assert house.reader.address == ADA
        for _ in range(2):
            assert "Done" in house.site.post(link).text
        assert house.reader.address == NEW

    def test_an_address_that_reads_already_is_not_written_to_and_nobody_learns_it(
        self, house: House
    ) -> None:
        house.app.store.subscribers.add(Subscriber("bo@example.org").confirm(NOW), NOW)
        taken = house.do("move", email="bo@example.org").text
        free = house.do("move", email="zo@example.org").text
        assert taken.replace("bo@", "X@").count("X@example.org") == free.replace("zo@", "X@").count(
            "X@example.org"
        )
        kinds = [one.kind for one in house.app.store.deliveries.history(house.number)]
        assert kinds.count("move") == 1

    def test_a_suppressed_address_is_not_written_to(self, house: House) -> None:
        house.app.store.suppressions.add(NEW, "complained", NOW)
        house.do("move", email=NEW)
        kinds = [one.kind for one in house.app.store.deliveries.history(house.number)]
        assert "move" not in kinds

    def test_an_address_taken_meanwhile_stays_with_who_has_it(self, house: House) -> None:
        house.do("move", email=NEW)
        link = house.link_to(NEW)
        house.app.store.subscribers.add(Subscriber(NEW).confirm(NOW), NOW)
        assert house.site.post(link).status == 404
        assert house.reader.address == ADA

    def test_the_link_ends_in_a_day(self, house: House) -> None:
        house.do("move", email=NEW)
        link = house.link_to(NEW)
        house.hands[0] += timedelta(days=1)
        assert house.site.post(link).status == 404
        assert house.reader.address == ADA

    def test_a_wrong_address_is_said(self, house: House) -> None:
        assert "is no e-mail address" in house.do("move", email="nobody").text


class TestOnesData:
    def test_everything_is_in_the_file_and_no_number_of_ours(self, house: House) -> None:
        house.app.store.libraries.add(house.number, ["title:sums and products", "arxiv:2611.00009"])
        data = json.loads(house.site.get(f"{house.path}/data.json").text)
        assert data["library"] == ["arxiv:2611.00009", "title:sums and products"]
        assert data["reader"]["address"] == ADA
        assert [one["text"] for one in data["reader"]["profiles"]] == ["experts", "secret interest"]
        assert data["feedback"][0]["paper"] == {"id": "arxiv:2611.00001", "title": TITLES[0]}
        assert data["mails"][0]["papers"][0]["title"] == TITLES[0]
        assert not {"number", "public_id"} & set(data["reader"])

    def test_deleting_is_asked_once_more_and_leaves_nothing(self, house: House) -> None:
        path = house.path
        page = house.site.post(path, do="delete").text
        assert "Delete everything?" in page
        assert house.reader.address == ADA
        assert "You are forgotten" in house.site.post(path, do="delete-everything").text
        with pytest.raises(NotFound):
            house.app.store.subscribers.by_number(house.number)
        assert house.site.get(path).status == 404
        (mail,) = house.app.store.deliveries.history()
        assert (mail.subscriber, mail.address, mail.text) == (None, "", "")
        assert Selection.unpack(mail.selection).picks == (), "its words are the reader's"

    def test_what_waits_to_be_sent_is_not(self, house: House) -> None:
        house.do("delete-everything")
        deliver(house.app)
        assert not list(house.folder.glob("out/*.eml"))
