"""Signing up: one way in for the form and for programs, and the same words whatever happens.

Nobody learns from an answer, or from how long it takes, whether an address is known: the
answer is given before the address is looked up. What then happens is a mail or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING, Final

from digest.errors import AddressError
from digest.web.preferences import MAX_QUERY, mistakes, zones
from subscribers.profile import Profile
from subscribers.subscriber import Cadence, Schedule, Subscriber, normalize_address

if TYPE_CHECKING:
    from digest.web.pages import Form

LINK_LASTS: Final = timedelta(hours=1)
CONFIRM_LASTS: Final = timedelta(days=7)
QUICKEST: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-up form as it was filled in; `problem` says what keeps it from being sent."""

    text: str
    address: str
    cadence: Cadence
    hour: int
    zone: str
    problem: str = ""

    @property
    def reader(self) -> Subscriber:
        """The reader this would make."""
        schedule = Schedule(cadence=self.cadence, at=time(self.hour), zone=self.zone)
        return Subscriber(self.address, profiles=(Profile(self.text),), schedule=schedule)


def asked(form: Form, *, zone: str) -> Asked:
    """Read a sign-up form; `zone` is the installation's, for a form that names none."""
    text = form["q"][:MAX_QUERY].strip()
    try:
        cadence = Cadence(form["cadence"] or Cadence.WEEKDAYS)
    except ValueError:
        cadence = Cadence.WEEKDAYS
    hour = int(form["hour"]) if form["hour"].isdecimal() and int(form["hour"]) < 24 else 7  # noqa: PLR2004
    named = form["zone"] if form["zone"] in zones() else zone
    problem = ""
    address = form["email"].strip()[:320]
    try:
        address = normalize_address(address)
    except AddressError as error:
        problem = str(error)
    if wrong := mistakes(text):
        problem = problem or f"Line {wrong[0].line} of your keywords needs mending first."
    return Asked(text, address, cadence, hour, named, problem)
