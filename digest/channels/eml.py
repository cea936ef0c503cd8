"""Mails as files: NAME.eml in a folder, where no relay is configured."""

from __future__ import annotations

import os
import re
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from digest.channels import Outcome, Outgoing, Pause, Reply, Stage
from digest.errors import RelayUnreachable

if TYPE_CHECKING:
    from digest.channels import Progress


class Folder:
    """A folder that mails are put into, one file each, never half written."""

    name = "eml"
    most_connections = 1

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
    """The dot of a file is its name: it is written under another, and renamed after the intent."""

    relay = "eml"
    announces = False
    is_writing = False
    deadline = inf

    def __init__(self, folder: Path) -> None:
        self.taken = 0
        self.closed = False
        self._folder = folder
        self._partial = self._last = folder

    @property
    def usable(self) -> bool:
        return not self.closed

    def fileno(self) -> int:
        return -1

    def begin(self, outgoing: Outgoing) -> Progress:
        """Write the file under another name."""
        found = re.search(rb"^Message-ID: <([\w-]{1,40})@", outgoing.message, re.MULTILINE)
        name = re.sub(r"[^\w.@+-]", "_", outgoing.to)[:100]
        self._last = self._folder / f"{name}-{found[1].decode() if found else 'mail'}.eml"
        self._partial = self._last.with_suffix(".part")
        try:
            with self._partial.open("wb") as file:
                file.write(outgoing.message)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return _not_written(error)
        return Pause.INTENT

    def finish(self, following: Outgoing | None) -> Progress:
        """Give the file its name."""
        del following  # a file announces nothing
        try:
            self._partial.replace(self._last)
        except OSError as error:
            return _not_written(error)
        self.taken += 1
        return Reply(Outcome.ACCEPTED, text=str(self._last), relay="eml")

    def move(self) -> Progress:
        """Nothing ever waits here."""
        return Pause.LINE

    def late(self) -> Progress:
        """Nor is anything late."""
        return Pause.LINE

    def quit(self) -> None:
        """Nothing is held."""
        self.closed = True

    def drop(self) -> None:
        """What was not given its name is no mail."""
        self.closed = True


def _not_written(error: OSError) -> Reply:
    said = f"not written: {error.strerror}"
    return Reply(Outcome.DEFERRED, text=said, relay="eml", stage=Stage.DATA)
