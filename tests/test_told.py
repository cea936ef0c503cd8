"""What an operator is told: of a run with thousands of readers, and where there is no database."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
from recorder import HANG_UP, Recorder, Session
from typer.testing import CliRunner

from digest.cli import app as command_line
from digest.cli.terminal import table
from digest.store.migrate import HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent


def call(*words: str) -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(command_line, words)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with settings and a listing, and no database yet."""
    monkeypatch.chdir(tmp_path)
    paper = {"id": "arxiv:2611.90001", "title": "Unlearning", "abstract": "x", "day": 0}
    listing = {"source": "arxiv", "label": "arXiv", "papers": [{**paper, "sample": True}]}
    Path("listing.json").write_text(json.dumps(listing), encoding="utf-8")
    for key, value in {
        "DIGEST_DATABASE_URL": "sqlite:///paper-digest.db",
        "DIGEST_SOURCES": "file:listing.json",
        "DIGEST_FROM": "digest@example.org",
        "DIGEST_SMTP_URL": "eml:outbox",
        "DIGEST_SECRET_KEY": "0123456789abcdef0123456789abcdef",
    }.items():
        monkeypatch.setenv(key, value)
    return tmp_path


@pytest.fixture
def readers(folder: Path) -> Path:
    """The same with twenty readers who all get the one paper."""
    lines = "".join(f"r{n}@example.org,unlearning\n" for n in range(20))
    Path("readers.csv").write_text(f"address,keywords\n{lines}", encoding="utf-8")
    consent = ("--consent-date", "2026-11-02", "--consent-source", "the reading group")
    assert call("subscribers", "import", "readers.csv", "--confirmed", *consent).exit_code == 0
    return folder


def answering(said: Mapping[str, bytes], stage: str = "RCPT") -> Recorder:
    """A relay that answers so to recipients."""
    return Recorder(
        answer=lambda verb, session: said.get(_recipient(session)) if verb == stage else None
    )


def _recipient(session: Session) -> str:
    return session.recipient or session.lines[-1].partition("<")[2].partition(">")[0]


@pytest.mark.usefixtures("readers")
def test_one_answer_to_many_readers_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {f"r{n}@example.org": b"451 4.7.1 later\r\n" for n in range(12)}
    with answering(said) as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        done = call("run", "--now")
    assert done.exit_code == 0, "what is put off is no failure"
    assert done.stderr == (
        "12 mails deferred, 451 4.7.1 later: r0@example.org, r1@example.org, r2@example.org and "
        "9 more\n`paper-digest deliveries --state deferred` shows each.\n"
    )


@pytest.mark.usefixtures("readers")
def test_answers_that_name_the_reader_are_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        f"r{n}@example.org": f"550 5.1.1 <r{n}@example.org>: unknown\r\n".encode() for n in range(2)
    }
    said["r7@example.org"] = b"550 5.1.1 <r7@example.org>: no mail here\r\n"
    with answering(said) as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        done = call("run", "--now", "--quiet")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "2 mails rejected, 550 5.1.1 <...>: unknown: r0@example.org, r1@example.org\n"
        "r7@example.org: rejected, 550 5.1.1 <r7@example.org>: no mail here\n"
    )


@pytest.mark.usefixtures("readers")
def test_what_the_relay_was_not_asked_never_counts_against_a_reader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Recorder(extensions=("SIZE 100",)) as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        assert "bytes are more than the 100 the relay takes" in call("run", "--now").stderr
        assert relay.dots == []
    back = json.loads(call("bounces", "list", "--json").stdout)
    assert {one["kind"] for one in back} <= {"blocked"}
    assert call("suppressions", "list").stdout == "No address is suppressed.\n"


@pytest.mark.usefixtures("readers")
def test_a_hundred_different_answers_are_ten_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {f"r{n}@example.org": f"450 4.2.0 try {n}\r\n".encode() for n in range(20)}
    with answering(said) as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        told = call("run", "--now").stderr.splitlines()
    assert len(told) == 11
    assert told[-1] == (
        "And 10 mails with other answers. `paper-digest deliveries --state deferred` shows each."
    )


@pytest.mark.usefixtures("readers")
@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("hold", "nobody knows whether it arrived. `paper-digest deliveries --state unknown`"),
        ("resend", "it may have arrived and is sent again"),
        ("drop", "it may have arrived; its papers are offered again"),
    ],
)
def test_an_unknown_is_told_with_what_becomes_of_it(
    monkeypatch: pytest.MonkeyPatch, policy: str, told: str
) -> None:
    monkeypatch.setenv("DIGEST_ON_UNKNOWN", policy)
    with answering({"r3@example.org": HANG_UP}, ".") as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        done = call("run", "--now", "--quiet")
    assert done.exit_code == 1
    first, second = done.stderr.splitlines()
    assert first.startswith("r3@example.org: unknown, no answer to the final dot")
    assert second.startswith(f"Of what is unknown, {told}")


