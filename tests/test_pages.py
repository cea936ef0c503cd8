"""The pages in a real browser: with and without script, on a phone and a desk, light and dark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest
from browser import Scheme, browser, hold_to_the_rules, opened
from house import with_sample
from loopback import Site, serving
from playwright.sync_api import expect

from digest.run import issue
from digest.web import create_app
from digest.web.preview import create_preview_app
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Schedule, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from digest.app import App

__all__ = ["browser"]  # the fixture, found by its name


@dataclass
class House:
    """An installation with the sample listing and one reader; both applications are served."""

    app: App
    pages: Site
    preview: Site
    number: int

    def reader(self) -> Subscriber:
        return self.app.store.subscribers.by_number(self.number)

    def path(self, purpose: Purpose) -> str:
        url = self.app.links.url(purpose, self.reader().public_id)
        return self.pages.url + url.removeprefix("https://uni.example")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("pages")
    start = datetime.now(UTC)
    with with_sample(folder, lambda: start, "daily-papers", "arxiv", "biorxiv") as app:

        def reader(name: str, text: str) -> Subscriber:
            schedule = Schedule(zone="Europe/Paris")
            new = Subscriber(f"{name}@example.org", profiles=(Profile(text),), schedule=schedule)
            return app.store.subscribers.add(new.confirm(start), start)

        ada = reader("ada", "mixture of experts\nunlearning -image")
        readers = [ada, reader("emre", "zebrafish")]
        issue(app, everybody=True)
        with (
            serving(create_app(app)) as pages,
            serving(create_preview_app(app, readers)) as preview,
        ):
            yield House(app, pages, preview, ada.number)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened(browser) as page:
        yield page


@pytest.fixture
def still(browser: Browser) -> Iterator[Page]:
    """A page without script."""
    with opened(browser, script=False) as page:
        yield page


def every_page(house: House) -> dict[str, str]:
    ada = house.reader()
    wrong = "?q=mixture%0A%22machine+unlearning"
    return {
        "front": house.pages.url + "/digest/",
        "answer": house.pages.url + "/digest/?q=mixture+of+experts%0Aunlearning+-image",
        "mistake": house.pages.url + "/digest/" + wrong,
        "nothing": house.pages.url + "/digest/?q=unlerning%0Aagents",
        "settings": house.pages.url + "/digest/settings",
        "manage": house.path(Purpose.MANAGE),
        "leave": house.path(Purpose.UNSUBSCRIBE),
        "pause": house.path(Purpose.PAUSE),
        "missing": house.pages.url + "/digest/static/",
        "preview": f"{house.preview.url}/?reader={ada.public_id}&view=text",
        "preview mistake": f"{house.preview.url}/{wrong}&view=source",
    }


PAGES: Final = (
    "front", "answer", "mistake", "nothing", "settings", "manage", "leave", "pause",
    "preview", "preview mistake",
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_text_can_be_read_and_every_control_has_a_name_and_room_for_a_thumb(
    house: House, browser: Browser, name: str, scheme: Scheme
) -> None:
    with opened(browser, scheme=scheme) as page:
        page.goto(every_page(house)[name])
        hold_to_the_rules(page)


@pytest.mark.parametrize("width", [320, 390, 700, 1100, 1440])
def test_no_page_scrolls_sideways(house: House, browser: Browser, width: int) -> None:
    with opened(browser, width) as page:
        for name in PAGES:
            page.goto(every_page(house)[name])
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


class TestTheAnswer:
    def test_it_follows_what_is_typed_and_says_it_once(self, house: House, page: Page) -> None:
        page.goto(house.pages.url + "/digest/")
        page.locator("#answer").evaluate("at => at.dataset.same = 'yes'")
        page.fill("#q", "mixture of experts")
        page.wait_for_selector("#answer .terms th:has-text('mixture of experts')")
        assert page.locator("#sample mark").first.text_content() == "Mixtures of Experts"
        assert page.locator("#answer").get_attribute("data-same") == "yes", "the live region stays"
        assert page.locator("#starters").is_hidden()

    def test_a_repair_is_one_tap(self, house: House, page: Page) -> None:
        page.goto(house.pages.url + "/digest/")
        page.fill("#q", 'agents\n"machine unlearning')
        page.locator("#mistakes button").first.click()
        page.wait_for_selector("#mistakes .problem", state="detached")
        assert page.input_value("#q") == 'agents\n"machine unlearning"'
        assert page.locator("#q[aria-invalid]").count() == 0
        assert page.evaluate("document.activeElement.id") == "q"

    def test_a_line_that_brings_nothing_is_mended_with_one_tap(
        self, house: House, page: Page
    ) -> None:
        page.goto(house.pages.url + "/digest/")
        page.fill("#q", "agents\nunlerning")
        page.get_by_role("button", name="unlearning").click()
        page.wait_for_selector("#answer th:text-is('unlearning')")
        assert page.input_value("#q") == "agents\nunlearning"

    def test_a_starter_fills_the_field(self, house: House, page: Page) -> None:
        page.goto(house.pages.url + "/digest/")
        page.get_by_role("button", name="+ agents").click()
        page.wait_for_selector("#answer .terms th:has-text('agents')")
        assert page.input_value("#q") == "agents"

    def test_without_script_a_button_brings_the_same(self, house: House, still: Page) -> None:
        still.goto(house.pages.url + "/digest/")
        still.fill("#q", 'agents\n"machine unlearning')
        still.get_by_role("button", name="Show what it brings").click()
        assert still.locator("#answer th").all_text_contents() == ["agents"]
        still.locator("#mistakes button").first.click()
        still.wait_for_selector(".problem", state="detached")
        assert still.input_value("#q") == 'agents\n"machine unlearning"'
        assert still.locator(".problem").count() == 0


class TestThePreview:
    def test_a_mail_comes_as_you_type(self, house: House, page: Page) -> None:
        page.goto(house.preview.url)
        page.fill("#q", "mixture of experts")
        page.wait_for_selector("#mail h1:has-text('Your mail')")
        mail = page.frame_locator("#mail iframe.desktop")
        mail.get_by_role("heading", level=3).first.wait_for()
        assert "Mixtures of Experts" in (mail.locator("h3").first.text_content() or "")
        assert page.locator(".readers [aria-current]").count() == 0

    def test_a_desktop_and_a_phone_stand_side_by_side(self, house: House, browser: Browser) -> None:
        with opened(browser, 1100) as page:
            page.goto(f"{house.preview.url}/?q=agents&view=both")
            desktop, phone = (page.locator(f"iframe.{name}") for name in ("desktop", "phone"))
            left, right = desktop.bounding_box(), phone.bounding_box()
            assert left
            assert right
            assert left["y"] == right["y"]
            assert left["width"] > 480, "or the mail would be the phone's"
            for frame in ("desktop", "phone"):
                heading = page.frame_locator(f"iframe.{frame}").locator("h1")
                heading.wait_for()
                assert "for you" in heading.inner_text()

    def test_on_a_phone_the_button_leads_to_the_mail_below_the_readers(
        self, house: House, browser: Browser
    ) -> None:
        with opened(browser, 390) as page:
            page.set_viewport_size({"width": 390, "height": 400})
            page.goto(house.preview.url)
            page.fill("#q", '"agents')
            page.get_by_role("button", name="Show my mail").click()
            page.wait_for_selector(".problem")
            assert page.evaluate("scrollY") == 0, "a mistake is looked at first"
            page.fill("#q", "agents")
            page.get_by_role("button", name="Show my mail").click()
            heading = page.get_by_role("heading", name="Your mail")
            heading.wait_for()
            expect(heading).to_be_in_viewport()

    def test_what_the_fields_are_for_stands_above_them(self, house: House, still: Page) -> None:
        still.goto(house.preview.url)
        for label in ("Your keywords", "Layout", "Day of the digest"):
            box = still.locator("label", has_text=label).bounding_box()
            assert box
            assert box["width"] > 40

    def test_every_view_without_script(self, house: House, still: Page) -> None:
        still.goto(house.preview.url)
        for view in ("Phone", "Dark"):
            still.get_by_role("link", name=view, exact=True).click()
            heading = still.frame_locator("#mail iframe").locator("h1")
            assert "for you" in (heading.text_content() or "")
        still.get_by_role("link", name="Text", exact=True).click()
        assert "NEW PAPERS FOR YOU" in still.locator("pre").inner_text()
        still.get_by_role("link", name="Source", exact=True).click()
        assert (
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in still.locator("pre").inner_text()
        )

    def test_dark_is_dark_on_a_light_system(self, house: House, page: Page) -> None:
        page.goto(f"{house.preview.url}/?q=agents&view=dark")
        body = page.frame_locator("#mail iframe").locator("body")
        assert body.evaluate("at => getComputedStyle(at).backgroundColor") == "rgb(23, 24, 27)"

    def test_who_gets_nothing_reads_why(self, house: House, page: Page) -> None:
        page.goto(house.preview.url)
        page.get_by_role("link", name="emre").click()
        page.wait_for_selector("#mail h1:has-text('emre')")
        assert "nothing matched" in page.locator("#mail .lead").inner_text()
        assert page.locator("iframe").count() == 0


class TestTheReader:
    def test_leaves_and_comes_back_without_script(self, house: House, still: Page) -> None:
        still.goto(house.path(Purpose.UNSUBSCRIBE))
        assert house.reader().status is Status.ACTIVE
        still.get_by_role("button", name="Unsubscribe").click()
        assert house.reader().status is Status.UNSUBSCRIBED
        still.get_by_role("button", name="Undo").click()
        assert house.reader().status is Status.ACTIVE
        assert still.get_by_role("heading", name="You are back").is_visible()

    def test_saves_with_the_enter_key_and_repairs_nothing_by_it(
        self, house: House, still: Page
    ) -> None:
        still.goto(house.path(Purpose.MANAGE))
        still.get_by_label("Time zone").fill("Asia/Tokyo")
        still.get_by_label("Time zone").press("Enter")
        assert still.get_by_text("Saved.").is_visible()
        assert house.reader().schedule.zone == "Asia/Tokyo"

    def test_mends_a_line_on_the_settings_page(self, house: House, still: Page) -> None:
        still.goto(house.path(Purpose.MANAGE))
        field = still.get_by_label("What do you work on?")
        field.fill('agents\n"machine unlearning')
        still.get_by_role("button", name="Save", exact=True).click()
        still.get_by_role("button", name="Write: machine unlearning").click()
        assert still.get_by_text("Saved.").is_visible()
        assert house.reader().profiles[0].text == "agents\nmachine unlearning"
