"""Listings out of files."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from digest.errors import SourceError
from digest.papers import Author, ListingKind, PaperId
from digest.sources import Fetch, FetchState, Options, Window, known, load
from digest.sources.file import File
from digest.testing import Clock, polite

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WEEK = Window.last(7, NOW)

EVERYTHING = {
    "id": "arxiv:2611.90001v2",
    "title": "Forgetting on a Budget",
    "authors": ["Ines Harrow", {"name": "Bo Exemplar", "orcid": "0000-0002-1825-0097"}],
    "abstract": "We forget, and pay for it.",
    "summary": "One sentence.",
    "organization": "Example Lab",
    "categories": ["cs.LG", "cs.CL"],
    "keywords": ["machine unlearning"],
    "published": "2026-11-19",
    "day": -1,
    "kind": "cross",
    "version": 2,
    "venue": "EXCONF 2026",
    "code": "https://github.com/example/forgetting",
    "project": "https://example.github.io/forgetting/",
    "discussion": "https://huggingface.co/papers/2611.90001",
    "image": "https://example.org/figure.png",
    "upvotes": 48,
    "comments": 0,
    "aliases": ["doi:10.1000/Example.1", "nonsense", "arxiv:2611.90001"],
    "sample": True,
}


def read(path: Path, window: Window = WEEK) -> list[Fetch]:
    with polite(Clock(window.now)) as client:
        return list(File(Options(argument=str(path))).fetch(window, client))


def written(folder: Path, value: object, name: str = "listing.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_every_field_of_the_documented_shape_arrives(tmp_path: Path) -> None:
    path = written(tmp_path, {"source": "arxiv", "label": "arXiv", "papers": [EVERYTHING]})
    (found,) = [fetch for fetch in read(path) if fetch.papers]
    assert (found.source, found.label, found.day) == ("arxiv", "arXiv", date(2026, 11, 19))
    (paper,) = found.papers
    assert paper.id == PaperId("arxiv", "2611.90001")
    assert paper.authors == (
        Author("Ines Harrow"),
        Author("Bo Exemplar", "0000-0002-1825-0097"),
    )
    assert paper.url == "https://arxiv.org/abs/2611.90001"
    assert paper.pdf_url == "https://arxiv.org/pdf/2611.90001"
    assert paper.published_at == datetime(2026, 11, 19, tzinfo=UTC)
    assert paper.aliases == (PaperId("doi", "10.1000/example.1"),)
    assert paper.sample
    signals = paper.signals
    assert (signals.upvotes, signals.comments, signals.stars) == (48, 0, None)
    assert signals.seen_at == NOW
    (listing,) = paper.listings
    assert (listing.kind, listing.version) == (ListingKind.CROSS, 2)
    assert (paper.venue, paper.version) == ("EXCONF 2026", 2)


def test_the_shape_in_the_documentation_can_be_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs/sources.md").read_text("utf-8")
    example = page.split("```json\n")[1].split("```")[0]
    path = tmp_path / "example.json"
    path.write_text(example, encoding="utf-8")
    (found,) = read(path)
    assert (found.state, found.skipped, len(found.papers)) == (FetchState.OK, (), 1)


def test_relative_days_keep_a_sample_fresh(tmp_path: Path) -> None:
    papers = [
        {"id": "url:https://example.org/1", "title": "Today", "day": 0, "published": -3},
        {"id": "url:https://example.org/2", "title": "Yesterday", "day": -1},
        {"id": "url:https://example.org/3", "title": "Long ago", "day": -30},
    ]
    path = written(tmp_path, {"papers": papers})
    yesterday, today = read(path)
    assert (yesterday.day, today.day) == (date(2026, 11, 19), date(2026, 11, 20))
    assert today.papers[0].published_at == datetime(2026, 11, 17, tzinfo=UTC)
    later = Window.last(7, datetime(2027, 3, 1, tzinfo=UTC))
    assert [fetch.day for fetch in read(path, later)] == [date(2027, 2, 28), date(2027, 3, 1)]


def test_a_listing_may_say_that_it_is_incomplete(tmp_path: Path) -> None:
    note = "did not answer this morning"
    whole = {"source": "hf", "label": "Daily Papers", "papers": [EVERYTHING]}
    lost = {"source": "arxiv", "label": "arXiv", "state": "partial", "note": note, "papers": []}
    path = written(tmp_path, [whole, lost])
    states = {(fetch.source, fetch.day.day): (fetch.state, fetch.note) for fetch in read(path)}
    assert states == {
        ("hf", 19): (FetchState.OK, ""),
        ("hf", 20): (FetchState.EMPTY, ""),
        ("arxiv", 20): (FetchState.PARTIAL, note),
    }


def test_a_malformed_paper_is_skipped_and_named_and_the_others_live(tmp_path: Path) -> None:
    papers = [
        {"title": "No id"},
        {"id": "arxiv:2611.90002"},
        {"id": "arxiv:nonsense", "title": "x"},
        {"id": "arxiv:2611.90003", "title": "Day", "day": "some day"},
        None,
        {"id": "arxiv:2611.90004", "title": "Kept", "upvotes": "many", "kind": 7, "version": -1},
    ]
    (found,) = read(written(tmp_path, {"papers": papers}))
    assert [paper.title for paper in found.papers] == ["Kept"]
    assert found.papers[0].signals.upvotes is None
    assert len(found.skipped) == 5
    assert found.skipped[3] == "file, paper 4: its day 'some day' is none"


def test_a_directory_is_read_in_order_and_a_bad_file_does_not_hide_the_others(
    tmp_path: Path,
) -> None:
    written(tmp_path, {"papers": [{"id": "doi:10.1000/b", "title": "B"}]}, "b.json")
    written(tmp_path, {"papers": [{"id": "doi:10.1000/c", "title": "C"}]}, "c.json")
    (tmp_path / "a.json").write_text("{ not json", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not ours", encoding="utf-8")
    bad, found = read(tmp_path)
    assert (bad.state, bad.papers) == (FetchState.FAILED, ())
    assert "a.json" in bad.note
    assert [paper.title for paper in found.papers] == ["B", "C"]
    assert found.papers[0].url == "https://doi.org/10.1000/b"


def test_what_hugging_face_answers_can_be_read_from_a_file(tmp_path: Path) -> None:
    payload = [
        {"paper": {"id": "2611.00001", "title": "One", "submittedOnDailyAt": "2026-11-19T00:00Z"}},
        {"paper": {"id": "2611.00002", "title": "Two"}},
        {"paper": {"title": "No id"}},
    ]
    first, second = read(written(tmp_path, payload))
    assert (first.source, first.day, len(first.papers)) == ("hf", date(2026, 11, 19), 1)
    assert (second.day, len(second.papers)) == (date(2026, 11, 20), 1)
    assert len(second.skipped) == 1


@pytest.mark.parametrize(
    "value", [7, "text", {}, {"papers": 7}, [[]], {"papers": [], "source": "A b"}]
)
def test_json_that_is_no_listing_never_raises(tmp_path: Path, value: object) -> None:
    for found in read(written(tmp_path, value)):
        assert found.state in {FetchState.FAILED, FetchState.EMPTY}


def test_old_listings_say_how_old_they_are(tmp_path: Path) -> None:
    path = written(
        tmp_path, {"day": "2020-01-01", "papers": [{"id": "doi:10.1000/b", "title": "B"}]}
    )
    (found,) = read(path)
    assert (found.state, found.note) == (FetchState.EMPTY, "has no list newer than 2020-01-01")


def test_a_path_that_is_not_there_is_a_setting_to_change(tmp_path: Path) -> None:
    (found,) = read(tmp_path / "nowhere.json")
    assert found.state is FetchState.MISCONFIGURED
    assert "nowhere.json" in found.note


def test_sources_are_found_by_name_and_unknown_ones_are_named(tmp_path: Path) -> None:
    sources = load([f"file:{tmp_path}", "hf", "hf"], {})
    assert [source.name for source in sources] == ["file", "hf"]
    assert {"file", "hf"} <= set(known())
    with pytest.raises(SourceError, match=r"no source 'hg': known are .*file.*hf"):
        load(["hg"], {})
    with pytest.raises(SourceError, match=r"file.*needs a path"):
        load(["file"], {})
