"""Two invented mails that templates are tried on, one rich and one poor. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from digest.match import Reason, ReasonKind
from digest.notes import Button, Note, Paragraph, Span, plain
from digest.papers import Author, Listing, Paper, PaperId, Signals
from digest.render import DigestLinks
from digest.selection import Pick, Selection, packed
from subscribers.finding import Hit
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Subscriber

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOW: Final = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
_AT: Final = "https://digest.example.org"


@dataclass(frozen=True, slots=True)
class Specimen:
    """A reader, what was decided for them, its papers and links; and a short mail beside it."""

    name: str
    reader: Subscriber
    selection: Selection
    papers: Mapping[int, Paper]
    links: DigestLinks
    note: Note


def specimens() -> tuple[Specimen, Specimen]:
    """The rich one and the poor one."""
    return _rich(), _poor()


def _rich() -> Specimen:
    papers = {number: _paper(number) for number in range(1, 12)}
    reader = Subscriber(
        "sam@example.net",
        profiles=(
            Profile("mixture of experts", limit=9),
            Profile("machine unlearning", name="Forgetting & remembering", layout=Layout.TITLES),
        ),
        came_from="digest.example.org",
        confirmed_at=_NOW - timedelta(days=48),
    )
    picks = tuple(
        Pick(
            number,
            0 if number < 10 else 1,  # noqa: PLR2004 -- the last two are of the second interest
            1,
            20.0 - number,
            reasons,
            ("mixture of experts", "agents") if number < 10 else ("Forgetting & remembering",),  # noqa: PLR2004
            packed(reasons),
        )
        for number, paper in papers.items()
        for reasons in [_reasons(paper)]
    )
    selection = Selection(
        "digest",
        picks,
        28,
        213,
        _NOW - timedelta(days=1),
        _NOW,
        incomplete=("arXiv (cs.CL) did not answer this morning.",),
        note="The reading group meets on Thursday <at> four.",
    )
    links = DigestLinks(
        manage=f"{_AT}/m/T",
        pause=f"{_AT}/p/T",
        unsubscribe=f"{_AT}/u/T",
        browser=f"{_AT}/v/T",
        home=_AT,
        feedback=f"{_AT}/f/T",
    )
    note = Note(
        subject="A quiet week",
        headline="A quiet week",
        before=(
            *plain("Nothing matched since Friday 13 November."),
            Paragraph(
                (Span("Closest: "), Span("a paper", url=f"{_AT}/p"), Span(" by far", strong=True))
            ),
        ),
        after=plain("You get a note like this at most once a week."),
        buttons=(Button("Widen my keywords", f"{_AT}/m/T"), Button("Not now", f"{_AT}/n/T")),
        foot="Trent Valley Reading Group, 12 Mill Lane. Replies are read.",
        preheader="213 papers were looked at.",
        day="Fri 20 Nov 2026",
    )
    return Specimen("rich", reader, selection, papers, links, note)


def _poor() -> Specimen:
    paper = Paper(PaperId("file", "1"), "A", number=1)
    reader = Subscriber("sam@example.net", profiles=(Profile(),), layout=Layout.FULL)
    pick = Pick(1, 0, 0, 1.0, (), ("Top ten",), packed(()))
    selection = Selection("digest", (pick,), 1, 1, None, _NOW, top_ten=True)
    note = Note("A word", "A word", plain("One."))
    return Specimen("poor", reader, selection, {1: paper}, DigestLinks(), note)


def in_layout(specimen: Specimen, layout: Layout) -> Specimen:
    """The specimen with every card in that layout."""
    profiles = tuple(replace(profile, layout=layout) for profile in specimen.reader.profiles)
    return replace(specimen, reader=replace(specimen.reader, profiles=profiles, layout=layout))


def _reasons(paper: Paper) -> tuple[Reason, ...]:
    at = paper.title.find("Experts")
    title = (Hit("experts", "title", at, at + 7),) if at >= 0 else ()
    inside = (Hit("experts", "abstract", 7, 14),)
    return (
        Reason(ReasonKind.TERM, "experts", "title" if title else "abstract", title + inside),
        Reason(ReasonKind.AUTHOR, "Ines Harrow", "author"),
        Reason(ReasonKind.FLOOR, "passed 20 upvotes today"),
    )


def _paper(number: int) -> Paper:
    titles = (
        "Routing Without Regret: Mixtures of Experts That Know When Not to Choose",
        r"$\beta$-Balanced Experts: A Load Penalty That Switches Itself Off",
        "How Many Experts Does a Sentence Need?",
        "When n < 5 Experts & Fewer Are Enough",
        "重みを忘れる: 専門家の混合と機械的忘却",
        "تعلم الآلة دون ندم: خليط من الخبراء",
    )
    names = ("Ines Harrow", "Pavel Tomsa", "Yuki Arano", "Oda Brandl", "R. Venn")
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        titles[number % len(titles)],
        authors=tuple(map(Author, names[: 1 + number % 5])),
        abstract="Twelve experts skip routing for tokens whose loss would hardly change. " * 9,
        organization="Lindqvist Institute" if number % 2 else "",
        categories=("cs.LG", "cs.CL"),
        venue="a workshop" if number % 3 else "",
        version=1 + number % 2,
        url=f"https://papers.example.org/abs/2611.{number:05}",
        pdf_url=f"https://papers.example.org/pdf/2611.{number:05}",
        code_url="https://github.com/example/regret",
        project_url="https://papers.example.org/regret",
        discussion_url="https://papers.example.org/d/1",
        image_url="https://papers.example.org/figures/1.png",
        signals=Signals(upvotes=48, comments=7, stars=1_304),
        listings=(Listing("arxiv", "arXiv", date(2026, 11, 19)),),
        number=number,
        first_seen_at=_NOW - timedelta(hours=18),
    )
