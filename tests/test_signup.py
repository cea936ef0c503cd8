"""Signing up over real HTTP: who gets a mail, who does not, and that nobody can tell from here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email import policy
from email.parser import BytesParser
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from house import PUBLIC, settings_in
from loopback import Answer, Asking, Site, serving

from digest.app import App
from digest.papers import Listing, Paper, PaperId
from digest.run import deliver
from digest.store import open_store
from digest.web import create_app
from digest.web.signup import PENDING_KEPT, Desk
from digest.web.stamps import LONGEST, USES
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.subscriber import Cadence, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from email.message import EmailMessage
    from pathlib import Path

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
ADA = "ada@example.org"


@dataclass
class House:
    """An installation that takes sign-ups; the clock's hands stand where they are put."""

    app: App
    site: Site
    desk: Desk
    hands: list[datetime]
    out: Path

    def sign_up(
        self, address: str = ADA, *, wait: int = 5, client: str = "", **more: str
    ) -> Answer:
        """Open the page, wait, send the form; and let what follows be done."""
        fields = {"q": "experts", "email": address, "do": "join", "cadence": "weekly", "hour": "9"}
        fields |= {"zone": "Asia/Tokyo", "stamp": self.stamp(), "website": ""} | more
        self.hands[0] += timedelta(seconds=wait)
        answer = self.site.post("/digest/", client=client, **fields)
        self.desk.settled()
        return answer

    def stamp(self, path: str = "/digest/") -> str:
        found = re.search(r'name="stamp" value="([^"]*)"', self.site.get(path).text)
        assert found
        return found[1]

    def flood(self, asked: Iterable[tuple[str, str]]) -> list[int]:
        """Sign up each of these (address, client), all at once; the statuses of the answers."""
        wanted = [(*one, self.desk.stamps.give(self.hands[0])) for one in asked]
        self.hands[0] += timedelta(seconds=5)
        statuses = []
        with self.site.line() as line:
            for email, client, stamp in wanted:
                fields = {"email": email, "stamp": stamp}
                answer = line.post_json("/digest/api/subscribers", client=client, **fields)
                statuses.append(answer.status)
        self.desk.settled()
        return statuses

    def reader(self, address: str = ADA) -> Subscriber:
        return self.app.store.subscribers.by_address(address)

    def mails(self) -> list[EmailMessage]:
        """Everything that went out so far, in the order it did."""
        deliver(self.app)
        files = sorted(self.out.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
        parser = BytesParser(policy=policy.default)
        return [parser.parsebytes(file.read_bytes()) for file in files]

    def link(self, mail: EmailMessage) -> str:
        found = re.search(re.escape(PUBLIC) + r"(/\w/\S+)", text_of(mail))
        assert found
        return f"/digest{found[1]}"


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part
    text: str = part.get_content()
    return text


@pytest.fixture
def house(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    made = settings_in(tmp_path, signup=getattr(request, "param", "open"))
    with open_store(made.database_url) as store:
        listed = (Listing("arxiv", "arXiv", date(2026, 11, 19)),)
        store.papers.ingest([Paper(PaperId("arxiv", "1"), "Many Experts", listings=listed)], NOW)
        hands = [NOW]
        app = App(made, store, lambda: hands[0])
        web = create_app(app)
        with serving(web) as site:
            yield House(app, site, web.state.desk, hands, tmp_path / "out")


class TestTheWholeWay:
    def test_form_mail_button_welcome(self, house: House) -> None:
        answer = house.sign_up()
        assert "Look into your inbox" in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert house.reader().status is Status.PENDING
        (mail,) = house.mails()
        assert mail["To"] == ADA
        assert mail["Subject"] == "Please confirm: paper digests from Trent Valley Reading Group"
        assert "every Monday at 09:00 (Asia/Tokyo)" in " ".join(text_of(mail).split())

        page = house.site.get(house.link(mail)).text
        assert page.count("<button") == 1
        assert page.index("<button") < page.index("Many <mark>Experts</mark>")
        assert house.reader().status is Status.PENDING

        begun = house.site.post(house.link(mail)).text
        assert "Your digests have begun" in begun
        reader = house.reader()
        assert (reader.status, reader.confirmed_at) == (Status.ACTIVE, house.hands[0])
        assert (reader.schedule.cadence, reader.schedule.zone) == (Cadence.WEEKLY, "Asia/Tokyo")
        assert reader.profiles == (Profile("experts"),)
        _, first = house.mails()
        assert "Many Experts" in text_of(first)
        assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    def test_the_button_again_begins_nothing_twice(self, house: House) -> None:
        house.sign_up()
        (mail,) = house.mails()
        for _ in range(3):
            assert house.site.post(house.link(mail)).status == 200
        assert len(house.mails()) == 2

    def test_the_confirming_mail_holds_no_word_of_whoever_asked(self, house: House) -> None:
        house.sign_up(q="experts buy-now https://spam.example", name="Buy now")
        (mail,) = house.mails()
        assert "spam" not in mail.as_string()
        assert "buy" not in mail.as_string().lower()
        assert "List-Unsubscribe" not in mail

    def test_a_link_that_has_ended_begins_nothing(self, house: House) -> None:
        house.sign_up()
        (mail,) = house.mails()
        house.hands[0] += timedelta(days=7)
        assert house.site.post(house.link(mail)).status == 404
        assert house.reader().status is Status.PENDING

    def test_who_left_is_not_brought_back_by_an_old_button(self, house: House) -> None:
        house.sign_up()
        (mail,) = house.mails()
        house.site.post(house.link(mail))
        house.app.store.subscribers.change(house.reader().number, Subscriber.unsubscribe)
        assert house.site.post(house.link(mail)).status == 404
        assert house.reader().status is Status.UNSUBSCRIBED

    def test_who_left_can_sign_up_anew_and_confirms_anew(self, house: House) -> None:
        house.sign_up()
        house.site.post(house.link(house.mails()[0]))
        house.app.store.subscribers.change(house.reader().number, Subscriber.unsubscribe)
        house.hands[0] += timedelta(days=2)
        house.sign_up(q="zebrafish")
        assert house.reader().status is Status.PENDING
        assert house.reader().profiles == (Profile("zebrafish"),)
        assert house.mails()[-1]["Subject"].startswith("Please confirm")


class TestNobodyCanTell:
    def test_the_answer_is_the_same_for_everybody(self, house: House) -> None:
        store = house.app.store.subscribers
        for name, status in (("on", "active"), ("off", "paused"), ("gone", "unsubscribed")):
            known = Subscriber(f"{name}@example.org", status=Status(status))
            store.add(replace(known, confirmed_at=NOW), NOW)
        said = {
            house.sign_up(f"{name}@example.org").text.replace(f"{name}@example.org", "X")
            for name in ("on", "off", "gone", "new", "new")
        }
        assert len(said) == 1

    def test_a_reader_gets_a_link_and_keeps_what_was_asked_for(self, house: House) -> None:
        house.app.store.subscribers.add(
            Subscriber(ADA, profiles=(Profile("mine"),)).confirm(NOW), NOW
        )
        house.sign_up(q="theirs")
        (mail,) = house.mails()
        assert mail["Subject"] == "Your settings at Trent Valley Reading Group"
        assert "/digest/a/" in text_of(mail)
        assert house.reader().profiles == (Profile("mine"),)

    def test_answering_looks_at_nothing_that_is_stored(self, house: House) -> None:
        stamp = house.stamp()
        house.hands[0] += timedelta(seconds=5)
        fields = {"q": "", "email": ADA, "do": "join", "stamp": stamp}
        with house.app.store.database.write():  # nobody else can write while this is open
            answer = house.site.post("/digest/", **fields)
            assert "Look into your inbox" in answer.text
        house.desk.settled()
        assert house.reader().status is Status.PENDING

    def test_no_address_stands_in_an_address_of_a_page_or_in_a_log(
        self, house: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("DEBUG"):
            house.sign_up()
            house.sign_up("not an address")
            (mail,) = house.mails()
            house.site.post(house.link(mail))
        assert ADA not in caplog.text
        page = house.site.get("/digest/").text
        assert 'method="post"' in page
        assert "formmethod" not in page


class TestHowOften:
    def test_one_confirmation_a_day_and_three_in_a_month(self, house: House) -> None:
        for day in range(40):
            house.hands[0] = NOW + timedelta(days=day)
            for _ in range(2):
                house.sign_up()
            deliver(house.app)
        moments = [mail["Date"].datetime for mail in house.mails()]
        first = moments[0]
        assert [(moment - first).days for moment in moments[:4]] == [0, 1, 2, 30]
        assert not any(later - earlier < timedelta(days=1) for earlier, later in pairwise(moments))

    def test_who_never_confirmed_is_forgotten(self, house: House) -> None:
        house.sign_up("bo@example.org")
        house.hands[0] += PENDING_KEPT + timedelta(seconds=1)
        house.sign_up()
        known = [reader.address for reader in house.app.store.subscribers.all()]
        assert known == [ADA]

    # A thousand go to the API, whose answers are quickly made; it has the form's pipeline, and
    # the form is asked last.

    def test_a_thousand_from_one_address_stop_nobody_else(self, house: House) -> None:
        statuses = house.flood(
            (f"a{number}@d{number}.example", "203.0.113.9") for number in range(1_000)
        )
        assert statuses == [202] * 20 + [429] * 980
        assert len(house.app.store.subscribers.all()) == 20
        assert house.sign_up("zo@example.net", client="203.0.113.9").status == 429
        assert "Look into your inbox" in house.sign_up(client="198.51.100.7").text
        assert house.reader().status is Status.PENDING

    def test_a_thousand_from_everywhere_at_one_inbox_are_three_and_one_mail(
        self, house: House
    ) -> None:
        statuses = house.flood(
            (f"v.i.c+{number}@gmail.com", f"{number % 200 + 1}.{number // 200}.7.1")
            for number in range(1_000)
        )
        assert set(statuses) == {202}
        assert house.sign_up("vic+form@gmail.com").status == 200
        assert len(house.app.store.subscribers.all()) == 3
        assert "Look into your inbox" in house.sign_up(client="1.0.7.1").text
        assert house.reader().status is Status.PENDING

    def test_a_thousand_that_never_saw_the_form_are_none(self, house: House) -> None:
        with house.site.line() as line:
            for number in range(1_000):
                client = f"{number % 200 + 1}.{number // 200}.7.1"
                fields = {"email": f"a@d{number}.example", "stamp": "A" * 38}
                answer = line.post_json("/digest/api/subscribers", client=client, **fields)
                assert answer.status == 422
        assert house.sign_up("a@d.example", stamp="A" * 38).status == 422
        house.desk.settled()
        assert house.app.store.subscribers.all() == []

    def test_a_proxy_nobody_named_is_not_believed(self, house: House) -> None:
        web = create_app(house.app)
        with serving(web, proxies=()) as site:
            stamps = [web.state.desk.stamps.give(NOW) for _ in range(25)]
            house.hands[0] += timedelta(seconds=5)
            statuses = [
                site.post("/", client=f"{n}.0.0.1", email=f"a@d{n}.example", do="join", stamp=stamp)
                for n, stamp in enumerate(stamps, start=1)
            ]
        assert [answer.status for answer in statuses].count(429) == 5


def test_who_asks_more_than_anybody_types_waits_and_nobody_else_does(house: House) -> None:
    def ask(client: str, asking: Asking = house.site) -> int:
        return asking.ask("GET", "/answer?q=a", None, {"x-forwarded-for": client}).status

    with house.site.line() as line:
        statuses = [ask("203.0.113.9", line) for _ in range(241)]
    assert statuses == [200] * 240 + [429]
    assert house.site.post("/", client="203.0.113.9", do="show", q="a").status == 429
    assert ask("198.51.100.7") == 200
    house.hands[0] += timedelta(minutes=1)
    assert ask("203.0.113.9") == 200


class TestPrograms:
    def test_what_fills_in_the_hidden_field_is_answered_and_forgotten(self, house: House) -> None:
        assert "Look into your inbox" in house.sign_up(website="https://spam.example").text
        assert house.app.store.subscribers.all() == []

    @pytest.mark.parametrize("wait", [0, 1, int(LONGEST.total_seconds()) + 1])
    def test_too_quick_and_too_late_are_asked_once_more(self, house: House, wait: int) -> None:
        answer = house.sign_up(wait=wait)
        assert answer.status == 422
        assert "Press it once more" in answer.text
        assert ADA in answer.text, "what was typed is still there"
        assert house.app.store.subscribers.all() == []

    def test_a_stamp_is_used_up(self, house: House) -> None:
        stamp = house.stamp()
        house.hands[0] += timedelta(seconds=5)
        statuses = [house.sign_up(f"a{n}@example.org", stamp=stamp).status for n in range(USES + 1)]
        assert statuses == [200] * USES + [422]

    def test_the_api_goes_the_same_way(self, house: House) -> None:
        def ask(**body: str) -> Answer:
            headers = {"content-type": "application/json"}
            answer = house.site.ask("POST", "/api/subscribers", json.dumps(body).encode(), headers)
            house.desk.settled()
            return answer

        assert ask(q="experts", email=ADA).status == 422
        stamp = json.loads(house.site.get("/api/stamp").text)["stamp"]
        house.hands[0] += timedelta(seconds=5)
        assert ask(q="experts", email="nobody", stamp=stamp).status == 422
        assert ask(q='"experts', email=ADA, stamp=stamp).status == 422
        for name, value in (("zone", "Mars"), ("hour", "99"), ("cadence", "hourly")):
            refused = ask(q="experts", email=ADA, stamp=stamp, **{name: value})
            assert (refused.status, name in refused.text) == (422, True)
        assert house.app.store.subscribers.all() == []
        assert ask(q="experts", email=ADA, stamp=stamp).status == 202
        assert house.reader().status is Status.PENDING

    @pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'{"email": {"a": 1}}', b"\xff"])
    def test_the_api_refuses_what_it_does_not_know(self, house: House, body: bytes) -> None:
        answer = house.site.ask("POST", "/api/subscribers", body)
        assert answer.status == 422
        assert json.loads(answer.text)["detail"]

    def test_a_form_of_another_site_is_refused(self, house: House) -> None:
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "sec-fetch-site": "cross-site",
        }
        stamp = house.stamp()
        house.hands[0] += timedelta(seconds=5)
        body = f"do=join&email={ADA}&stamp={stamp}".encode()
        assert house.site.ask("POST", "/", body, headers).status == 403
        house.desk.settled()
        assert house.app.store.subscribers.all() == []


