"""The environment a command runs in: the real one over a .env file in the working directory."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from digest.errors import Problem, SettingsError, StoreAbsent
from digest.settings import MASK, PREFIX, Settings, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.app import App

FILE: Final = Path(".env")


def settings(**changes: str) -> Settings:
    """The settings of this installation; `changes` are options of a command, over all else."""
    return load({**environment(), **changes})


def open_to_look() -> App:
    """This installation, for a command that only looks: where there is no database, an empty one.

    It is in memory, so looking leaves nothing behind.
    """
    from digest.app import open_app

    ours = settings()
    try:
        return open_app(ours, create=False)
    except StoreAbsent:
        return open_app(replace(ours, database_url="sqlite://"))


def environment(real: Mapping[str, str] = os.environ, file: Path = FILE) -> dict[str, str]:
    """Every DIGEST_ key that is set, in the environment or else in the file."""
    ours = {key: value for key, value in real.items() if key.startswith(PREFIX) and value.strip()}
    # A secret may stand in the one and be named by a file in the other: the real one wins.
    taken = {name for key in ours for name in (key, f"{key}_FILE", key.removesuffix("_FILE"))}
    kept = read_file(file) if file.is_file() else {}
    return {**{key: value for key, value in kept.items() if key not in taken}, **ours}


def read_file(file: Path) -> dict[str, str]:
    """What a .env file sets; raises SettingsError, naming every line that cannot be read."""
    from dotenv.parser import parse_stream

    try:
        with file.open(encoding="utf-8") as stream:
            bindings = list(parse_stream(stream))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SettingsError(
            [Problem(str(file), why, "make it a text file that can be read")]
        ) from error
    problems = [
        # The line may hold a secret, so it is named and not shown.
        Problem(
            f"{file}, line {binding.original.line}", MASK, "write KEY=value, or # and a comment"
        )
        for binding in bindings
        if binding.error
    ]
    if problems:
        raise SettingsError(problems)
    return {binding.key: binding.value or "" for binding in bindings if binding.key}
