"""A digest in words and in HTML: bounded, inert, and saying why, whatever a source sends."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose import compose
from digest.match import match
from digest.notes import Button, plain
from digest.papers import Author, Listing, MalformedPaper, Paper, PaperId, Signals, tidy
from digest.render import Brand, DigestLinks, Note, Rendered, Renderer, templates_dir
from digest.selection import Selection, select
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Cadence, Schedule, Subscriber

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
RENDERER = Renderer(Brand("Paper Digest", "Trent Valley Reading Group", "digest@example.org"))
LINKS = DigestLinks(
    manage="https://digest.example.org/m/T",
    pause="https://digest.example.org/p/T",
    unsubscribe="https://digest.example.org/u/T",
    browser="https://digest.example.org/v/T",
    home="https://digest.example.org",
)
ADA = Subscriber("ada@example.org", profiles=(Profile("experts"),), confirmed_at=NOW)
PAPER = Paper(
    PaperId("arxiv", "2611.90001"),
    "Routing Experts Without Regret",
    authors=(Author("Ines Harrow"),),
    abstract="Experts are routed. Nobody regrets it.",
    categories=("cs.LG",),
    url="https://papers.example.org/abs/2611.90001",
    signals=Signals(upvotes=48, comments=7),
    listings=(Listing("arxiv", "arXiv", date(2026, 11, 19)),),
    number=1,
    first_seen_at=NOW,
)
NOTE = Note(
    "Hello",
    "A word",
    plain("Before."),
    plain("After."),
    (Button("Press", "https://x.example.org/"),),
    "The foot",
)
ODD = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1)


def rendered(*papers: Paper, reader: Subscriber = ADA, links: DigestLinks = LINKS) -> Rendered:
    by_number = {paper.number: paper for paper in papers}
    found = match(papers, reader.profiles, now=NOW)
    selection = select(reader, by_number, found, until=NOW, looked_at=len(papers))
    again = Selection.unpack(selection.pack())
    assert again.papers == selection.papers
    return RENDERER.digest(compose(reader, again, by_number), links)


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Elements()
    parser.feed(html)
    return parser.tags


def test_a_digest_says_what_it_is_and_why() -> None:
    mail = rendered(PAPER)
    assert mail.subject == "1 new: Routing Experts Without Regret · Fri 20 Nov"
    plain = mail.text.replace("\u00a0", " ")
    assert "1 on experts, out of 1 listed in the last seven days." in plain
    assert "Matches experts in the title" in plain
    assert "arXiv cs.LG · 19 Nov 2026 · 48 upvotes" in plain
    assert "Thank you to arXiv for use of its open access interoperability." in plain
    assert '<span class="m" style="background:#FFEFA6;border-radius:2px">Experts</span>' in (
        mail.html
    )


@given(ODD, ODD, ODD)
def test_any_text_of_a_source_renders_to_an_inert_mail(title: str, text: str, name: str) -> None:
    try:
        odd = tidy(
            replace(
                PAPER,
                title=f"{title} experts",
                abstract=f"{text} experts",
                summary=text,
                organization=name,
                venue=name,
                authors=(Author(name),),
                image_url=text,
                code_url=text,
            )
        )
    except MalformedPaper:
        return
    mail = rendered(odd)
    assert len(mail.subject) <= 78
    assert not re.search(r"[\x00-\x1f\x7f]", mail.subject)
    plain = [(tag, set(attrs)) for tag, attrs in elements(rendered(PAPER).html)]
    allowed = {tag for tag, _ in plain} | {"b", "img", "span", "strong"}
    for tag, attrs in elements(mail.html):
        assert tag in allowed
        assert not [attr for attr in attrs if attr.startswith("on")]
        for link in filter(None, (attrs.get("href"), attrs.get("src"))):
            assert link.startswith(("https://", "http://", "mailto:"))


@pytest.mark.parametrize(
    "title",
    [
        "<script>alert(1)</script> experts",
        "experts\r\nBcc: all@example.org",
        "When n < 5 experts & more",
        "{{ 7*7 }} {% raw %} experts",
        "\u202eexperts\u202c evil\u2066",
        "experts " + "x" * 1_000_000,
    ],
)
def test_a_hostile_title_breaks_nothing(title: str) -> None:
    mail = rendered(tidy(replace(PAPER, title=title)))
    assert "<script" not in mail.html
    assert "49" not in mail.subject
    assert len(mail.html) < 90_000
    assert "\n" not in mail.subject
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", mail.subject + mail.html + mail.text)


@pytest.mark.parametrize("layout", Layout)
def test_a_name_written_from_right_to_left_stands_apart_from_what_follows(layout: Layout) -> None:
    name = "\u05de\u05db\u05d5\u05df \u05dc\u05d7\u05e7\u05e8"
    reader = replace(ADA, layout=layout)
    html = rendered(replace(PAPER, organization=name), reader=reader).html
    assert re.search(rf'<(?:span|strong)[^>]* dir="auto"[^>]*>{name}</', html)
    plain = rendered(PAPER, reader=reader).html
    assert ' dir="auto"' not in re.findall(r"<h3.*?</h3>\s*<p[^>]*>[^<]*", plain, re.DOTALL)[0]


def test_upvotes_are_said_once_where_they_are_the_reason() -> None:
    html = rendered(PAPER, reader=replace(ADA, profiles=(Profile(""),))).html.replace("\u00a0", " ")
    assert html.count("48 upvotes") == 1
    assert "48 upvotes in " in html


def test_the_text_part_is_72_columns_and_its_links_are_whole() -> None:
    long = replace(PAPER, abstract="Experts are many. " * 30, url=PAPER.url + "/" + "a" * 90)
    lines = rendered(long).text.split("\n")
    assert f"   {long.url}" in lines
    assert all(len(line) <= 72 or "https://" in line for line in lines)


@pytest.mark.parametrize("layout", list(Layout))
def test_every_layout_has_its_headings_in_order(layout: Layout) -> None:
    mail = rendered(PAPER, reader=replace(ADA, layout=layout))
    levels = [tag for tag, _ in elements(mail.html) if re.fullmatch(r"h\d", tag)]
    assert levels == ["h1", "h2", "h3"]


def test_nothing_in_a_mail_reports_that_it_was_opened() -> None:
    mail = rendered(replace(PAPER, image_url="https://papers.example.org/figure.png"))
    sources = [attrs["src"] for tag, attrs in elements(mail.html) if tag == "img"]
    assert sources == ["https://papers.example.org/figure.png"]
    papers = [str(attrs["href"]) for tag, attrs in elements(mail.html) if tag == "a"]
    assert PAPER.url in papers
    assert "url(" not in mail.html
    assert "fonts." not in mail.html


def test_only_pictures_stand_in_a_mail() -> None:
    mail = rendered(replace(PAPER, image_url="https://papers.example.org/film.mp4"))
    assert "<img" not in mail.html


def test_the_first_eight_are_full_and_the_limit_is_kept() -> None:
    many = [
        replace(PAPER, number=n, id=PaperId("arxiv", f"2611.{n:05}"), title=f"Experts, Part {n}")
        for n in range(1, 31)
    ]
    mail = rendered(*many)
    assert mail.html.count("<h3") == 10
    assert mail.html.count('class="full') == 8
    assert "20 more matched than fit." in mail.html.replace("\u00a0", " ")
    assert len(mail.html.encode()) < 90_000


def test_a_paper_of_two_interests_stands_once_and_names_both() -> None:
    both = replace(ADA, profiles=(Profile("experts"), Profile("regret")))
    mail = rendered(PAPER, reader=both)
    assert mail.html.count("<h3") == 1
    assert "also for regret" in mail.text.replace("\u00a0", " ")


def test_a_muted_author_is_not_shown() -> None:
    mail = rendered(PAPER, reader=replace(ADA, muted_authors=("Ines Harrow",)))
    assert "Nothing new today" in mail.html
    assert "<h3" not in mail.html


def test_a_weekly_digest_is_the_best_of_the_week() -> None:
    mail = rendered(PAPER, reader=replace(ADA, schedule=Schedule(Cadence.WEEKLY)))
    assert "The best of your week" in mail.html
    assert mail.subject.replace("\u00a0", " ") == "Your week: 1 paper on experts · Fri 20 Nov"


def test_without_a_public_address_the_foot_names_whom_to_write_to() -> None:
    mail = rendered(PAPER, links=DigestLinks())
    assert "write to digest@example.org" in mail.text.replace("\n", " ")
    assert "Unsubscribe" not in mail.html


def test_an_operators_part_stands_for_ours_and_a_broken_one_is_given_up_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "email"
    folder.mkdir()
    ours = RENDERER.note(NOTE).text
    (folder / "note.txt").write_text("Our own: {{ note.headline }}\n", encoding="utf-8")
    assert Renderer(Brand(), tmp_path).note(NOTE).text == "Our own: A word\n"
    for broken in ("{% if %}", "{{ nobody }}", "{{ note.nothing }}", "{{ note.headline.upper() }}"):
        caplog.clear()
        (folder / "note.txt").write_text(f"One line\n{broken}\n", encoding="utf-8")
        renderer = Renderer(Brand(), tmp_path)
        assert renderer.note(NOTE).text == ours
        assert "note.txt, line 2" in renderer.troubles["note.txt"]
        assert "note.txt, line 2" in caplog.text


def test_a_note_is_a_whole_mail() -> None:
    mail = RENDERER.note(NOTE)
    hrefs = [attrs["href"] for tag, attrs in elements(mail.html) if tag == "a"]
    assert hrefs == ["https://x.example.org/"]
    assert mail.text.startswith("A WORD\n\nBefore.\n\nPress\nhttps://x.example.org/\n\nAfter.\n")


def test_our_templates_are_where_they_are_looked_for() -> None:
    assert (templates_dir() / "email" / "digest.mjml").is_file()