@pytest.mark.usefixtures("readers")
def test_an_issue_that_pauses_by_itself_is_told_with_both_ways_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGEST_SMTP_CONNECTIONS", "1")
    refuses = Recorder(answer=lambda verb, _: b"554 5.7.1 spam\r\n" if verb == "." else None)
    with refuses as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        done = call("run", "--now", "--quiet")
    assert done.exit_code == 1
    assert "Issue 1 is paused: every message was refused: 554 5.7.1 spam" in done.stderr
    assert (
        "`paper-digest issues resume 1` sends the rest of it, `paper-digest deliveries retry "
        "--issue 1 --state rejected` the 10 mails that it refused."
    ) in done.stderr
    with Recorder() as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        assert call("issues", "resume", "1").exit_code == 0
        again = call("deliveries", "retry", "--issue", "1", "--state", "rejected", "--yes")
        assert again.stdout.startswith("10 mails wait:")
        assert call("send").exit_code == 0
        assert len(set(relay.dots)) == len(relay.dots) == 20
    other = call("deliveries", "retry", "--issue", "2", "--state", "accepted", "--yes")
    assert other.stdout.startswith("Nothing was changed: no delivery is like that")


@pytest.mark.usefixtures("readers")
def test_an_issue_of_which_nothing_is_left_to_pause_is_told_with_what_went_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIGEST_SMTP_CONNECTIONS", "1")
    stops = Recorder(
        answer=lambda verb, _: HANG_UP if verb == "." and len(relay.replied) == 15 else None
    )
    with stops as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        done = call("run", "--now", "--quiet")
    assert (done.exit_code, len(relay.dots)) == (1, 20)
    said = "no answer to the final dot: the relay closed the connection"
    assert done.stderr.splitlines()[-2:] == [
        f"Issue 1 went wrong: 127.0.0.1:{relay.port} answers nothing to whole messages: {said}",
        "Its log, or whoever runs it, knows what became of them.",
    ]


@pytest.mark.usefixtures("readers")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (HANG_UP, "the connection was lost: the relay closed the connection"),
        (b"hello\r\n", "the connection was lost: the relay said 'hello'"),
    ],
)
def test_a_relay_that_lets_in_and_takes_nothing_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, told: str
) -> None:
    with Recorder(answer=lambda verb, _: answer if verb == "MAIL" else None) as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        done = call("run", "--now", "--quiet")
    assert done.exit_code == 1
    first, second = done.stderr.splitlines()
    where = f"127.0.0.1:{relay.port}"
    assert first == f"{where} lets us in and takes no message again and again: {told}"
    assert "firewall" in second


@pytest.mark.usefixtures("readers")
def test_where_nothing_listens_it_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_SMTP_URL", "smtp://127.0.0.1:1")
    first, second = call("run", "--now", "--quiet").stderr.splitlines()
    assert first == "127.0.0.1:1 cannot be reached: Connection refused"
    assert second.startswith("Nothing listens there")


@pytest.mark.usefixtures("readers")
def test_of_several_relays_the_one_that_took_the_mails_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Recorder() as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", f"smtp://127.0.0.1:1 {relay.url}")
        done = call("run", "--now")
    assert f"Sending    to 127.0.0.1:{relay.port}  20/20\n" in done.stdout


