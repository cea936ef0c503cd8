"""Save and Not for me, from the links in a mail: a GET asks, a POST acts, everything is undone.

A link names a delivery (signed) and a place in it (a number), so nothing else can be named; and
what may be muted is named by its place too: nobody can put words of theirs onto our page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse  # noqa: TC002 -- the same

from digest.errors import LinkError, NotFound
from digest.phrases import authors_line
from digest.selection import Pick, Selection, interest
from digest.web.pages import Form, Pages, form
from digest.web.preferences import whole
from subscribers.feedback import Feedback, Verdict
from subscribers.lexemes import STOP_WORDS
from subscribers.links import Purpose
from subscribers.words import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.app import App
    from digest.papers import Paper
    from subscribers.subscriber import Subscriber

Posted = Annotated[Form, Depends(form)]
VERDICTS: Final = {"save": Verdict.SAVE, "not": Verdict.NOT_FOR_ME}
LOWER: Final = (30, 20, 10, 5, 3, 1)
SHORTEST: Final = 4
MOST_WORDS: Final = 6
MOST_AUTHORS: Final = 4
_SAYS_NOTHING: Final = (
    "about across against all also among any approach based before behind better between beyond "
    "can choose does during from have into itself know like made make making many method methods "
    "more most much need new over rethinking should some study than that their them then these "
    "they this those through toward towards under using very via what when where which while will "
    "with within without your"
)
COMMON: Final = STOP_WORDS | frozenset(_SAYS_NOTHING.split())
"""Words of a title that say nothing of its subject."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A paper of a mail: whose mail, its place in it, and what the link would say of it.

    The text part of a mail has one link for both verdicts: there `verdict` is None.
    """

    reader: Subscriber
    paper: Paper
    pick: Pick
    place: int
    delivery: int
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Fewer:
    """An interest that can bring fewer papers: its name, its limit, and the next lower one."""

    name: str
    limit: int
    lower: int


def feedback_routes(app: App, pages: Pages) -> APIRouter:
    """The route /f."""
    routes = APIRouter()

    def answer(asked: Asked, token: str, *, was: str = "") -> HTMLResponse:
        known = app.store.feedback.on(asked.reader.number, asked.paper.number)
        verb = next((verb for verb, one in VERDICTS.items() if one is asked.verdict), "")
        return pages.page(
            "feedback.html",
            private=True,
            action=f"/f/{token}?p={asked.place}" + (f"&do={verb}" if verb else ""),
            paper=asked.paper,
            authors=authors_line(asked.paper.authors),
            asked=asked.verdict,
            said=known.verdict if known else None,
            words=_offers(mutable_words(asked), asked.reader.muted_words),
            names=_offers(mutable_authors(asked.paper), asked.reader.muted_authors),
            fewer=fewer(asked),
            was=was,
            interest=asked.pick.interests[0],
        )

    @routes.api_route("/f/{token}", methods=["GET", "HEAD"])
    def ask(request: Request, token: str) -> HTMLResponse:
        return answer(asked_for(app, request, token), token)

    @routes.post("/f/{token}")
    def act(request: Request, token: str, posted: Posted) -> HTMLResponse:
        """Say it, take it back, or take up one of the offers; any number of times."""
        asked = asked_for(app, request, token)
        reader, do, was = asked.reader, posted["do"], ""
        if do in VERDICTS:
            word = Feedback(
                reader.number, asked.paper.number, VERDICTS[do], app.clock(), asked.delivery
            )
            app.store.feedback.give(word)
        elif do == "undo":
            app.store.feedback.take_back(reader.number, asked.paper.number)
        else:
            before = fewer(asked)
            was = str(before.limit) if do == "fewer" and before else ""

            def taken_up(current: Subscriber) -> Subscriber:
                return changed(replace(asked, reader=current), posted)

            asked = replace(asked, reader=app.store.subscribers.change(reader.number, taken_up))
        return answer(asked, token, was=was)

    return routes


def asked_for(app: App, request: Request, token: str) -> Asked:
    """What the link names; LinkError when it is wrong or outlived its mail."""
    public_id = app.links.open(Purpose.FEEDBACK, token, now=app.clock())
    place, do = request.query_params.get("p", ""), request.query_params.get("do", "")
    try:
        delivery = app.store.deliveries.by_public_id(public_id)
        reader = app.store.subscribers.by_number(delivery.subscriber)
    except NotFound as error:
        raise LinkError("The mail it stands in is not kept any more.") from error
    picks = Selection.unpack(delivery.selection).picks
    number = int(place) if place.isdecimal() and len(place) < SHORTEST else 0
    if not 1 <= number <= len(picks) or do not in {"", *VERDICTS}:
        raise LinkError("It names no paper of that mail. Open it again from the mail.")
    pick = picks[number - 1]
    papers = app.store.papers.by_numbers([pick.paper])
    if pick.paper not in papers:
        raise LinkError("The paper it names is not kept any more.")
    paper = papers[pick.paper]
    return Asked(reader, paper, pick, number, delivery.number, VERDICTS.get(do))


def mutable_words(asked: Asked) -> tuple[str, ...]:
    """Words of the title that could be muted: not the reader's own, not too common, no TeX."""
    title = asked.paper.title
    hits = [hit for reason in asked.pick.reasons for hit in reason.hits]
    own = {token.word for hit in hits for token in fold(hit.term)}
    marked = [(hit.start, hit.end) for hit in hits if hit.field == "title"]
    found = (
        title[token.start : token.end].lower()
        for token in fold(title)
        if token.word not in own
        and not any(start < token.end and token.start < end for start, end in marked)
    )
    kept = (
        word for word in found if len(word) >= SHORTEST and word not in COMMON and word[0].isalpha()
    )
    return tuple(dict.fromkeys(kept))[:MOST_WORDS]


