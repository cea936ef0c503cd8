"""Feedback: what a reader said of a paper, from a link in a mail."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Verdict(StrEnum):
    """What a reader can say of a paper."""

    SAVE = "save"
    NOT_FOR_ME = "not_for_me"


@dataclass(frozen=True, slots=True)
class Feedback:
    """One reader's word on one paper, the newest; `at` is UTC.

    `subscriber` and `paper` are the store's numbers; `delivery` is that of the mail it was said
    from, None when that is not kept any more.
    """

    subscriber: int
    paper: int
    verdict: Verdict
    at: datetime
    delivery: int | None = None
