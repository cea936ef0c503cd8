"""Save and Not for me over real HTTP: a GET asks, a POST acts, everything is undone."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from house import settings_in
from loopback import Answer, Site, serving

from digest.app import App
from digest.papers import Author, Listing, Paper, PaperId
from digest.run import issue
from digest.selection import Selection
from digest.store import open_store
from digest.web import create_app
from subscribers.feedback import Feedback, Verdict
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
DAY = date(2026, 11, 19)
AUTHORS = tuple(
    Author(name) for name in ("Ines Harrow", "Oda Brandl", "Bo Li", "Ada L", "Zoë Prof")
)


def paper(number: int, title: str) -> Paper:
    listed = (Listing("arxiv", "arXiv", DAY),)
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title,
        authors=AUTHORS,
        url=f"https://arxiv.org/abs/2611.{number:05}",
        listings=listed,
    )


PAPERS = (
    paper(1, "Zebrafish under Pressure: 1000 Larvae with Vision, Many a $\\beta$"),
    paper(2, "Routing a Mixture of Experts <b>Fast</b>"),
)


@dataclass
class Mail:
    """One reader's mail that went out, and the site its links lead to."""

    app: App
    site: Site
    number: int
    token: str

    @property
    def reader(self) -> Subscriber:
        return self.app.store.subscribers.by_number(self.number)

    def path(self, place: int = 1, do: str = "save") -> str:
        return f"/f/{self.token}?p={place}&do={do}"

    def say(self, place: int = 1, asked: str = "not", **fields: str) -> Answer:
        return self.site.post(self.path(place, asked), **fields)

    def said(self) -> dict[int, Verdict]:
        return {said.paper: said.verdict for said in self.app.store.feedback.of(self.number)}


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[Mail]:
    settings = settings_in(tmp_path)
    with open_store(settings.database_url) as store:
        profiles = (Profile("zebrafish"), Profile('"mixture of experts"', name="Routing"))
        ada = Subscriber("ada@example.org", profiles=profiles).confirm(NOW)
        store.papers.ingest(PAPERS, NOW)
        number = store.subscribers.add(ada, NOW).number
        app = App(settings, store, lambda: NOW)
        issue(app, everybody=True)
        (delivery,) = store.deliveries.history(number)
        token = app.links.token(Purpose.FEEDBACK, delivery.public_id)
        with serving(create_app(app)) as site:
            yield Mail(app, site, number, token)


def buttons(answer: Answer) -> list[str]:
    found = re.findall(r"<button[^>]*>(.*?)</button>", answer.text)
    return [html.unescape(words) for words in found]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("do", ["save", "not"])
def test_opening_a_link_says_nothing(mail: Mail, method: str, do: str) -> None:
    answer = mail.site.ask(method, mail.path(do=do))
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert mail.said() == {}


def test_the_page_names_the_paper_and_has_one_button(mail: Mail) -> None:
    page = mail.site.get(mail.path(2))
    assert buttons(page) == ["Save"]
    assert "Mixture of Experts &lt;b&gt;Fast" in page.text
    assert "ada@example.org" not in page.text
    assert not re.search(r"/digest/[mpu]/", page.text), "no other power comes with it"


def test_saving_is_idempotent_and_undone(mail: Mail) -> None:
    (_, first) = numbers(mail)
    for _ in range(2):
        page = mail.say(2, "save", do="save")
        assert "<h1>Saved</h1>" in page.text
        assert mail.said() == {first: Verdict.SAVE}
    delivery = mail.app.store.deliveries.history(mail.number)[0].number
    assert mail.app.store.feedback.of(mail.number) == [
        Feedback(mail.number, first, Verdict.SAVE, NOW, delivery)
    ]
    assert "Undo" in buttons(mail.site.get(mail.path(2)))
    for _ in range(2):
        mail.say(2, "save", do="undo")
        assert mail.said() == {}


def numbers(mail: Mail) -> tuple[int, ...]:
    (delivery,) = mail.app.store.deliveries.history(mail.number)
    return tuple(pick.paper for pick in Selection.unpack(delivery.selection).picks)


def test_the_one_link_of_the_text_part_has_both_buttons(mail: Mail) -> None:
    path = f"/f/{mail.token}?p=1"
    assert buttons(mail.site.get(path)) == ["Save", "Not for me"]
    page = mail.site.post(path, do="not")
    assert list(mail.said().values()) == [Verdict.NOT_FOR_ME]
    assert buttons(page)[:2] == ["Undo", "Save it instead"]
    mail.site.post(path, do="save")
    assert list(mail.said().values()) == [Verdict.SAVE]


