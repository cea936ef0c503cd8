"""Signing up: one way in for the form and for programs, and the same words whatever happens.

Nobody learns from an answer, or from how long it takes, whether an address is known here: the
answer is given first, and what is then done is done by one thread of its own. What comes of it
is a mail or nothing.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import time, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from digest.errors import AddressError, Conflict, NotFound, PaperDigestError
from digest.notices import Notice, post
from digest.web.limits import SIGN_UP, Limits, sign_up_keys
from digest.web.preferences import MAX_QUERY, Mistake, mistakes, whole, zones
from digest.web.stamps import Stamps
from subscribers.profile import Profile
from subscribers.subscriber import Cadence, Schedule, Status, Subscriber, normalize_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from digest.app import App
    from digest.web.pages import Form

_log = logging.getLogger(__name__)
HOURS: Final = 24
PENDING_KEPT: Final = timedelta(days=30)
"""An address that never confirmed is forgotten after that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-up as it was filled in; `problem` is about the address, `mistakes` the keywords."""

    text: str = ""
    address: str = ""
    cadence: Cadence = Cadence.WEEKDAYS
    hour: int = 7
    zone: str = "UTC"
    problem: str = ""
    mistakes: tuple[Mistake, ...] = ()

    def reader(self, list_name: str, came_from: str, language: str) -> Subscriber:
        """The reader this would make."""
        schedule = Schedule(self.cadence, time(self.hour), self.zone)
        return Subscriber(
            self.address,
            profiles=(Profile(self.text),),
            schedule=schedule,
            list_name=list_name,
            came_from=came_from,
            language=language,
        )


def read(form: Form, *, zone: str) -> Asked:
    """Read a sign-up; `zone` is the installation's, for a form that names none we know."""
    text = form["q"][:MAX_QUERY].strip()
    hour = whole(form["hour"])
    asked = Asked(
        text=text,
        address=form["email"].strip()[:320],
        cadence=_cadence(form["cadence"]),
        hour=hour if 0 <= hour < HOURS else 7,
        zone=form["zone"] if form["zone"] in zones() else zone,
        mistakes=mistakes(text),
    )
    try:
        return replace(asked, address=normalize_address(asked.address))
    except AddressError as error:
        return replace(asked, problem=f"{error}.")


def unread(form: Form) -> Refusal | None:
    """What of a program's sign-up is not to be read; a page offers nothing else than we know."""
    if form["cadence"] and form["cadence"] not in set(Cadence):
        return Refusal(f"cadence is one of {', '.join(Cadence)}.")
    if form["hour"] and not 0 <= whole(form["hour"]) < HOURS:
        return Refusal("hour is a number from 0 to 23.")
    if form["zone"] and form["zone"] not in zones():
        return Refusal("zone is a name of the IANA database, as in Europe/Paris.")
    return None


