"""Rendering by fragments says what rendering whole says, and is always valid on the wire."""

from __future__ import annotations

import quopri
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.brand import Brand
from digest.fragments import Fragments, only_print
from digest.mail import quoted_printable
from digest.match import Reason, ReasonKind, match
from digest.papers import Author, Listing, Paper, PaperId, Signals
from digest.render import BUDGET, DigestLinks, Renderer
from digest.selection import Pick, Selection, packed, select
from subscribers.finding import Hit
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
LINKS = DigestLinks(
    manage="https://digest.example.org/m/T",
    pause="https://digest.example.org/p/T",
    unsubscribe="https://digest.example.org/u/T",
    browser="https://digest.example.org/v/T",
    home="https://digest.example.org",
    feedback="https://digest.example.org/f/T",
)
RENDERER = Renderer(Brand("Paper Digest", "Trent Valley Reading Group", "digest@example.org"))
ODD = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60
)


def paper(number: int, title: str = "Routing Experts Without Regret", text: str = "") -> Paper:
    return Paper(
        PaperId("arxiv", f"2611.{number:05}"),
        title,
        authors=(Author("Ines Harrow"), Author("Pavel Tomsa")),
        abstract=text or f"Experts are routed by {number} routers. Nobody regrets it.",
        organization="Lindqvist Institute" if number % 3 else "",
        categories=("cs.LG", "cs.CL"),
        url=f"https://papers.example.org/abs/2611.{number:05}",
        pdf_url=f"https://papers.example.org/pdf/2611.{number:05}",
        code_url="https://github.com/example/regret" if number % 2 else "",
        image_url="https://papers.example.org/figure.png",
        discussion_url="https://papers.example.org/d/1",
        signals=Signals(upvotes=number, comments=number // 2, stars=1_304),
        listings=(Listing("arxiv", "arXiv", date(2026, 11, 19)),),
        number=number,
        first_seen_at=NOW,
    )


def selected(reader: Subscriber, papers: dict[int, Paper], **more: object) -> Selection:
    found = match(list(papers.values()), reader.profiles, now=NOW)
    chosen = select(reader, papers, found, until=NOW, looked_at=len(papers))
    return Selection.unpack(replace(chosen, **more).pack())  # type: ignore[arg-type]


def decoded(data: bytes) -> str:
    assert all(len(line) <= 76 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    return quopri.decodestring(data.replace(b"\r\n", b"\n")).decode()


def check_same(
    renderer: Renderer,
    reader: Subscriber,
    papers: dict[int, Paper],
    selection: Selection,
    links: DigestLinks = LINKS,
) -> None:
    whole = renderer.fitted(reader, selection, papers, links)[1]
    body = Fragments(renderer, papers).build(reader, selection, links)
    assert decoded(body.html) == whole.html
    assert decoded(body.text) == whole.text
    assert body.subject == whole.subject
    assert body.size == len(whole.html.encode())


READERS = st.builds(
    Subscriber,
    st.just("ada@example.org"),
    profiles=st.lists(
        st.builds(
            Profile,
            st.sampled_from(["experts", "routed\nregret", "", "upvotes>2", "author:Harrow"]),
            name=st.sampled_from(["", "My experts & others"]),
            limit=st.sampled_from([0, 3, 10]),
            layout=st.sampled_from([None, *Layout]),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    schedule=st.builds(Schedule, st.sampled_from(Cadence), zone=st.just("Europe/Paris")),
    layout=st.sampled_from(Layout),
    summaries=st.booleans(),
    figures=st.booleans(),
    language=st.sampled_from(["en", "de", "zz"]),
    came_from=st.sampled_from(["", "digest.example.org"]),
    confirmed_at=st.just(NOW),
)
LETTERS = st.sampled_from(
    [LINKS, DigestLinks(), replace(LINKS, feedback=""), replace(LINKS, browser="")]
)


@given(
    reader=READERS,
    texts=st.lists(st.tuples(ODD, ODD), max_size=14),
    links=LETTERS,
    kind=st.sampled_from(["digest", "welcome", "test"]),
    incomplete=st.lists(ODD, max_size=2).map(tuple),
    note=st.sampled_from(["", "Closed on Monday & Tuesday"]),
    since=st.sampled_from([None, NOW - timedelta(days=1), NOW - timedelta(days=12)]),
)
def test_fragments_say_what_the_whole_says(  # noqa: PLR0917 -- what Hypothesis draws
    reader: Subscriber,
    texts: list[tuple[str, str]],
    links: DigestLinks,
    kind: str,
    incomplete: tuple[str, ...],
    note: str,
    since: datetime | None,
) -> None:
    papers = {
        number: paper(number, f"{title} experts", f"{text} routed")
        for number, (title, text) in enumerate(texts, 1)
    }
    selection = selected(reader, papers, kind=kind, incomplete=incomplete, note=note, since=since)
    check_same(RENDERER, reader, papers, selection, links)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6))
def test_marks_anywhere_are_put_in_at_the_joins(places: list[tuple[int, int]]) -> None:
    one = paper(1, "Routing Without Regret & <Experts> That Know", "Ärger über Experten. " * 4)
    hits = tuple(
        Hit("x", field, start, end) for start, end in places for field in ("title", "abstract")
    )
    reasons = (Reason(ReasonKind.TERM, "x", "title", hits),)
    pick = Pick(1, 0, 1, 1.0, reasons, ("x",), packed(reasons))
    selection = Selection("digest", (pick,), 1, 1, None, NOW)
    check_same(RENDERER, Subscriber("ada@example.org"), {1: one}, selection)


def test_one_set_of_fragments_serves_many_readers() -> None:
    papers = {number: paper(number) for number in range(1, 25)}
    fragments = Fragments(RENDERER, papers)
    for name in ("ada", "bo", "chidi"):
        for text in ("experts", "routed\nregret"):
            reader = Subscriber(f"{name}@example.org", profiles=(Profile(text, limit=0),))
            selection = selected(reader, papers)
            links = replace(LINKS, feedback=f"https://digest.example.org/f/{name}")
            whole = RENDERER.fitted(reader, selection, papers, links)[1]
            body = fragments.build(reader, selection, links)
            assert decoded(body.html) == whole.html
            assert decoded(body.text) == whole.text
            assert f"{name}@example.org" in whole.text


def test_a_link_names_a_papers_place_among_the_picks() -> None:
    papers = {number: paper(number, f"Experts {'experts ' * number}") for number in (1, 2, 3)}
    reader = Subscriber("ada@example.org", profiles=(Profile("experts"),))
    picks = selected(reader, papers).picks
    backwards = Selection("digest", tuple(reversed(picks)), 3, 3, None, NOW)
    digest, whole = RENDERER.fitted(reader, backwards, papers, LINKS)
    check_same(RENDERER, reader, papers, backwards)
    for card in digest.groups[0].cards:
        assert backwards.picks[card.place - 1].paper == card.paper.number
    assert [card.place for card in digest.groups[0].cards] == [3, 2, 1]
    assert whole.text.index("/f/T?p=3") < whole.text.index("/f/T?p=1")


@pytest.mark.parametrize("count", [60, 200, 500])
def test_a_long_digest_fits_the_budget_and_nothing_is_cut_in_the_middle(count: int) -> None:
    papers = {number: paper(number, text="Experts are many. " * 40) for number in range(1, count)}
    reader = Subscriber("ada@example.org", profiles=(Profile("experts", limit=0),))
    selection = selected(reader, papers)
    digest, whole = RENDERER.fitted(reader, selection, papers, LINKS)
    assert len(whole.html.encode()) <= BUDGET
    assert whole.html.endswith("</html>")
    shown = sum(group.number for group in digest.groups)
    assert whole.html.count("<h3") == shown
    if shown < len(papers):
        assert f"{len(papers) - shown} more matched than fit." in whole.text.replace("\u00a0", " ")
        assert "See them all" in whole.html
    check_same(RENDERER, reader, papers, selection)


def test_summaries_shorten_before_cards_become_compact() -> None:
    fat = {
        number: replace(
            paper(number, text="Experts are many and routed by more routers than before. " * 9),
            organization="Ä" * 200,
            authors=tuple(Author("漢" * 190 + str(n)) for n in range(9)),
            venue="ü" * 190,
        )
        for number in range(1, 61)
    }
    reader = Subscriber("ada@example.org", profiles=(Profile("experts", limit=0),))
    digest = RENDERER.fitted(reader, selected(reader, fat), fat, LINKS)[0]
    layouts = [card.layout for group in digest.groups for card in group.cards]
    summaries = [card.summary for group in digest.groups for card in group.cards if card.summary]
    if Layout.FULL in layouts:
        assert all(len(summary) <= 200 for summary in summaries)
    else:
        assert not summaries


class TestOperatorsParts:
    def renderer(self, tmp_path: Path, **files: str) -> Renderer:
        folder = tmp_path / "email"
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
        return Renderer(Brand(), tmp_path)

    @pytest.mark.parametrize(
        "title",
        [
            "<h3>{{ one.number }}. {{ one.title }}</h3>",
            "<h3>{% if one.number == '2' %}second{% endif %}{{ one.title }}</h3>",
            "<h3>{{ one.save_url | upper }}{{ one.title | upper }}</h3>",
        ],
    )
    def test_what_computes_with_a_slot_is_rendered_whole(self, tmp_path: Path, title: str) -> None:
        papers = {number: paper(number) for number in range(1, 5)}
        reader = Subscriber("ada@example.org", profiles=(Profile("experts"),), layout=Layout.TITLES)
        renderer = self.renderer(tmp_path, title_html=title)
        check_same(renderer, reader, papers, selected(reader, papers))
        assert not renderer.troubles

    def test_a_lead_that_lists_the_interests_is_rendered_whole(self, tmp_path: Path) -> None:
        papers = {1: paper(1)}
        reader = Subscriber("ada@example.org", profiles=(Profile("experts"),))
        text = "{{ digest.headline }}{% for group in digest.groups %} {{ group.name }}{% endfor %}"
        renderer = self.renderer(tmp_path, lead_txt=text)
        check_same(renderer, reader, papers, selected(reader, papers))
        mail = renderer.fitted(reader, selected(reader, papers), papers, LINKS)[1]
        assert mail.text.startswith("1 new paper for you experts")


def test_our_own_templates_do_no_more_with_slots_than_print_them() -> None:
    assert only_print(RENDERER.compiled.sources), "so that nobody needs to look when they are used"


@given(st.text(st.sampled_from("a=é .\n漢\tb&"), max_size=300))
def test_pieces_of_quoted_printable_can_be_joined(text: str) -> None:
    third = len(text) // 3
    pieces = (text[:third], text[third : 2 * third], text[2 * third :])
    joined = b"".join(map(quoted_printable, pieces))
    assert decoded(joined) == text
    assert not any(line.startswith(b".") for line in joined.split(b"\r\n"))