def test_the_other_word_takes_its_place(mail: Mail) -> None:
    mail.say(do="save")
    assert "Not for me after all" in buttons(mail.site.get(mail.path(do="not")))
    mail.say(do="not")
    assert list(mail.said().values()) == [Verdict.NOT_FOR_ME]


def test_not_for_me_offers_to_mute_a_word_that_is_not_the_readers_own(mail: Mail) -> None:
    page = mail.say(do="not")
    muting = [words for words in buttons(page) if words.startswith("Mute “")]
    assert muting == ["Mute “pressure”", "Mute “larvae”", "Mute “vision”"]
    page = mail.say(do="mute-word", which="1")
    assert list(mail.reader.muted_words) == ["larvae"]
    assert "Muted: larvae. Undo" in buttons(page)
    mail.say(do="mute-word", which="1")
    assert list(mail.reader.muted_words) == ["larvae"]
    mail.say(do="hear-word", which="1")
    assert not mail.reader.muted_words


def test_not_for_me_offers_to_mute_an_author(mail: Mail) -> None:
    page = mail.say(do="not")
    assert "Mute Zoë Prof" in buttons(page), "the last author"
    mail.say(do="mute-author", which="0")
    assert list(mail.reader.muted_authors) == ["Ines Harrow"]
    mail.say(do="hear-author", which="0")
    assert not mail.reader.muted_authors


def test_not_for_me_offers_fewer_from_this_interest(mail: Mail) -> None:
    page = mail.say(2, do="not")
    assert "At most 5 from “Routing”" in buttons(page)
    page = mail.say(2, do="fewer")
    assert [profile.limit for profile in mail.reader.profiles] == [10, 5]
    was = re.findall(r'name="was" value="(\d+)"', page.text)
    assert was == ["10"]
    mail.say(2, do="as-before", was=was[0])
    assert [profile.limit for profile in mail.reader.profiles] == [10, 10]


def test_an_interest_that_is_gone_is_offered_no_more(mail: Mail) -> None:
    mail.app.store.subscribers.change(
        mail.number, lambda reader: replace(reader, profiles=(Profile(),))
    )
    before = mail.reader
    assert not any("At most" in words for words in buttons(mail.say(2, do="not")))
    mail.say(2, do="fewer")
    assert mail.reader == before


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "mute-word", "which": "99"},
        {"do": "mute-word", "which": "-1"},
        {"do": "mute-author", "which": "x"},
        {"do": "as-before", "was": "9999"},
        {"do": "as-before", "was": ""},
        {"do": "nonsense"},
        {},
    ],
)
def test_what_was_not_offered_changes_nothing(mail: Mail, fields: dict[str, str]) -> None:
    before = mail.reader
    assert mail.site.post(mail.path(do="not"), **fields).status == 200
    assert mail.reader == before
    assert mail.said() == {}


@pytest.mark.parametrize(
    "query",
    ["", "?do=save", "?p=0&do=save", "?p=3&do=save", "?p=1&do=delete", "?p=²&do=save"],
)
def test_a_link_that_names_no_paper_says_so(mail: Mail, query: str) -> None:
    path = f"/f/{mail.token}{quote(query, safe='?&=')}"
    assert mail.site.get(path).status == 404
    assert mail.site.post(path, do="save").status == 404
    assert mail.said() == {}


def test_a_link_of_another_kind_does_not_open_it(mail: Mail) -> None:
    public_id = mail.reader.public_id
    for purpose in Purpose:
        if purpose is not Purpose.FEEDBACK:
            token = mail.app.links.token(purpose, public_id)
            assert mail.site.post(f"/f/{token}?p=1&do=save", do="save").status == 404
    stranger = mail.app.links.token(Purpose.FEEDBACK, public_id)
    assert mail.site.get(f"/f/{stranger}?p=1&do=save").status == 404


def test_who_has_left_can_still_save_and_is_not_written_to(mail: Mail) -> None:
    mail.app.store.subscribers.change(mail.number, Subscriber.unsubscribe)
    mail.say(do="save")
    assert list(mail.said().values()) == [Verdict.SAVE]
    assert mail.reader.status is Status.UNSUBSCRIBED
