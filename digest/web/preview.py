"""The preview page: any reader's mail, or a text's as it is typed. It never writes.

It shows readers' addresses, so it is served on this machine's loopback, under its names only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlencode
from zlib import crc32

from fastapi import Depends, FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from digest.errors import AddressError, Conflict, LinkError, RelayError
from digest.news import consider
from digest.preview import Preview, latest, made, matched, preview
from digest.render import BUDGET, templates_dir
from digest.selection import Selection
from digest.web import bare_app
from digest.web.guard import MAIL_POLICY, Guard
from digest.web.listening import listen
from digest.web.pages import PRIVATE, Form, Pages, form, typed
from digest.web.preferences import LAYOUTS, MAX_QUERY, mistakes, repaired
from subscribers.profile import Layout

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from starlette.types import ASGIApp

    from digest.app import App
    from subscribers.subscriber import Subscriber

VIEWS: Final = {
    "both": "Both",
    "desktop": "Desktop",
    "phone": "Phone",
    "dark": "Dark",
    "text": "Text",
    "headers": "Headers",
    "source": "Source",
}
FRAMES: Final = {"both": ("desktop", "phone")}
"""Views that show more than one frame; any other shows its own."""
LISTED: Final = 40
"""Readers at the left: what each gets is found out for every page."""
NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
FIGURES: Final = Path(__file__).parent.parent / "sample" / "figures"
SAMPLE_HOST: Final = "https://papers.example.org/figures/"
"""Where the sample says its figures are; they are on no server, so the page shows ours."""
_DARK: Final = re.compile(r"@media \(prefers-color-scheme: ?dark\)")


@dataclass(frozen=True, slots=True)
class Listed:
    """One reader in the list at the left."""

    public_id: str
    name: str
    asked_for: str
    outcome: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What is looked at: a reader (by public id) or a text, of which day, how."""

    reader: str
    text: str
    layout: Layout | None
    view: str
    day: date | None = None

    @property
    def key(self) -> str:
        """The query string that names it, without the view."""
        named = {"reader": self.reader} if self.reader else {"q": self.text}
        return urlencode({**named, "layout": self.layout or "", "date": self.day or ""})


