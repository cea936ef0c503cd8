"""The reader's pages over real HTTP: leaving, pausing, settings. What a GET must never do."""

from __future__ import annotations

import html
import re
import socket
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from house import PUBLIC, settings_in
from loopback import Answer, Site, serving

from digest.app import App
from digest.papers import Listing, Paper, PaperId
from digest.run import issue
from digest.selection import nothing_at
from digest.store import open_store
from digest.web import create_app
from digest.web.guard import MAIL_POLICY
from subscribers.links import Purpose
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Cadence, Schedule, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
ADDRESS = "ada@example.org"
ONE_CLICK = b"List-Unsubscribe=One-Click"
MULTIPART = (
    b'--b1\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
    b"One-Click\r\n--b1--\r\n"
)
URLENCODED = "application/x-www-form-urlencoded"


@dataclass
class House:
    """An installation with one reader, served; the clock's hands stand where they are put."""

    app: App
    site: Site
    number: int
    hands: list[datetime]

    @property
    def reader(self) -> Subscriber:
        return self.app.store.subscribers.by_number(self.number)

    def status(self) -> Status:
        return self.reader.status

    def put(self, reader: Subscriber) -> None:
        self.app.store.subscribers.update(reader)

    def path(self, purpose: Purpose) -> str:
        url = self.app.links.url(purpose, self.reader.public_id)
        assert url.startswith(PUBLIC)
        return url.removeprefix("https://uni.example")

    def fields(self, **changed: str) -> dict[str, str]:
        """What the browser sends when nothing but this was changed on the settings page."""
        return form_fields(self.site.get(self.path(Purpose.MANAGE)).text) | changed

    def save(self, fields: dict[str, str]) -> Answer:
        return self.site.post(self.path(Purpose.MANAGE), **fields)


