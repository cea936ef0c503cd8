"""The demo: the whole way once, on this machine alone, and nothing twice."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import smtplib
import socket
import subprocess
import sys
import urllib.request
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from typer.testing import CliRunner

from digest.cli import app
from digest.demo import FIGURES, Mailbox

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
READERS: Final = ("ada", "bo", "chidi", "dana", "emre")


def demo(folder: Path) -> str:
    result = CliRunner().invoke(app, ["demo", "--dir", str(folder)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What a first run leaves and says, its output being no terminal."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, demo(folder)


def rows(said: str) -> dict[str, tuple[str, ...]]:
    lines = [re.split(r"\s{2,}", line) for line in said.splitlines()]
    return {line[0]: tuple(line[1:]) for line in lines if line[0] in READERS}


def test_it_says_what_was_drawn(first: tuple[Path, str]) -> None:
    _, said = first
    assert "Nothing leaves this machine; the papers are invented." in said
    assert "Listing    60 papers from 3 sources (1 of them incomplete)  60/60" in said
    assert "Matching   5 readers, 4 with something new  5/5" in said
    assert re.search(r"Sending    to a mailbox on 127\.0\.0\.1:\d+  4/4", said)
    assert rows(said) == {
        "ada": ("mixture of experts; unlearning -image", "6", "6", "250 accepted"),
        "bo": ("agents (titles only, weekly)", "23", "10", "250 accepted"),
        "chidi": ('author:"Ines Harrow"; upvotes>20', "3", "3", "250 accepted"),
        "dana": ("(no keywords: top ten)", "60", "10", "250 accepted"),
        "emre": ("zebrafish", "0", "–", "no mail: nothing matched, 60 looked at"),
    }


def test_the_mails_lie_in_a_folder_as_messages_and_as_pages(first: tuple[Path, str]) -> None:
    folder, said = first
    assert str(folder / "mails") in said
    for name in ("ada", "bo", "chidi", "dana"):
        page = (folder / "mails" / f"{name}.html").read_text(encoding="utf-8")
        assert FIGURES not in page, "nothing is fetched when it is looked at"
        raw = (folder / "mails" / f"{name}.eml").read_bytes()
        message = BytesParser(policy=policy.default).parsebytes(raw)
        assert message["to"] == f"{name}@example.org"
        assert message.get_body(("plain",)) is not None
    assert not (folder / "mails" / "emre.eml").exists()


def test_a_second_run_sends_nothing_twice_and_says_so(tmp_path: Path) -> None:
    demo(tmp_path)
    kept = {path: path.read_bytes() for path in (tmp_path / "mails").glob("*.*")}
    said = demo(tmp_path)
    assert "60 papers from 3 sources" in said
    assert "nothing to send" in said
    assert {row[3] for name, row in rows(said).items() if name != "emre"} == {
        "no mail: nothing new since the last one"
    }
    assert {path: path.read_bytes() for path in (tmp_path / "mails").glob("*.*")} == kept


def test_settings_of_the_environment_do_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SMTP_URL", "smtp://relay.invalid")
    monkeypatch.setenv("DIGEST_NONSENSE", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("DIGEST_SOURCES=nonsense here\n", encoding="utf-8")
    assert "4/4" in demo(tmp_path / "demo")


@pytest.fixture
def taken() -> Iterator[socket.socket | None]:
    """The usual port of the page in somebody else's hands, if it was free."""
    try:
        with socket.create_server(("127.0.0.1", 8025)) as listening:
            yield listening
    except OSError:
        yield None  # it is taken already, which is all the test needs


@pytest.mark.slow
def test_on_a_terminal_it_draws_bars_and_shows_a_page_until_ctrl_c(
    tmp_path: Path, taken: socket.socket | None
) -> None:
    del taken
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "110", "TERM": "xterm"}
    program = subprocess.Popen(
        [sys.executable, "-m", "digest", "demo", "--dir", "demo"],
        cwd=tmp_path,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        said = read_until(ours, b"nothing is sent twice.")
        assert "━" in said
        assert "4/4" in said
        told = re.sub(r"\r", "", said)
        assert re.search(r"^Mails +demo/mails/ +each as \.html", told, re.MULTILINE)
        places = re.findall(r"^(?:Look|Join|Mails|Next) +\S+(?: init)? +", told, re.MULTILINE)
        assert [len(place) for place in places] == [len(places[0])] * 4, "what is there is aligned"
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found is not None
        assert found[1] != "8025", "another port, because that one is taken"
        with urllib.request.urlopen(found[0], timeout=20) as page:
            text = page.read().decode()
        assert all(name.capitalize() in text for name in READERS)
        mail = (tmp_path / "demo" / "mails" / "ada.html").read_text(encoding="utf-8")
        leave = re.search(rf"{re.escape(found[0])}/reader/u/[\w-]+", mail)
        assert leave is not None, "its links lead to pages that are there while the demo runs"
        with urllib.request.urlopen(leave[0], timeout=20) as page:
            assert "Unsubscribe" in page.read().decode()
        program.send_signal(signal.SIGINT)
        assert program.wait(20) == 0
    finally:
        program.kill()
        program.wait()
        os.close(ours)


def read_until(terminal: int, word: bytes) -> str:
    said = b""
    while word not in said:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, said.decode()
        said += os.read(terminal, 65536)
    return said.decode()


def test_the_mailbox_keeps_every_mail_under_a_name_of_its_own(tmp_path: Path) -> None:
    message = EmailMessage()
    message["Subject"] = "Hello"
    message.set_content("plain")
    message.add_alternative(f'<img src="{FIGURES}a.png">é', subtype="html")
    with (
        Mailbox(tmp_path) as mailbox,
        smtplib.SMTP("127.0.0.1", mailbox.port, local_hostname="localhost") as client,
    ):
        for recipient in ("ada@example.org", "ada@example.org", "../up@example.org"):
            client.sendmail("digest@example.org", [recipient], message.as_bytes())
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["___up.eml", "___up.html", "ada-2.eml", "ada-2.html", "ada.eml", "ada.html"]
    assert (tmp_path / "ada.html").read_text(encoding="utf-8").strip() == (
        '<img src="figures/a.png">é'
    )
