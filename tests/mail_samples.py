"""Every kind of mail there is, made of invented papers: what the tests of mails look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Final

from digest import notes
from digest.brand import Brand
from digest.fragments import Fragments
from digest.mail import Letter, to_bytes
from digest.papers import Author, Signals, tidy
from digest.render import DigestLinks, Rendered, Renderer
from digest.selection import Selection
from digest.templating.specimens import Specimen, in_layout, specimens
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Cadence, Schedule

RENDERER: Final = Renderer(
    Brand(
        "Paper Digest",
        "Trent Valley Reading Group, 12 Mill Lane, Trent Valley TV1 2AB",
        "people@example.org",
        "Trent Valley Reading Group",
        thanks="Thanks to the library for the server.",
    )
)
PLACE: Final = notes.Place("Trent Valley Reading Group", "12 Mill Lane, Trent Valley TV1 2AB")
AT: Final = "https://digest.example.org"
HOSTILE: Final = (
    "<script>alert(1)</script> & {{ 7*7 }} {% raw %}",
    "\u202eevil\u202c experts \u2066",
    "x" * 480,
    "</p></td></table><style>*{display:none}</style>",
    "[[papers]] [[end]] <!-- --> ]]> <![endif]-->",
    "a\u0300" * 200 + "👩‍👩‍👧‍👦" * 20,
    r"$\frac{a}{$ \input{/etc/passwd} \(\beta",
    '" onload="x" style="position:fixed',
)


@dataclass(frozen=True)
class Sample:
    """One mail: its texts, and the whole message as it is sent."""

    name: str
    rendered: Rendered
    message: bytes
    is_note: bool = False


@cache
def samples() -> tuple[Sample, ...]:
    """One of every kind, layout, language and oddity."""
    rich, poor = specimens()
    few = replace(rich, selection=replace(rich.selection, picks=rich.selection.picks[:6]))
    reader = few.reader
    weekly = replace(reader, schedule=Schedule(Cadence.WEEKLY, zone="Europe/Paris", weekday=4))
    made = [
        _digest("full", few),
        _digest("rich", rich),
        *(_digest(layout.value, in_layout(few, layout)) for layout in Layout if layout != "full"),
        _digest("poor", poor),
        _digest("german", replace(few, reader=replace(reader, language="de"))),
        _digest("weekly", replace(few, reader=weekly)),
        _digest("welcome", _of(few, kind="welcome", since=None)),
        _digest("test", _of(few, kind="test")),
        _digest("nothing", _of(few, picks=(), matched=0)),
        _digest("top-ten", _of(few, top_ten=True)),
        _digest("no-links", replace(few, links=DigestLinks())),
        _digest("hostile", _hostile(few)),
    ]
    return (*made, *map(_note, _notes().items()))


def _of(specimen: Specimen, **more: object) -> Specimen:
    selection = replace(specimen.selection, **more)  # type: ignore[arg-type]
    return replace(specimen, selection=selection)


def _hostile(specimen: Specimen) -> Specimen:
    """Papers that a source filled with what it should not have."""
    papers = {
        number: tidy(
            replace(
                paper,
                title=HOSTILE[number % len(HOSTILE)],
                summary=HOSTILE[(number + 1) % len(HOSTILE)],
                abstract=HOSTILE[(number + 2) % len(HOSTILE)] * 5,
                organization=HOSTILE[(number + 3) % len(HOSTILE)],
                venue=HOSTILE[(number + 4) % len(HOSTILE)],
                authors=tuple(Author(text) for text in HOSTILE),
                categories=HOSTILE,
                signals=Signals(upvotes=10**9, comments=10**9, stars=10**9),
            )
        )
        for number, paper in specimen.papers.items()
    }
    picks = tuple(
        pick._replace(interests=("<b>experts</b> & more" * 9,)) for pick in specimen.selection.picks
    )
    reader = replace(specimen.reader, profiles=(Profile("<b>"),), came_from="<i>somewhere</i>")
    selection = replace(specimen.selection, picks=picks, note="</p><p>", incomplete=("<b>",))
    return replace(specimen, papers=papers, reader=reader, selection=selection)


def _notes() -> dict[str, notes.Note]:
    schedule, day, url = Schedule(zone="Europe/Paris"), date(2026, 11, 27), f"{AT}/c/T"
    near = notes.Nearest(
        "Pruning What a Diffusion Model <Remembers>", f"{AT}/p", "it lacks experts"
    )
    quiet = notes.quiet_week(
        PLACE,
        since=date(2026, 11, 13),
        looked_at=1204,
        complete=True,
        nearest=near,
        widen=url,
        stop=url,
    )
    german = replace(PLACE, language="de")
    return {
        "confirm": notes.confirm(PLACE, schedule, url=url, ends=day),
        "confirm-german": notes.confirm(german, schedule, url=url, ends=day),
        "already": notes.already(PLACE, url=url),
        "link": notes.fresh_link(PLACE, url=url),
        "move": notes.new_address(PLACE, url=url),
        "invitation": notes.invitation(
            PLACE, schedule, host="Ada Lovelace", yes=url, never=f"{url}?never=1", ends=day
        ),
        "quiet": quiet,
        "empty-day": notes.empty_day(PLACE, day=day, looked_at=213, manage=url),
    }


def _note(named: tuple[str, notes.Note]) -> Sample:
    name, note = named
    rendered = RENDERER.note(note)
    return Sample(name, rendered, _message(rendered, name, DigestLinks()), is_note=True)


def _digest(name: str, one: Specimen) -> Sample:
    """Built of fragments, as it is sent; rendered whole beside it."""
    selection = Selection.unpack(one.selection.pack())
    rendered = RENDERER.fitted(one.reader, selection, one.papers, one.links)[1]
    body = Fragments(RENDERER, one.papers).build(one.reader, selection, one.links)
    return Sample(name, rendered, _message(body, name, one.links))


def _message(body: object, name: str, links: DigestLinks) -> bytes:
    return to_bytes(
        Letter(
            sender_name="Trent Valley Reading Group",
            sender_address="digest@example.org",
            to="sam@example.net",
            subject=body.subject,  # type: ignore[attr-defined]
            text=body.text,  # type: ignore[attr-defined]
            html=body.html,  # type: ignore[attr-defined]
            message_id=f"<{name}@digest.example.org>",
            date=specimens()[0].selection.until,
            list_name="Paper Digest",
            list_id="main.digest.example.org",
            reply_to="people@example.org",
            unsubscribe_url=links.unsubscribe,
            unsubscribe_mailto="mailto:people@example.org?subject=unsubscribe",
        )
    )