class TestWhoMay:
    @pytest.mark.parametrize("house", ["domains:uni.example,*.uni.example"], indirect=True)
    @pytest.mark.parametrize(
        ("address", "is_in"),
        [
            ("ada@uni.example", True),
            ("ada@cs.uni.example", True),
            ("ada@notuni.example", False),
            ("ada@uni.example.org", False),
        ],
    )
    def test_only_some_domains(self, house: House, address: str, *, is_in: bool) -> None:
        answer = house.sign_up(address)
        assert ("Look into your inbox" in answer.text) is is_in
        refused = "Only addresses at uni.example or any part of uni.example can sign up here."
        assert (refused in answer.text) is not is_in
        assert len(house.app.store.subscribers.all()) == is_in

    @pytest.mark.parametrize("house", ["invite", "closed"], indirect=True)
    def test_nobody_where_it_is_not_open(self, house: House) -> None:
        page = house.site.get("/digest/").text
        assert 'name="email"' not in page
        stamp = house.desk.stamps.give(NOW)
        house.hands[0] += timedelta(seconds=5)
        assert house.site.post("/", do="join", email=ADA, stamp=stamp).status == 403
        house.desk.settled()
        assert house.app.store.subscribers.all() == []

    def test_nobody_where_no_link_can_be_made(self, tmp_path: Path) -> None:
        made = replace(settings_in(tmp_path), public_url="")
        with open_store(made.database_url) as store:
            app = App(made, store, lambda: NOW)
            with serving(create_app(app)) as site:
                assert "Write to" in site.get("/").text
                assert "Write to" in site.get("/settings").text


