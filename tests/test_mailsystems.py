"""Postfix, Exim and OpenSMTPD as Debian has them take our mails and pass them on byte for byte."""

from __future__ import annotations

import email
import email.policy
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import dkim
import pytest
from mailsystems import SYSTEMS, Running, running
from recorder import Recorder, Session

from digest import run
from digest.app import App, open_app
from digest.bounces import Kind, Report
from digest.bounces.taking import take_mail
from digest.channels import Outcome, Outgoing
from digest.channels.alone import hang_up, send_alone
from digest.dkim import new_key
from digest.letters import Letters
from digest.settings import load
from digest.smtp.relay import Relay
from digest.store.suppressions import Taken
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Schedule, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLE: Final = run.__file__.replace("run.py", "sample")
OFFERED: Final = ("PIPELINING", "SIZE 10485760", "8BITMIME", "SMTPUTF8", "DSN")
KEYS: Final = (new_key("d2026r"), new_key("d2026e", small=True))
READERS: Final = {"ada": "mixture of experts", "bo": "agents", "cy": "protein", "di": "leukocytes"}


@dataclass
class Street:
    """A mail system, and the recording server that everything it takes is passed on to."""

    relay: Running
    behind: Recorder
    _arrived: threading.Condition

    def first(self, count: int) -> dict[str, bytes]:
        """The first so many messages that came out, by recipient."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self.behind.replied) >= count, 60)
        assert came, self.relay.log
        return dict(zip(self.behind.dots, self.behind.messages, strict=True))

    def envelope(self, recipient: str) -> tuple[str, str]:
        """MAIL and RCPT as they came out, for a recipient."""
        for session in self.behind.sessions:
            for mail, rcpt in zip(session.lines, session.lines[1:], strict=False):
                if mail.startswith("MAIL") and f"<{recipient}>" in rcpt:
                    return mail, rcpt
        raise AssertionError(recipient)


@contextmanager
def street(name: str, folder: Path, refused: str = "") -> Iterator[Street]:
    """A mail system whose next relay refuses one recipient."""
    arrived = threading.Condition()

    def seen(stage: str, _: Session) -> None:
        if stage == "replied":
            with arrived:
                arrived.notify_all()

    def answer(verb: str, session: Session) -> bytes | None:
        if verb == "RCPT" and refused and session.recipient == refused:
            return b"550 5.1.1 <" + refused.encode() + b"> User unknown\r\n"
        return None

    with (
        Recorder(extensions=OFFERED, seen=seen, answer=answer) as behind,
        running(name, folder, behind.port) as relay,
    ):
        yield Street(relay, behind, arrived)


@contextmanager
def house(folder: Path, relay: Running) -> Iterator[App]:
    """An installation that signs, tags its envelopes, and has readers for the sample's papers."""
    settings = load(
        {
            "DIGEST_DATABASE_URL": f"sqlite:///{folder / 'digest.db'}",
            "DIGEST_SMTP_URL": relay.url,
            "DIGEST_FROM": "Täglich Neues <digest@example.org>",
            "DIGEST_PUBLIC_URL": "https://digest.example.org",
            "DIGEST_SECRET_KEY": "0123456789abcdef0123456789abcdef",
            "DIGEST_BOUNCE_ADDRESS": "bounces+*@example.org",
            "DIGEST_DKIM_KEY": "".join(key.pem for key in KEYS),
            "DIGEST_DKIM_SELECTOR": ",".join(key.selector for key in KEYS),
            "DIGEST_SOURCES": f"file:{SAMPLE}",
        }
    )
    now = datetime.now(UTC)
    with open_app(settings, clock=lambda: now) as app:
        run.ingest(app)
        for name, keywords in READERS.items():
            reader = Subscriber(
                f"{name}@example.net",
                profiles=(Profile(keywords),),
                schedule=Schedule(zone="UTC"),
                layout=Layout.FULL,
            )
            app.store.subscribers.add(reader.confirm(now), now)
        frozen = run.issue(app, everybody=True).frozen
        assert frozen is not None
        assert frozen.prepared == len(READERS)
        yield app