def form_fields(page: str) -> dict[str, str]:
    """The first form of a page as a browser would send it untouched (WHATWG form submission)."""
    form = page[page.index("<form") : page.index("</form>")]
    fields: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        attributes = {
            name: html.unescape(value) for name, value in re.findall(r'(\S+)="([^"]*)"', tag)
        }
        if attributes.get("type") != "checkbox" or " checked" in tag:
            fields[attributes["name"]] = attributes.get("value", "")
    for name, text in re.findall(
        r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form, re.DOTALL
    ):
        fields[name] = html.unescape(text).replace("\n", "\r\n")
    select = r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>'
    for name, options in re.findall(select, form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(
            r'value="([^"]*)"', options
        )
        assert chosen
        fields[name] = html.unescape(chosen[1])
    return fields


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = settings_in(tmp_path)
    with open_store(settings.database_url) as store:
        reader = Subscriber(
            ADDRESS,
            profiles=(Profile("mixture of experts\nunlearning -image"),),
            schedule=Schedule(zone="Europe/Paris"),
        ).confirm(NOW)
        number = store.subscribers.add(reader, NOW).number
        hands = [NOW]
        app = App(settings, store, lambda: hands[0])
        with serving(create_app(app)) as site:
            yield House(app, site, number, hands)


class TestLeaving:
    @pytest.mark.parametrize("purpose", [Purpose.UNSUBSCRIBE, Purpose.PAUSE, Purpose.MANAGE])
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_a_scanner_that_opens_every_link_changes_nothing(
        self, house: House, purpose: Purpose, method: str
    ) -> None:
        before = house.reader
        for _ in range(2):
            answer = house.site.ask(method, house.path(purpose))
            assert answer.status == 200
        assert house.reader == before

    @pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH"])
    def test_other_methods_change_nothing(self, house: House, method: str) -> None:
        before = house.reader
        assert house.site.ask(method, house.path(Purpose.UNSUBSCRIBE)).status == 405
        assert house.reader == before

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (ONE_CLICK, URLENCODED),
            (
                MULTIPART,
                "multipart/form-data; boundary=b1",
            ),
            (b"--b1\r\nbroken", "multipart/form-data; boundary=b1"),
            (b"", ""),
            (b"\xff\xfe not a form", "text/plain"),
            (b"&".join([b"a=b"] * 5000), URLENCODED),
        ],
        ids=["urlencoded", "multipart", "broken multipart", "nothing", "no form", "many fields"],
    )
    def test_one_click_leaves_with_any_body(
        self, house: House, body: bytes, content_type: str
    ) -> None:
        headers = {"content-type": content_type} if content_type else {}
        answer = house.site.ask("POST", house.path(Purpose.UNSUBSCRIBE), body, headers)
        assert answer.status == 200, "RFC 8058: no redirect"
        assert "set-cookie" not in answer.headers
        assert house.status() is Status.UNSUBSCRIBED
        assert house.reader.next_due is None

    def test_the_page_has_one_button_and_it_leaves(self, house: House) -> None:
        path = house.path(Purpose.UNSUBSCRIBE)
        page = house.site.get(path).text
        assert page.count("<button") == 1
        assert ">Unsubscribe</button>" in page
        assert re.findall(r'action="([^"]*)"', page) == [path]
        assert "Done" in house.site.post(path, do="leave").text
        assert house.status() is Status.UNSUBSCRIBED

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("application/x-www-form-urlencoded", b"List-Unsubscribe=One-Click"),
            (
                "multipart/form-data; boundary=---FormBoundaryjWmhtjORrn",
                MULTIPART.replace(b"--b1", b"-----FormBoundaryjWmhtjORrn"),
            ),
        ],
        ids=["8.1", "8.2"],
    )
    @pytest.mark.parametrize("in_pieces", [False, True])
    def test_the_requests_of_rfc_8058_byte_by_byte(
        self, house: House, kind: str, body: bytes, *, in_pieces: bool
    ) -> None:
        length = b"Transfer-Encoding: chunked" if in_pieces else b"Content-Length: %d" % len(body)
        sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if in_pieces else body
        request = (b"POST %b HTTP/1.1\r\nHost: uni.example\r\nContent-Type: %b\r\n%b\r\n\r\n%b") % (
            house.path(Purpose.UNSUBSCRIBE).encode(),
            kind.encode(),
            length,
            sent,
        )
        with socket.create_connection(("127.0.0.1", house.site.port), timeout=20) as line:
            line.sendall(request)
            status = line.makefile("rb").readline()
        assert status.startswith(b"HTTP/1.1 200 ")
        assert house.status() is Status.UNSUBSCRIBED

    def test_leaving_one_list_is_not_leaving_another(self, house: House) -> None:
        store = house.app.store.subscribers
        other = store.add(replace(house.reader, list_name="other"), NOW)
        house.site.ask("POST", house.path(Purpose.UNSUBSCRIBE), ONE_CLICK)
        assert house.status() is Status.UNSUBSCRIBED
        assert store.by_number(other.number).status is Status.ACTIVE
        assert store.by_number(other.number).address == house.reader.address

    def test_one_question_that_nobody_has_to_answer(self, house: House) -> None:
        path = house.path(Purpose.UNSUBSCRIBE)
        page = house.site.post(path, do="leave").text
        assert "Why, if you like to say?" in page
        assert "Thank you" in house.site.post(path, do="tell", why="many", was="").text
        assert house.reader.left_because == "Too many papers"
        house.site.post(path, do="tell", why="<b>", was="")
        assert house.reader.left_because == "Too many papers"
        house.site.post(path, do="undo", was="")
        assert (house.status(), house.reader.left_because) == (Status.ACTIVE, "")

    def test_the_question_makes_nobody_leave(self, house: House) -> None:
        before = house.reader
        house.site.post(house.path(Purpose.UNSUBSCRIBE), do="tell", why="many")
        assert house.reader == before

    def test_leaving_twice_is_leaving(self, house: House) -> None:
        path = house.path(Purpose.UNSUBSCRIBE)
        house.site.post(path, do="leave")
        again = house.site.ask("POST", path, ONE_CLICK, {"content-type": URLENCODED})
        assert again.status == 200
        assert house.status() is Status.UNSUBSCRIBED

    def test_leaving_can_be_undone(self, house: House) -> None:
        before = house.reader
        path = house.path(Purpose.UNSUBSCRIBE)
        fields = form_fields(house.site.post(path, do="leave").text)
        assert "You are back" in house.site.post(path, **fields | {"do": "undo"}).text
        assert house.reader == before

    @pytest.mark.parametrize("until", [NOW + timedelta(days=12), None])
    def test_undoing_returns_to_the_pause_there_was(
        self, house: House, until: datetime | None
    ) -> None:
        house.put(house.reader.pause(until, NOW))
        before = house.reader
        path = house.path(Purpose.UNSUBSCRIBE)
        fields = form_fields(house.site.post(path, do="leave").text)
        house.site.post(path, **fields | {"do": "undo"})
        assert house.reader == before

    def test_undoing_confirms_nobody_who_never_confirmed(self, house: House) -> None:
        pending = replace(house.reader, status=Status.UNSUBSCRIBED, confirmed_at=None)
        house.put(pending)
        house.site.post(house.path(Purpose.UNSUBSCRIBE), do="undo")
        assert house.status() is Status.UNSUBSCRIBED

    def test_the_link_works_for_ever(self, house: House) -> None:
        path = house.path(Purpose.UNSUBSCRIBE)
        house.hands[0] += timedelta(days=365 * 30)
        assert house.site.post(path, do="leave").status == 200
        assert house.status() is Status.UNSUBSCRIBED


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


