"""The installation that the tests of pages and mails are about; it writes files instead of mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from digest.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC: Final = "https://uni.example/digest"


def settings_in(folder: Path, **more: Any) -> Settings:  # noqa: ANN401 -- any settings
    """Its settings: the database and what is sent lie in `folder`; `more` are others."""
    return Settings(
        database_url=f"sqlite:///{folder}/papers.db",
        smtp_url=f"eml:{folder}/out",
        sender_name="Trent Valley Reading Group",
        sender_address="digest@example.org",
        contact="people@example.org",
        public_url=PUBLIC,
        secret_keys=(b"a key of this test",),
        **more,
    )
