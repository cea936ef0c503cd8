"""What a bounce means for an address: hard, soft or ours to mend; and when it is enough. Pure.

Enhanced status codes are RFC 3463 and its registry; where there is none the SMTP code and then
a few phrases decide, and what nobody can tell is soft.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from digest.bounces import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

HALF_LIFE: Final = timedelta(days=30)
ENOUGH: Final = 1.5
"""Two hard bounces on different days of a month, or nine soft ones in a row of weekdays."""
WEIGHTS: Final = {Kind.HARD: 1.0, Kind.SOFT: 0.2}

# Details of class 5 by enhanced code: the address itself; everything else permanent is below.
_NO_MAILBOX: Final = ("1.1", "1.2", "1.3", "1.6", "1.10", "2.1")
_NO_MAILBOX_PERHAPS: Final = ("1.0", "1.4", "1.9")
_OURS: Final = ("1.7", "1.8", "2.3", "3.4", "3.5", "3.6")
_NO_MAILBOX_SAID: Final = re.compile(
    r"user unknown|unknown user|no such (?:user|recipient|mailbox|address|person)"
    r"|(?:user|mailbox|recipient|address|account)(?: \S{1,80})? (?:is )?"
    r"(?:not found|unknown|does not exist|doesn'?t exist|not exist|disabled|inactive|invalid)"
    r"|does(?:n'?t| not) have an? \S{1,40} account|no mailbox here"
    r"|invalid (?:recipient|mailbox|address)"
    r"|5\.4\.1 recipient address rejected: access denied"  # Exchange Online for "nobody"
    r"|unrouteable address|host or domain name not found|domain not found",
    re.IGNORECASE,
)
_OURS_SAID: Final = re.compile(
    r"spam|blocked|block ?list|black ?list|reputation|dmarc|dkim|\bspf\b|policy|not authenticated"
    r"|unauthenticated|reverse dns|\bptr\b|rate limit|too many (?:messages|connections)",
    re.IGNORECASE,
)
_FULL_SAID: Final = re.compile(
    r"quota|mailbox (?:is )?full|over ?quota|full mailbox", re.IGNORECASE
)


def judge(enhanced: str, code: int | None = None, text: str = "", action: str = "failed") -> Kind:
    """What a failure says of the address.

    `enhanced` is "5.1.1" or "", `action` the field of RFC 3464 2.3.3.
    """
    kind, _, detail = enhanced.partition(".")
    passing = kind == "4" or (not kind and code is not None and code < 500)  # noqa: PLR2004 -- 4xx
    if action == "delayed":
        judged = Kind.DELAYED
    elif passing or detail == "2.2" or _FULL_SAID.search(text):
        judged = Kind.SOFT
    elif detail.startswith(("7.", "6.", "5.")) or detail in _OURS:
        judged = Kind.BLOCKED
    elif detail in _NO_MAILBOX:
        judged = Kind.HARD
    elif _OURS_SAID.search(text):
        judged = Kind.BLOCKED
    else:
        gone = detail in _NO_MAILBOX_PERHAPS or _NO_MAILBOX_SAID.search(text)
        judged = Kind.HARD if gone else Kind.SOFT
    return judged


def score(reports: Iterable[tuple[Kind, datetime]], now: datetime) -> float:
    """How bad an address has become, from what came back and when; halves every 30 days.

    Of one UTC day only the worst counts: a relay's bad hour is one event, not many.
    """
    worst: dict[date, tuple[float, datetime]] = {}
    for kind, at in reports:
        weight = WEIGHTS.get(kind, 0.0)
        if weight > worst.get(at.date(), (0.0, at))[0]:
            worst[at.date()] = (weight, at)
    ages = ((weight, max(timedelta(), now - at) / HALF_LIFE) for weight, at in worst.values())
    return math.fsum(weight * math.pow(0.5, age) for weight, age in ages)