class TestPausing:
    def test_until_a_day(self, house: House) -> None:
        answer = house.site.post(house.path(Purpose.PAUSE), do="pause", until="2026-12-07")
        assert "Mails begin again on Monday, 7 December 2026" in answer.text
        assert house.status() is Status.PAUSED
        assert house.reader.next_due == datetime(2026, 12, 7, 6, 0, tzinfo=UTC)

    def test_without_an_end_and_back(self, house: House) -> None:
        path = house.path(Purpose.PAUSE)
        house.site.post(path, do="pause", until="")
        assert house.status() is Status.PAUSED
        assert house.reader.next_due is None
        house.site.post(path, do="resume")
        assert house.status() is Status.ACTIVE
        assert house.reader.next_due == datetime(2026, 11, 20, 6, 0, tzinfo=UTC)

    @pytest.mark.parametrize(
        "until", ["2026-11-20", "1999-01-01", "2999-01-01", "tomorrow", "x" * 500]
    )
    def test_a_day_that_cannot_be_is_said(self, house: House, until: str) -> None:
        before = house.reader
        answer = house.site.post(house.path(Purpose.PAUSE), do="pause", until=until)
        assert 'class="problem"' in answer.text
        assert house.reader == before

    def test_pausing_brings_nobody_back_who_has_left(self, house: House) -> None:
        house.put(house.reader.unsubscribe())
        for do in ("pause", "resume"):
            house.site.post(house.path(Purpose.PAUSE), do=do, until="")
            assert house.status() is Status.UNSUBSCRIBED
            house.site.post(house.path(Purpose.MANAGE), do=do, until="")
            assert house.status() is Status.UNSUBSCRIBED


