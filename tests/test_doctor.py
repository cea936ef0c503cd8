"""The doctor: each thing that can be wrong is made wrong, and told with what to do about it."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
import returned
from fastapi import FastAPI
from imap import ImapServer
from loopback import serving
from nameserver import certificate
from relay import Relay
from starlette.responses import RedirectResponse
from typer.testing import CliRunner

from digest.app import App, open_app, utc_now
from digest.cli import app as command_line
from digest.dkim import new_key
from digest.doctor import Finding, Health, examine, ok
from digest.doctor.listings import look_at_sources
from digest.doctor.machine import look_at_machine
from digest.doctor.online import look_at_pages
from digest.doctor.relay import look_at_mailbox, look_at_relay
from digest.doctor.signature import look_at_signature, selectors
from digest.settings import load
from digest.sources import Fetch, FetchState
from digest.sources.timetable import HOURLY
from digest.store import open_store
from digest.store.deliveries import Prepared
from digest.web import create_app
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SECRET: Final = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[App]:
    settings = load(
        {
            "DIGEST_DATABASE_URL": f"sqlite:///{tmp_path / 'digest.db'}",
            "DIGEST_SECRET_KEY": SECRET,
        }
    )
    with open_app(settings) as opened:
        yield opened


def among(found: Sequence[Finding], topic: str) -> Finding:
    return next(one for one in found if one.topic == topic)


def told(finding: Finding) -> tuple[Health, str]:
    return finding.health, finding.seen


def test_a_new_installation_is_well(house: App) -> None:
    found = look_at_machine(house)
    assert {one.health for one in found} == {Health.OK}
    assert [one.topic for one in found] == ["database", "disk", "clock", "sending"]
    assert "0 readers, 0 papers" in found[0].seen
    assert found[0].seen.endswith("whole")


def test_a_database_on_a_server_is_looked_at_as_well(database_url: str) -> None:
    settings = load({"DIGEST_DATABASE_URL": database_url})
    with open_app(settings) as house:
        assert {one.health for one in look_at_machine(house)} == {Health.OK}


def test_a_damaged_database_is_told(house: App, tmp_path: Path) -> None:
    for number in range(200):
        fresh = Subscriber(f"reader{number}@example.net", name="x" * 200)
        house.store.subscribers.add(fresh.confirm(utc_now()), utc_now())
    house.close()
    file = tmp_path / "digest.db"
    raw = bytearray(file.read_bytes())
    place = raw.rindex(b"reader150@example.net")
    raw[place - place % 4096 : place - place % 4096 + 2048] = b"\xff" * 2048
    file.write_bytes(raw)
    (found,) = next(iter(examine([("database", lambda: look_at_machine(house)[:1])])))
    assert found.health is Health.FAILED
    assert "damaged" in found.seen or "malformed" in found.seen


def test_a_database_that_everybody_can_read_is_told(house: App, tmp_path: Path) -> None:
    assert (tmp_path / "digest.db").stat().st_mode & 0o777 == 0o600
    (tmp_path / "digest.db").chmod(0o644)
    found = [one for one in look_at_machine(house) if one.topic == "disk"]
    assert [one.health for one in found] == [Health.OK, Health.WARNING]
    assert found[1].advice == f"chmod o-rwx {tmp_path / 'digest.db'}"


def frozen(house: App) -> None:
    now = house.clock()
    reader = house.store.subscribers.add(Subscriber("ada@example.net").confirm(now), now)
    one = Prepared(reader, "digest", "a", b"", now + timedelta(days=1), None, date(2026, 11, 20))
    house.store.deliveries.freeze([one], [], channel="smtp", domain="example.org", now=now)


def test_a_clock_that_went_back_is_told(house: App) -> None:
    frozen(house)
    now = utc_now()
    house.clock = lambda: now - timedelta(days=2)
    assert among(look_at_machine(house), "clock").health is Health.FAILED


def test_a_source_that_fails_is_told_with_its_last_good_answer(house: App) -> None:
    now = house.clock()

    def answers(state: FetchState, days_ago: int, note: str = "") -> Finding:
        at = now - timedelta(days=days_ago)
        fetch = Fetch("hf", "Daily Papers", at.date(), state, note=note)
        house.store.sources.record("hf", [fetch], at, HOURLY)
        (found,) = look_at_sources(house)
        return found

    lost = answers(FetchState.FAILED, 6, "did not answer")
    assert lost.health is Health.FAILED
    assert lost.seen.endswith("failed, did not answer; never a good answer")
    well = answers(FetchState.OK, 5)
    good = f"{now - timedelta(days=5):%Y-%m-%d %H:%M} UTC"
    assert told(well) == (Health.OK, f"answered: Daily Papers at {good}")
    lost = answers(FetchState.FAILED, 0, "did not answer")
    assert lost.health is Health.FAILED
    assert lost.seen == (
        f"Daily Papers, list of {now.date()}: failed, did not answer; "
        f"the last good answer came {good}"
    )
    assert "paper-digest sources test hf" in lost.advice
    answers(FetchState.OK, 1)
    assert answers(FetchState.THROTTLED, 0).health is Health.WARNING


def test_what_waits_for_a_person_is_told(house: App) -> None:
    frozen(house)
    assert told(among(look_at_machine(house), "sending")) == (Health.OK, "1 ready")
    with house.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE delivery SET state = 'unknown'")
    found = among(look_at_machine(house), "sending")
    assert found.health is Health.WARNING
    assert "deliveries --state unknown" in found.advice
    with house.store.database.write() as connection:
        connection.exec_driver_sql("UPDATE issue SET state = 'paused', reason = 'all refused'")
    found = among(look_at_machine(house), "sending")
    assert told(found) == (Health.FAILED, "issue 1 is paused: all refused")


def through(house: App, url: str, user: str = "", password: str = "") -> App:
    house.settings = replace(
        house.settings, smtp_url=url, smtp_user=user or None, smtp_password=password or None
    )
    return house


def test_a_relay_with_tls_and_a_login_is_told_with_what_it_offers(
    house: App, tmp_path: Path
) -> None:
    file = certificate(tmp_path / "relay.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    offers = ("STARTTLS", "AUTH PLAIN", "PIPELINING", "SIZE 10485760", "8BITMIME", "DSN")
    with Relay(context=context, login=("digest", "pw"), extensions=offers) as relay:
        url = f"smtp+starttls://127.0.0.1:{relay.port}?cafile={file}"
        found = look_at_relay(through(house, url, "digest", "pw"))
        assert {one.health for one in found} == {Health.OK}
        assert "logged in as digest; offers PIPELINING, SIZE, 8BITMIME, DSN" in found[0].seen
        assert "TLSv1.3, certificate good until" in among(found, "TLS").seen

        (refused,) = look_at_relay(through(house, url, "digest", "wrong"))
        assert refused.health is Health.FAILED
        assert "DIGEST_SMTP_USER" in refused.advice
        assert "pw" not in str(found)

        untrusted = url.partition("?")[0]
        (finding,) = look_at_relay(through(house, untrusted, "digest", "pw"))
        assert finding.health is Health.FAILED
        assert "?cafile=" in finding.advice

        lax = look_at_relay(through(house, f"{untrusted}?verify=no", "digest", "pw"))
        assert among(lax, "TLS").health is Health.WARNING


def test_a_certificate_that_ends_soon_is_a_warning(house: App, tmp_path: Path) -> None:
    file = certificate(tmp_path / "relay.pem", days=3.5)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with Relay(context=context, extensions=("STARTTLS",)) as relay:
        url = f"smtp+starttls://127.0.0.1:{relay.port}?cafile={file}"
        found = look_at_relay(through(house, url))
    assert among(found, "TLS").advice == "Renew it: it ends in 3 days."


def test_a_small_relay_and_one_that_is_away_are_told_each(house: App) -> None:
    with Relay(extensions=("SIZE 100000",)) as relay:
        found = look_at_relay(through(house, f"smtp://127.0.0.1:{relay.port} smtp://127.0.0.1:1"))
    assert [one.health for one in found] == [
        Health.OK, Health.WARNING, Health.OK, Health.OK, Health.FAILED,
    ]  # fmt: skip
    assert "takes at most 100,000 bytes" in found[1].seen
    assert "Nothing listens there" in found[-1].advice


def test_a_relay_that_says_nothing_keeps_nobody_waiting(house: App) -> None:
    with Relay(greeting="") as relay:
        through(house, f"smtp://127.0.0.1:{relay.port}")
        (found,) = next(iter(examine([("relay", lambda: look_at_relay(house))], seconds=0.3)))
    assert told(found) == (Health.FAILED, "no answer within 0 seconds")


def test_examinations_begin_at_once_and_are_told_in_order() -> None:
    both = threading.Barrier(2, timeout=20)

    def look(topic: str) -> list[Finding]:
        both.wait()
        return [ok(topic, "met")]

    found = examine([("a", lambda: look("a")), ("b", lambda: look("b"))])
    assert [one.topic for (one,) in found] == ["a", "b"]


def test_an_examination_that_breaks_is_a_finding() -> None:
    (found,) = next(iter(examine([("x", lambda: [ok("x", str(1 // 0))])])))
    assert told(found) == (
        Health.FAILED,
        "the examination broke: ZeroDivisionError: integer division or modulo by zero",
    )


@pytest.fixture
def public(house: App) -> Iterator[App]:
    """A house whose pages are served at its public URL."""
    with serving(create_app(house)) as site:
        house.settings = replace(house.settings, public_url=site.url)
        yield house


def test_pages_that_answer_the_one_click_are_well_and_nobody_is_unsubscribed(public: App) -> None:
    now = utc_now()
    reader = public.store.subscribers.add(Subscriber("ada@example.net").confirm(now), now)
    found = look_at_pages(public)
    assert [one.health for one in found] == [Health.WARNING, Health.OK]
    assert "is not https" in found[0].seen
    assert "answers the POST of RFC 8058, in both its forms" in found[1].seen
    assert public.store.subscribers.by_number(reader.number).status is Status.ACTIVE


def test_pages_over_tls_are_told_with_their_certificate(
    house: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path / "web.pem")
    with serving(create_app(house), certificate=file) as site:
        house.settings = replace(house.settings, public_url=site.url.replace("http://", "https://"))
        (refused,) = look_at_pages(house)
        assert refused.health is Health.FAILED
        assert "self-signed" in refused.seen
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        found = look_at_pages(house)
    assert {one.health for one in found} == {Health.OK}
    assert "certificate good until" in among(found, "https").seen


def test_pages_with_another_key_are_told(public: App) -> None:
    keys = (b"another key of thirty-two bytes!",)
    sender = replace(public, settings=replace(public.settings, secret_keys=keys))
    assert "another DIGEST_SECRET_KEY" in look_at_pages(sender)[-1].seen


def test_what_is_not_us_or_redirects_or_is_away_is_told(house: App) -> None:
    web = FastAPI()

    @web.post("/moved/{path:path}")
    def moved(path: str) -> RedirectResponse:
        return RedirectResponse(f"/else/{path}", 301)

    with serving(web) as site:
        house.settings = replace(house.settings, public_url=f"{site.url}/moved")
        assert "redirects the POST (301); RFC 8058 forbids it" in look_at_pages(house)[-1].seen
        house.settings = replace(house.settings, public_url=site.url)
        vars(house).pop("links", None)
        assert "answers 404 to a POST as multipart/form-data" in look_at_pages(house)[-1].seen
    vars(house).pop("links", None)
    house.settings = replace(house.settings, public_url="http://127.0.0.1:1")
    assert "does not answer: Connection refused" in look_at_pages(house)[-1].seen


def test_without_a_public_url_one_leaves_by_mail(house: App) -> None:
    (found,) = look_at_pages(house)
    assert told(found) == (
        Health.WARNING,
        "there is no public URL: one leaves by writing to digest@example.org",
    )


def test_the_way_back_is_tried_and_nothing_there_is_touched(house: App) -> None:
    through(house, "smtp://127.0.0.1:1")
    assert [one.health for one in look_at_mailbox(house)] == [Health.WARNING] * 2
    with ImapServer() as server:
        server.put(returned.made(returned.COMPLAINT, "x"))
        house.settings = replace(
            house.settings,
            bounce_address="bounces+*@example.net",
            bounces_url=server.url,
            bounces_user="bounces",
            bounces_password="sëcret",
        )
        assert [one.health for one in look_at_mailbox(house)] == [Health.OK] * 2
        assert [one.flags for one in server.messages] == [set()]
    assert look_at_mailbox(house)[-1].health is Health.FAILED
    house.settings = replace(house.settings, secret_keys=())
    vars(house).pop("tags", None)
    assert "carry no tags" in look_at_mailbox(house)[0].seen


SIGNED: Final = """\
Authentication-Results: mx.example.net; dkim={dkim} header.d=uni.test; spf=pass
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d={d}; s=d1;
 h=From:To:Subject:{h}; bh=abc; b=def
