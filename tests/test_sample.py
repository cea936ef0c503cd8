"""The bundled sample listing says what the demo's closing table promises.

The oracle is plain regular expressions over the files, not our own query language.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from digest import papers

SAMPLE = Path(papers.__file__).parent / "sample"
FILES = ("daily-papers.json", "arxiv.json", "biorxiv.json")
Item = dict[str, Any]


def listing(name: str) -> Item:
    value: Item = json.loads((SAMPLE / name).read_text(encoding="utf-8"))
    return value


def merged() -> dict[str, Item]:
    """Each paper once: all that any listing says of it, under its first id."""
    found: dict[str, Item] = {}
    canonical: dict[str, str] = {}
    for name in FILES:
        for item in listing(name)["papers"]:
            names = [item["id"], *item.get("aliases", [])]
            known = next((canonical[one] for one in names if one in canonical), names[0])
            canonical.update(dict.fromkeys(names, known))
            found[known] = {**item, **found.get(known, {})}
    return found


@pytest.fixture(scope="module")
def sample() -> dict[str, Item]:
    return merged()


def text(item: Item) -> str:
    keys = ("title", "abstract", "summary", "organization", "venue", "categories", "keywords")
    return " ".join(str(item.get(key, "")) for key in keys)


def matching(sample: dict[str, Item], *words: str) -> set[str]:
    patterns = [re.compile(rf"\b{word}s?\b", re.IGNORECASE) for word in words]
    return {key for key, item in sample.items() if all(one.search(text(item)) for one in patterns)}


def test_sixty_papers_stand_in_three_listings_and_some_in_two(sample: dict[str, Item]) -> None:
    assert len(sample) == 60
    assert sum(len(listing(name)["papers"]) for name in FILES) == 67


def test_one_listing_says_that_it_is_incomplete_and_how(sample: dict[str, Item]) -> None:
    del sample
    states = {name: listing(name)["state"] for name in FILES}
    assert states == {"daily-papers.json": "ok", "arxiv.json": "ok", "biorxiv.json": "partial"}
    biorxiv = listing("biorxiv.json")
    assert biorxiv["note"] == f"stopped answering after {len(biorxiv['papers'])} papers"


def test_ada_gets_four_on_experts_two_on_unlearning_and_not_the_one_with_an_image(
    sample: dict[str, Item],
) -> None:
    experts = matching(sample, "mixture", "of", "expert")
    unlearning = matching(sample, "unlearning")
    kept_out = matching(sample, "unlearning", "image")
    assert len(experts) == 4
    assert len(unlearning - kept_out) == 2
    assert len(kept_out) == 1
    assert not experts & unlearning


def test_the_words_mean_the_same_side_by_side_and_apart(sample: dict[str, Item]) -> None:
    assert matching(sample, "mixture", "expert") == matching(sample, "mixtures? of expert")


def test_bo_has_twenty_three_papers_on_agents(sample: dict[str, Item]) -> None:
    assert len(matching(sample, "agent")) == 23


def test_chidi_gets_three_by_an_author_or_over_a_floor(sample: dict[str, Item]) -> None:
    harrow = {key for key, item in sample.items() if "Ines Harrow" in item["authors"]}
    loved = {key for key, item in sample.items() if item.get("upvotes", 0) > 20}
    assert len(harrow | loved) == 3
    assert harrow & loved
    assert harrow - loved
    assert loved - harrow
    assert any(item.get("upvotes") == 20 for item in sample.values()), "20 is not more than 20"


def test_emre_gets_nothing_because_nothing_matches(sample: dict[str, Item]) -> None:
    assert not matching(sample, "zebrafish")


def test_near_words_stand_there_to_be_told_apart(sample: dict[str, Item]) -> None:
    assert matching(sample, "reagent") - matching(sample, "agent")
    assert matching(sample, "agentic") - matching(sample, "agent")
    assert matching(sample, "MoE") - matching(sample, "mixture")
    assert matching(sample, "mixture") - matching(sample, "expert")
    assert matching(sample, "diffusion")
    assert not matching(sample, "fusion")


def test_every_feature_of_a_card_occurs_and_is_missing_somewhere(sample: dict[str, Item]) -> None:
    for key in (
        "organization", "code", "project", "stars", "upvotes", "comments", "image", "summary",
        "venue", "discussion", "keywords",
    ):  # fmt: skip
        having = [item for item in sample.values() if item.get(key)]
        assert 0 < len(having) < 60, key
    assert {item["kind"] for item in sample.values()} == {"new", "cross", "featured"}
    assert {item.get("version", 1) for item in sample.values()} == {1, 2}


def test_titles_are_short_and_long_and_in_many_scripts(sample: dict[str, Item]) -> None:
    titles = [item["title"] for item in sample.values()]
    assert min(map(len, titles)) < 8
    assert 300 < max(map(len, titles)) < papers.MAX_TITLE
    joined = "\n".join(titles)
    for script in ("[α-ω]", "[\u4e00-\u9fff]", "[\u3041-\u309f]", "[\u0600-\u06ff]", "[À-ž]"):
        assert re.search(script, joined), script
    for typed in (r"$\beta$-Balanced", r"$8\times 2$B", "n < 5", "&"):
        assert typed in joined, typed
    authors = [len(item["authors"]) for item in sample.values()]
    assert min(authors) == 1
    assert max(authors) > 50


def test_every_paper_is_marked_as_a_sample_and_links_only_to_example_hosts() -> None:
    for name in FILES:
        for item in listing(name)["papers"]:
            assert item["sample"] is True
            for key in ("url", "pdf", "code", "project", "discussion", "image"):
                link = item.get(key, "https://example.org/")
                assert re.match(r"https://([a-z-]+\.)?example\.org/", link), link
            assert item["day"] in {0, -1}
            assert isinstance(item["published"], int), "relative, so that it never grows old"


def test_every_paper_passes_the_door_unchanged(sample: dict[str, Item]) -> None:
    for item in sample.values():
        for key in ("title", "abstract", "summary", "organization"):
            assert papers.tidy_text(item.get(key, "")) == item.get(key, "")


def test_every_abstract_is_another_text(sample: dict[str, Item]) -> None:
    abstracts = sorted(item["abstract"] for item in sample.values())
    assert all(abstracts)
    assert all(one[:60] != other[:60] for one, other in pairwise(abstracts))


def test_every_picture_a_paper_names_lies_beside_the_listings(sample: dict[str, Item]) -> None:
    named = {item["image"].rpartition("/")[2] for item in sample.values() if item.get("image")}
    drawn = {path.name for path in (SAMPLE / "figures").iterdir()}
    assert named == drawn
    for name in drawn:
        assert (SAMPLE / "figures" / name).read_bytes().startswith(b"\x89PNG")
