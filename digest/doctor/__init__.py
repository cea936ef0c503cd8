"""`paper-digest doctor`: what could keep digests from being made, sent, taken and left. Looks only.

Each examination says one finding or several; none raises, and none outlasts its time.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from digest.errors import PaperDigestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECONDS: Final = 25.0
"""How long one examination may take; those that wait for others run side by side."""


class Health(StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    """It works; somebody will not get their mail, or could, or it cannot be seen from here."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it is, what was seen, and what to do unless it is ok."""

    topic: str
    health: Health
    seen: str
    advice: str = ""


def ok(topic: str, seen: str) -> Finding:
    """It is as it should be."""
    return Finding(topic, Health.OK, _line(seen))


def warning(topic: str, seen: str, advice: str) -> Finding:
    """It works, but."""
    return Finding(topic, Health.WARNING, _line(seen), advice)


def failed(topic: str, seen: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(topic, Health.FAILED, _line(seen), advice)


def _line(text: str) -> str:
    """One printable line: much of what is seen was written by strangers."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


Examination = tuple[str, "Callable[[], Sequence[Finding]]"]
"""A topic, and what looks at it."""


def examine(
    examinations: Sequence[Examination], *, seconds: float = SECONDS
) -> Iterator[Sequence[Finding]]:
    """The findings of each examination, in order, all of them begun at once.

    One that takes longer is reported as failed and left behind.
    """
    under_way = [_Running(topic, look) for topic, look in examinations]
    for running in under_way:
        yield running.findings(seconds)


class _Running:
    """An examination in a thread that does not keep the program from ending."""

    def __init__(self, topic: str, look: Callable[[], Sequence[Finding]]) -> None:
        self._topic = topic
        self._look = look
        self._found: Sequence[Finding] = ()
        self._thread = threading.Thread(target=self._run, name=f"doctor {topic}", daemon=True)
        self._thread.start()

    def findings(self, seconds: float) -> Sequence[Finding]:
        """What was found, once it is there, or that it took too long."""
        self._thread.join(seconds)
        if self._thread.is_alive():
            said = f"no answer within {seconds:.0f} seconds"
            return (failed(self._topic, said, "Something between here and there drops packets."),)
        return self._found

    def _run(self) -> None:
        try:
            self._found = tuple(self._look())
        except PaperDigestError as error:
            self._found = (failed(self._topic, str(error), ""),)
        except Exception as error:  # noqa: BLE001 -- a patient that breaks the doctor is ill
            said = f"the examination broke: {type(error).__name__}: {error}"
            self._found = (failed(self._topic, said, "Tell us, please: that is our mistake."),)
