"""Leaving over real HTTP: one click, a page with one button, undo; what a GET must never do."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from served import NOW, House, form_fields, house

from subscribers.links import Purpose
from subscribers.subscriber import Status

__all__ = ["house"]  # the fixture, found by its name
ONE_CLICK = b"List-Unsubscribe=One-Click"
MULTIPART = (
    b'--b1\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
    b"One-Click\r\n--b1--\r\n"
)
URLENCODED = "application/x-www-form-urlencoded"


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
