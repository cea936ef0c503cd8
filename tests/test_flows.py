"""What a reader does, from end to end in a real browser: with script and without, everywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from browser import Scheme, browser, hold_to_the_rules, opened
from house import link_to, with_sample
from loopback import Site, serving

from digest.run import deliver, issue
from digest.web import create_app
from subscribers.feedback import Verdict
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from digest.app import App
    from digest.web.signup import Desk

__all__ = ["browser"]  # the fixture, found by its name
pytestmark = pytest.mark.slow
WAYS: Final = (
    (390, "light", True),
    (1100, "dark", True),
    (390, "dark", False),
    (1100, "light", False),
)
"""Width, scheme and script: every two of their values meet."""


@dataclass
class House:
    """An installation with the sample listing and one reader, who has had a digest."""

    app: App
    site: Site
    desk: Desk
    hands: list[datetime]
    number: int
    folder: Path

    @property
    def reader(self) -> Subscriber:
        return self.app.store.subscribers.by_number(self.number)

    def wait(self) -> None:
        """Let time go by, as somebody needs it to fill in a form."""
        self.hands[0] += timedelta(seconds=5)

    def token(self, purpose: Purpose) -> str:
        return f"{self.site.url}/digest/{purpose.path}/" + self.app.links.token(
            purpose, self.reader.public_id
        )

    def link_to(self, address: str) -> str:
        """The link in the newest mail to that address."""
        self.desk.settled()
        deliver(self.app)
        return self.site.url + link_to(address, self.folder)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    hands = [datetime.now(UTC)]
    with with_sample(tmp_path, lambda: hands[0], "daily-papers") as app:
        ada = Subscriber("ada@example.org", profiles=(Profile("agents"),)).confirm(hands[0])
        number = app.store.subscribers.add(ada, hands[0]).number
        issue(app, everybody=True)
        web = create_app(app)
        with serving(web) as site:
            yield House(app, site, web.state.desk, hands, number, tmp_path)


@dataclass(frozen=True)
class Visit:
    """Somebody at their browser."""

    page: Page
    has_script: bool

    def press(self, name: str, *, then: str) -> None:
        """Press a button; wait for what the next page says, and hold that to the rules."""
        self.page.get_by_role("button", name=name, exact=True).last.click()
        self.page.get_by_text(then).first.wait_for()
        self.look()

    def open(self, url: str) -> None:
        """Open a page and hold it to the rules."""
        self.page.goto(url)
        self.look()

    def look(self) -> None:
        """Hold what is shown to the rules, where they can be measured."""
        if self.has_script:
            hold_to_the_rules(self.page)


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{way[1]}-{'script' if way[2] else 'still'}")
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    width, scheme, has_script = request.param
    as_scheme: Scheme = scheme
    with opened(browser, width, as_scheme, script=has_script) as page:
        yield Visit(page, has_script)


def test_somebody_signs_up_and_confirms(house: House, visit: Visit) -> None:
    page = visit.page
    visit.open(house.site.url + "/digest/")
    page.get_by_label("What do you work on?").fill("mixture of experts")
    if visit.has_script:
        page.wait_for_selector("#answer th:has-text('mixture of experts')")
    else:
        visit.press("Show what it brings", then="in the last")
    page.get_by_label("Hour").select_option("9")
    page.get_by_label("Where to?").fill("new@example.org")
    house.wait()
    visit.press("Subscribe", then="Look into your inbox")
    visit.open(house.link_to("new@example.org"))
    assert page.locator("main button").count() == 1
    assert "Mixtures of Experts" in page.locator("ol.papers").inner_text()
    visit.press("Start my digests", then="Your digests have begun")
    reader = house.app.store.subscribers.by_address("new@example.org")
    assert (reader.status, reader.schedule.at.hour) == (Status.ACTIVE, 9)
    page.get_by_role("link", name="Your settings").click()
    assert page.get_by_label("What do you work on?").input_value() == "mixture of experts"


def test_a_reader_changes_everything_and_changes_it_back(house: House, visit: Visit) -> None:
    page, before = visit.page, house.reader
    visit.open(house.token(Purpose.MANAGE))
    page.get_by_label("What do you work on?").fill("agents\nunlerning")
    if visit.has_script:
        page.locator("#answer-0").get_by_role("button", name="unlearning").click()
        assert page.get_by_label("What do you work on?").input_value() == "agents\nunlearning"
    page.get_by_label("How often").select_option("weekly")
    page.get_by_label("Papers with one of these words").fill("blockchain")
    page.get_by_label("A figure with the first paper").uncheck()
    visit.press("Save", then="Saved.")
    reader = house.reader
    assert reader.schedule.cadence == "weekly"
    assert (list(reader.muted_words), reader.figures) == (["blockchain"], False)
    visit.press("Undo", then="Undone.")
    assert house.reader == before
    page.get_by_label("No mails until").fill("")
    visit.press("Pause", then="Paused until you resume")
    visit.press("Resume now", then="You get new papers")
    assert house.reader == before


def test_a_reader_saves_a_paper_and_waves_one_away(house: House, visit: Visit) -> None:
    (delivery,) = house.app.store.deliveries.history(house.number)
    token = house.app.links.token(Purpose.FEEDBACK, delivery.public_id)
    visit.open(f"{house.site.url}/digest/f/{token}?p=1&do=save")
    visit.press("Save", then="on your list of saved papers")
    visit.press("Undo", then="Save this paper?")
    visit.open(f"{house.site.url}/digest/f/{token}?p=1&do=not")
    visit.press("Not for me", then="Less of what?")
    assert [one.verdict for one in house.app.store.feedback.of(house.number)] == [
        Verdict.NOT_FOR_ME
    ]
    visit.page.get_by_role("button", name=re.compile("^Mute “")).first.click()
    visit.page.get_by_role("button", name=re.compile("^Muted: ")).click()
    visit.page.get_by_role("button", name=re.compile("^Mute “")).first.wait_for()
    visit.press("At most 5 from “agents”", then="brings fewer papers from now on")
    assert (house.reader.muted_words, house.reader.profiles[0].limit) == ((), 5)


def test_a_reader_gets_a_link_and_moves_takes_everything_along_and_is_forgotten(
    house: House, visit: Visit
) -> None:
    page = visit.page
    visit.open(house.site.url + "/digest/settings")
    page.get_by_label("Your address").fill("ada@example.org")
    house.wait()
    visit.press("Send me the link", then="Look into your inbox")
    house.app.store.deliveries.history(house.number)
    house.desk.settled()
    ends = house.hands[0] + timedelta(hours=1)
    token = house.app.links.token(Purpose.ACCOUNT, house.reader.public_id, expires=ends)
    visit.open(f"{house.site.url}/digest/a/{token}")
    page.get_by_label("Your new address").fill("ada@new.example")
    visit.press("Ask there", then="Look into the inbox of ada@new.example")
    account = page.url
    visit.open(house.link_to("ada@new.example"))
    visit.press("Send them here", then="Done")
    assert house.reader.address == "ada@new.example"
    visit.open(account)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download everything we keep of you").click()
    assert "ada@new.example" in download.value.path().read_text("utf-8")
    visit.press("Delete me", then="Delete everything?")
    visit.press("No, keep it", then="Your data")
    visit.press("Delete me", then="Delete everything?")
    visit.press("Yes, delete everything", then="You are forgotten")
    assert house.app.store.subscribers.all() == []


def test_a_reader_leaves_says_why_and_comes_back(house: House, visit: Visit) -> None:
    before = house.reader
    visit.open(house.token(Purpose.UNSUBSCRIBE))
    visit.press("Unsubscribe", then="We will not write to this address again")
    visit.page.get_by_label("Too many papers").check()
    visit.press("Tell us", then="Thank you")
    assert house.reader.left_because == "Too many papers"
    visit.press("Undo", then="You are back")
    assert house.reader == before
