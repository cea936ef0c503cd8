"""What readers say of papers, as stored."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from digest.compose import compose
from digest.errors import NotFound
from digest.match import match
from digest.papers import Listing, Paper, PaperId
from digest.selection import select
from subscribers.feedback import Feedback, Verdict
from subscribers.profile import Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from digest.store import Store


@pytest.fixture
def reader(store: Store, now: datetime) -> Subscriber:
    """A reader; papers 1 to 3 are stored."""
    day = (Listing("arxiv", "arXiv", date(2026, 11, 20)),)
    papers = [Paper(PaperId("arxiv", f"2611.0000{n}"), f"Paper {n}", listings=day) for n in "123"]
    store.papers.ingest(papers, now)
    return store.subscribers.add(Subscriber("ada@example.org").confirm(now), now)


def test_the_same_word_again_changes_nothing(
    store: Store, reader: Subscriber, now: datetime
) -> None:
    first = Feedback(reader.number, 1, Verdict.SAVE, now)
    store.feedback.give(first)
    store.feedback.give(Feedback(reader.number, 1, Verdict.SAVE, now + timedelta(hours=1)))
    assert store.feedback.of(reader.number) == [first]


def test_the_other_word_takes_its_place_and_both_can_be_taken_back(
    store: Store, reader: Subscriber, now: datetime
) -> None:
    store.feedback.give(Feedback(reader.number, 1, Verdict.SAVE, now))
    later = Feedback(reader.number, 1, Verdict.NOT_FOR_ME, now + timedelta(hours=1))
    store.feedback.give(later)
    assert store.feedback.on(reader.number, 1) == later
    for _ in range(2):
        store.feedback.take_back(reader.number, 1)
        assert store.feedback.on(reader.number, 1) is None


def test_a_readers_words_come_newest_first(store: Store, reader: Subscriber, now: datetime) -> None:
    other = store.subscribers.add(Subscriber("bo@example.org").confirm(now), now)
    for paper, verdict in ((1, Verdict.SAVE), (2, Verdict.NOT_FOR_ME), (3, Verdict.SAVE)):
        said = Feedback(reader.number, paper, verdict, now + timedelta(minutes=paper))
        store.feedback.give(said)
    assert [said.paper for said in store.feedback.of(reader.number)] == [3, 2, 1]
    assert [said.paper for said in store.feedback.of(reader.number, Verdict.SAVE)] == [3, 1]
    of_all = store.feedback.of_all([reader.number, other.number])
    assert [said.paper for said in of_all[reader.number]] == [3, 2, 1]
    assert of_all[other.number] == []


def test_it_goes_with_the_reader(store: Store, reader: Subscriber, now: datetime) -> None:
    said = Feedback(reader.number, 1, Verdict.SAVE, now)
    store.feedback.give(said)
    store.subscribers.erase(reader, b"")
    assert store.feedback.of(reader.number) == []
    with pytest.raises(NotFound):
        store.feedback.give(said)


def test_a_papers_number_in_the_mail_is_its_place_among_the_picks(now: datetime) -> None:
    listed = (Listing("arxiv", "arXiv", now.date()),)
    titles = ("Zebrafish", "Experts and Zebrafish", "Experts", "Zebrafish of Experts", "Routing")
    papers = {
        number: Paper(PaperId("arxiv", f"{number}"), title, listings=listed, number=number)
        for number, title in enumerate(titles, start=1)
    }
    profiles = (Profile("routing"), Profile("zebrafish\nexperts"))
    reader = Subscriber("ada@example.org", profiles=profiles)
    found = match(list(papers.values()), profiles, now=now)
    selection = select(reader, papers, found, until=now, looked_at=len(papers))
    mail = compose(reader, selection, papers)
    numbers = {card.number: card.paper.number for group in mail.groups for card in group.cards}
    assert numbers == {place: one.paper for place, one in enumerate(selection.picks, start=1)}
    assert len(numbers) == len(titles)