def look(request: Request) -> Look:
    """Read what is looked at; what makes no sense is as if it were not there."""
    asked = request.query_params
    text = typed(asked.get("q", "")[:MAX_QUERY])
    if repair := asked.get("repair-0", ""):
        text = repaired(text, repair)
    layout, view = asked.get("layout", ""), asked.get("view", "")
    return Look(
        reader="" if "q" in asked else asked.get("reader", ""),
        text=text,
        layout=Layout(layout) if layout in set(Layout) else None,
        view=view if view in VIEWS else "both",
        day=_day(asked.get("date", "")),
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


Looked = Annotated[Look, Depends(look)]
Posted = Annotated[Form, Depends(form)]


def create_preview_app(  # noqa: C901 -- a function for each route
    app: App, readers: Sequence[Subscriber] = ()
) -> FastAPI:
    """The preview page of an installation: `readers` at the left, the first one shown at first."""
    pages = Pages(
        templates_dir(),
        base="",
        brand=app.settings.brand,
        overlay=app.settings.templates,
        settings=False,
    )
    web = bare_app(pages)
    web.mount("/figures", StaticFiles(directory=FIGURES))

    templates = _Watch(app)

    def seen(looked: Look) -> Preview:
        now = app.clock()
        templates.look()
        if not looked.reader:
            return preview(app, looked.text, now=now, layout=looked.layout, day=looked.day)
        reader = app.store.subscribers.by_public_id(looked.reader)
        if looked.day:
            return preview(app, reader, now=now, layout=looked.layout, day=looked.day)
        return latest(app, reader, now=now, layout=looked.layout)

    @web.api_route("/", methods=["GET", "HEAD"])
    def page(request: Request, looked: Looked) -> HTMLResponse:
        if readers and not {"q", "reader"} & set(request.query_params):
            looked = replace(looked, reader=readers[0].public_id, text="")
        shown = seen(looked)
        return pages.page(
            "preview.html",
            private=True,
            heading=_name(shown.reader) if looked.reader else "Your mail",
            query=looked.text,
            mistakes=mistakes(looked.text),
            layout=looked.layout or "",
            layouts=[(layout.value, words) for layout, words in LAYOUTS.items()],
            view=looked.view,
            views=VIEWS.items(),
            frames=FRAMES.get(looked.view, (looked.view,)),
            day=looked.day or "",
            stamp=templates.stamp,
            troubles=list(app.renderer.troubles.values()),
            contact=app.settings.contact,
            said=request.query_params.get("said", "")[:200],
            key=looked.key,
            readers=_listed(app, readers, looked.reader),
            more=max(0, len(readers) - LISTED),
            shown=shown,
            size=round(shown.size / 1000),
            budget=BUDGET // 1000,
        )

    @web.api_route("/mail", methods=["GET", "HEAD"])
    def mail(looked: Looked) -> HTMLResponse:
        """The HTML part alone, in the colours asked for whatever the system's are."""
        scheme = "@media all" if looked.view == "dark" else "@media not all"
        html = _DARK.sub(scheme, seen(looked).rendered.html)
        # A link opens beside the frame: most sites refuse to be shown within it.
        html = html.replace("<head>", '<head><base target="_blank">', 1)
        html = html.replace(SAMPLE_HOST, "/figures/")
        return HTMLResponse(html, headers={**PRIVATE, "content-security-policy": MAIL_POLICY})

    @web.api_route("/stamp", methods=["GET", "HEAD"])
    def stamp() -> PlainTextResponse:
        """Changes whenever a template file does: the page asks, and loads itself again."""
        templates.look()
        return PlainTextResponse(templates.stamp, headers=PRIVATE)

    @web.post("/send")
    def send(request: Request, looked: Looked, posted: Posted) -> RedirectResponse:
        """Send what is shown as a test mail to the address typed in; only from this page."""
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise LinkError("Another page asked for this mail, so it was not sent.")
        from digest.trial import send_test  # noqa: PLC0415 -- needed to send only

        try:
            reply = send_test(app, seen(looked), posted["to"])
            said = (
                f"{posted['to']}: {reply.outcome.value}, {reply.code or ''} {reply.text}".rstrip()
            )
        except (AddressError, RelayError) as error:
            said = f"not sent: {error}"
        query = f"{looked.key}&{urlencode({'view': looked.view, 'said': said})}"
        return RedirectResponse(f"/?{query}#send", status_code=303)

    web.add_middleware(Guard)
    web.add_middleware(TrustedHostMiddleware, allowed_hosts=list(NAMES))
    return web


class _Watch:
    """The files of the templates: when one of them changes, the mails are rendered from anew."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.stamp = self._now()

    def look(self) -> None:
        """Notice what was saved since the last look."""
        stamp = self._now()
        if stamp != self.stamp:
            self.stamp = stamp
            self._app.__dict__.pop("renderer", None)  # a cached property: made again when asked

    def _now(self) -> str:
        folders = [folder for folder in (self._app.settings.templates, templates_dir()) if folder]
        found = [
            f"{path.name}{path.stat().st_mtime_ns}"
            for folder in folders
            for path in sorted((folder / "email").glob("*"))
        ]
        return f"{crc32(' '.join(found).encode()):08x}"


def serve_preview(web: ASGIApp, listening: socket.socket) -> None:
    """Serve the page until Ctrl-C, where `listen_here` listens."""
    import uvicorn  # noqa: PLC0415 -- only what serves needs it

    config = uvicorn.Config(web, log_level="warning", lifespan="off", ws="none")
    uvicorn.Server(config).run(sockets=[listening])


def listen_here(port: int) -> socket.socket:
    """Listen on that port of 127.0.0.1, or on another one where it is taken."""
    try:
        return listen(NAMES[0], port)
    except Conflict:
        return listen(NAMES[0], 0)


def _some(readers: Sequence[Subscriber], shown: str) -> list[Subscriber]:
    """The first of the readers, and who is shown: to find out what thousands get takes seconds."""
    some = list(readers[:LISTED])
    if shown and all(one.public_id != shown for one in some):
        some[-1:] = [one for one in readers if one.public_id == shown]
    return some


def _listed(app: App, readers: Sequence[Subscriber], shown: str) -> list[Listed]:
    if not readers:
        return []
    considered = consider(app, _some(readers, shown), app.clock())
    return [
        Listed(
            public_id=one.reader.public_id,
            name=_name(one.reader),
            asked_for=_asked_for(one.reader),
            outcome=_outcome(app, one.reader, one.selection),
            is_shown=one.reader.public_id == shown,
        )
        for one in considered
    ]


def _outcome(app: App, reader: Subscriber, upcoming: Selection) -> str:
    """What the reader gets next, or got last where nothing is to come."""
    if upcoming.picks:
        return f"{matched(upcoming):,} matched, next mail holds {len(upcoming.picks)}"
    for delivery in made(app, reader):
        last = Selection.unpack(delivery.selection)
        return f"{matched(last):,} matched, {len(last.picks)} in the mail"
    return f"no mail: nothing matched, {upcoming.looked_at:,} looked at"


def _name(reader: Subscriber) -> str:
    return reader.name or reader.address.partition("@")[0]


def _asked_for(reader: Subscriber) -> str:
    texts = "; ".join(
        profile.name or "; ".join(profile.text.split("\n")) for profile in reader.profiles
    )
    aside: list[Any] = []
    if reader.layout is not Layout.FULL:
        aside.append(LAYOUTS[reader.layout].lower())
    if reader.schedule.cadence != "weekdays":
        aside.append(reader.schedule.cadence.value)
    return (texts or "(no keywords: top ten)") + (f" ({', '.join(aside)})" if aside else "")
