"""The preview page: any reader's mail, or a text's as it is typed. It never writes.

It shows readers' addresses, so it is served on this machine's loopback, under its names only.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from digest.news import consider
from digest.preview import Preview, latest, matched, preview
from digest.render import BUDGET, templates_dir
from digest.selection import Selection
from digest.web import bare_app
from digest.web.guard import MAIL_POLICY, Guard
from digest.web.pages import PRIVATE, Pages, typed
from digest.web.preferences import LAYOUTS, MAX_QUERY, mistakes, repaired
from subscribers.profile import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp

    from digest.app import App
    from subscribers.subscriber import Subscriber

VIEWS: Final = {
    "desktop": "Desktop",
    "phone": "Phone",
    "dark": "Dark",
    "text": "Text",
    "source": "Source",
}
NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
FIGURES: Final = Path(__file__).parent.parent / "sample" / "figures"
SAMPLE_HOST: Final = "https://papers.example.org/figures/"
"""Where the sample says its figures are; they are on no server, so the page shows ours."""
_DARK: Final = "@media (prefers-color-scheme: dark)"


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
    """What is looked at: a reader (by public id) or a text, in which layout and view."""

    reader: str
    text: str
    layout: Layout | None
    view: str

    @property
    def key(self) -> str:
        """The query string that names it, without the view."""
        named = {"reader": self.reader} if self.reader else {"q": self.text}
        return urlencode({**named, "layout": self.layout or ""})


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
        view=view if view in VIEWS else "desktop",
    )


Looked = Annotated[Look, Depends(look)]


def create_preview_app(app: App, readers: Sequence[Subscriber] = ()) -> FastAPI:
    """The preview page of an installation: `readers` at the left, the first one shown at first."""
    pages = Pages(
        templates_dir(), base="", brand=app.settings.brand, overlay=app.settings.templates
    )
    web = bare_app(pages)
    web.mount("/figures", StaticFiles(directory=FIGURES))

    def seen(looked: Look) -> Preview:
        now = app.clock()
        if not looked.reader:
            return preview(app, looked.text, now=now, layout=looked.layout)
        reader = app.store.subscribers.by_public_id(looked.reader)
        return latest(app, reader, now=now, layout=looked.layout)

    @web.api_route("/", methods=["GET", "HEAD"])
    def page(request: Request, looked: Looked) -> HTMLResponse:
        if readers and not {"q", "reader"} & set(request.query_params):
            looked = Look(readers[0].public_id, "", looked.layout, looked.view)
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
            key=looked.key,
            readers=_listed(app, readers, looked.reader),
            shown=shown,
            size=round(shown.size / 1000),
            budget=BUDGET // 1000,
        )

    @web.api_route("/mail", methods=["GET", "HEAD"])
    def mail(looked: Looked) -> HTMLResponse:
        """The HTML part alone, in the colours asked for whatever the system's are."""
        scheme = "@media all" if looked.view == "dark" else "@media not all"
        html = seen(looked).rendered.html.replace(_DARK, scheme)
        # A link opens beside the frame: most sites refuse to be shown within it.
        html = html.replace("<head>", '<head><base target="_blank">', 1)
        html = html.replace(SAMPLE_HOST, "/figures/")
        return HTMLResponse(html, headers={**PRIVATE, "content-security-policy": MAIL_POLICY})

    web.add_middleware(Guard)
    web.add_middleware(TrustedHostMiddleware, allowed_hosts=list(NAMES))
    return web


def serve_preview(web: ASGIApp, listening: socket.socket) -> None:
    """Serve the page until Ctrl-C, where `listen` listens."""
    import uvicorn  # noqa: PLC0415 -- only what serves needs it

    config = uvicorn.Config(web, log_level="warning", lifespan="off", ws="none")
    uvicorn.Server(config).run(sockets=[listening])


def listen(port: int) -> socket.socket:
    """Listen on that port of 127.0.0.1, or on another one where it is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return socket.create_server(("127.0.0.1", 0))


def _listed(app: App, readers: Sequence[Subscriber], shown: str) -> list[Listed]:
    if not readers:
        return []
    considered = consider(app, readers, app.clock())
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
    for delivery in app.store.deliveries.history(reader.number, limit=10):
        if delivery.kind in {"digest", "welcome"}:
            made = Selection.unpack(delivery.selection)
            return f"{matched(made):,} matched, {len(made.picks)} in the mail"
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
