"""The archive in a real browser: with and without script, on a phone and a desk, light and dark."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from browser import Scheme, browser, hold_to_the_rules, opened
from house import with_sample
from loopback import serving

from digest.papers import Signals
from digest.web import create_app
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from digest.app import App

__all__ = ["browser"]  # the fixture, found by its name
PATHS: Final = {
    "day": "/day",
    "filtered": "/day?category=cs.LG",
    "month": "/month",
    "trending": "/trending",
    "search": "/search?q=mixture+of+experts%0Aunlearning+-image",
    "nothing asked": "/search",
    "nothing found": "/search?q=zebrafish",
    "paper": "/paper/arxiv:2611.90001",
    "invitation": "/i/{token}",
    "never": "/i/{token}?never=1",
    "mistake": "/search?q=agents%0A%22machine+unlearning",
}


@dataclass
class House:
    """The sample listing, served."""

    app: App
    root: str
    token: str

    def url(self, path: str) -> str:
        """An address of it; {token} is that of an invitation."""
        return f"{self.root}/digest{path.format(token=self.token)}"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("archive")
    start = datetime.now(UTC)
    with with_sample(folder, lambda: start, "daily-papers", "arxiv", "biorxiv") as app:
        # An evening later it has more votes, so that there is something to draw.
        (number,) = filter(None, [app.store.archive.number_of("arxiv:2611.90001")])
        liked = app.store.papers.by_numbers([number])[number]
        voted = replace(liked, signals=Signals(90, 9, 1400), listings=liked.listings[:1])
        app.store.papers.ingest([voted], start + timedelta(hours=9))
        invited = app.store.subscribers.add(
            Subscriber("bo@example.org", profiles=(Profile("agents"),)), start
        )
        token = app.links.token(Purpose.INVITATION, invited.public_id)
        with serving(create_app(app)) as site:
            yield House(app, site.url, token)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened(browser, 1100) as page:
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PATHS)
def test_every_page_of_the_archive_keeps_the_rules(
    house: House, browser: Browser, name: str, scheme: Scheme
) -> None:
    with opened(browser, scheme=scheme) as page:
        page.goto(house.url(PATHS[name]))
        hold_to_the_rules(page)


@pytest.mark.parametrize("width", [320, 390, 700, 1200])
def test_no_page_of_the_archive_scrolls_sideways(
    house: House, browser: Browser, width: int
) -> None:
    with opened(browser, width) as page:
        for name, path in PATHS.items():
            page.goto(house.url(path))
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


class TestKeys:
    def test_j_and_k_walk_the_list(self, house: House, page: Page) -> None:
        page.goto(house.url("/day"))
        titles = page.locator(".listing h2 a").all_text_contents()
        walked = []
        for key in "jjjk":
            page.keyboard.press(key)
            walked.append(page.evaluate("document.activeElement.textContent"))
        assert walked == [titles[0], titles[1], titles[2], titles[1]]

    def test_who_comes_back_from_a_paper_goes_on_where_they_were(
        self, house: House, page: Page
    ) -> None:
        page.goto(house.url("/day"))
        titles = page.locator(".listing h2 a").all_text_contents()
        for key in ("j", "j", "Enter"):
            page.keyboard.press(key)
        page.wait_for_url("**/paper/*")
        page.go_back()
        page.wait_for_function("title => document.activeElement.textContent === title",
                               arg=titles[1])  # fmt: skip

    def test_brackets_turn_the_days(self, house: House, page: Page) -> None:
        page.goto(house.url("/day"))
        newest = page.locator("h1").text_content()
        page.keyboard.press("[")
        page.wait_for_url("**/day/*")
        assert page.locator("h1").text_content() != newest
        page.keyboard.press("]")
        page.wait_for_function("title => document.querySelector('h1').textContent === title",
                               arg=newest)  # fmt: skip

    def test_a_slash_goes_to_the_search_and_letters_stay_letters_in_its_field(
        self, house: House, page: Page
    ) -> None:
        page.goto(house.url("/day"))
        page.keyboard.press("/")
        page.wait_for_url("**/search")
        page.keyboard.press("/")
        page.keyboard.type("jk/")
        assert page.input_value("#q") == "jk/"

    def test_they_can_be_switched_off_and_stay_off(self, house: House, page: Page) -> None:
        page.goto(house.url("/day"))
        page.get_by_role("button", name="Turn keys off").click()
        page.reload()
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.tagName") == "BODY"
        page.get_by_role("button", name="Turn keys on").click()
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.tagName") == "A"


class TestWithoutScript:
    @pytest.fixture
    def still(self, browser: Browser) -> Iterator[Page]:
        with opened(browser, script=False) as page:
            yield page

    def test_a_list_is_narrowed_and_widened(self, house: House, still: Page) -> None:
        still.goto(house.url("/day"))
        everything = still.locator(".listing li").count()
        still.get_by_text("Narrow the list").click()
        still.select_option("#category", "cs.LG")
        still.get_by_role("button", name="Show").click()
        assert 0 < still.locator(".listing li").count() < everything
        assert still.locator("#category").input_value() == "cs.LG"
        still.get_by_role("link", name="All papers").click()
        assert still.locator(".listing li").count() == everything

    def test_a_search_is_typed_and_mended(self, house: House, still: Page) -> None:
        still.goto(house.url("/search"))
        still.fill("#q", '"machine unlearning')
        still.get_by_role("button", name="Search").click()
        assert still.locator(".listing").count() == 0
        still.get_by_role("button", name='Write: "machine unlearning"').click()
        assert still.input_value("#q") == '"machine unlearning"'
        assert still.locator(".listing mark").count() > 0