class TestWhatWasTyped:
    def test_a_wrong_address_is_said_by_the_field(self, house: House) -> None:
        answer = house.sign_up("ada at example")
        assert answer.status == 422
        assert "is no e-mail address" in answer.text
        assert 'aria-describedby="mail-problem"' in answer.text

    def test_who_mends_an_address_at_once_is_not_too_quick(self, house: House) -> None:
        answer = house.sign_up("ada at example")
        stamp = re.search(r'name="stamp" value="([^"]+)"', answer.text)
        assert stamp
        mended = house.site.post("/", do="join", email=ADA, stamp=stamp[1])
        assert "Look into your inbox" in mended.text

    def test_a_mistake_in_the_keywords_comes_first(self, house: House) -> None:
        answer = house.sign_up(q='experts\n"machine unlearning')
        assert "Line 2 of your keywords needs mending first" in answer.text
        assert house.app.store.subscribers.all() == []

    def test_odd_values_are_the_usual_ones(self, house: House) -> None:
        house.sign_up(hour="99", cadence="hourly", zone="Mars/Olympus")
        schedule = house.reader().schedule
        assert (schedule.at.hour, schedule.cadence, schedule.zone) == (7, Cadence.WEEKDAYS, "UTC")


class TestTheLink:
    def ask(self, house: House, address: str) -> Answer:
        stamp = house.stamp("/settings")
        house.hands[0] += timedelta(seconds=5)
        answer = house.site.post("/settings", email=address, stamp=stamp)
        house.desk.settled()
        return answer

    def test_readers_get_one_and_nobody_can_tell_who_is_one(self, house: House) -> None:
        house.app.store.subscribers.add(Subscriber(ADA).confirm(NOW), NOW)
        said = [self.ask(house, address).text for address in (ADA, "bo@example.org")]
        assert said[0].replace("ada", "bo") == said[1]
        (mail,) = house.mails()
        assert mail["To"] == ADA
        link = house.link(mail)
        token = link.rpartition("/")[2]
        opened = house.app.links.open(Purpose.ACCOUNT, token, now=house.hands[0])
        assert opened == house.reader().public_id

    def test_three_a_day_are_enough(self, house: House) -> None:
        house.app.store.subscribers.add(Subscriber(ADA).confirm(NOW), NOW)
        for _ in range(5):
            self.ask(house, ADA)
        assert len(house.mails()) == 3
