"""What comes back, from the command line and in a run: told, acted on, and never written to."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import returned
from imap import ImapServer
from typer.testing import CliRunner

from digest.app import App, open_app
from digest.cli import app as command_line
from digest.settings import load
from digest.store import open_store
from subscribers.profile import Profile
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET: Final = "0123456789abcdef0123456789abcdef"
DATABASE: Final = "sqlite:///paper-digest.db"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """A folder with settings and a listing, after a run that sent ada a digest."""
    monkeypatch.chdir(tmp_path)
    paper = {"id": "arxiv:2611.90001", "title": "Unlearning", "abstract": "x", "day": 0}
    listing = {"source": "arxiv", "label": "arXiv", "papers": [{**paper, "sample": True}]}
    Path("listing.json").write_text(json.dumps(listing), encoding="utf-8")
    env = {
        "DIGEST_DATABASE_URL": DATABASE,
        "DIGEST_SOURCES": "file:listing.json",
        "DIGEST_SMTP_URL": "eml:outbox",
        "DIGEST_SECRET_KEY": SECRET,
    }
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    with open_app(load(env)) as opened:
        now = opened.clock()
        for name in ("ada", "bo"):
            fresh = Subscriber(f"{name}@example.net", profiles=(Profile("unlearning"),))
            opened.store.subscribers.add(fresh.confirm(now), now)
        well("run", "--now")
        yield opened


def call(*words: str, say: bytes = b"") -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(command_line, words, input=say)


def well(*words: str, say: bytes = b"") -> str:
    result = call(*words, say=say)
    assert result.exit_code == 0, result.output
    output: str = result.stdout
    return output


def tag(app: App, name: str = "ada") -> str:
    reader = app.store.subscribers.by_address(f"{name}@example.net")
    return app.tags.tag(app.store.deliveries.history(reader.number)[0].public_id)


def make_due(app: App) -> None:
    for reader in app.store.subscribers.all():
        app.store.subscribers.change(
            reader.number, lambda one: Subscriber(**{**fields(one), "next_due": app.clock()})
        )


def fields(reader: Subscriber) -> dict[str, Any]:
    return {name: getattr(reader, name) for name in Subscriber.__slots__}


def test_a_mail_carries_its_tag_and_its_bounce_leads_back_to_it(house: App) -> None:
    mail = next(Path("outbox").glob("ada*.eml")).read_text(encoding="ascii")
    assert f"X-Digest-Tag: {tag(house)}\n" in mail
    said = well("bounces", "ingest", say=returned.made(returned.POSTFIX, tag(house)))
    assert said.startswith("Hard bounce of delivery ")
    assert said.endswith(", noted: 550 5.1.1 <ada@example.net>: Recipient address rejected: "
                         "User unknown\n")  # fmt: skip
    (row,) = json.loads(well("bounces", "list", "--json", "--address", "ADA@example.net"))
    assert (row["kind"], row["via"], row["enhanced"]) == ("hard", "mail", "5.1.1")
    shown = well("subscribers", "show", "ada@example.net")
    assert re.search(r"counts (?:1.00|0.\d\d) by now .*; at 1.5 the address is suppressed\n", shown)
    assert "Recipient address rejected" in well("bounces", "list")


def test_a_complaint_is_shown_wherever_the_reader_is(house: App) -> None:
    Path("complaint.eml").write_bytes(returned.made(returned.COMPLAINT, tag(house)))
    assert "its address is suppressed: abuse reported by" in well(
        "bounces", "ingest", "complaint.eml"
    )
    assert "known already" in well("bounces", "ingest", "complaint.eml")
    assert "suppressed (complaint)" in well("subscribers", "list")
    shown = well("subscribers", "show", "ada@example.net")
    assert "never written to: a complaint: abuse reported by SomeGenerator/1.0" in shown
    assert re.search(r"came back .*  complaint  abuse reported by", shown)
    one = json.loads(well("subscribers", "show", "ada@example.net", "--json"))
    assert one["suppressed"]["cause"] == "complaint"
    assert json.loads(well("subscribers", "list", "--json"))[1]["suppressed"] is None
    (told,) = json.loads(well("suppressions", "list", "--json"))
    assert told["address"] == "ada@example.net"


def test_who_is_suppressed_is_left_out_with_the_reason_until_forgiven(house: App) -> None:
    assert "never written to from now on" in well("suppressions", "add", "ADA@example.net")
    assert "was suppressed already" in well("suppressions", "add", "ada@example.net")
    make_due(house)
    well("run")
    (none,) = json.loads(
        well("deliveries", "--reader", "ada@example.net", "--state", "excluded", "--json")
    )
    assert none["text"] == "the address is never written to: by hand"
    due = house.store.subscribers.by_address("ada@example.net").next_due
    assert due is not None
    assert due > house.clock()
    well("suppressions", "remove", "ada@example.net")
    assert well("suppressions", "list") == "No address is suppressed.\n"
    result = call("suppressions", "remove", "ada@example.net")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is not suppressed" in result.stderr


def test_a_forged_bounce_is_ignored_and_said_so(house: App) -> None:
    forged = tag(house)[:-1] + ("a" if tag(house)[-1] != "a" else "b")
    said = well("bounces", "ingest", say=returned.made(returned.COMPLAINT, forged))
    assert said == (
        "Ignored: a complaint that carries no tag of ours: forged, about somebody else's mail, "
        "or tagged under another DIGEST_SECRET_KEY\n"
    )
    assert well("bounces", "list") == "Nothing came back.\n"


def test_the_recipient_that_the_mail_system_names_is_enough(
    house: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORIGINAL_RECIPIENT", f"bounces+{tag(house)}@example.org")
    raw = returned.made(returned.POSTFIX.replace(returned.TAG, ""), "")
    assert "noted" in well("bounces", "ingest", say=raw)


@pytest.mark.usefixtures("house")
def test_a_pipe_keeps_the_mail_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    result = call("bounces", "ingest", say=b"Subject: x\n\n")
    assert result.exit_code == 75
    assert result.stderr.count("\n") == 1
    monkeypatch.setenv("DIGEST_DATABASE_URL", DATABASE)
    monkeypatch.setenv("DIGEST_SECRET_KEY", "")
    result = call("bounces", "ingest", say=b"Subject: x\n\n")
    assert result.exit_code == 75
    assert "DIGEST_SECRET_KEY is not set" in result.stderr


@pytest.mark.usefixtures("house")
def test_a_mail_of_thirty_megabytes_is_read_to_its_end_and_costs_two() -> None:
    assert well("bounces", "ingest", "--quiet", say=b"x" * 30_000_000) == ""


def test_a_run_reads_the_mailbox_before_it_decides_who_gets_what(
    house: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ImapServer() as server:
        server.put(returned.made(returned.COMPLAINT, tag(house)))
        server.put(b"Subject: hello\n\n")
        monkeypatch.setenv("DIGEST_BOUNCES_URL", server.url)
        monkeypatch.setenv("DIGEST_BOUNCES_USER", "bounces")
        monkeypatch.setenv("DIGEST_BOUNCES_PASSWORD", "sëcret")
        make_due(house)
        said = well("run")
        assert "Bounces    2 mails: 1 suppressed, 1 left there for you to look at" in said
        assert "Matching   1 reader, " in said
        assert well("bounces", "fetch") == "0 mails\n"
    result = call("run", "--now")
    assert result.exit_code == 1
    assert "cannot be read (Connection refused)" in result.stderr


def test_who_writes_to_the_address_of_list_unsubscribe_leaves(
    house: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ImapServer() as server:
        monkeypatch.setenv("DIGEST_BOUNCE_ADDRESS", "bounces+*@example.org")
        monkeypatch.setenv(
            "DIGEST_BOUNCES_URL", server.url.replace("://", "://bounces:s%C3%ABcret@")
        )
        listing = json.loads(Path("listing.json").read_text(encoding="utf-8"))
        listing["papers"][0] |= {"id": "arxiv:2611.90002", "title": "More unlearning"}
        Path("listing.json").write_text(json.dumps(listing), encoding="utf-8")
        well("run", "--now")
        mail = Path("outbox").glob(f"ada*{tag(house)[:13]}.eml")
        header = re.search(
            r"List-Unsubscribe: <mailto:(\S+)\?subject=(\w+)>", next(mail).read_text()
        )
        assert header is not None
        assert header[1] == f"bounces+{tag(house)}@example.org"
        server.put(f"From: ada@example.net\nTo: {header[1]}\nSubject: {header[2]}\n\n".encode())
        well("bounces", "fetch")
        assert server.messages == []
    status = house.store.subscribers.by_address("ada@example.net").status
    assert status is Status.UNSUBSCRIBED


@pytest.mark.usefixtures("house")
def test_fetching_needs_a_mailbox() -> None:
    result = call("bounces", "fetch")
    assert result.exit_code == 2
    assert result.stderr.startswith("DIGEST_BOUNCES_URL is not set: set it to the mailbox to read")


def test_a_bounce_of_what_is_gone_is_told_and_harmless(house: App) -> None:
    said = returned.made(returned.POSTFIX, tag(house))
    house.store.subscribers.erase(house.store.subscribers.by_address("ada@example.net"), b"")
    assert "unknown" in well("bounces", "ingest", say=said)
    with open_store(DATABASE) as store:
        assert store.suppressions.forget_old(house.clock() + timedelta(days=500)) == 0