def _cadence(value: str) -> Cadence:
    try:
        return Cadence(value)
    except ValueError:
        return Cadence.WEEKDAYS


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a sign-up is not taken, in a sentence for whoever filled in the form."""

    sentence: str
    status: int = 422


AGAIN: Final = Refusal("That was very quick, or this page is from yesterday. Press it once more.")
MANY: Final = Refusal(
    "Many have just signed up from where you are, or at that provider. Try again in an hour.", 429
)


class Desk:
    """Takes sign-ups, and requests for a link, of one installation.

    Taking one looks at nothing that is stored. One thread does what follows, in order;
    `settled` waits for it.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._limits = Limits(SIGN_UP)
        self.stamps = Stamps(app.settings.secret_keys)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sign-up")

    @property
    def is_open(self) -> bool:
        """Whether anybody can sign up on the page; never where links cannot be made."""
        kind = self._app.settings.signup.partition(":")[0]
        return bool(self._app.settings.public_url) and kind in {"open", "domains"}

    @property
    def domains(self) -> tuple[str, ...]:
        """The only domains addresses may be of; empty for any."""
        kind, _, names = self._app.settings.signup.partition(":")
        return tuple(names.split(",")) if kind == "domains" else ()

    def sign_up(self, asked: Asked, form: Form, client: str) -> Refusal | None:
        """Take a sign-up; None when it is taken, which says nothing about what comes of it."""
        if not self.is_open:
            return Refusal("Nobody can sign up here at the moment.", 403)
        if asked.problem:
            return Refusal(asked.problem)
        if asked.mistakes:
            return Refusal(f"Line {asked.mistakes[0].line} of your keywords needs mending first.")
        if not _is_within(asked.address, self.domains):
            return Refusal(f"Only addresses at {named(self.domains)} can sign up here.", 403)
        return self._take(asked.address, form, client, lambda: enrol(self._app, asked))

    def send_link(self, address: str, form: Form, client: str) -> Refusal | None:
        """Take a request for the link to one's settings; None when it is taken."""
        try:
            known = normalize_address(address)
        except AddressError as error:
            return Refusal(f"{error}.")
        return self._take(known, form, client, lambda: remind(self._app, known))

    def move(self, reader: Subscriber, address: str, client: str) -> Refusal | None:
        """Take a reader's wish to be written to elsewhere; None when it is taken."""
        try:
            new = normalize_address(address)
        except AddressError as error:
            return Refusal(f"{error}.")
        if not _is_within(new, self.domains):
            return Refusal(f"Only addresses at {named(self.domains)} can read here.", 403)
        refused = self._limits.refuses(sign_up_keys(client, new), self._app.clock())
        if refused and refused != "address":
            return MANY
        if not refused:
            self._thread.submit(_quietly, lambda: ask_new_address(self._app, reader, new))
        return None

    def settled(self) -> None:
        """Wait until everything that was taken is done."""
        self._thread.submit(lambda: None).result()

    def _take(
        self, address: str, form: Form, client: str, work: Callable[[], None]
    ) -> Refusal | None:
        now = self._app.clock()
        if form["website"]:  # nobody sees this field; what fills it in is no person
            return None
        if not self.stamps.takes(form["stamp"], now):
            return AGAIN
        refused = self._limits.refuses(sign_up_keys(client, address), now)
        if refused == "address":  # told like everything else that is about one address
            return None
        if refused:
            _log.warning("sign-up refused limit=%s", refused)
            return MANY
        self._thread.submit(_quietly, work)
        return None


def _quietly(work: Callable[[], None]) -> None:
    try:
        work()
    except PaperDigestError as error:
        _log.error("sign-up failed: %s", error)
    except Exception:  # noqa: BLE001 -- one that broke must not end all the others
        _log.exception("sign-up broke")


def _is_within(address: str, domains: tuple[str, ...]) -> bool:
    domain = address.rpartition("@")[2]
    return not domains or any(
        domain.endswith(one[1:]) if one.startswith("*.") else domain == one for one in domains
    )


def named(domains: Sequence[str]) -> str:
    """Domains in words: uni.example, or any part of dept.example."""
    return " or ".join(f"any part of {one[2:]}" if one.startswith("*.") else one for one in domains)


def enrol(app: App, asked: Asked) -> None:
    """Do what a sign-up wants: a mail to confirm, or one with a link for who is here already."""
    now, subscribers = app.clock(), app.store.subscribers
    subscribers.forget_pending(now - PENDING_KEPT)
    public = urlsplit(app.settings.public_url)
    settings, place = app.settings, f"{public.netloc}{public.path}"
    wanted = asked.reader(settings.list_name, place, settings.language)
    try:
        known = subscribers.by_address(asked.address, app.settings.list_name)
    except NotFound:
        try:
            known = subscribers.add(wanted, now)
        except Conflict:  # in another process, this very moment
            return
    else:
        known = subscribers.change(known.number, lambda before: _asked_again(before, wanted, now))
    post(app, known, Notice.CONFIRM if known.status is Status.PENDING else Notice.ALREADY)


def _asked_again(before: Subscriber, wanted: Subscriber, now: datetime) -> Subscriber:
    """A known reader after signing up again: nothing changes for who reads already.

    Who never confirmed gets the newest wishes; who left begins anew, and is asked to confirm.
    """
    if before.status in {Status.ACTIVE, Status.PAUSED}:
        return before
    return replace(
        wanted, number=before.number, public_id=before.public_id, created_at=now,
        last_day=before.last_day,
    )  # fmt: skip


def remind(app: App, address: str) -> None:
    """Send a reader the link to all settings; somebody who is none gets nothing."""
    try:
        reader = app.store.subscribers.by_address(address, app.settings.list_name)
    except NotFound:
        return
    if reader.status is Status.PENDING:
        post(app, reader, Notice.CONFIRM)
    elif reader.status is not Status.UNSUBSCRIBED:
        post(app, reader, Notice.LINK)


def ask_new_address(app: App, reader: Subscriber, address: str) -> None:
    """Ask at a new address whether it is the reader's; nobody is asked who reads already."""
    if app.store.suppressions.among([address]):
        return
    try:
        app.store.subscribers.by_address(address, reader.list_name)
    except NotFound:
        post(app, reader, Notice.MOVE, new_address=address)