def test_a_sender_that_was_killed_is_told_with_what_it_left(
    readers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[subprocess.Popen[bytes]] = []

    def kill(stage: str, session: Session) -> None:
        if stage == "dot" and session.taken == 4:
            running[0].send_signal(signal.SIGKILL)
            running[0].wait()

    monkeypatch.setenv("DIGEST_SMTP_CONNECTIONS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with Recorder(seen=kill) as relay:
        monkeypatch.setenv("DIGEST_SMTP_URL", relay.url)
        command = [sys.executable, "-m", "digest", "run", "--now", "--quiet"]
        running.append(subprocess.Popen(command, cwd=readers, env=os.environ))
        assert running[0].wait() == -signal.SIGKILL
        done = call("send")
        assert done.exit_code == 1
        assert done.stderr == (
            "The sender before this one ended with 1 mail unanswered. Of what is unknown, nobody "
            "knows whether it arrived. `paper-digest deliveries --state unknown` shows it; "
            "`resolve` or `resend` decides.\n"
        )
        assert len(set(relay.dots)) == len(relay.dots) == 20
    assert call("send").stderr == "", "it is told once"


@pytest.mark.parametrize(
    "words",
    [
        *(["bounces", "list"], ["suppressions", "list"], ["suppressions", "remove", "a@b.org"]),
        *(["send"], ["issues"], ["deliveries"], ["subscribers", "list"], ["why", "a@b.org"]),
    ],
)
def test_where_there_is_no_database_one_is_not_made(folder: Path, words: list[str]) -> None:
    result = call(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith("there is no database at")
    assert sorted(path.name for path in folder.iterdir()) == ["listing.json"]


def test_a_pipe_of_bounces_keeps_the_mail_where_there_is_no_database(folder: Path) -> None:
    mail = b"Subject: Undelivered\n\n"
    result = CliRunner().invoke(command_line, ["bounces", "ingest"], input=mail)
    assert result.exit_code == 75
    assert "there is no database at" in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["listing.json"]


def test_sources_are_shown_and_tried_before_there_is_a_database(folder: Path) -> None:
    assert "file:listing.json  never asked" in call("sources").stdout
    assert "1 paper" in call("sources", "test", "file:listing.json").stdout
    assert sorted(path.name for path in folder.iterdir()) == ["listing.json"]


def test_the_doctor_says_that_there_is_no_database_and_looks_at_the_rest(folder: Path) -> None:
    result = call("doctor")
    assert result.exit_code == 1
    first = result.stdout.splitlines()[0]
    assert first.startswith("failed   database: there is no database at")
    assert "warning  relay: none: mails become files in outbox" in result.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["listing.json"]


@pytest.mark.usefixtures("readers")
def test_the_doctor_misses_whoever_decides_and_sends() -> None:
    with closing(sqlite3.connect("paper-digest.db")) as database:
        database.execute("UPDATE subscriber SET next_due = next_due - 30 * 86400 * 1000000")
        database.commit()
    said = call("doctor").stdout
    assert "warning  sending: 20 readers are due, the first since " in said
    assert "Does cron or `paper-digest serve` run? `paper-digest run` does it now." in said


def test_the_doctor_upgrades_nothing(readers: Path) -> None:
    with closing(sqlite3.connect("paper-digest.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '0009'")
        database.commit()
    result = call("doctor")
    assert result.exit_code == 1
    assert f"database: the database is at revision 0009, and this version wants {HEAD}" in (
        result.stdout
    )
    assert "relay: none" in result.stdout
    with closing(sqlite3.connect(readers / "paper-digest.db")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == ("0009",)


class Terminal:
    """A real one, of eighty columns."""

    def __enter__(self) -> Self:
        self._ours, theirs = os.openpty()
        self.stream = os.fdopen(theirs, "w")
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        os.close(self._ours)

    def shown(self) -> list[str]:
        """The lines on it, without colours."""
        self.stream.write("\0")  # what was written arrives in pieces; this is the last
        self.stream.flush()
        said = b""
        while not said.endswith(b"\0"):
            said += os.read(self._ours, 100_000)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", said[:-1].decode())
        return [line.rstrip() for line in plain.splitlines()]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    with Terminal() as terminal:
        yield terminal


def test_a_remark_stands_below_its_row_where_there_is_no_room(narrow: Terminal) -> None:
    said = "no answer to the final dot: the relay closed the connection before it said a word"
    rows = [("2026-11-20 07:00", "ada@example.org", "3", (said, "and once more"))]
    table(("when (Europe/Paris)", "reader", "papers", "said"), rows, right=("papers",),
          remark=True, stream=narrow.stream)  # fmt: skip
    assert narrow.shown() == [
        "when",
        "(Europe/Paris)    reader           papers",
        "2026-11-20 07:00  ada@example.org       3",
        "    no answer to the final dot: the relay closed the connection before it said a",
        "    word",
        "      and once more",
    ]


def test_a_remark_stands_beside_its_row_where_there_is_room(narrow: Terminal) -> None:
    table(
        ("reader", "said"), [("ada@example.org", "250 queued")], remark=True, stream=narrow.stream
    )
    assert narrow.shown() == ["reader           said", "ada@example.org  250 queued"]


def test_a_name_of_two_hundred_characters_gives_way(narrow: Terminal) -> None:
    rows = [("2026-11-20 07:00", "a" * 200, "x"), ("2026-11-20 07:00", "b", "y" * 90)]
    table(("when", "reader", "said"), rows, remark=True, stream=narrow.stream)
    lines = narrow.shown()
    assert max(map(len, lines)) == 80
    assert sum(line.count("a") for line in lines) == 201
