"""The preview: what a digest would be, why, what nearly was in; and that looking writes nothing."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest
from house import settings_in
from loopback import Site, serving

from digest.app import App
from digest.misses import almost
from digest.papers import Listing, Paper, PaperId, Signals
from digest.preview import latest, preview, sent
from digest.render import BUDGET
from digest.run import issue
from digest.store import open_store
from digest.web.guard import MAIL_POLICY
from digest.web.preview import LISTED, create_preview_app
from subscribers.profile import Layout, Profile
from subscribers.query import parse
from subscribers.subscriber import Schedule, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
FIGURE = "https://papers.example.org/figures/2611.90001.png"


def paper(number: int, title: str, upvotes: int | None = None, image: str = "") -> Paper:
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title,
        abstract=f"What there is to say about {title.lower()}.",
        url=f"https://arxiv.org/abs/2611.{number:05}",
        image_url=image,
        signals=Signals(upvotes=upvotes),
        listings=(Listing("arxiv", "arXiv", date(2026, 11, 19)),),
        sample=True,
    )


PAPERS = (
    paper(1, "Routing a Mixture of Experts", 48, FIGURE),
    paper(2, "Machine Unlearning in One Step", 12),
    paper(3, "Unlearning Images One Image at a Time", 3),
    paper(4, "A Mixture of Paints", 18),
    paper(5, "<script>alert(1)</script> in {{ titles }}"),
)


@dataclass
class House:
    """An installation with papers and two readers, and its preview page."""

    app: App
    site: Site
    ada: Subscriber
    emre: Subscriber

    @property
    def contents(self) -> list[str]:
        """Everything the database holds, as SQL."""
        with self.app.store.database.read() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            return list(raw.iterdump())


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = settings_in(tmp_path)
    with open_store(settings.database_url) as store:
        store.papers.ingest(PAPERS, NOW)

        def reader(name: str, text: str) -> Subscriber:
            schedule = Schedule(zone="Europe/Paris")
            new = Subscriber(f"{name}@example.org", profiles=(Profile(text),), schedule=schedule)
            return store.subscribers.add(new.confirm(NOW), NOW)

        ada = reader("ada", "mixture of experts\nunlearning -image")
        emre = reader("emre", "zebrafish")
        app = App(settings, store, lambda: NOW)
        with serving(create_preview_app(app, [ada, emre])) as site:
            yield House(app, site, ada, emre)


def titles(lines: tuple[object, ...]) -> list[str]:
    return [getattr(line, "title", "") for line in lines]


class TestData:
    def test_why_each_paper_is_in_and_which_nearly_were(self, house: House) -> None:
        seen = preview(house.app, house.ada, now=NOW)
        assert titles(seen.whys) == [PAPERS[0].title, PAPERS[1].title]
        assert "mixture of experts" in seen.whys[0].why
        near = {line.title: line.why for line in seen.near}
        assert near[PAPERS[2].title] == "left out by -image"
        assert near[PAPERS[3].title] == "it lacks experts"
        assert PAPERS[4].title not in near

    def test_who_gets_nothing_is_told_why(self, house: House) -> None:
        seen = preview(house.app, house.emre, now=NOW)
        assert not seen.has_mail
        assert seen.outcome == "no mail: nothing matched, 5 looked at"

    def test_the_message_is_what_goes_over_the_wire(self, house: House) -> None:
        seen = preview(house.app, house.ada, now=NOW)
        message = message_from_bytes(seen.message, policy=policy.default)
        assert message["subject"] == seen.rendered.subject
        assert message["to"] == "ada@example.org"
        assert [part.get_content_type() for part in message.iter_parts()] == [
            "text/plain",
            "text/html",
        ]
        assert 0 < seen.size < BUDGET

    def test_a_text_is_shown_as_a_new_reader_would_get_it(self, house: House) -> None:
        seen = preview(house.app, "unlearning", now=NOW)
        assert set(titles(seen.whys)) == {PAPERS[1].title, PAPERS[2].title}
        assert not seen.mistakes

    def test_of_a_text_with_a_mistake_the_rest_is_used(self, house: House) -> None:
        seen = preview(house.app, 'mixture\n"unlearning', now=NOW)
        assert [mistake.line for mistake in seen.mistakes] == [2]
        assert PAPERS[3].title in titles(seen.whys)

    def test_no_text_is_the_top_ten(self, house: House) -> None:
        assert preview(house.app, "", now=NOW).selection.top_ten

    def test_another_layout_is_tried_on(self, house: House) -> None:
        seen = preview(house.app, house.ada, now=NOW, layout=Layout.TITLES)
        cards = [card for group in seen.digest.groups for card in group.cards]
        assert {card.layout for card in cards} == {Layout.TITLES}

    def test_what_was_made_is_rebuilt_when_nothing_is_to_come(self, house: House) -> None:
        before = preview(house.app, house.ada, now=NOW)
        issue(house.app, everybody=True)
        after = latest(house.app, house.ada, now=NOW + timedelta(hours=1))
        assert after.delivery is not None
        assert after.selection.papers == before.selection.papers
        assert after.rendered.subject == before.rendered.subject
        assert after.delivery.message_id.encode() in after.message
        again = sent(house.app, after.delivery, layout=Layout.COMPACT)
        assert again.selection == after.selection

    def test_the_digest_of_a_day_on_which_one_was_made_is_decided_as_it_was(
        self, house: House
    ) -> None:
        before = preview(house.app, house.ada, now=NOW)
        issue(house.app, everybody=True)
        evening = Schedule(at=time(18, 30), zone="Europe/Paris")
        ada = replace(house.ada, schedule=evening)  # made by hand, before her own hour
        again = preview(house.app, ada, now=NOW + timedelta(days=2), day=NOW.date())
        assert again.selection.papers == before.selection.papers
        assert again.selection.until == NOW

    def test_what_nearly_was_in_has_its_formulas_in_signs_as_the_mail_has(
        self, house: House
    ) -> None:
        house.app.store.papers.ingest([paper(6, r"A $\beta$-Mixture of Sand")], NOW)
        seen = preview(house.app, house.ada, now=NOW)
        assert "A β-Mixture of Sand" in titles(seen.near)

    @pytest.mark.parametrize(
        ("query", "why"),
        [
            ("mixture experts", "it lacks experts"),
            ("mixture upvotes>20", "it has 18 upvotes, you asked for more than 20"),
            ("upvotes>20", "it has 18 upvotes, you asked for more than 20"),
            ("upvotes>200", ""),
            ("mixture -paints", "left out by -paints"),
            ("mixture\n-paints", "left out by -paints"),
            ("mixture", ""),
            ("zebrafish", ""),
            ("zebrafish -x", ""),
            ("zebrafish embryo mixture", ""),
        ],
    )
    def test_the_one_thing_that_is_missing(self, query: str, why: str) -> None:
        assert almost(parse(query), PAPERS[3]) == why


class TestPage:
    def test_every_look_is_a_plain_get(self, house: House) -> None:
        for view in ("desktop", "phone", "dark", "text", "source", "nonsense"):
            for key in (f"reader={house.ada.public_id}", "q=unlearning", "q=%22broken", "q="):
                assert house.site.get(f"/?{key}&view={view}&layout=titles").status == 200
                assert house.site.get(f"/mail?{key}&view={view}").status == 200

    def test_looking_writes_nothing(self, house: House) -> None:
        before = house.contents
        for path in (
            "/",
            f"/?reader={house.ada.public_id}&view=source",
            "/?q=unlearning&layout=full",
            "/?q=%22a&repair-0=1:a",
            f"/mail?reader={house.ada.public_id}",
        ):
            assert house.site.get(path).status == 200
            assert house.site.ask("POST", path, b"q=x").status == 405
        assert house.contents == before

    def test_the_first_reader_is_shown_at_first_and_all_are_listed(self, house: House) -> None:
        page = house.site.get("/").text
        assert "<h1>ada</h1>" in page
        assert "no mail: nothing matched, 5 looked at" in page
        assert "left out by -image" in page

    def test_of_thousands_some_are_listed_and_whoever_is_shown(self, house: House) -> None:
        store = house.app.store.subscribers
        store.add_all([replace(house.ada, address=f"r{n}@example.org") for n in range(60)], NOW)
        readers = store.all()
        with serving(create_preview_app(house.app, readers)) as site:
            page = site.get(f"/?reader={readers[-1].public_id}").text
        listed = re.findall(r'href="/\?reader=(\w+)&amp;view=\w+"[^>]*><b>', page)
        assert len(listed) == LISTED
        assert listed[-1] == readers[-1].public_id
        assert "and 22 more: <code>paper-digest preview ADDRESS --serve</code>" in page

    @pytest.mark.parametrize("path", ["/", "/nothing-here"])
    def test_every_link_of_a_page_leads_somewhere(self, house: House, path: str) -> None:
        page = house.site.get(path).text
        links = {html.unescape(link) for link in re.findall(r'(?:href|src)="(/[^"#]*)', page)}
        assert "/" in links
        assert {link: house.site.get(link).status for link in links} == dict.fromkeys(links, 200)

    def test_a_mistake_is_shown_with_its_repairs(self, house: House) -> None:
        page = house.site.get("/?q=mixture%0A%22unlearning").text
        assert "<strong>Line 2:</strong>" in page
        repair = re.search(r'name="repair-0" value="([^"]*)"', page)
        assert repair
        mended = house.site.get(f"/?q=mixture%0A%22unlearning&repair-0={html.unescape(repair[1])}")
        assert 'class="problem"' not in mended.text

    def test_the_mail_runs_nothing_and_its_colours_do_not_depend_on_the_system(
        self, house: House
    ) -> None:
        light = house.site.get("/mail?q=&view=desktop")
        dark = house.site.get("/mail?q=&view=dark")
        assert light.headers["content-security-policy"] == MAIL_POLICY
        assert "<script>alert" not in light.text
        assert "prefers-color-scheme:" not in light.text + dark.text
        assert "@media not all" in light.text
        assert "@media all" in dark.text

    def test_figures_of_the_sample_are_shown_from_this_machine(self, house: House) -> None:
        mail = house.site.get("/mail?q=mixture+of+experts").text
        assert FIGURE not in mail
        assert house.site.get("/figures/2611.90001.png").status == 200

    def test_an_unknown_reader_is_a_page_and_another_host_is_refused(self, house: House) -> None:
        assert house.site.get("/?reader=aaaaaaaaaaaaa").status == 404
        rebound = house.site.ask("GET", "/", headers={"host": "evil.example"})
        assert rebound.status == 400
