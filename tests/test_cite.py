"""A paper as BibTeX and RIS."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.cite import bibtex, ris
from digest.papers import Author, Listing, Paper, PaperId

PAPER = Paper(
    PaperId("arxiv", "2611.00001"),
    "The LoRA of 100% R&D: state_space models",
    authors=(Author("Ines Harrow"), Author("Zoë van der Berg")),
    abstract="An abstract.",
    url="https://arxiv.org/abs/2611.00001",
    aliases=(PaperId("doi", "10.1000/x_y"),),
    published_at=datetime(2026, 11, 19, tzinfo=UTC),
)


def test_bibtex_says_who_what_and_where() -> None:
    assert bibtex([PAPER]) == (
        "@misc{harrow2026lora,\n"
        "  title = {The {LoRA} of 100\\% R\\&D: state\\_space models},\n"
        "  author = {Ines Harrow and Zoë van der Berg},\n"
        "  year = {2026},\n"
        "  doi = {10.1000/x_y},\n"
        "  eprint = {2611.00001},\n"
        "  archiveprefix = {arXiv},\n"
        "  url = {https://arxiv.org/abs/2611.00001},\n"
        "  month = nov,\n"
        "}\n"
    )


def test_two_papers_never_share_a_key() -> None:
    text = bibtex([PAPER] * 30)
    keys = [line for line in text.splitlines() if line.startswith("@")]
    assert len(set(keys)) == 30
    assert keys[1] == "@misc{harrow2026loraa,"


@pytest.mark.parametrize(
    ("title", "written"),
    [
        (r"Learning $\beta$-VAEs", r"Learning $\beta$-VAEs"),
        (r"A lone } and $x", r"A lone \} and \$x"),
        ("costs $5", r"costs \$5"),
    ],
)
def test_tex_is_kept_where_it_is_whole(title: str, written: str) -> None:
    assert f"title = {{{written}}}," in bibtex([Paper(PaperId("pmid", "1"), title)])


def test_ris_has_one_line_a_field_and_ends_each_record() -> None:
    listed = Paper(
        PaperId("pmid", "1"), "By nobody", listings=(Listing("x", "X", date(2026, 1, 2)),)
    )
    first, second, rest = ris([PAPER, listed]).split("ER  - \r\n")
    assert not rest
    assert first.splitlines()[:4] == [
        "TY  - UNPB",
        f"TI  - {PAPER.title}",
        "AU  - Ines Harrow",
        "AU  - Zoë van der Berg",
    ]
    assert "DA  - 2026/01/02" in second.splitlines()


@given(st.text(max_size=60), st.text(max_size=30))
def test_braces_always_match(title: str, name: str) -> None:
    text = bibtex([Paper(PaperId("pmid", "1"), title, authors=(Author(name),))])
    bare = text.replace("\\{", "").replace("\\}", "").replace("\\\\", "")
    assert bare.count("{") == bare.count("}")
