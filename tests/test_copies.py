"""A copy does not know what was sent since: nothing is sent from it before somebody says so."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from conftest import needs
from recorder import Recorder
from senders import freeze
from typer.testing import CliRunner
from zygote import Plain

from digest.cli import app as command_line
from digest.delivery import send_all
from digest.errors import StoreRestored
from digest.selection import Selection
from digest.smtp.relay import Relay, Relays
from digest.store import open_store
from digest.store.deliveries import Prepared

if TYPE_CHECKING:
    from pathlib import Path

    from postgres import Postgres
    from recorder import Session


def write_again(url: str, key: str) -> None:
    """Freeze one more message for the first reader."""
    with closing(open_store(url)) as store:
        now = datetime.now(UTC)
        nothing = Selection("welcome", (), 0, 0, None, now).pack()
        one = Prepared(store.subscribers.all()[0], "welcome", key, nothing, None, None, None)
        store.deliveries.freeze([one], [], channel="smtp", domain="example.org", now=now)


def send_from(url: str, relay: Recorder) -> None:
    with closing(open_store(url)) as store:
        send_all(store, Relays([Relay(relay.url)]), Plain(10), lambda: datetime.now(UTC))


def sent_once(url: str, relay: Recorder) -> None:
    """A database from which something was sent."""
    with closing(open_store(url)) as store:
        freeze(store, 1)
    send_from(url, relay)


def refuses_until_accepted(url: str, relay: Recorder, why: str) -> None:
    write_again(url, "in the copy")
    dots = len(relay.dots)
    with pytest.raises(StoreRestored, match=f"{why}.* --restored"):
        send_from(url, relay)
    assert len(relay.dots) == dots
    with closing(open_store(url)) as store:
        assert store.copies.problem()
        store.copies.accept()
        assert store.copies.problem() == ""
    send_from(url, relay)
    assert len(relay.dots) == dots + 1
    write_again(url, "later")
    send_from(url, relay)
    assert len(relay.dots) == dots + 2


def test_a_backup_that_was_put_back_is_not_sent_from(tmp_path: Path) -> None:
    path, backup = tmp_path / "digest.db", tmp_path / "backup.db"
    url = f"sqlite:///{path}"
    with Recorder() as relay:
        sent_once(url, relay)
        shutil.copy(path, backup)
        for key in ("one", "two"):
            write_again(url, key)
        send_from(url, relay)
        shutil.copy(backup, path)
        refuses_until_accepted(url, relay, "an older copy: mails went out since it was made")


def test_a_backup_that_decides_as_much_as_it_lacks_is_not_sent_from(tmp_path: Path) -> None:
    path, backup = tmp_path / "digest.db", tmp_path / "backup.db"
    url = f"sqlite:///{path}"
    with Recorder() as relay:
        sent_once(url, relay)
        shutil.copy(path, backup)
        write_again(url, "today")
        send_from(url, relay)
        shutil.copy(backup, path)
        write_again(url, "today")  # the copy decides the same day once more
        with pytest.raises(StoreRestored, match="an older copy"):
            send_from(url, relay)
        assert len(relay.dots) == 2


def test_a_backup_made_while_mails_went_out_is_not_sent_from(tmp_path: Path) -> None:
    path, backup = tmp_path / "digest.db", tmp_path / "backup.db"
    url = f"sqlite:///{path}"

    def back_up(stage: str, _session: Session) -> None:
        if stage == "dot" and not backup.exists():
            with closing(sqlite3.connect(path)) as ours, closing(sqlite3.connect(backup)) as copy:
                ours.backup(copy)

    with Recorder(seen=back_up) as relay:
        with closing(open_store(url)) as store:
            freeze(store, 3)
        send_from(url, relay)
        shutil.copy(backup, path)
        with pytest.raises(StoreRestored, match="an older copy"):
            send_from(url, relay)
        assert len(relay.dots) == 3


def test_a_server_whose_database_is_behind_is_not_sent_from(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    with Recorder() as relay, closing(open_store(url, folder=tmp_path)) as store:
        freeze(store, 1)
        channel, clock = Relays([Relay(relay.url)]), lambda: datetime.now(UTC)
        send_all(store, channel, Plain(10), clock)
        with store.database.write() as connection:
            connection.exec_driver_sql(
                "UPDATE seal SET runs = runs - 1, written_by = txid_current()"
            )
        write_again(url, "today")
        with pytest.raises(StoreRestored, match=r"an older copy.*\.runs tells"):
            send_all(store, channel, Plain(10), clock)
        assert len(relay.dots) == 1


@pytest.mark.soak
def test_a_server_put_back_as_a_whole_is_not_sent_from(tmp_path: Path) -> None:
    from postgres import Postgres, has_postgres  # noqa: PLC0415 -- most tests need no server

    needs(has_postgres(), "PostgreSQL", "pip install --group dev")
    folder = tmp_path / "where the program runs"
    folder.mkdir()

    def send() -> None:
        with closing(open_store(url, folder=folder)) as store:
            send_all(store, Relays([Relay(relay.url)]), Plain(10), lambda: datetime.now(UTC))

    with Postgres() as server, Recorder() as relay:
        url = server.new_database()
        with closing(open_store(url)) as store:
            freeze(store, 1)
        send()
        server.save(tmp_path / "snapshot")
        write_again(url, "today")
        send()
        server.put_back(tmp_path / "snapshot")
        write_again(url, "today")
        with pytest.raises(StoreRestored, match=r"an older copy.*test1\.runs tells"):
            send()
        assert len(relay.dots) == 2
        # Another server's database of that name is another database.
        other = server.copied(url)
        (folder / "test2.runs").write_text(f"1 2 {10**6}\n", encoding="ascii")
        with closing(open_store(other, folder=folder)) as store:
            assert "restored from a dump" in store.copies.problem()
            store.copies.accept()
            assert store.copies.problem() == ""


def test_a_folder_that_takes_no_file_does_not_keep_a_server_from_sending(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    with Recorder() as relay, closing(open_store(url, folder=tmp_path / "nowhere")) as store:
        freeze(store, 1)
        send_all(store, Relays([Relay(relay.url)]), Plain(10), lambda: datetime.now(UTC))
        assert len(relay.dots) == 1


@pytest.mark.parametrize("how", ["restored", "copied"])
def test_what_comes_of_a_dump_or_a_template_is_not_sent_from(postgres: Postgres, how: str) -> None:
    url = postgres.new_database()
    with Recorder() as relay:
        sent_once(url, relay)
        refuses_until_accepted(
            getattr(postgres, how)(url), relay, "is a copy, or was restored from a dump"
        )


def test_a_server_that_tidies_up_is_no_reason_to_stop(postgres: Postgres) -> None:
    url = postgres.new_database()
    with Recorder() as relay:
        sent_once(url, relay)
        with (
            closing(open_store(url)) as store,
            store.database.engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            ) as connection,
        ):
            connection.exec_driver_sql("VACUUM (FREEZE, FULL)")
        write_again(url, "later")
        send_from(url, relay)
        assert len(relay.dots) == 2


def test_a_copy_is_accepted_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST_DATABASE_URL", "sqlite:///digest.db")
    monkeypatch.setenv("DIGEST_SMTP_URL", "eml:outbox")
    with Recorder() as relay:
        sent_once("sqlite:///digest.db", relay)
    write_again("sqlite:///digest.db", "one")
    (tmp_path / "digest.db.runs").write_text("7\n", encoding="ascii")

    def said(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(command_line, words)
        return result.exit_code, " ".join(result.output.split())

    refused, why = said("send")
    assert refused != 0
    assert "an older copy: mails went out since it was made" in why
    assert "If that is meant: `paper-digest send --restored`" in why
    assert "Nothing is sent from it. If that is meant" in said("doctor")[1]
    assert said("send", "--restored")[0] == 0
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1


def test_a_commit_is_on_disk_even_where_the_server_would_lose_some(postgres: Postgres) -> None:
    url = f"{postgres.new_database()}&options=-csynchronous_commit%3Doff"
    with open_store(url) as store, store.database.read() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
