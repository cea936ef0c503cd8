"""Mails as files: NAME.eml in a folder, where no relay is configured."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from digest.channels import Outcome, Reply
from digest.errors import RelayUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable


class Folder:
    """A folder that mails are put into, one file each, never half written."""

    name = "eml"

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def open(self) -> _Open:
        """Make the folder; raises RelayUnreachable when that cannot be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RelayUnreachable(
                f"mails cannot be put into {self.folder} ({error.strerror}): set DIGEST_SMTP_URL"
            ) from error
        return _Open(self.folder)


class _Open:
    usable = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, *, sender: str, to: str, message: bytes, intent: Callable[[], None]) -> Reply:
        """Write the file under another name, commit the intent, give it its name."""
        del sender  # it stands in the message
        found = re.search(rb"^Message-ID: <([\w-]{1,40})@", message, re.MULTILINE)
        name = re.sub(r"[^\w.@+-]", "_", to)[:100]
        last = self._folder / f"{name}-{found[1].decode() if found else 'mail'}.eml"
        partial = last.with_suffix(".part")
        try:
            with partial.open("wb") as file:
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return Reply(Outcome.DEFERRED, text=f"not written: {error.strerror}", relay="eml")
        intent()
        try:
            partial.replace(last)
        except OSError as error:
            return Reply(Outcome.DEFERRED, text=f"not written: {error.strerror}", relay="eml")
        return Reply(Outcome.ACCEPTED, text=str(last), relay="eml")

    def close(self) -> None:
        """Nothing is held."""
