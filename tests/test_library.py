"""Libraries: papers a reader has, read from whatever they are kept in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.papers import Paper, PaperId
from subscribers.library import MAX_TEXT, Entry, names_of, read_library

BIB = r"""
% my library
@string{nips = "Advances in Neural Information Processing Systems"}
@article{harrow2026,
  title = {Forgetting on a {B}udget: Machine
           Unlearning in {O}ne {P}ass},
  author = {Harrow, Ines and Tom\v{s}a, Pavel},
  journal = {arXiv preprint arXiv:2611.90001},
  year = 2026
}
@inproceedings(other,
  title = "Na\"{i}ve {Bayes} is {"}enough{"}",
  booktitle = nips # " 38",
  doi = {https://doi.org/10.1000/XYZ.1},
)
@misc{third, eprint={2611.90003v2}, archivePrefix={arXiv}, title={Third}}
@book{short, title={Short}}
@article{broken, title = {never closed at all
@article{after, title={What follows is read}, pmid = {12345}}
@comment{ignored, title={Ignored for ever and ever}}
"""


def names(text: str) -> list[tuple[str, ...]]:
    return [entry.names for entry in read_library(text)]


def test_bibtex_is_read_by_its_ids_or_else_its_titles() -> None:
    found = names(BIB)
    assert ("arxiv:2611.90001",) in found
    assert ("doi:10.1000/xyz.1",) in found
    assert ("arxiv:2611.90003",) in found
    assert ("pmid:12345",) in found
    assert ("title:never closed at all",) in found
    assert not any("short" in name or "ignored" in name for each in found for name in each)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2611.90001", "arxiv:2611.90001"), ("arXiv:2611.90001v3", "arxiv:2611.90001"),
        ("see https://arxiv.org/pdf/2611.90001v1.pdf!", "arxiv:2611.90001"),
        ("https://huggingface.co/papers/2611.90001", "arxiv:2611.90001"),
        ("hep-th/9901001", "arxiv:hep-th/9901001"),
        ("https://doi.org/10.1000/ABC", "doi:10.1000/abc"), ("doi:10.1000/abc.", "doi:10.1000/abc"),
        ("10.48550/arXiv.2611.90001", "arxiv:2611.90001"), ("PMID: 123", "pmid:123"),
        ("- Forgetting on a Budget", "title:forgetting on a budget"),
        ('12. "Forgetting on a Budget"', "title:forgetting on a budget"),
        ("FORGETTING ON A BUDGETS", "title:forgetting on a budget"),
    ],
)  # fmt: skip
def test_a_pasted_line_names_a_paper(line: str, expected: str) -> None:
    assert names(f"\n{line}\n\n") == [(expected,)]


@pytest.mark.parametrize("line", ["", "two words", "----", "@article", "10.1 2611"])
def test_what_names_no_paper_is_passed_over(line: str) -> None:
    assert not read_library(line)


def test_a_paper_is_known_by_every_name_and_by_its_title() -> None:
    paper = Paper(
        PaperId("arxiv", "2611.90001"),
        "Forgetting on a Budget",
        aliases=(PaperId("doi", "10.1000/x"),),
    )
    assert names_of(paper) == (
        "arxiv:2611.90001", "doi:10.1000/x", "title:forgetting on a budget",
    )  # fmt: skip
    for text in ("2611.90001v2", "10.1000/X", "Forgetting on a budget"):
        assert set(names(text)[0]) <= set(names_of(paper))


def test_limits_are_stated() -> None:
    with pytest.raises(ValueError, match="the most is 10,000,000"):
        read_library("x" * (MAX_TEXT + 1))
    with pytest.raises(ValueError, match="20,001 papers; the most is 20,000"):
        read_library("\n".join(f"2611.{n:05}" for n in range(20_001)))


@pytest.mark.parametrize(
    "text",
    ["@a{" * 300_000, "@a{x, t={" * 20_000, "@a{x, t={\n" * 20_000, "{" * 900_000,
     "@a{k," + 't="' * 90_000,
     "@a{k," + "a=b," * 100_000, "10.1000/" * 100_000, "a/" * 400_000, "\\{" * 400_000],
    ids=lambda text: text[:9],
)  # fmt: skip
def test_a_hostile_text_is_read_in_linear_time(text: str) -> None:
    # CPU of this process, whatever else the machine does; quadratic time would be minutes here.
    began = time.process_time()
    read_library(text)
    assert time.process_time() - began < 10


@given(st.text(max_size=200) | st.text(alphabet='@abc{}()=,"# 10./26\n', max_size=120))
def test_any_text_is_read(text: str) -> None:
    for entry in read_library(text):
        assert entry.names
        assert Entry(entry.ids, entry.title) == entry