class TestSettings:
    def test_saving_what_is_shown_changes_nothing(self, house: House) -> None:
        before = house.reader
        assert "Saved." in house.save(house.fields()).text
        assert house.reader == before

    def test_keywords_number_name_and_look(self, house: House) -> None:
        house.save(
            house.fields(
                **{
                    "text-0": "protein design\r\nfolding",
                    "name-0": "Proteins",
                    "limit-0": "0",
                    "layout-0": "titles",
                    "order-0": "trending",
                }
            )
        )
        (profile,) = house.reader.profiles
        assert profile.text == "protein design\nfolding"
        assert (profile.name, profile.limit, profile.layout) == ("Proteins", 0, Layout.TITLES)
        assert profile.order == "trending"

    def test_another_interest_comes_and_goes(self, house: House) -> None:
        house.save(house.fields(**{"text-1": "zebrafish"}))
        assert [profile.text for profile in house.reader.profiles][1:] == ["zebrafish"]
        house.save(house.fields(**{"remove-0": "1"}))
        assert [profile.text for profile in house.reader.profiles] == ["zebrafish"]

    def test_removing_every_interest_leaves_the_top_ten(self, house: House) -> None:
        house.save(house.fields(**{"remove-0": "1"}))
        assert house.reader.profiles == (Profile(),)

    def test_when(self, house: House) -> None:
        house.save(house.fields(cadence="weekly", weekday="2", hour="18", zone="Asia/Tokyo"))
        schedule = house.reader.schedule
        assert schedule == Schedule(Cadence.WEEKLY, time(18), "Asia/Tokyo", 2)
        assert house.reader.next_due == datetime(2026, 11, 25, 9, 0, tzinfo=UTC)

    def test_a_new_hour_makes_no_second_mail_on_one_date(self, house: House) -> None:
        house.put(replace(house.reader, last_day=NOW.date()))
        house.save(house.fields(hour="20"))
        assert house.reader.next_due == datetime(2026, 11, 23, 19, 0, tzinfo=UTC)

    def test_switches_and_what_is_never_shown(self, house: House) -> None:
        fields = house.fields(
            muted_words="blockchain\r\n\r\n quantum , nft", muted_authors="B. Bad"
        )
        del fields["summaries"], fields["figures"]
        house.save(fields)
        reader = house.reader
        assert (reader.summaries, reader.figures, reader.quiet_notes) == (False, False, True)
        assert reader.muted_words == ("blockchain", "quantum", "nft")
        assert reader.muted_authors == ("B. Bad",)

    @pytest.mark.parametrize(
        ("wish", "is_weekly", "is_daily"),
        [("week", True, False), ("day", False, True), ("never", False, False)],
    )
    def test_what_to_hear_when_nothing_matches(
        self, house: House, wish: str, *, is_weekly: bool, is_daily: bool
    ) -> None:
        house.save(house.fields(quiet=wish))
        assert (house.reader.quiet_notes, house.reader.empty_days) == (is_weekly, is_daily)
        house.save(house.fields(quiet="nonsense"))
        assert (house.reader.quiet_notes, house.reader.empty_days) == (is_weekly, is_daily)

    def test_floor_and_new_versions(self, house: House) -> None:
        house.save(house.fields(**{"floor-0": "1.5", "versions-0": "1"}))
        (profile,) = house.reader.profiles
        assert (profile.lowest_score, profile.new_versions) == (1.5, True)
        house.save(house.fields(**{"floor-0": "1e9"}) | {"versions-0": ""})
        (profile,) = house.reader.profiles
        assert (profile.lowest_score, profile.new_versions) == (1.5, False)

    def test_an_interest_moves_up(self, house: House) -> None:
        house.save(house.fields(**{"text-1": "zebrafish"}))
        house.save(house.fields(**{"text-2": "agents"}))
        house.save(house.fields(up="2"))
        texts = [profile.text.partition("\n")[0] for profile in house.reader.profiles]
        assert texts == ["mixture of experts", "agents", "zebrafish"]
        before = house.reader
        for nowhere in ("0", "7", "-1", "x"):
            house.save(house.fields(up=nowhere))
        assert house.reader == before

    def test_saving_can_be_undone(self, house: House) -> None:
        schedule = Schedule(at=time(7, 30), zone="Europe/Paris")
        second = Profile("agents", "Agents", 0, lowest_score=2.5, layout=Layout.TITLES)
        shown = replace(
            house.reader, muted_words=("nft",), muted_authors=("B. Bad",), figures=False
        )
        profiles = (*shown.profiles, second)
        house.put(replace(shown, profiles=profiles, schedule=schedule).reschedule(NOW))
        before = house.reader
        fields = house.fields(
            **{
                "text-0": "zebrafish\r\nlarvae",
                "remove-1": "1",
                "hour": "20",
                "zone": "Asia/Tokyo",
            },
            muted_words="",
            layout="titles",
        )
        del fields["summaries"]
        page = house.save(fields | {"figures": "1"}).text
        assert house.reader.profiles[0].text == "zebrafish\nlarvae"
        undo = form_fields(page)
        assert "Undone." in house.save(undo | {"do": "undo"}).text
        assert house.reader == before
        assert "changed in another window" in house.save(undo | {"do": "undo"}).text

    def test_it_shows_what_a_text_would_bring_and_saves_nothing(self, listed: House) -> None:
        before = listed.reader
        fields = listed.fields(**{"text-0": "experts", "text-1": "zebrafish"})
        page = listed.save(fields | {"do": "show"}).text
        assert re.findall(r'class="volume">([^<]*)', page) == [
            "About 2 papers a week",
            "Nothing in the last 2 days",
        ]
        assert listed.reader == before

    def test_what_is_muted_is_not_among_what_a_text_would_bring(self, listed: House) -> None:
        word = PAPERS[0].title.split()[0]
        fields = listed.fields(**{"text-0": "experts", "muted_words": word})
        page = listed.save(fields | {"do": "show"}).text
        assert 'class="volume">Nothing in the last 2 days' in page
        assert f"muted: {word}" in page
        asked = urlencode({"q": "experts", "field": 0, "muted_words": word})
        typed = listed.site.get(f"/digest/answer?{asked}").text
        assert 'class="volume">Nothing in the last 2 days' in typed
        assert f"muted: {word}" in typed

    def test_the_link_to_the_rest_goes_to_the_mailbox(self, house: House) -> None:
        page = house.site.post(house.path(Purpose.MANAGE), do="link").text
        assert "Look into your inbox" in page
        assert "/a/" not in page
        (link,) = house.app.store.deliveries.history(house.number)
        assert link.kind == "link"

    def test_a_mistake_is_shown_by_line_and_saves_nothing(self, house: House) -> None:
        before = house.reader
        page = house.save(house.fields(**{"text-0": 'experts\r\n"machine unlearning'})).text
        assert "<strong>Line 2:</strong>" in page
        assert 'aria-invalid="true"' in page
        assert "&#34;machine unlearning" in page, "what was typed is still there"
        assert house.reader == before

    def test_a_repair_mends_the_line_and_saves(self, house: House) -> None:
        fields = house.fields(**{"text-0": 'experts\r\n"machine unlearning'})
        page = house.save(fields).text
        repairs = re.findall(r'name="repair-0" value="([^"]*)"', page)
        assert repairs
        answer = house.save(fields | {"repair-0": html.unescape(repairs[0])})
        assert "Saved." in answer.text
        assert house.reader.profiles[0].text.startswith("experts\n")

    def test_an_unknown_zone_is_said(self, house: House) -> None:
        before = house.reader
        page = house.save(house.fields(zone="Mars/<b>Olympus</b>")).text
        assert "no time zone we know" in page
        assert "<b>Olympus" not in page
        assert house.reader == before

    def test_a_second_tab_notices_what_the_first_one_saved(self, house: House) -> None:
        first, second = house.fields(**{"text-0": "one"}), house.fields(**{"text-0": "two"})
        house.save(first)
        page = house.save(second)
        assert "changed in another window" in page.text
        assert house.reader.profiles[0].text == "one"
        house.save(form_fields(page.text))
        assert house.reader.profiles[0].text == "two"

    def test_nothing_is_saved_for_who_has_left(self, house: House) -> None:
        fields = house.fields(**{"text-0": "new"})
        house.put(house.reader.unsubscribe())
        page = house.site.get(house.path(Purpose.MANAGE)).text
        assert "<form" not in page
        assert house.path(Purpose.UNSUBSCRIBE) in page, "there it can be undone"
        assert house.save(fields).status == 404
        assert house.status() is Status.UNSUBSCRIBED

    def test_hostile_text_comes_back_as_text(self, house: House) -> None:
        hostile = "</textarea><script>alert(1)</script>{{ 7*7 }}"
        page = house.save(house.fields(**{"text-0": hostile, "name-0": hostile})).text
        assert "<script>" not in page
        assert "{{ 7*7 }}" in page


def paper(number: int, title: str, abstract: str = "") -> Paper:
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title,
        abstract=abstract,
        url=f"https://arxiv.org/abs/2611.{number:05}",
        listings=(Listing("arxiv", "arXiv", date(2026, 11, 19)),),
    )


PAPERS = (
    paper(1, "Routing a Mixture of Experts"),
    paper(2, "Unlearning without Images"),
    paper(3, "A <script>alert(1)</script> of Paints", "Nothing about any of it."),
)


@pytest.fixture
def listed(house: House) -> House:
    """The installation with three papers in it."""
    house.app.store.papers.ingest(PAPERS, NOW)
    return house


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
