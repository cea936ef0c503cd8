"""Bounces out of a mailbox: acted on once, deleted only after that, and all else left alone."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
import returned
from conftest import needs
from imap import Dovecot, ImapServer, has_dovecot

from digest.app import App, open_app
from digest.bounces import Kind
from digest.bounces.mailboxes import KEYWORD
from digest.bounces.taking import take_mail, take_mailbox
from digest.errors import MailboxError, SettingsError, StoreUnavailable
from digest.settings import load
from digest.store.deliveries import Prepared
from digest.store.suppressions import Taken
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECRET: Final = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[App]:
    settings = load(
        {
            "DIGEST_DATABASE_URL": f"sqlite:///{tmp_path / 'digest.db'}",
            "DIGEST_SECRET_KEY": SECRET,
        }
    )
    with open_app(settings, clock=lambda: NOW) as opened:
        yield opened


def reads(app: App, url: str, user: str | None = None, password: str | None = None) -> App:
    app.settings = replace(
        app.settings, bounces_url=url, bounces_user=user, bounces_password=password
    )
    return app


def tag(app: App, name: str = "ada") -> str:
    """The tag of a digest frozen for a reader of that name, who is added."""
    fresh = Subscriber(f"{name}@example.net").confirm(NOW)
    reader = app.store.subscribers.add(fresh, NOW)
    one = Prepared(reader, "digest", name, b"", NOW + timedelta(days=1), None, date(2026, 11, 20))
    app.store.deliveries.freeze([one], [], channel="smtp", domain="example.org", now=NOW)
    return app.tags.tag(app.store.deliveries.history()[0].public_id)


def status(app: App, name: str = "ada") -> Status:
    return app.store.subscribers.by_address(f"{name}@example.net").status


def letters(app: App) -> list[bytes]:
    """A complaint, a bounce, a forged bounce and a letter from a person."""
    return [
        returned.made(returned.COMPLAINT, tag(app)),
        returned.made(returned.POSTFIX, tag(app, "bo")),
        returned.made(returned.POSTFIX, "a" * 29),
        returned.made(returned.PERSON, ""),
    ]


def test_an_imap_mailbox_is_emptied_of_what_was_understood(house: App) -> None:
    with ImapServer() as server:
        for raw in letters(house):
            server.put(raw)
        reads(house, server.url, "bounces", "sëcret")
        tally = take_mailbox(house)
        assert tally.taken == {Taken.SUPPRESSED: 1, Taken.NOTED: 1}
        assert sum(tally.ignored.values()) == 2
        assert [one.flags for one in server.messages] == [{KEYWORD}, {KEYWORD}]
        assert status(house) is Status.UNSUBSCRIBED
        assert [one.via for one in house.store.suppressions.returned()] == ["mail", "mail"]

        again = take_mailbox(house)
        assert not again.taken
        assert not again.ignored


def test_a_server_without_uidplus_and_keywords_is_read_as_well(house: App) -> None:
    with ImapServer(inside="", permanent="\\Deleted \\Seen") as server:
        for raw in letters(house):
            server.put(raw)
        reads(house, server.url, "bounces", "sëcret")
        take_mailbox(house)
        flags = [one.flags for one in server.messages]
        assert flags == [{"\\Deleted"}, {"\\Deleted"}, {"\\Seen"}, {"\\Seen"}]
        assert not any("EXPUNGE" in one for one in server.heard)
        assert not take_mailbox(house).taken


def test_what_others_have_deleted_is_neither_read_nor_expunged(house: App) -> None:
    with ImapServer() as server:
        theirs = server.put(returned.made(returned.COMPLAINT, tag(house)), "\\Deleted")
        server.put(returned.made(returned.POSTFIX, tag(house, "bo")))
        reads(house, server.url, "bounces", "sëcret")
        assert take_mailbox(house).taken == {Taken.NOTED: 1}
        assert server.messages == [theirs]


@pytest.mark.parametrize("breaks_at", ["UID STORE", "UID EXPUNGE", "UID FETCH 102", "LOGOUT"])
def test_a_line_that_breaks_loses_no_mail_and_counts_none_twice(house: App, breaks_at: str) -> None:
    with ImapServer(breaks_at=breaks_at) as server:
        for raw in letters(house):
            server.put(raw)
        reads(house, server.url, "bounces", "sëcret")
        if breaks_at == "LOGOUT":
            take_mailbox(house)
        else:
            with pytest.raises(MailboxError, match="cannot be read"):
                take_mailbox(house)
        assert status(house) is Status.UNSUBSCRIBED
        server.breaks_at = ""
        take_mailbox(house)
        assert [one.kind for one in house.store.suppressions.returned()].count(Kind.COMPLAINT) == 1
        assert len(house.store.suppressions.returned()) == 2
        assert len(server.messages) == 2 if breaks_at != "UID EXPUNGE" else 3


def test_nothing_is_deleted_that_was_not_committed(house: App) -> None:
    with ImapServer() as server:
        server.put(returned.made(returned.COMPLAINT, tag(house)))
        reads(house, server.url, "bounces", "sëcret")
        with house.store.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE returned RENAME TO elsewhere")
        with pytest.raises(StoreUnavailable):
            take_mail(house, server.messages[0].raw)
        with pytest.raises(StoreUnavailable):
            take_mailbox(house)
        assert [one.flags for one in server.messages] == [set()]


def test_with_keep_nothing_is_deleted_at_all(house: App) -> None:
    with ImapServer() as server:
        server.put(returned.made(returned.COMPLAINT, tag(house)))
        reads(house, f"{server.url}?keep=yes", "bounces", "sëcret")
        take_mailbox(house)
        assert [one.flags for one in server.messages] == [{KEYWORD}]
        assert not take_mailbox(house).taken


def test_a_token_logs_in_where_a_password_does_not(house: App) -> None:
    with ImapServer(token="t0ken") as server:
        server.put(returned.made(returned.COMPLAINT, tag(house)))
        reads(house, server.url, "bounces")
        house.settings = replace(house.settings, bounces_token_command="echo stale")
        with pytest.raises(MailboxError, match=r"did not take .* or the token"):
            take_mailbox(house)
        house.settings = replace(house.settings, bounces_token_command="echo t0ken")
        assert take_mailbox(house).taken == {Taken.SUPPRESSED: 1}
        house.settings = replace(house.settings, bounces_token_command="false")
        with pytest.raises(MailboxError, match="DIGEST_BOUNCES_TOKEN_COMMAND gives no token"):
            take_mailbox(house)


def test_a_login_in_the_url_and_a_folder_with_a_blank_work(house: App) -> None:
    with ImapServer(folder="Old bounces") as server:
        server.put(returned.made(returned.COMPLAINT, tag(house)))
        url = server.url.replace("://", "://bounces:s%C3%ABcret@") + "/Old%20bounces"
        assert take_mailbox(reads(house, url)).taken == {Taken.SUPPRESSED: 1}


def test_a_mail_of_ten_megabytes_costs_two(house: App) -> None:
    with ImapServer() as server:
        server.put(returned.made(returned.COMPLAINT, tag(house)) + b"x" * 10_000_000)
        reads(house, server.url, "bounces", "sëcret")
        assert take_mailbox(house).taken == {Taken.SUPPRESSED: 1}
        assert server.messages == []


@pytest.mark.parametrize(
    ("url", "password", "said"),
    [
        (
            "imap://127.0.0.1:1",
            "sëcret",
            "127.0.0.1:1 cannot be read (Connection refused): check host and port",
        ),
        (
            "{url}",
            "wrong",
            "did not take the name and password ([AUTHENTICATIONFAILED] wrong): check",
        ),
        ("{url}/Nowhere", "sëcret", "has no folder 'Nowhere': name one behind the host"),
        ("imap+starttls://127.0.0.1:{port}", "sëcret", "cannot be read"),
        ("imaps://127.0.0.1:{port}", "sëcret", "imaps:// is for port 993"),
        ("imaps://nobody.invalid", "sëcret", "cannot be read (Name or service not known)"),
    ],
)
def test_a_mailbox_that_cannot_be_read_is_told_in_one_line(
    house: App, url: str, password: str, said: str
) -> None:
    with ImapServer() as server:
        target = url.format(url=server.url, port=server.port)
        with pytest.raises(MailboxError) as caught:
            take_mailbox(reads(house, target, "bounces", password))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_maildir_is_emptied_of_what_was_understood(house: App, tmp_path: Path) -> None:
    for place in ("new", "cur", "tmp"):
        (tmp_path / "box" / place).mkdir(parents=True)
    complaint, bounce, forged, person = letters(house)
    for name, raw in {
        "new/1.M1.host": complaint,
        "cur/2.M2.host:2,": bounce,
        "new/3.M3.host": forged,
        "cur/4.M4.host:2,FS": person,
        "cur/5.M5.host": person,
    }.items():
        (tmp_path / "box" / name).write_bytes(raw)
    reads(house, f"maildir:{tmp_path / 'box'}")
    tally = take_mailbox(house)
    assert tally.taken == {Taken.SUPPRESSED: 1, Taken.NOTED: 1}
    assert sum(tally.ignored.values()) == 2
    left = sorted(str(path.relative_to(tmp_path / "box")) for path in tmp_path.glob("box/*/*"))
    assert left == ["cur/3.M3.host:2,S", "cur/4.M4.host:2,FS", "cur/5.M5.host:2,S"]
    assert not take_mailbox(house).ignored


def test_a_folder_that_is_no_maildir_is_told(house: App, tmp_path: Path) -> None:
    with pytest.raises(
        MailboxError, match=r"is no Maildir \(it has no folder new/ in it\): name one"
    ):
        take_mailbox(reads(house, f"maildir:{tmp_path}"))


def test_without_a_key_no_bounce_can_be_believed(house: App) -> None:
    house.settings = replace(house.settings, secret_keys=())
    with pytest.raises(
        SettingsError, match="DIGEST_SECRET_KEY is not set: set it to the key that signed"
    ):
        take_mail(house, b"")


@pytest.mark.slow
def test_dovecot_s_mailbox_is_emptied_of_what_was_understood(house: App) -> None:
    needs(has_dovecot(), "Dovecot", "apt-get install dovecot-imapd")
    with Dovecot() as server:
        for raw in letters(house):
            server.put(raw)
        reads(house, server.url, "bounces", "secret")
        tally = take_mailbox(house)
        assert tally.taken == {Taken.SUPPRESSED: 1, Taken.NOTED: 1}
        assert len(server.mails()) == 2
        again = take_mailbox(house)
        assert not again.taken
        assert not again.ignored
        with pytest.raises(MailboxError, match="did not take the name and password"):
            take_mailbox(reads(house, server.url, "bounces", "wrong"))
        with pytest.raises(MailboxError, match="has no folder 'Nowhere'"):
            take_mailbox(reads(house, f"{server.url}/Nowhere", "bounces", "secret"))
    assert os.path.lexists(server.folder) is False
