"""The installation that the tests of pages and mails are about; it writes files instead of mail."""

from __future__ import annotations

import re
from contextlib import contextmanager
from email import policy
from email.parser import BytesParser
from typing import TYPE_CHECKING, Any, Final

from digest.app import App
from digest.demo import SAMPLE
from digest.ingest import ingest
from digest.settings import Settings
from digest.store import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
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


@contextmanager
def with_sample(folder: Path, clock: Callable[[], datetime], *names: str) -> Iterator[App]:
    """It with the sample listings of these names read in."""
    settings = settings_in(folder, sources=tuple(f"file:{SAMPLE}/{name}.json" for name in names))
    with open_store(settings.database_url) as store:
        app = App(settings, store, clock)
        ingest(app)
        yield app


def link_to(address: str, folder: Path) -> str:
    """The path of the first link in the only mail to this address that lies in `folder`/out."""
    parser = BytesParser(policy=policy.default)
    mails = [parser.parsebytes(file.read_bytes()) for file in (folder / "out").glob("*.eml")]
    (mail,) = [one for one in mails if one["To"] == address]
    part = mail.get_body(("plain",))
    assert part
    found = re.search(r"https://uni\.example(/digest/\w/\S+)", part.get_content())
    assert found
    return found[1]
