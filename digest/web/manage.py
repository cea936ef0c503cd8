"""The settings page behind the link in every mail.

A GET or HEAD never changes anything. A POST acts, because the token is the permission.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse  # noqa: TC002 -- FastAPI reads the annotation

from digest.errors import LinkError
from digest.notices import Notice, post
from digest.web import preferences
from digest.web.answer import answer
from digest.web.pages import Form, Pages, form
from digest.web.tokens import reader_of
from subscribers.library import read_library
from subscribers.links import Purpose
from subscribers.muting import muted_lines
from subscribers.profile import Profile
from subscribers.subscriber import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from digest.app import App
    from digest.web.months import Months
    from subscribers.subscriber import Subscriber

Posted = Annotated[Form, Depends(form)]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the settings page has to say beside the settings themselves."""

    edited: preferences.Edited | None = None
    undo: Mapping[str, str] = field(default_factory=dict)
    is_saved: bool = False
    is_undone: bool = False
    is_stale: bool = False
    is_answered: bool = False
    is_sent: bool = False
    has_left: bool = False
    pause_problem: str = ""
    library: str = ""
    is_wrong: bool = False


def manage_routes(app: App, pages: Pages, months: Months) -> APIRouter:
    """The route /m."""
    routes = APIRouter()

    @routes.api_route("/m/{token}", methods=["GET", "HEAD"])
    def settings(token: str) -> HTMLResponse:
        reader = reader_of(app, Purpose.MANAGE, token)
        return managing(reader, token, Shown(has_left=reader.status is Status.UNSUBSCRIBED))

    def managing(reader: Subscriber, token: str, shown: Shown) -> HTMLResponse:
        edited = shown.edited or preferences.Edited(
            reader, tuple(preferences.mistakes(profile.text) for profile in reader.profiles), ()
        )
        profiles = edited.reader.profiles
        month, names = months.ready(), app.thesaurus(edited.reader.synonyms)
        recent = month.recent if month else None
        muted = muted_lines(edited.reader.muted_words, edited.reader.muted_authors)
        answers = [
            answer(profile, recent, names, muted) if shown.is_answered else None
            for profile in profiles
        ]
        return pages.page(
            "manage.html",
            private=True,
            token=token,
            reader=edited.reader,
            profiles=tuple(zip(profiles, edited.mistakes, answers, strict=True)),
            fresh=Profile(),
            problems=edited.problems,
            shown=shown,
            state=preferences.state(reader),
            fingerprint=preferences.fingerprint(reader),
            feed=app.links.token(Purpose.FEED, reader.public_id),
            leave=app.links.token(Purpose.UNSUBSCRIBE, reader.public_id),
            today=reader.schedule.local_day(app.clock()),
            is_paused=reader.status is Status.PAUSED,
            library=len(app.store.libraries.of(reader.number)),
            preferences=preferences,
        )

    @routes.post("/m/{token}")
    def act(token: str, posted: Posted) -> HTMLResponse:
        """Save, undo, pause, show what a text would bring, or send the link to everything else."""
        reader = reader_of(app, Purpose.MANAGE, token)
        if reader.status is Status.UNSUBSCRIBED:
            raise LinkError(preferences.LEFT)
        match posted["do"]:
            case "pause" | "resume":
                reader, problem = pausing(app, reader, posted)
                return managing(reader, token, Shown(pause_problem=problem))
            case "library":
                return managing(reader, token, _entered(app, reader, posted))
            case "forget-library":
                app.store.libraries.clear(reader.number)
                return managing(reader, token, Shown(library="Your library is forgotten."))
            case "link":
                post(app, reader, Notice.LINK)
                return managing(reader, token, Shown(is_sent=True))
            case "show":
                edited = preferences.read(posted, reader, app.clock())
                return managing(reader, token, Shown(edited=edited, is_answered=True))
        return managing(*_saved(app, reader, token, posted))

    return routes


def pausing(app: App, reader: Subscriber, posted: Form) -> tuple[Subscriber, str]:
    """The reader after pausing or resuming as the form asks, or what is wrong with it."""
    now = app.clock()
    _, problem = preferences.paused(reader, posted, now)
    if problem:
        return reader, problem
    change = app.store.subscribers.change
    return change(reader.number, lambda one: preferences.paused(one, posted, now)[0]), ""


def _entered(app: App, reader: Subscriber, posted: Form) -> Shown:
    """Add the papers that were pasted to the reader's library."""
    try:
        entries = read_library(posted["papers"])
    except ValueError as error:
        return Shown(library=f"Too many at once: {error}.", is_wrong=True)
    if not entries:
        said = "No paper is named there. Paste BibTeX, or ids, links or titles, one per line."
        return Shown(library=said, is_wrong=True)
    app.store.libraries.add(reader.number, (name for one in entries for name in one.names))
    papers = "1 paper is" if len(entries) == 1 else f"{len(entries):,} papers are"
    return Shown(library=f"{papers} in your library now.")


def _saved(app: App, reader: Subscriber, token: str, posted: Form) -> tuple[Subscriber, str, Shown]:
    """Save what the form says; nothing is when it has mistakes or another window was quicker."""
    now = app.clock()
    edited, before = preferences.read(posted, reader, now), reader
    is_stale = False

    def saved(current: Subscriber) -> Subscriber:
        nonlocal edited, before, is_stale
        edited, before = preferences.read(posted, current, now), current
        is_stale = posted["seen"] != preferences.fingerprint(current)
        return current if is_stale or not edited.is_good else edited.reader

    after = app.store.subscribers.change(reader.number, saved)
    if is_stale or not edited.is_good:
        return after, token, Shown(edited=edited, is_stale=is_stale)
    is_undone = posted["do"] == "undo"
    undo = preferences.fields(before) if before != after and not is_undone else {}
    return after, token, Shown(undo=undo, is_saved=not is_undone, is_undone=is_undone)