def ours(app: App) -> dict[str, Outgoing]:
    """Every message as it was given to the relay, by reader: building it again gives the same."""
    letters = Letters(app)
    rows = app.store.deliveries.history()
    letters.prepare(rows)
    return {row.address: letters.build(row) for row in rows}


def signed(message: bytes) -> list[bool]:
    """What another's verifier thinks of each of our signatures."""
    known = {f"{key.selector}._domainkey.example.org.": key.record.encode() for key in KEYS}
    reader: Any = dkim.DKIM(message)

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        del timeout
        return known.get(name.decode())

    return [bool(reader.verify(number, dnsfunc=ask)) for number in range(len(KEYS))]


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_run_goes_through_a_real_relay_byte_for_byte(tmp_path: Path, name: str) -> None:
    with street(name, tmp_path) as way, house(tmp_path, way.relay) as app:
        report = run.deliver(app)
        assert report.outcomes == {Outcome.ACCEPTED: len(READERS)}, way.relay.log
        came = way.first(len(READERS))
        given = ours(app)

    assert sorted(way.behind.replied) == sorted(given), "each of them once"
    names = ""
    for address, outgoing in given.items():
        whole = came[address]
        trace = whole.removesuffix(outgoing.message)
        assert trace != whole, "it was changed on its way"
        assert trace.startswith(b"Received: ")
        assert b"\nFrom:" not in trace
        assert signed(whole) == [True, True]

        mail, rcpt = way.envelope(address)
        assert mail.startswith(f"MAIL FROM:<{outgoing.sender}>")
        assert outgoing.sender.startswith("bounces+")
        assert f"ENVID={outgoing.envid}" in mail
        assert f"ORCPT=rfc822;{address}" in rcpt

        read: Any = email.message_from_bytes(whole, policy=email.policy.default)
        assert read["To"].addresses[0].addr_spec == address
        assert read["From"].addresses[0].display_name == "Täglich Neues"
        assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        names += read.get_body(("plain",)).get_content()
    assert "Ana Lúcia Reis" in names


@pytest.mark.slow
@pytest.mark.parametrize("name", SYSTEMS)
def test_what_a_real_relay_sends_back_is_understood(tmp_path: Path, name: str) -> None:
    with street(name, tmp_path, refused="bo@example.net") as way, house(tmp_path, way.relay) as app:
        assert run.deliver(app).outcomes == {Outcome.ACCEPTED: len(READERS)}
        came = way.first(len(READERS))  # all but one, and a mail to us in its place
        (back,) = (to for to in came if to.startswith("bounces+"))
        delivery = next(
            row for row in app.store.deliveries.history() if row.address == "bo@example.net"
        )
        assert back == app.tags.envelope("bounces+*@example.org", delivery.public_id)

        # Neither the envelope's recipient nor a Delivered-To is there to help.
        taken = take_mail(app, came[back])

        assert isinstance(taken.report, Report), taken
        assert taken.report.kind is Kind.HARD
        assert taken.report.address == "bo@example.net"
        assert taken.report.public_id == delivery.public_id
        assert (taken.report.code, taken.report.enhanced) == (550, "5.1.1")
        assert taken.taken is Taken.NOTED, "one is not enough"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, system in SYSTEMS.items() if system.utf8])
def test_an_address_beyond_ascii_goes_where_it_is_taken(tmp_path: Path, name: str) -> None:
    text = "From: d@example.org\r\nTo: josé@example.net\r\nSubject: Größe\r\n\r\n.naïve\r\n"
    with street(name, tmp_path) as way:
        line = Relay(way.relay.url).open()
        to = Outgoing("d@example.org", "josé@example.net", text.encode(), envid="ab")
        reply = send_alone(line, to, lambda: None)
        assert reply.outcome is Outcome.ACCEPTED, reply
        hang_up(line)
        came = way.first(1)["josé@example.net"]
    assert "Subject: Größe\r\n".encode() in came
    assert came.endswith("\r\n\r\n.naïve\r\n".encode())
    assert "SMTPUTF8" in way.envelope("josé@example.net")[0]
