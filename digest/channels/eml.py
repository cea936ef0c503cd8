"""Mails as files: NAME.eml in a folder, where no relay is configured."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from digest.channels import Outcome, Outgoing, Reply, Stage
from digest.errors import RelayUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable


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
    usable = True
    relay = "eml"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(
        self,
        outgoing: Outgoing,
        *,
        intent: Callable[[], None],
        following: Callable[[], Outgoing | None],
    ) -> Reply:
        """Write the file under another name, commit the intent, give it its name."""
        del following  # a file announces nothing
        found = re.search(rb"^Message-ID: <([\w-]{1,40})@", outgoing.message, re.MULTILINE)
        name = re.sub(r"[^\w.@+-]", "_", outgoing.to)[:100]
        last = self._folder / f"{name}-{found[1].decode() if found else 'mail'}.eml"
        partial = last.with_suffix(".part")
        try:
            with partial.open("wb") as file:
                file.write(outgoing.message)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return _not_written(error)
        intent()
        try:
            partial.replace(last)
        except OSError as error:
            return _not_written(error)
        return Reply(Outcome.ACCEPTED, text=str(last), relay="eml")

    def close(self) -> None:
        """Nothing is held."""


def _not_written(error: OSError) -> Reply:
    said = f"not written: {error.strerror}"
    return Reply(Outcome.DEFERRED, text=said, relay="eml", stage=Stage.DATA)
