"""The command line starts fast, and what serves starts, answers, sends and ends well."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from digest.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
SECRET: Final = "0123456789abcdef0123456789abcdef"
HEAVY: Final = (
    "alembic", "apscheduler", "dotenv", "fastapi", "httpx", "jinja2", "mjml", "numpy",
    "rich", "sqlalchemy", "sqlmodel", "uvicorn",
)  # fmt: skip


def environment(**settings: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **settings}


def paper_digest(*words: str, cwd: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "digest", *words],
        cwd=cwd,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.mark.parametrize("words", [["--help"], ["run"]], ids=" ".join)
def test_help_and_a_run_with_nothing_due_import_nothing_heavy(
    words: list[str], tmp_path: Path
) -> None:
    paper_digest("subscribers", "add", "ada@example.org", cwd=tmp_path)
    program = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('heavy:', *[m for m in {HEAVY!r} if m in sys.modules]))\n"
        f"sys.argv[1:] = {words!r}\n"
        "from digest.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "heavy:", done.stdout


def test_who_makes_and_sends_messages_loads_no_scipy() -> None:
    """A third of a second of each press, and ten megabytes, for what only matching needs."""
    program = (
        "import sys, digest.delivery, digest.fragments, digest.letters, digest.press, digest.run\n"
        "print([name for name in ('scipy', 'fastapi', 'httpx') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """A `serve` at work, with one reader whose hour came while nothing was running."""
    settings = {
        "DIGEST_SOURCES": f"file:{ROOT / 'digest' / 'sample'}",
        "DIGEST_PUBLIC_URL": "http://127.0.0.1:9/digest",
        "DIGEST_SECRET_KEY": SECRET,
        "DIGEST_PORT": "0",
    }
    paper_digest("subscribers", "add", "ada@example.org", "-k", "unlearning", cwd=tmp_path)
    with open_store(f"sqlite:///{tmp_path / 'paper-digest.db'}") as store:
        (ada,) = store.subscribers.all()
        assert ada.created_at is not None
        store.subscribers.update(replace(ada, next_due=ada.created_at))
    program = subprocess.Popen(
        [sys.executable, "-m", "digest", "serve"],
        cwd=tmp_path,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    try:
        yield program, program.stdout.readline(), tmp_path
    finally:
        program.kill()
        program.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_makes_up_for_what_was_missed_answers_and_ends_well_on_a_signal(
    served: tuple[subprocess.Popen[str], str, Path], number: signal.Signals
) -> None:
    program, said, folder = served
    found = re.match(r"Paper Digest on (http://127\.0\.0\.1:\d+) for http", said)
    assert found is not None, said
    with urllib.request.urlopen(f"{found[1]}/digest/", timeout=30) as page:
        assert page.status == 200
    assert program.stderr is not None
    log = ""
    while "delivery settled" not in log:
        line = program.stderr.readline()
        assert line, log
        log += line
    assert "state=accepted" in log
    assert "ada@example.org" not in log, "a log names no address"
    (mail,) = (folder / "outbox").glob("*.eml")
    assert b"http://127.0.0.1:9/digest/u/" in mail.read_bytes().replace(b"=\r\n", b"")
    program.send_signal(number)
    out, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert out == "Ended; nothing was left half done.\n"
