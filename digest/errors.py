"""Everything that can go wrong and is ours to say.

    PaperDigestError              one clear line that says what to do; `exit_code` for the shell
      + SettingsError             every problem of the configuration at once
      + QueryError                a mistake in a keyword text: line, column, repair
      + AddressError              an address nobody can be written to at
      + RosterError               a file that is no table of readers
      + NotFound                  no such reader, paper, delivery or template
      + Conflict                  it is there already, or somebody else is at it
      + SelectionError            what was frozen for a delivery cannot be read any more
      + LinkError                 a link that was tampered with, swapped or has ended
      + SourceError               a source could not be asked (an answer is a Fetch, not an error)
      + StoreError                the database
        - StoreUnavailable        cannot be opened, is locked or gone, the disk is full
            + StoreAbsent         there is none yet
        - StoreOlder              of an older version, and only to be looked at
        - StoreNewer              written by a newer version of the program
        - StoreRestored           a restored copy: sending would repeat what was already sent
      + RelayError                the mail relay
        - RelayUnreachable        no connection, no TLS, no answer: try again later
        - RelayRefused            it answered and will not have us: somebody must act
      + MailboxError              the mailbox of what comes back cannot be read
      + SigningError              a key mails cannot be signed with
      + TemplateError             a template that does not compile or render: file and line

Foreign exceptions become one of these in the module that calls the library.
Ours are caught in `run`, `workers`, `cli` and `web` only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


class PaperDigestError(Exception):
    """One clear line that says what went wrong and what to do about it."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting that is missing or wrong: its key, what it holds, what is to be done.

    `advice` is the end of the sentence that begins with the key: "set it to a port, as in 8000".
    `value` is shown to people, so the value of a secret must already be masked.
    """

    key: str
    value: str | None
    advice: str

    def __str__(self) -> str:
        """Say it in one line."""
        found = "is not set" if self.value is None else f"is {self.value!r}"
        return f"{self.key} {found}: {self.advice}"


class SettingsError(PaperDigestError):
    """Every problem of the configuration at once."""

    exit_code = 2

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class QueryError(PaperDigestError):
    """A mistake in a keyword text.

    `line` and `column` count from 1; `length` is how many characters to underline;
    `repairs` are whole replacements for that line, best first; an empty one leaves it out.
    """

    exit_code = 2

    def __init__(
        self,
        reason: str,
        *,
        line: int = 1,
        column: int = 1,
        length: int = 1,
        repairs: tuple[str, ...] = (),
    ) -> None:
        hint = f" Try: {repairs[0] or 'without this line'}" if repairs else ""
        super().__init__(f"line {line}, column {column}: {reason}{hint}")
        self.reason = reason
        self.line = line
        self.column = column
        self.length = length
        self.repairs = repairs


class AddressError(PaperDigestError):
    """An address nobody can be written to at."""

    exit_code = 2


class RosterError(PaperDigestError):
    """A file that is no table of readers, or is too large to be one."""

    exit_code = 2


class NotFound(PaperDigestError):
    """There is no such reader, paper, delivery or template."""


class Conflict(PaperDigestError):
    """It is there already, or somebody else is at it."""


class SelectionError(PaperDigestError):
    """What was frozen for a delivery cannot be read any more: its row is damaged."""


class LinkError(PaperDigestError):
    """A link that was tampered with, swapped or has ended."""


class SourceError(PaperDigestError):
    """A source could not be asked at all."""


class StoreError(PaperDigestError):
    """The database failed."""


class StoreUnavailable(StoreError):
    """The database cannot be opened, is locked or gone, or its disk is full."""


class StoreAbsent(StoreUnavailable):
    """There is no database yet."""


class StoreOlder(StoreError):
    """The database was written by an older version of the program, and must not be upgraded."""


class StoreNewer(StoreError):
    """The database was written by a newer version of the program."""


class StoreRestored(StoreError):
    """The database is older than what was already sent from it."""


class RelayError(PaperDigestError):
    """The mail relay failed."""


class RelayUnreachable(RelayError):
    """No connection, no TLS or no answer: it may work later."""


class RelayRefused(RelayError):
    """The relay answered and will not have us: somebody must act."""


class MailboxError(PaperDigestError):
    """The mailbox of what comes back cannot be read."""


class SigningError(PaperDigestError):
    """A key that mails cannot be signed with."""

    exit_code = 2


class TemplateError(PaperDigestError):
    """A template that does not compile or render; the message names file and line."""


def why(error: Exception) -> str:
    """What the system says of an error, in its words alone: "Connection refused"."""
    said = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error)
    return re.sub(r"^\[[^\]]*\]\s*| \(_ssl\.c:\d+\)$", "", said) or type(error).__name__
