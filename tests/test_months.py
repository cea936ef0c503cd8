"""The papers behind the live answer: read beside the pages, taken over when some more come."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from served import reading_late
from test_web_archive import BASE, FRIDAY, NOW, House, opened, paper

from digest.match.engine import Engine
from digest.volume import Recent, volume
from digest.web.months import LOOK_AGAIN, NAME, Months

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LATE = "are being read"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with opened(tmp_path) as house:
        house.put(paper(1, title="Agents at Work"))
        yield house


def test_pages_answer_with_a_word_while_the_papers_are_being_read(house: House) -> None:
    with reading_late(house.app) as (site, read):
        page = site.get(f"{BASE}/?q=agents%0A%22broken").text
        assert LATE in page
        assert "data-late" in page
        assert "Subscribe" in page
        assert 'class="problem"' in page, "mistakes are told all the same"
        assert LATE in site.get(f"{BASE}/answer?q=agents&field=2").text
        read()
        assert "at Work" in site.get(f"{BASE}/?q=agents").text
        assert LATE not in site.get(f"{BASE}/answer?q=agents&field=2").text


def test_what_is_taken_over_answers_as_what_is_read_anew() -> None:
    old = [paper(n, title=f"Agents {n}", abstract="Pretrained routers of $x_2$.") for n in (1, 2)]
    more = [
        replace(old[0], number=1),
        paper(3, title="Graph Agents", abstract="Sparse graphs."),
        replace(old[1], title="Renamed", number=2),
    ]
    before = Recent(old, today=FRIDAY, now=NOW)
    taken = Recent(more, today=FRIDAY, now=NOW, like=before)
    anew = Recent(more, today=FRIDAY, now=NOW)
    for text in ("agents", "graph*", '"pretrained routers"', "agents -graph", "grahp", "renamed"):
        assert repr(volume(text, taken)) == repr(volume(text, anew))
    assert taken.engine.index.vocabulary == anew.engine.index.vocabulary
    assert repr(volume("agents", before)) == repr(
        volume("agents", Recent(old, today=FRIDAY, now=NOW))
    )


def test_only_new_texts_are_scanned() -> None:
    papers = [paper(n, title=f"Agents {n}") for n in range(1, 9)]
    before = Engine(papers[:-1], now=NOW)
    known = len(before.index.scan.kinds_in)
    after = Engine(papers, now=NOW, like=before)
    assert len(after.index.scan.kinds_in) == known + 1


def joined() -> None:
    """Wait until every index that is being made is there."""
    for thread in threading.enumerate():
        if thread.name == NAME:
            thread.join()


def test_papers_that_came_are_there_a_minute_later(house: House) -> None:
    months = Months(house.app)
    assert len(months.current().recent.papers) == 1
    house.put(paper(2, title="More Agents"))
    assert len(months.current().recent.papers) == 1
    house.app.clock = lambda: NOW + LOOK_AGAIN
    months.current()
    joined()
    assert len(months.current().recent.papers) == 2
    house.app.clock = lambda: NOW + timedelta(days=40)
    months.current()
    joined()
    assert months.current().recent.papers == ()
