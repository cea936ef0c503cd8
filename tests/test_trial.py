"""Preview's newer half: any day, hints, templates that are followed, and one real test mail."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from html import unescape
from typing import TYPE_CHECKING

import httpx
import pytest
from loopback import serving
from test_preview import NOW, PAPERS, House, paper

from digest.demo import Mailbox
from digest.errors import AddressError, RelayUnreachable
from digest.hints import hints
from digest.letters import Letters
from digest.papers import Signals
from digest.preview import preview, sent
from digest.run import issue
from digest.selection import Selection
from digest.trial import send_test
from digest.web import create_app
from digest.web.preview import create_preview_app
from subscribers.profile import Profile
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["test_preview"]


LINK = re.compile(r"https://uni\.example/digest/(\w)/([\w-]*)")
"""A link of a mail into our own pages: what it is for, and its token."""
HREF = re.compile(r'href="([^"]*)"')
INERT = "this-link-is-from-a-preview-only"


def reading_bounces(house: House) -> None:
    """Let its mails be left by writing to an address that carries their tag."""
    house.app.settings = replace(
        house.app.settings,
        bounce_address="bounces+*@example.org",
        bounces_url="maildir:/nowhere",
    )


class TestLinks:
    """A preview has every link of the mail that is sent, and none of them acts."""

    def test_it_is_the_mail_that_is_sent_but_for_tokens(self, house: House) -> None:
        reading_bounces(house)
        seen = preview(house.app, house.ada, now=NOW)
        issue(house.app, everybody=True)
        deliveries = house.app.store.deliveries.history(house.ada.number)
        letters = Letters(house.app)
        letters.prepare(deliveries)
        (went,) = [letters.build(one).message for one in deliveries]
        both = (message_from_bytes(raw, policy=policy.default) for raw in (seen.message, went))
        shown, gone = both
        assert shown.keys() == gone.keys()
        for name in ("List-Unsubscribe", "X-Digest-Tag"):
            assert len(shown[name]) == len(gone[name])
            assert shown[name] != gone[name]
        for one, other in zip(shown.iter_parts(), gone.iter_parts(), strict=True):
            looks, is_sent = one.get_content(), other.get_content()
            real = dict.fromkeys(token for _, token in LINK.findall(is_sent))
            assert len(real) >= 4
            assert LINK.sub(r"\1", looks) == LINK.sub(r"\1", is_sent)
            assert len(looks) == len(is_sent)
            assert INERT in looks
            assert not [token for token in real if token in looks]

    @pytest.mark.parametrize("query", [None, "unlearning"])
    def test_every_link_is_there_none_opens_and_its_page_says_what_it_is(
        self, house: House, query: str | None
    ) -> None:
        seen = preview(house.app, query or house.ada, now=NOW)
        for words in ("Save", "Not for me", "View online", "Pause", "Unsubscribe"):
            assert words in seen.rendered.html
        pages = {unescape(url) for url in HREF.findall(seen.rendered.html) if LINK.match(url)}
        assert {LINK.match(url)[1] for url in pages} == {"m", "p", "u", "v", "f"}  # type: ignore[index]
        before = house.contents
        with serving(create_app(house.app)) as site:
            for url in pages:
                path = url.removeprefix("https://uni.example")
                shown = site.get(path)
                assert shown.status == 404
                assert "This link is from a preview" in shown.text
                assert site.ask("POST", path, b"List-Unsubscribe=One-Click").status in {404, 405}
        assert house.contents == before

    def test_who_writes_to_its_leave_address_is_nobody(self, house: House) -> None:
        reading_bounces(house)
        shown = message_from_bytes(preview(house.app, house.ada, now=NOW).message)
        assert "<mailto:bounces+this-mail-is-only-for-preview@" in shown["List-Unsubscribe"]
        for name in ("List-Unsubscribe", "X-Digest-Tag"):
            assert house.app.tags.find(shown[name]) is None

    def test_what_was_sent_is_looked_at_without_its_live_links(self, house: House) -> None:
        issue(house.app, everybody=True)
        (delivery,) = house.app.store.deliveries.history(house.ada.number)
        seen = sent(house.app, delivery)
        tokens = {token for _, token in LINK.findall(seen.rendered.html + seen.rendered.text)}
        assert tokens == {INERT}
        assert house.app.tags.tag(delivery.public_id) not in seen.message.decode()

    def test_without_a_public_url_there_is_none(self, house: House) -> None:
        house.app.settings = replace(house.app.settings, public_url="")
        seen = preview(house.app, house.ada, now=NOW)
        assert INERT not in seen.message.decode()
        assert "Save" not in seen.rendered.html


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
        page = message.get_body(("html",))
        assert page is not None
        whole = "".join([message["list-unsubscribe"], body.get_content(), page.get_content()])
        links = LINK.findall(whole)
        assert {purpose for purpose, _ in links} == {"m", "p", "u", "v", "f"}
        assert {token for _, token in links} == {INERT}, "a reader's links go to the reader alone"
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
            assert "grace@example.org: accepted, 250" in done.text
            assert str(done.url).endswith("#send")
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
