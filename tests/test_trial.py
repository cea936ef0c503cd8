"""Preview's newer half: any day, hints, templates that are followed, and one real test mail."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import httpx
import pytest
from loopback import serving
from test_preview import NOW, PAPERS, House, paper

from digest.demo import Mailbox
from digest.errors import AddressError, RelayUnreachable
from digest.hints import hints
from digest.papers import Signals
from digest.preview import preview
from digest.run import issue
from digest.selection import Selection
from digest.trial import send_test
from digest.web.preview import create_preview_app
from subscribers.profile import Profile
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["test_preview"]


class TestADay:
    def test_the_digest_of_a_day_holds_what_was_announced_since_the_one_before(
        self, house: House
    ) -> None:
        day = PAPERS[0].listings[0].day
        later = replace(paper(77, "Experts of the Next Day"), number=0)
        (listing,) = later.listings
        later = replace(later, listings=(replace(listing, day=day.replace(day=day.day + 1)),))
        house.app.store.papers.ingest([later], NOW)
        seen = preview(house.app, "experts", now=NOW, day=day)
        assert [line.title for line in seen.whys] == [PAPERS[0].title]
        after = preview(house.app, "experts", now=NOW, day=day.replace(day=day.day + 1))
        assert [line.title for line in after.whys] == [later.title]
        assert "Thu 19 Nov" in seen.rendered.subject

    def test_it_is_the_digest_that_a_run_on_that_day_made(self, house: House) -> None:
        """What rose over a floor by then is in it, what rose or came later is not."""
        schedule = Schedule(Cadence.DAILY, zone="Europe/Paris")
        text = "upvotes>10 experts\nunlearning"
        reader = Subscriber("noa@example.org", profiles=(Profile(text),), schedule=schedule)
        noa = house.app.store.subscribers.add(reader.confirm(NOW), NOW)
        slow = paper(81, "Experts That Rise", upvotes=3)
        for days, counts, title in (
            (0, 3, "Unlearning on the First Day"),
            (1, 30, "Unlearning on the Second Day"),
            (2, 400, "Unlearning on the Third Day"),
        ):
            now = schedule.instant(NOW.date() + timedelta(days=days + 1)) + timedelta(minutes=3)
            house.app.clock = lambda now=now: now  # type: ignore[misc]
            risen = replace(slow, signals=Signals(upvotes=counts))
            (listing,) = paper(82 + days, title).listings
            fresh = replace(
                paper(82 + days, title),
                listings=(replace(listing, day=now.date()),),
            )
            house.app.store.papers.ingest([risen, fresh], now - timedelta(minutes=5))
            issue(house.app)
        made = [
            Selection.unpack(one.selection)
            for one in house.app.store.deliveries.history(noa.number)
            if one.kind == "digest"
        ]
        assert len(made) == 3
        for days, selection in enumerate(reversed(made)):
            day = NOW.date() + timedelta(days=days + 1)
            seen = preview(house.app, noa, now=house.app.clock(), day=day)
            assert [pick.paper for pick in seen.selection.picks] == [
                pick.paper for pick in selection.picks
            ]
            assert seen.selection.matched == selection.matched
            titles = [line.title for line in seen.whys]
            assert (slow.title in titles) is (days > 0)


class TestHints:
    def test_a_good_message_has_none_but_for_what_its_settings_lack(self, house: House) -> None:
        seen = preview(house.app, house.ada, now=NOW)
        assert [hint for hint in seen.hints if "postal" not in hint] == [
            "Mails come from example.org and links lead to uni.example: one domain looks better."
        ]

    def test_what_filters_dislike_is_named(self) -> None:
        said = " ".join(
            hints(
                b"From: a@gmail.com\r\nSubject: FREE PAPERS ACT NOW!!\r\n"
                b"Content-Type: text/html; charset=utf-8\r\n\r\n"
                b"<a href='http://x.example.org/'>x</a><img src='https://x.example.org/a.png'>"
            )
        )
        for word in ("shouts", "List-Unsubscribe", "DMARC", "no text part", "not encrypted"):
            assert word in said


class TestTestMail:
    def house_with_relay(self, house: House, port: int) -> House:
        house.app.settings = replace(house.app.settings, smtp_url=f"smtp://127.0.0.1:{port}")
        house.app.__dict__.pop("channel", None)
        return house

    def test_it_is_real_marked_logged_and_in_nobodys_ledger(
        self, house: House, tmp_path: Path
    ) -> None:
        with Mailbox(tmp_path / "box") as mailbox:
            self.house_with_relay(house, mailbox.port)
            before = preview(house.app, house.ada, now=NOW)
            reply = send_test(house.app, before, "grace@example.org")
            assert reply.outcome.value == "accepted"
        (kept,) = (tmp_path / "box").glob("*.eml")
        message = message_from_bytes(kept.read_bytes(), policy=policy.default)
        assert message["subject"] == f"[Test] {before.rendered.subject}"
        assert message["to"] == "grace@example.org"
        body = message.get_body(("plain",))
        assert body is not None
        assert "This is a test; it changes nobody’s digest." in body.get_content()
        assert "/m/" not in body.get_content(), "a reader's own links go to the reader alone"
        assert "ada@example.org" not in kept.read_text("ascii")
        (row,) = house.app.store.deliveries.history()
        assert (row.kind, row.state, row.subscriber) == ("test", "accepted", None)
        assert Selection.unpack(row.selection).papers == before.selection.papers
        assert row.message_id == message["message-id"]
        after = preview(house.app, house.ada, now=NOW)
        assert after.selection == before.selection

    def test_what_cannot_be_sent_is_said_and_not_logged(self, house: House) -> None:
        self.house_with_relay(house, 1)
        seen = preview(house.app, house.ada, now=NOW)
        with pytest.raises(RelayUnreachable):
            send_test(house.app, seen, "grace@example.org")
        with pytest.raises(AddressError):
            send_test(house.app, seen, "grace@")
        assert house.app.store.deliveries.history() == []

    def test_the_page_sends_it_and_no_other_page_can(self, house: House, tmp_path: Path) -> None:
        with Mailbox(tmp_path / "box") as mailbox:
            self.house_with_relay(house, mailbox.port)
            where = f"{house.site.url}/send?q=unlearning"
            done = httpx.post(where, data={"to": "grace@example.org"}, follow_redirects=True)
            assert "accepted: 250" in done.text
            refused = httpx.post(
                where, data={"to": "x@example.org"}, headers={"sec-fetch-site": "cross-site"}
            )
            assert refused.status_code >= 400
        assert len(list((tmp_path / "box").glob("*.eml"))) == 1
        wrong = httpx.post(where, data={"to": "grace"}, follow_redirects=True)
        assert "not sent" in wrong.text


def test_a_template_that_is_saved_is_looked_at_at_once(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    (folder / "email").mkdir(parents=True)
    house.app.settings = replace(house.app.settings, templates=folder)
    with serving(create_preview_app(house.app, [house.ada])) as site:
        stamp = httpx.get(f"{site.url}/stamp").text
        assert "Our own lead" not in httpx.get(f"{site.url}/mail?q=unlearning").text
        own = folder / "email" / "interest.html"
        own.write_text("<h2>Our own lead</h2>", encoding="utf-8")
        os.utime(own, ns=(1, 1))
        assert httpx.get(f"{site.url}/stamp").text != stamp
        assert "Our own lead" in httpx.get(f"{site.url}/mail?q=unlearning").text
        own.write_text("<h2>{{ nobody }}</h2>", encoding="utf-8")
        os.utime(own, ns=(2, 2))
        page = httpx.get(f"{site.url}/?q=unlearning").text
        assert "A template of yours is not used: " in page
        assert "interest.html" in page


def test_both_widths_stand_side_by_side_and_headers_can_be_read(house: House) -> None:
    page = httpx.get(f"{house.site.url}/?q=unlearning").text
    assert page.count("<iframe") == 2
    assert 'class="desktop"' in page
    assert 'class="phone"' in page
    headers = httpx.get(f"{house.site.url}/?q=unlearning&view=headers").text
    assert "List-Unsubscribe" in headers
    assert "<iframe" not in headers
