"""`paper-digest init`: what it asks, what it tries, what it writes."""

from __future__ import annotations

import socketserver
import stat
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dotenv import dotenv_values
from typer.testing import CliRunner

from digest.cli import app
from digest.cli.environment import read_file
from digest.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PASSWORD = 'it\'s a "pass\\word" $HOME # really'
SENDER = "Paper Digest <digest@example.org>"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Relay(socketserver.ThreadingTCPServer):
    """A relay that greets, offers a login and answers it as told; one answer for each try."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = list(answers)
        super().__init__(("127.0.0.1", 0), Dialogue)

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class Dialogue(socketserver.StreamRequestHandler):
    server: Relay

    def handle(self) -> None:
        self.wfile.write(b"220 relay.example.org\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            if verb == b"EHLO":
                self.wfile.write(b"250-relay.example.org\r\n250 AUTH PLAIN\r\n")
            elif verb == b"AUTH":
                self.wfile.write(self.server.answers.pop(0) + b"\r\n")
            else:
                self.wfile.write(b"250 fine\r\n")


@contextmanager
def relay(*answers: bytes) -> Iterator[Relay]:
    with Relay(answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def init(*words: str, say: str = "", env: dict[str, str] | None = None) -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(app, ["init", *words], input=say, env=env)


def written() -> dict[str, str]:
    return read_file(Path(".env"))


def test_with_nothing_but_enter_mails_become_files() -> None:
    result = init(say="\n\n\n\n")
    assert result.exit_code == 0, result.output
    assert written()["DIGEST_SMTP_URL"] == "eml:outbox"
    assert len(written()["DIGEST_SECRET_KEY"]) == 64
    assert "mails will be files in outbox" in result.output
    assert "subscribers add" in result.output


def test_what_comes_next_can_be_typed_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = Path(sys.executable).with_name("paper-digest")
    monkeypatch.setenv("PATH", f"{beside.parent}")
    assert "\n  paper-digest ingest\n" in init(say="\n" * 4).output
    monkeypatch.setenv("PATH", f"{tmp_path}")
    assert f"\n  {beside} ingest\n" in init(say="\n" * 4).output


def test_what_it_writes_only_its_owner_can_read_and_every_reader_of_env_files_agrees() -> None:
    with relay(b"235 2.7.0 welcome") as server:
        say = f"{server.url}\n{SENDER}\ndigest\n{PASSWORD}\nhttps://example.org/digest\nEurope/Paris\n"
        result = init(say=say)
    assert result.exit_code == 0, result.output
    assert "The relay answers and the login works." in result.output
    assert PASSWORD not in result.output
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
    assert written() == dotenv_values(".env", interpolate=False)
    settings = load(written())
    assert settings.smtp_password == PASSWORD
    assert settings.public_url == "https://example.org/digest"
    assert settings.zone == "Europe/Paris"


def test_a_refused_login_becomes_advice_and_is_asked_again() -> None:
    with relay(b"535 5.7.8 Username and Password not accepted", b"235 2.7.0 welcome") as server:
        say = f"{server.url}\n{SENDER}\ndigest\nwrong\n\nUTC\ny\n\ndigest\nright\n"
        result = init(say=say)
    assert result.exit_code == 0, result.output
    assert "Username and Password not accepted" in result.output
    assert "an app password" in result.output
    assert written()["DIGEST_SMTP_PASSWORD"] == "right"


def test_a_wrong_answer_is_asked_again() -> None:
    result = init(say="gopher://relay\neml:mails\n\n\nUtopia\nUTC\n")
    assert "DIGEST_SMTP_URL is 'gopher://relay'" in result.output
    assert "DIGEST_ZONE is 'Utopia'" in result.output
    assert result.exit_code == 0, result.output
    assert written()["DIGEST_SMTP_URL"] == "eml:mails"


def test_without_questions_options_and_the_environment_are_enough() -> None:
    with relay(b"235 2.7.0 welcome") as server:
        result = init(
            *("--yes", "--from", SENDER, "--smtp-url", server.url, "--smtp-user", "digest"),
            env={"DIGEST_SMTP_PASSWORD": PASSWORD},
        )
    assert result.exit_code == 0, result.output
    assert written()["DIGEST_SMTP_PASSWORD"] == PASSWORD


def test_without_questions_a_relay_that_refuses_writes_nothing() -> None:
    with relay(b"535 5.7.8 no") as server:
        words = ("--yes", "--from", SENDER, "--smtp-url", server.url, "--smtp-user", "digest")
        result = init(*words, env={"DIGEST_SMTP_PASSWORD": "wrong"})
    assert result.exit_code == 1
    assert "Name or password is wrong" in result.stderr
    assert not Path(".env").exists()


def test_without_questions_every_problem_is_told_at_once() -> None:
    result = init("--yes", "--smtp-url", "smtps://relay", "--public-url", "http://example.org")
    assert result.exit_code == 2
    assert "DIGEST_FROM is not set" in result.stderr
    assert "DIGEST_PUBLIC_URL is 'http://example.org'" in result.stderr
    assert not Path(".env").exists()


def test_no_test_means_no_connection() -> None:
    result = init("--yes", "--no-test", "--from", SENDER, "--smtp-url", "smtp://127.0.0.1:1")
    assert result.exit_code == 0, result.output


def test_asked_again_it_keeps_the_key_and_what_it_did_not_ask_for() -> None:
    Path(".env").write_text("# mine\nDIGEST_NOTE='Hello, you'\nOTHER=1\n", encoding="utf-8")
    assert init("--yes").exit_code == 1
    assert init(say="\n\n\n\n").exit_code == 0
    key = written()["DIGEST_SECRET_KEY"]
    assert written()["DIGEST_NOTE"] == "Hello, you"
    assert written()["OTHER"] == "1"
    assert Path(".env.old").read_text(encoding="utf-8").startswith("# mine")
    assert init(say="eml:mails\n\n\n\n").exit_code == 0
    assert written()["DIGEST_SECRET_KEY"] == key
    assert written()["DIGEST_SMTP_URL"] == "eml:mails"
