"""Everything about a reader, behind a fresh link from their own mailbox that ends in an hour.

Whoever holds one of a reader's mails can open the settings; only who reads the mailbox gets here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse, Response

from digest.errors import Conflict, LinkError, NotFound
from digest.learn import LEAST_SAVED
from digest.news import learned_of
from digest.notices import new_address
from digest.selection import nothing_at
from digest.web.front import client_of
from digest.web.pages import PRIVATE, Form, Pages, form
from digest.web.preferences import whole
from digest.web.takeout import EXPORTS, WITH_PAPERS, Saved, everything, picks_of
from digest.web.tokens import reader_of
from subscribers.feedback import Feedback, Verdict
from subscribers.links import Purpose

if TYPE_CHECKING:
    from datetime import datetime

    from digest.app import App
    from digest.papers import Paper
    from digest.store.deliveries import Delivery
    from digest.web.months import Months
    from digest.web.signup import Desk
    from subscribers.subscriber import Subscriber

Posted = Annotated[Form, Depends(form)]
HISTORY = 60
"""Mails that are listed; the JSON has all of them."""
_ALL = 10_000
LATELY = 1_500
"""Papers that what a reader saved is compared with, as far as the page tells of it."""
WEEK = timedelta(days=7)
TELLING = 12


@dataclass(frozen=True, slots=True)
class Mail:
    """A digest that went out, as the page lists it."""

    made_at: datetime
    papers: int
    state: str
    token: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """What was learned of a reader: words that count for more and for less, and from how many."""

    more: tuple[str, ...]
    less: tuple[str, ...]
    saved: int


def account_routes(app: App, pages: Pages, desk: Desk, months: Months) -> APIRouter:
    """The route /a."""
    routes = APIRouter()

    def account(reader: Subscriber, token: str, **more: Any) -> HTMLResponse:  # noqa: ANN401
        values = {
            "token": token,
            "reader": reader,
            "mails": _mails(app, reader),
            "saved": saved_papers(app, reader),
            "lesson": lesson(app, reader, months),
            "least": LEAST_SAVED,
            "exports": EXPORTS,
            "manage": app.links.token(Purpose.MANAGE, reader.public_id),
            "problem": "",
            "asked": "",
            "taken_back": 0,
            "is_leaving": False,
            **more,
        }
        return pages.page("account.html", private=True, **values)

    def forgotten(reader: Subscriber) -> HTMLResponse:
        app.store.subscribers.erase(reader, nothing_at(app.clock()).pack())
        text = "Nothing of you is kept here any more, and nothing will be sent."
        return pages.page("said.html", private=True, title="You are forgotten", text=text)

    @routes.api_route("/a/{token}", methods=["GET", "HEAD"])
    def show(token: str) -> HTMLResponse:
        return account(reader_of(app, Purpose.ACCOUNT, token), token)

    @routes.post("/a/{token}")
    def act(request: Request, token: str, posted: Posted) -> HTMLResponse:
        """Ask at a new address, take back a saved paper or save it again, delete everything."""
        reader = reader_of(app, Purpose.ACCOUNT, token)
        match posted["do"]:
            case "move":
                asked = posted["email"].strip()[:320]
                refusal = desk.move(reader, asked, client_of(request))
                said = {"problem": refusal.sentence} if refusal else {"asked": asked}
                return account(reader, token, **said)
            case "unsave" | "save":
                return account(reader, token, taken_back=_saved_or_not(app, reader, posted))
            case "learn" | "forget":
                is_on = posted["do"] == "learn"
                change = app.store.subscribers.change
                reader = change(reader.number, lambda one: replace(one, learning=is_on))
            case "delete":
                return account(reader, token, is_leaving=True)
            case "delete-everything":
                return forgotten(reader)
        return account(reader, token)

    return routes


def takeout_routes(app: App) -> APIRouter:
    """The routes /a/TOKEN/saved.KIND and /a/TOKEN/data.json."""
    routes = APIRouter()

    @routes.api_route("/a/{token}/saved.{kind}", methods=["GET", "HEAD"])
    def export(token: str, kind: str) -> Response:
        """The saved papers as a file."""
        reader = reader_of(app, Purpose.ACCOUNT, token)
        if kind not in EXPORTS:
            raise NotFound("Saved papers are there as saved.bib, .ris, .csv and .md.")
        made = EXPORTS[kind]
        return _file(made.write(saved_papers(app, reader)), made.media_type, f"saved.{kind}")

    @routes.api_route("/a/{token}/data.json", methods=["GET", "HEAD"])
    def data(token: str) -> Response:
        """Everything that is kept of the reader."""
        reader = reader_of(app, Purpose.ACCOUNT, token)
        said = app.store.feedback.of(reader.number)
        mails = app.store.deliveries.history(reader.number, _ALL)
        numbers = {one.paper for one in said} | {
            pick.paper for mail in mails for pick in picks_of(mail)
        }
        papers = app.store.papers.by_numbers(numbers)
        library = app.store.libraries.of(reader.number)
        whole = everything(reader, said, mails, papers, library)
        return _file(whole, "application/json", "data.json")

    return routes


def move_routes(app: App, pages: Pages) -> APIRouter:
    """The route /n."""
    routes = APIRouter()

    @routes.api_route("/n/{token}", methods=["GET", "HEAD"])
    def ask_new_address(token: str) -> HTMLResponse:
        reader, address = _moving(app, token)
        return pages.page("move.html", private=True, token=token, is_done=reader.address == address)

    @routes.post("/n/{token}")
    def move(token: str) -> HTMLResponse:
        """Write to the new address from now on; the link lies in its mailbox."""
        reader, address = _moving(app, token)
        try:
            app.store.subscribers.change(reader.number, lambda one: replace(one, address=address))
        except Conflict as error:
            raise LinkError("Somebody reads at this address already.") from error
        return pages.page("move.html", private=True, token=token, is_done=True)

    return routes


def lesson(app: App, reader: Subscriber, months: Months) -> Lesson | None:
    """What was learned of a reader so far, used or not; None while they saved too few papers."""
    if len(app.store.feedback.of(reader.number, Verdict.SAVE)) < LEAST_SAVED:
        return None
    papers = _lately(app, months)
    learned = learned_of(app, [replace(reader, learning=True)], papers).get(reader.number)
    if learned is None:
        return None
    weights = sorted(learned.weights, key=lambda one: -abs(one.thousandths))
    more = tuple(one.word for one in weights if one.thousandths > 0)[:TELLING]
    less = tuple(one.word for one in weights if one.thousandths < 0)[:TELLING]
    return Lesson(more, less, learned.saved)


def _lately(app: App, months: Months) -> list[Paper]:
    """The newest papers; read for the purpose where nobody has indexed them yet."""
    month, today = months.ready(), app.clock().date()
    papers = month.recent.papers if month else app.store.papers.between(today - WEEK, today)
    return sorted(papers, key=lambda paper: -paper.number)[:LATELY]


def saved_papers(app: App, reader: Subscriber) -> list[Saved]:
    """What a reader saved, the newest first."""
    said = app.store.feedback.of(reader.number, Verdict.SAVE)
    papers = app.store.papers.by_numbers(one.paper for one in said)
    return [Saved(papers[one.paper], one.at) for one in said if one.paper in papers]


def _saved_or_not(app: App, reader: Subscriber, posted: Form) -> int:
    """The number of the paper that was taken back, to offer it again; 0 when one was saved."""
    number = max(0, whole(posted["paper"]))
    if number not in app.store.papers.by_numbers([number]):
        return 0
    if posted["do"] == "save":
        app.store.feedback.give(Feedback(reader.number, number, Verdict.SAVE, app.clock()))
        return 0
    app.store.feedback.take_back(reader.number, number)
    return number


def _moving(app: App, token: str) -> tuple[Subscriber, str]:
    """Whose address changes by this link, and to which."""
    public_id = app.links.open(Purpose.MOVE, token, now=app.clock())
    try:
        delivery = app.store.deliveries.by_public_id(public_id)
        return app.store.subscribers.by_number(delivery.subscriber), new_address(delivery)
    except NotFound as error:
        raise LinkError("It belongs to a subscription that does not exist any more.") from error


def _mails(app: App, reader: Subscriber) -> list[Mail]:
    newest = app.store.deliveries.history(reader.number, HISTORY)
    return [_mail(app, one) for one in newest if one.kind in WITH_PAPERS]


def _mail(app: App, delivery: Delivery) -> Mail:
    token = app.links.token(Purpose.VIEW, delivery.public_id)
    return Mail(delivery.created_at, len(picks_of(delivery)), delivery.state, token)


def _file(text: str, media_type: str, name: str) -> Response:
    headers = {**PRIVATE, "content-disposition": f'attachment; filename="{name}"'}
    body = text.encode("utf-8", "replace")
    return Response(body, media_type=f"{media_type}; charset=utf-8", headers=headers)
