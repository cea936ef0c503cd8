"""An older database, with papers and answers in it, becomes one of this version."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

import digest.store.migrate as migrations
from digest.papers import Author, Listing, Paper, PaperId, Signals
from digest.sources import Window
from digest.sources.huggingface import HuggingFace
from digest.sources.timetable import plan
from digest.store import open_store
from digest.store.columns import to_micros
from digest.store.database import Database
from digest.store.packing import pack
from subscribers.library import title_name
from subscribers.subscriber import Subscriber

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
PAPER = Paper(
    PaperId("arxiv", "2611.00001"),
    "Routing Without Regret in Sparse Mixtures",
    authors=(Author("Ines Harrow"),),
    aliases=(PaperId("doi", "10.1000/routing"),),
)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database of revision 0004, filled as that version filled it."""
    path = tmp_path / "old.db"
    path.touch()
    database = Database(f"sqlite:///{path}")
    config = Config()
    folder = Path(migrations.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    with database.engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
    database.close()
    seen, body = to_micros(NOW), pack(PAPER)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(
            "INSERT INTO paper (id, name, first_seen_at, announced_on, body, upvotes, signals_at)"
            " VALUES (1, 'arxiv:2611.00001', ?, ?, ?, 7, ?)",
            (seen, str(DAY), body, seen),
        )
        raw.executemany(
            "INSERT INTO alias (name, paper) VALUES (?, 1)",
            [("arxiv:2611.00001",), ("doi:10.1000/routing",)],
        )
        for number, source in enumerate(("arxiv", "hf"), start=1):
            raw.execute(
                "INSERT INTO record (id, paper, source, name, body, digest, seen_at)"
                " VALUES (?, 1, ?, 'arxiv:2611.00001', ?, x'00', ?)",
                (number, source, body, seen),
            )
            raw.execute(
                "INSERT INTO listing (paper, source, label, day, kind, category, first_seen_at)"
                " VALUES (1, ?, ?, ?, 'new', 'cs.LG', ?)",
                (source, source, str(DAY), seen),
            )
        raw.execute("INSERT INTO signal (paper, seen_at, upvotes) VALUES (1, ?, 7)", (seen,))
        raw.execute(
            "INSERT INTO fetch"
            " (source, label, day, state, papers, skipped, note, asked_at, good_at)"
            " VALUES ('hf', 'Daily Papers', ?, 'ok', 1, 0, '', ?, ?)",
            (str(DAY), seen, seen),
        )
    return path


def test_what_was_there_is_there_and_goes_on_as_if_this_version_had_stored_it(old: Path) -> None:
    with open_store(f"sqlite:///{old}") as store:
        (paper,) = store.papers.between(DAY, DAY)
        assert (paper.title, paper.aliases, paper.signals.upvotes) == (
            PAPER.title,
            PAPER.aliases,
            7,
        )
        assert [one.source for one in paper.listings] == ["arxiv", "hf"]
        assert store.archive.number_of("doi:10.1000/routing") == 1
        assert store.papers.listed("hf", DAY) == {DAY: {PAPER.id}}

        listed = Listing("hf", "hf", DAY)
        said = Paper(PAPER.id, PAPER.title, PAPER.authors, aliases=PAPER.aliases)
        again = Paper(
            said.id, said.title, said.authors, aliases=said.aliases,
            listings=(listed,), signals=Signals(upvotes=9),
        )  # fmt: skip
        report = store.papers.ingest([again], NOW + timedelta(hours=1))
        assert (report.new, report.changed) == (0, 1)
        assert [one.upvotes for one in store.archive.history(1)] == [7, 9]
        assert store.papers.ingest([again], NOW + timedelta(hours=2)).same == 1
        # A title that only the new tables know joins a record that the old ones stored.
        article = Paper(
            PaperId("pmid", "1"), PAPER.title, PAPER.authors,
            listings=(Listing("pubmed", "PubMed", DAY),),
        )  # fmt: skip
        assert store.papers.ingest([article], NOW + timedelta(hours=3)).changed == 1


def test_every_source_is_due_at_once_and_its_last_good_answer_is_known(old: Path) -> None:
    with open_store(f"sqlite:///{old}") as store:
        (answer,) = store.sources.answers(DAY)
        assert (answer.entry, answer.state, answer.papers, answer.good) == ("hf", "ok", 1, True)
        window = Window.last(7, NOW)
        known = store.sources.known("hf", window.since)
        assert DAY in plan(HuggingFace().timetable, known, window).due


def test_what_older_rules_folded_is_folded_anew(tmp_path: Path) -> None:
    path = tmp_path / "older.db"
    title = "An IL6 dataset of Schroedinger"
    with open_store(f"sqlite:///{path}") as store:
        listed = (Listing("arxiv", "arXiv", DAY),)
        store.papers.ingest([Paper(PaperId("arxiv", "2611.00002"), title, listings=listed)], NOW)
        reader = Subscriber("ada@example.org").confirm(NOW)
        store.subscribers.add_all([reader], NOW)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '0015'")
        raw.execute("DELETE FROM catalogue")
        raw.execute("INSERT INTO catalogue (place, paper, words) VALUES (1, 1, 'dataset il6')")
        raw.executemany(
            "INSERT INTO library (subscriber, name) SELECT id, ? FROM subscriber",
            [("title:an il6 dataset of schroedinger",), ("arxiv:2611.00009",)],
        )
    open_store(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as raw:
        ((words,),) = raw.execute("SELECT words FROM catalogue").fetchall()
        names = {name for (name,) in raw.execute("SELECT name FROM library")}
    assert {"il", "6", "data", "set", "schrodinger"} <= set(words.split())
    assert names == {title_name(title), "arxiv:2611.00009"}
