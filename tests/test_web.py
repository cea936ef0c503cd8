"""The reader's pages over real HTTP: links, the digest online, the front page, the rest."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from house import PUBLIC
from served import ADDRESS, NOW, PAPERS, House, house, listed

from digest.run import issue
from digest.selection import nothing_at
from digest.web.guard import MAIL_POLICY
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Status

__all__ = ["house", "listed"]  # the fixtures, found by their names


class TestLinks:
    @pytest.mark.parametrize("made", [Purpose.PAUSE, Purpose.MANAGE, Purpose.UNSUBSCRIBE])
    @pytest.mark.parametrize("opened", ["m", "p", "u", "v"])
    def test_a_link_opens_its_own_page_only(self, house: House, made: Purpose, opened: str) -> None:
        token = house.path(made).rpartition("/")[2]
        status = house.site.get(f"/{opened}/{token}").status
        assert status == (200 if opened == made.path else 404)
        if opened != made.path:
            assert house.site.post(f"/{opened}/{token}", do="leave").status in {404, 405}
            assert house.status() is Status.ACTIVE

    def test_a_changed_link_says_so_on_a_page(self, house: House) -> None:
        answer = house.site.get(house.path(Purpose.MANAGE)[:-1] + "!")
        assert answer.status == 404
        assert "This link does not work" in answer.text

    def test_a_link_of_a_removed_reader_does_nothing(self, house: House) -> None:
        path = house.path(Purpose.UNSUBSCRIBE)
        house.app.store.subscribers.erase(house.reader, nothing_at(NOW).pack())
        assert house.site.get(path).status == 404
        assert house.site.post(path, do="leave").status == 404

    @pytest.mark.parametrize("purpose", [Purpose.UNSUBSCRIBE, Purpose.PAUSE, Purpose.MANAGE])
    def test_pages_behind_a_link_are_kept_by_nobody(self, house: House, purpose: Purpose) -> None:
        headers = house.site.get(house.path(purpose)).headers
        assert headers["cache-control"] == "no-store"
        assert "noindex" in headers["x-robots-tag"]
        assert headers["referrer-policy"] == "no-referrer"
        assert "set-cookie" not in headers

    @pytest.mark.parametrize("purpose", [Purpose.UNSUBSCRIBE, Purpose.PAUSE, Purpose.MANAGE])
    def test_no_page_shows_the_address(self, house: House, purpose: Purpose) -> None:
        path = house.path(purpose)
        assert ADDRESS not in house.site.get(path).text
        assert ADDRESS not in house.site.post(path, do="pause", until="").text

    @pytest.mark.parametrize("purpose", [Purpose.UNSUBSCRIBE, Purpose.PAUSE, Purpose.MANAGE])
    def test_pages_hold_nothing_inline_and_every_own_link_has_the_base(
        self, house: House, purpose: Purpose
    ) -> None:
        page = house.site.get(house.path(purpose)).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*src=)", page)
        own = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
        assert own
        assert all(link.startswith("/digest/") for link in own)


class TestTheDigestOnline:
    def path(self, house: House) -> str:
        issue(house.app, everybody=True)
        (delivery,) = house.app.store.deliveries.history(house.number)
        return "/v/" + house.app.links.token(Purpose.VIEW, delivery.public_id)

    def test_it_is_the_mail_without_what_is_the_readers_own(self, listed: House) -> None:
        answer = listed.site.get(self.path(listed))
        assert answer.status == 200
        assert PAPERS[0].title.partition(" a ")[0] in answer.text
        assert ADDRESS not in answer.text
        assert not re.search(PUBLIC + "/[mpuf]/", answer.text)
        assert re.search(rf'<a [^>]*href="{PUBLIC}"[^>]*>Get your own\.</a>', answer.text)
        assert "write to" not in answer.text, "whoever it is shown to has nothing to end"
        assert "forwarded" not in answer.text
        assert answer.headers["content-security-policy"] == MAIL_POLICY
        assert answer.headers["cache-control"] == "no-store"

    def test_it_stays_when_the_reader_asks_for_something_else(self, listed: House) -> None:
        path = self.path(listed)
        listed.put(replace(listed.reader, profiles=(Profile("zebrafish"),)))
        assert "Experts" in listed.site.get(path).text

    def test_it_goes_with_the_reader(self, listed: House) -> None:
        path = self.path(listed)
        listed.app.store.subscribers.erase(listed.reader, nothing_at(NOW).pack())
        assert listed.site.get(path).status == 404


class TestTheFrontPage:
    def test_it_answers_what_a_text_brings(self, listed: House) -> None:
        page = listed.site.get("/digest/?q=experts%0Azebrafish").text
        assert "About 2 papers a week" in page
        assert re.findall(r'scope="row">([^<]*)', page) == ["experts", "zebrafish"]
        assert "<mark>Experts</mark>" in page

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            ("", "The 10 papers people talk about"),
            ("-x", "The 10 papers people talk about"),
            ("zebrafish", "Nothing in the last 2 days"),
            ("%22a", "Not yet a question"),
            ("zebra%00fish%FF%ED%A0%80", "Nothing in the last 2 days"),
            ("x" * 6000, "Not yet a question"),
        ],
    )
    def test_it_has_an_answer_to_everything(self, listed: House, query: str, said: str) -> None:
        answer = listed.site.get(f"/?q={query}")
        assert answer.status == 200
        assert said in answer.text
        assert "<script>alert" not in answer.text

    def test_without_papers_it_says_so(self, house: House) -> None:
        assert "No papers are here yet" in house.site.get("/?q=experts").text

    def test_the_mail_it_would_be(self, listed: House) -> None:
        answer = listed.site.get("/mail?q=experts%0A%22broken")
        assert "Experts" in answer.text
        assert answer.headers["content-security-policy"] == MAIL_POLICY
        assert "you@example.org" not in answer.text

    @pytest.mark.parametrize("kind", ["rss", "atom", "json"])
    def test_a_feed_of_any_text(self, listed: House, kind: str) -> None:
        found = listed.site.get(f"/feed.{kind}?q=experts%0A%22broken")
        assert "Mixture of Experts" in found.text
        assert "Unlearning" not in found.text
        assert f"{PUBLIC}/feed.{kind}?q=experts" in found.text
        everything = listed.site.get(f"/feed.{kind}").text
        assert all(title in everything for title in ("Mixture of Experts", "Unlearning"))

    def test_there_is_no_other_feed(self, listed: House) -> None:
        assert listed.site.get("/feed.exe").status == 404


class TestEverythingElse:
    def test_the_front_page_needs_no_link(self, house: House) -> None:
        assert house.site.get("/digest/").status == 200

    def test_health_says_so(self, house: House) -> None:
        assert '"ok"' in house.site.get("/health").text

    def test_what_is_not_there_is_a_page(self, house: House) -> None:
        answer = house.site.get("/wp-login.php")
        assert answer.status == 404
        assert "Nothing here" in answer.text

    @pytest.mark.parametrize("name", ["site.css", "preview.css", "preview.js", "answer.js"])
    def test_static_files_are_served(self, house: House, name: str) -> None:
        assert house.site.get(f"/digest/static/{name}").status == 200