From: Digest <digest@lab.uni.test>
List-Unsubscribe: <https://lab.uni.test/u/x>
List-Unsubscribe-Post: List-Unsubscribe=One-Click

Hello
"""
BOTH: Final = "List-Unsubscribe:List-Unsubscribe-Post"


@pytest.mark.parametrize(
    ("mail", "health", "said"),
    [
        (SIGNED.format(dkim="pass", d="uni.test", h=BOTH), Health.OK, "both one-click headers"),
        (
            SIGNED.format(dkim="pass", d="uni.test", h="List-Unsubscribe"),
            Health.FAILED,
            "list-unsubscribe-post is in",
        ),
        (SIGNED.format(dkim="pass", d="relay.test", h=BOTH), Health.FAILED, "by relay.test, not"),
        (SIGNED.format(dkim="fail", d="uni.test", h=BOTH), Health.FAILED, "says dkim=fail"),
        ("Subject: x\n\n", Health.FAILED, "has no List-Unsubscribe"),
        (
            "List-Unsubscribe: <mailto:x>\nDKIM-Signature: d=uni.test; h=List-Unsubscribe; s=a\n\n",
            Health.WARNING,
            "has no List-Unsubscribe-Post",
        ),
        ("List-Unsubscribe: <mailto:x>\n\n", Health.FAILED, "signed by nobody"),
    ],
)
def test_a_mail_that_arrived_shows_whether_the_one_click_is_signed(
    house: App, tmp_path: Path, mail: str, health: Health, said: str
) -> None:
    path = tmp_path / "digest.eml"
    path.write_bytes(mail.replace("\n", "\r\n").encode())
    house.settings = replace(house.settings, sender_address="digest@lab.uni.test")
    found = look_at_signature(house, path)[-1]
    assert found.health is health
    assert said in found.seen


def test_what_signs_here_signs_both_one_click_headers(house: App) -> None:
    (found,) = look_at_signature(house, None)
    assert (found.health, "--mail FILE" in found.advice) == (Health.WARNING, True)
    house.settings = replace(
        house.settings,
        dkim_key=new_key("d1", small=True).pem,
        dkim_selectors=("d1",),
        dkim_domain="example.org",
    )
    vars(house).pop("signer", None)
    (found,) = look_at_signature(house, None)
    assert told(found) == (Health.OK, "we sign both one-click headers as example.org")
    house.settings = replace(house.settings, sender_address="digest@uni.test")
    (found,) = look_at_signature(house, None)
    assert found.seen == "a mail signed here is signed by example.org, not by uni.test"


def test_the_key_that_signed_is_read_from_the_mail(tmp_path: Path) -> None:
    path = tmp_path / "digest.eml"
    path.write_text(SIGNED.format(dkim="pass", d="uni.test", h=BOTH))
    assert selectors(path, "lab.uni.test") == ["d1"]
    assert selectors(path, "other.test") == []


def call(*words: str) -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(command_line, ["doctor", *words])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///paper-digest.db").close()
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_without_a_relay_or_a_public_url_it_says_so_and_nothing_failed() -> None:
    result = call()
    assert result.exit_code == 0, result.output
    assert "warning  relay: none: mails become files in outbox" in result.stdout
    assert "warning  one-click: there is no public URL" in result.stdout
    assert (
        "warning  sources: hf was never asked\n         Ask: `paper-digest ingest`."
        in result.stdout
    )
    assert result.stdout.endswith("4 ok, 3 warnings, 0 failed\n")


@pytest.mark.usefixtures("folder")
def test_what_failed_is_in_the_exit_code_and_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_SMTP_URL", "smtp://127.0.0.1:1")
    monkeypatch.setenv("DIGEST_FROM", "digest@example.org")
    result = call("--json", "--dns", "127.0.0.1:1")
    assert result.exit_code == 1
    found = {one["topic"]: one for one in json.loads(result.stdout)}
    assert found["relay"]["health"] == "failed"
    assert "Nothing listens there" in found["relay"]["advice"]
    assert found["DNS"]["health"] == "warning"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--address", "mail.example.org"], "is no address: write it as 192.0.2.1"),
        (["--dns", "dns.example.org"], "is no DNS server: write it as 9.9.9.9"),
        (["--mail", "nowhere.eml"], "does not exist"),
    ],
)
def test_an_option_that_is_none_is_told(words: list[str], said: str) -> None:
    result = call(*words)
    assert result.exit_code == 2
    assert said in result.stderr
