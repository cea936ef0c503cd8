"""What goes on the wire: headers no client misreads, dots in their place, intent before the dot."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.channels import Outcome, Outgoing, channel
from digest.channels.alone import hang_up, send_alone
from digest.errors import RelayUnreachable
from digest.mail import Letter, encoded, to_bytes
from digest.smtp.dialogue import stuffed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LETTER = Letter(
    sender_name="Paper Digest",
    sender_address="digest@example.org",
    to="ada@example.org",
    subject="1 new: Forgetting on a Budget · Fri 20 Nov",
    text="Good morning.\n",
    html="<p>Good morning.</p>\n",
    message_id="<abc@example.org>",
    date=datetime(2026, 11, 20, 7, 0, tzinfo=UTC),
    list_name="Poincaré's digest",
    list_id="main.example.org",
    unsubscribe_url="https://digest.example.org/u/" + "t" * 120,
    unsubscribe_mailto="mailto:digest@example.org?subject=unsubscribe",
)
OUTGOING = Outgoing("digest@example.org", "ada@example.org", to_bytes(LETTER))
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))


def test_one_click_links_stand_in_one_line_and_unencoded() -> None:
    head = to_bytes(LETTER).split(b"\r\n\r\n", 1)[0].decode("ascii")
    line = next(one for one in head.split("\r\n") if one.startswith("List-Unsubscribe:"))
    assert line == (f"List-Unsubscribe: <{LETTER.unsubscribe_url}>, <{LETTER.unsubscribe_mailto}>")
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head


def test_without_an_https_link_there_is_no_one_click() -> None:
    head = to_bytes(replace(LETTER, unsubscribe_url="")).decode("ascii")
    assert "List-Unsubscribe: <mailto:digest@example.org?subject=unsubscribe>\r\n" in head
    assert "List-Unsubscribe-Post" not in head


@given(TEXTS, TEXTS, TEXTS)
def test_any_text_makes_a_message_that_reads_back(subject: str, text: str, name: str) -> None:
    letter = replace(LETTER, subject=subject, text=text, html=text, sender_name=name)
    message = to_bytes(letter)
    assert message.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", message)
    assert max(map(len, message.split(b"\r\n"))) <= 998
    parsed = message_from_bytes(message, policy=policy.default)
    assert str(parsed["To"]) == "ada@example.org"
    parts = [part.get_content_type() for part in parsed.walk()]
    assert parts == ["multipart/alternative", "text/plain", "text/html"]
    body = parsed.get_body(("plain",))
    assert body is not None
    read = body.get_payload(decode=True)
    assert isinstance(read, bytes)
    said = re.sub(r"\r\n?|\n", "\n", text)
    assert read.decode("utf-8").replace("\r\n", "\n").rstrip("\n") == said.rstrip("\n")


@given(TEXTS)
def test_encoded_words_are_short_and_apart(text: str) -> None:
    for word in encoded(text).split(" "):
        if word.startswith("=?utf-8?b?"):
            assert len(word) <= 75
    assert "\n" not in encoded(text)


def test_a_header_cannot_be_broken_out_of() -> None:
    with pytest.raises(ValueError, match="cannot stand in a header"):
        to_bytes(replace(LETTER, to="ada@example.org\r\nBcc: all@example.org"))
    subject = to_bytes(replace(LETTER, subject="Hi\r\nBcc: all@example.org"))
    assert b"\r\nBcc" not in subject


@given(st.binary().map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"\r\n")))
def test_dots_are_doubled_at_the_beginning_of_lines_only(body: bytes) -> None:
    wire = stuffed(body)
    lines = wire.removesuffix(b"\r\n").split(b"\r\n")
    assert b"." not in lines
    back = b"\r\n".join(line.removeprefix(b".") if line[:1] == b"." else line for line in lines)
    assert back == body.removesuffix(b"\r\n")


@given(st.text(st.sampled_from("a.\n\t =é"), max_size=400), TEXTS)
def test_no_line_of_a_message_of_ours_begins_with_a_dot(text: str, subject: str) -> None:
    message = to_bytes(replace(LETTER, subject=subject, text=text, html=f".{text}"))
    assert stuffed(message) == message
    assert all(len(line) <= 76 for line in message.partition(b"\r\n\r\n")[2].split(b"\r\n"))
    html = message_from_bytes(message, policy=policy.default).get_body(("html",))
    assert html is not None
    read = html.get_payload(decode=True)
    assert isinstance(read, bytes)
    assert read.decode().replace("\r\n", "\n").rstrip("\n") == f".{text}".rstrip("\n")


class Scripted:
    """A mail server that says what it is told to and keeps every line it hears."""

    def __init__(self, replies: dict[str, bytes | None]) -> None:
        self._replies = replies
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.heard: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        try:
            peer, _ = self._socket.accept()
        except OSError:
            return
        with peer, peer.makefile("rb") as lines, suppress(OSError):  # a client may just go
            peer.sendall(b"220 test\r\n")
            in_data = False
            for raw in lines:
                line = raw.decode("latin-1").rstrip("\r\n")
                self.heard.append(line)
                if in_data and line != ".":
                    continue
                verb = "." if in_data else line.split(" ")[0].split(":")[0].upper()
                in_data = False
                reply = self._replies.get(verb, b"354 go\r\n" if verb == "DATA" else b"250 ok\r\n")
                if reply is None:
                    return
                in_data = reply.startswith(b"354")
                for byte in reply:  # every reply in single bytes
                    peer.sendall(bytes([byte]))


@pytest.fixture
def scripted() -> Iterator[list[Scripted]]:
    servers: list[Scripted] = []
    yield servers
    for server in servers:
        server.close()


def attempt(
    servers: list[Scripted], replies: dict[str, bytes | None]
) -> tuple[Outcome, int | None, str, list[str]]:
    server = Scripted(replies)
    servers.append(server)
    connection = channel(f"smtp://127.0.0.1:{server.port}").open()
    intents: list[str] = []
    reply = send_alone(
        connection,
        OUTGOING,
        lambda: intents.append("." if "." in server.heard else "before the dot"),
    )
    hang_up(connection)
    return reply.outcome, reply.code, reply.enhanced, intents


@pytest.mark.parametrize(
    ("replies", "outcome", "code", "enhanced", "intents"),
    [
        ({}, Outcome.ACCEPTED, 250, "", 1),
        ({"RCPT": b"550 5.1.1 no such user\r\n"}, Outcome.REJECTED, 550, "5.1.1", 0),
        ({"RCPT": b"451 4.7.1 greylisted\r\n"}, Outcome.DEFERRED, 451, "4.7.1", 0),
        ({"MAIL": b"421 4.3.2 too many\r\n"}, Outcome.DEFERRED, 421, "4.3.2", 0),
        ({"RCPT": b"250-one\r\n250 two\r\n"}, Outcome.ACCEPTED, 250, "", 1),
        ({".": b"554 5.7.1 spam\r\n"}, Outcome.REJECTED, 554, "5.7.1", 1),
        ({".": None}, Outcome.UNKNOWN, None, "", 1),
        ({".": b"what?\r\n"}, Outcome.UNKNOWN, None, "", 1),
        ({"DATA": None}, Outcome.DEFERRED, None, "", 0),
        ({"RCPT": b"250 " + b"x" * 10_000 + b"\r\n"}, Outcome.ACCEPTED, 250, "", 1),
    ],
)
def test_what_a_relay_says_is_what_is_noted(  # noqa: PLR0917 -- a row of the table
    scripted: list[Scripted],
    replies: dict[str, bytes | None],
    outcome: Outcome,
    code: int | None,
    enhanced: str,
    intents: int,
) -> None:
    said = attempt(scripted, replies)
    assert said[:3] == (outcome, code, enhanced)
    assert said[3] == ["before the dot"] * intents


def test_when_the_intent_fails_no_dot_is_sent(scripted: list[Scripted]) -> None:
    server = Scripted({})
    scripted.append(server)
    connection = channel(f"smtp://127.0.0.1:{server.port}").open()

    def fails() -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        send_alone(connection, OUTGOING, fails)
    assert not connection.usable
    server.close()
    assert "." not in server.heard


def test_tls_or_failure(scripted: list[Scripted]) -> None:
    server = Scripted({})
    scripted.append(server)
    with pytest.raises(RelayUnreachable, match="cannot be reached"):
        channel(f"smtps://127.0.0.1:{server.port}").open()


def test_a_mail_becomes_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    connection = channel(f"eml:{tmp_path / 'out'}").open()
    seen: list[list[str]] = []
    reply = send_alone(
        connection,
        OUTGOING,
        lambda: seen.append([one.suffix for one in (tmp_path / "out").iterdir()]),
    )
    assert reply.outcome is Outcome.ACCEPTED
    assert seen == [[".part"]]
    (kept,) = (tmp_path / "out").iterdir()
    assert kept.read_bytes() == to_bytes(LETTER)