def mutable_authors(paper: Paper) -> tuple[str, ...]:
    """The first authors and the last one, who is often the one with the laboratory."""
    names = list(dict.fromkeys(author.name for author in paper.authors))
    return tuple(names if len(names) <= MOST_AUTHORS else [*names[: MOST_AUTHORS - 1], names[-1]])


def fewer(asked: Asked) -> Fewer | None:
    """The interest that brought the paper, if it is still there and can bring less."""
    position = asked.pick.profile
    profiles = asked.reader.profiles
    if position >= len(profiles):
        return None
    name = interest(profiles[position], asked.pick.line)
    limit = profiles[position].limit
    lower = next((one for one in LOWER if not limit or one < limit), 0)
    if name != asked.pick.interests[0] or not lower:
        return None
    return Fewer(name, limit, lower)


def changed(asked: Asked, posted: Form) -> Subscriber:
    """The reader after taking up an offer, or giving it up again."""
    reader, do = asked.reader, posted["do"]
    words, names = mutable_words(asked), mutable_authors(asked.paper)
    match do:
        case "mute-word" | "hear-word":
            chosen = _chosen(words, posted["which"])
            muted = _toggled(reader.muted_words, chosen, is_on=do == "mute-word")
            return replace(reader, muted_words=muted)
        case "mute-author" | "hear-author":
            chosen = _chosen(names, posted["which"])
            muted = _toggled(reader.muted_authors, chosen, is_on=do == "mute-author")
            return replace(reader, muted_authors=muted)
        case "fewer":
            offered = fewer(asked)
            return _limited(asked, offered.lower) if offered else reader
        case "as-before":
            was = whole(posted["was"])
            is_limit = 0 <= was <= 500  # noqa: PLR2004 -- as in the settings
            return _limited(asked, was) if is_limit else reader
    return reader


def _limited(asked: Asked, limit: int) -> Subscriber:
    profiles = list(asked.reader.profiles)
    if asked.pick.profile < len(profiles):
        profiles[asked.pick.profile] = replace(profiles[asked.pick.profile], limit=limit)
    return replace(asked.reader, profiles=tuple(profiles))


def _chosen(offered: Sequence[str], which: str) -> str:
    place = whole(which)
    return offered[place] if 0 <= place < len(offered) else ""


def _toggled(before: tuple[str, ...], chosen: str, *, is_on: bool) -> tuple[str, ...]:
    if not chosen:
        return before
    others = tuple(one for one in before if one.casefold() != chosen.casefold())
    return (*others, chosen) if is_on else others


def _offers(offered: Sequence[str], muted: Sequence[str]) -> list[tuple[str, bool]]:
    """What can be muted, and whether it is."""
    known = {one.casefold() for one in muted}
    return [(one, one.casefold() in known) for one in offered]
