"""A copy does not know what was sent since: nothing is sent from it before somebody says so."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
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
        refuses_until_accepted(url, relay, "knows 2 deliveries and 3 were made")


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
    (tmp_path / "digest.db.newest").write_text("7\n", encoding="ascii")

    def said(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(command_line, words)
        return result.exit_code, " ".join(result.output.split())

    refused, why = said("send")
    assert refused != 0
    assert "knows 2 deliveries and 7 were made" in why
    assert "If that is meant: `paper-digest send --restored`" in why
    assert "Nothing is sent from it. If that is meant" in said("doctor")[1]
    assert said("send", "--restored")[0] == 0
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1


def test_a_commit_is_on_disk_even_where_the_server_would_lose_some(postgres: Postgres) -> None:
    url = f"{postgres.new_database()}&options=-csynchronous_commit%3Doff"
    with open_store(url) as store, store.database.read() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"
