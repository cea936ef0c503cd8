"""The command line: what it reads, what it says, and how it fails."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest

from digest.cli.environment import environment, read_file
from digest.cli.terminal import Steps, count, table
from digest.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_real_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "# a comment\nDIGEST_NOTE='from the file'\nDIGEST_BRAND=Kept\n"
        "DIGEST_SECRET_KEY_FILE=/run/key\nexport DIGEST_LIST=main\n",
        encoding="utf-8",
    )
    real = {"DIGEST_NOTE": "from outside", "DIGEST_SECRET_KEY": "k", "HOME": "/", "DIGEST_LIST": ""}
    assert environment(real, file) == {
        "DIGEST_NOTE": "from outside",
        "DIGEST_BRAND": "Kept",
        "DIGEST_SECRET_KEY": "k",
        "DIGEST_LIST": "main",
    }


def test_no_file_is_no_mistake(tmp_path: Path) -> None:
    assert environment({}, tmp_path / ".env") == {}


def test_a_line_that_cannot_be_read_is_named_and_not_shown(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DIGEST_NOTE=a\nDIGEST_SMTP_PASSWORD='unseen\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_file(file)
    assert "line 2 is '***': KEY=value" in str(caught.value)
    assert "unseen" not in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="it is not UTF-8 text"):
        read_file(file)


def test_steps_are_lines_where_there_is_no_terminal() -> None:
    out = StringIO()
    with Steps(out) as steps:
        step = steps.step("Listing", "asking")
        step.progress(1, 2)
        step.end("60 papers from 3 sources")
        steps.step("Sending").end("nothing")
    assert out.getvalue() == "Listing    60 papers from 3 sources  1/2\nSending    nothing\n"


def test_steps_are_bars_on_a_terminal() -> None:
    out = Terminal()
    with Steps(out) as steps:
        step = steps.step("Listing", "asking")
        step.progress(60, 60)
        step.end("60 [papers] from 3 sources")
    assert "60 [papers] from 3 sources" in out.getvalue()
    assert "━" in out.getvalue()
    assert "60/60" in out.getvalue()


def test_a_table_in_a_pipe_is_never_folded_and_shows_what_looks_like_markup() -> None:
    out = StringIO()
    table(("reader", "sent"), [("a" * 150, "[bold]10"), ("b", "9")], right=("sent",), stream=out)
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["reader", "sent"]
    assert lines[1] == "a" * 150 + "  [bold]10"
    assert lines[2].endswith(" 9")


def test_numbers_agree_with_their_nouns() -> None:
    assert [count(n, "paper") for n in (0, 1, 1200)] == ["0 papers", "1 paper", "1,200 papers"]
