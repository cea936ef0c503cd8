"""The front page: say what you want, see at once what it brings, sign up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse  # noqa: TC002 -- the same

from digest.web import preferences
from digest.web.answer import LATE_SAMPLE, answer, sample
from digest.web.limits import network_of
from digest.web.pages import Form, form, typed
from digest.web.signup import AGAIN, Asked, Refusal, read
from subscribers.muting import muted_lines
from subscribers.profile import MAX_INTERESTS, Profile
from subscribers.subscriber import MAX_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.app import App
    from digest.web.answer import Answer, Sample
    from digest.web.limits import Limits
    from digest.web.months import Month, Months
    from digest.web.pages import Pages
    from digest.web.signup import Desk

Posted = Annotated[Form, Depends(form)]
STARTERS: Final = ("agents", "retrieval", "protein design")
_BUSY: Final = "That is more questions a minute than anybody types. Wait a minute, please."


@dataclass(frozen=True, slots=True)
class Front:
    """The front page of an installation: everything it is made of."""

    app: App
    pages: Pages
    months: Months
    desk: Desk
    limits: Limits

    def answered(self, query: str) -> dict[str, Any]:
        """What a template wants to know of a keyword text."""
        if month := self.months.ready():
            found, shown = month.kept(query, lambda: self._answered(query, month))
        else:
            found, shown = answer(Profile(query), None), LATE_SAMPLE
        return {
            "query": query,
            "answer": found,
            "sample": shown,
            "key": urlencode({"q": found.good_text}),
        }

    def _answered(self, query: str, month: Month) -> tuple[Answer, Sample]:
        found = answer(Profile(query), month.recent, self.app.thesaurus())
        return found, sample(found.good_text, month.newest, self.app.clock())

    def interest(self, request: Request, profile: Profile, number: int) -> HTMLResponse:
        """The answer to one interest of the settings, beside other names and what is muted."""
        names = self.app.thesaurus(_typed(request, "synonyms").splitlines())
        mutes = (preferences.listed(_typed(request, f"muted_{of}")) for of in ("words", "authors"))
        month = self.months.ready()
        recent = month.recent if month else None
        found = answer(profile, recent, names, muted_lines(*mutes))
        return self.pages.page("interest.html", answer=found, field=number)

    def page(self, asked: Asked, refusal: Refusal | None = None, stamp: str = "") -> HTMLResponse:
        """The whole page, with what was typed into it so far, under a stamp that is still good."""
        app, desk = self.app, self.desk
        return self.pages.page(
            "front.html",
            status=refusal.status if refusal else 200,
            **self.answered(asked.text),
            asked=asked,
            refusal=refusal.sentence if refusal else "",
            starters=STARTERS,
            preferences=preferences,
            is_open=desk.is_open,
            domains=desk.domains,
            signup=app.settings.signup,
            stamp=stamp or desk.stamps.give(app.clock()),
            longest=MAX_ADDRESS,
            contact=app.settings.contact,
            run_by=_run_by(app, month.labels if (month := self.months.ready()) else ()),
        )

    def busy(self, request: Request) -> HTMLResponse | None:
        """The answer to who asks more than a person can type, or None."""
        key = ("network", network_of(client_of(request)))
        if not self.limits.refuses([key], self.app.clock()):
            return None
        return self.pages.page("said.html", status=429, title="Just a moment", text=_BUSY)


def front_routes(front: Front) -> APIRouter:
    """The routes / and /answer."""
    routes = APIRouter()
    zone = front.app.settings.zone

    @routes.api_route("/", methods=["GET", "HEAD"])
    def show(request: Request) -> HTMLResponse:
        """The front page; `q` is answered."""
        query = request.query_params.get("q", "")
        if query and (refused := front.busy(request)):
            return refused
        return front.page(Asked(text=typed(query[: preferences.MAX_QUERY]), zone=zone))

    @routes.api_route("/answer", methods=["GET", "HEAD"])
    def fragment(request: Request) -> HTMLResponse:
        """The answer alone, for the script of the page."""
        if refused := front.busy(request):
            return refused
        text = _typed(request, "q")
        number = preferences.whole(_typed(request, "field"))
        if 0 <= number < MAX_INTERESTS:
            plain = Profile(text)
            limit = preferences.limit_of(_typed(request, "limit"), plain.limit)
            return front.interest(request, replace(plain, limit=limit), number)
        return front.pages.page("answering.html", **front.answered(text), field=0)

    @routes.post("/")
    def sign_up(request: Request, posted: Posted) -> HTMLResponse:
        """Sign up; or, where no script does it, answer what was typed so far."""
        if refused := front.busy(request):
            return refused
        asked = read(posted, zone=zone)
        if posted["do"] != "join":
            return front.page(_edited(asked, posted))
        refusal = foreign(request) or front.desk.sign_up(asked, posted, client_of(request))
        if refusal:
            # Whoever mends the address at once has not been too quick for the page they mend.
            return front.page(asked, refusal, "" if refusal is AGAIN else posted["stamp"])
        return front.pages.page("inbox.html", private=True, address=asked.address, link=False)

    return routes


def _typed(request: Request, name: str) -> str:
    """A text that the script of a page sends."""
    return typed(request.query_params.get(name, "")[: preferences.MAX_QUERY])


def client_of(request: Request) -> str:
    """The visitor's address; a proxy's word on it counts where DIGEST_PROXIES names the proxy."""
    return request.client.host if request.client else ""


def foreign(request: Request) -> Refusal | None:
    """A form of another site that a visitor's browser was made to send."""
    if request.headers.get("sec-fetch-site") != "cross-site":
        return None
    return Refusal("That came from another site. Press it once more, on this page.", 403)


def _edited(asked: Asked, posted: Form) -> Asked:
    """The text after a button that works on it: a starter, or a repair of a line."""
    text = asked.text
    if starter := posted["add"]:
        text = "\n".join(filter(None, (text, starter)))
    if repair := posted["repair-0"]:
        text = preferences.repaired(text, repair)
    return replace(asked, text=text, address=posted["email"], problem="")


def _run_by(app: App, labels: Sequence[str]) -> str:
    place = f"Run by {app.settings.sender_name}"
    if not labels:
        return f"{place}."
    named = " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))
    return f"{place} from {named}."
