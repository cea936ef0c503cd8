"""Settings in a file of KEY=value lines, laid under the real environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from digest.cli.environment import environment, read_file
from digest.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


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
    assert "line 2 is '***': write KEY=value" in str(caught.value)
    assert "unseen" not in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="it is not UTF-8 text"):
        read_file(file)
