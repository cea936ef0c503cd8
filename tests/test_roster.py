"""Readers as a table: read, planned, imported, exported; hostile files; never who said never."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from digest.cli import app as commands
from digest.errors import RosterError
from digest.papers import tidy_text
from digest.store import open_store
from subscribers.profile import Layout, Order, Profile
from subscribers.roster import LONGEST_LINE, Entry, Trouble, as_json, bare, guarded, read, write
from subscribers.subscriber import Cadence, Schedule, Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from typer.testing import Result

    from digest.store import Store

NOBODY = Subscriber("", status=Status.ACTIVE)
CONSENT = ("--confirmed", "--consent-date", "2026-11-02", "--consent-source", "the reading group")


def entries(text: str) -> list[Entry | Trouble]:
    return list(read(text.splitlines(keepends=True), NOBODY))


def said(text: str) -> list[str]:
    return [f"{one.line}: {one.said}" for one in entries(text) if isinstance(one, Trouble)]


class TestReading:
    def test_the_first_line_names_the_columns_in_any_order(self) -> None:
        (one,) = entries("Name,E-Mail,Keywords,At\nAda,Ada@Uni.EXAMPLE,agents,07:30\n")
        assert isinstance(one, Entry)
        assert (one.line, one.reader.address, one.reader.name) == (2, "Ada@uni.example", "Ada")
        assert one.reader.profiles == (Profile("agents"),)
        assert one.reader.schedule.at == time(7, 30)

    @pytest.mark.parametrize("score", ["nan", "inf", "-1"])
    def test_a_score_is_a_number_that_can_be_stored(self, score: str) -> None:
        (wrong,) = said(f"address,keywords,lowest score\nada@example.org,x,{score}\n")
        assert "is no number from 0 to 1000" in wrong

    def test_a_pause_ends_on_a_day_that_others_follow(self) -> None:
        (wrong,) = said("address,paused until\nada@example.org,9999-12-31\n")
        assert "without it a pause has no end" in wrong

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    def test_spreadsheets_separate_as_they_like_and_begin_with_a_mark(self, separator: str) -> None:
        (one,) = entries(
            f"\ufeffaddress{separator}keywords\r\nada@example.org{separator}agents\r\n"
        )
        assert isinstance(one, Entry)
        assert one.reader.profiles[0].text == "agents"

    def test_several_interests_stand_in_numbered_columns(self) -> None:
        text = "address,keywords,keywords_2,limit_2\na@example.org,agents,routing,0\n"
        (one,) = entries(text)
        assert isinstance(one, Entry)
        assert one.reader.profiles == (Profile("agents"), Profile("routing", limit=0))

    def test_a_reader_of_many_interests_comes_back_with_all_of_them(self) -> None:
        profiles = tuple(Profile(f"topic{number}") for number in range(120))
        reader = Subscriber("a@example.org", profiles=profiles)
        (one,) = entries("".join(write([reader])))
        assert isinstance(one, Entry)
        assert one.reader.profiles == profiles

    def test_every_wrong_line_is_named_and_spoils_no_other(self) -> None:
        text = (
            "address,keywords,at,zone,limit,cadence\n"
            "nobody,,,,,\n"
            '"",agents,,,,\n'
            'a@example.org,"two\nlines",25:00,,,\n'
            "b@example.org,,,Mars/Olympus,,\n"
            "c@example.org,,,,many,\n"
            "d@example.org,,,,,hourly\n"
            "e@example.org,(agents,,,,\n"
            "\n"
            "f@example.org,,,,,,,more\n"
            "g@example.org,,,,,\n"
            "G@example.org,,,,,\n"
        )
        assert [line.partition(" ")[0] for line in said(text)] == [
            "2:", "3:", "4:", "6:", "7:", "8:", "9:", "11:", "13:",
        ]  # fmt: skip
        assert said(text)[2] == "4: at: '25:00' is no hour: write it as 07:00"
        assert said(text)[-1] == "13: G@example.org is on line 12 already"
        assert [one.reader.address for one in entries(text) if isinstance(one, Entry)] == [
            "g@example.org"
        ]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "names no column 'address'"),
            ("name\nada\n", "names no column 'address'"),
            ("address,keyword\n", "did you mean 'keywords'"),
            ("address,paused_til\n", "did you mean 'paused_until'"),
            ("address,hour\n", "there are address, .*, paused_until, .*, at, "),
            ("address,address_2\n", "there is no column 'address_2'"),
            ("address,email\n", "is there twice"),
            ('"address\n', "is no heading"),
            (
                'address\n"a@example.org\n' + ("x" * LONGEST_LINE)[1:] + "\nx",
                "line 2 opens a quote",
            ),
            ('address\n"a"b@example.org\n', "line 2 cannot be read as CSV"),
            ("address\n" + "x" * (LONGEST_LINE + 1), "line 2 is longer than"),
            ("address\na\x00b\n", "line 2 holds what is no text"),
        ],
    )
    def test_what_is_no_roster_is_refused_with_its_line(self, text: str, reason: str) -> None:
        with pytest.raises(RosterError, match=reason):
            entries(text)

    def test_a_million_lines_are_read_no_further_than_the_bound(self) -> None:
        taken = 0

        def endless() -> Iterable[str]:
            nonlocal taken
            yield "address\n"
            while True:
                taken += 1
                yield f"a{taken}@example.org\n"

        with pytest.raises(RosterError, match="split the file"):
            list(read(endless(), NOBODY))
        assert taken < 210_000

    @given(st.text(max_size=300))
    def test_any_text_is_read_or_refused(self, text: str) -> None:
        for heading in ("", "address,name,keywords\n"):
            with suppress(RosterError):
                entries(heading + text)


words = (
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12)
    .map(tidy_text)
    .filter(bool)
)
profiles = st.builds(
    Profile,
    text=st.sampled_from(("agents", '-image\n"state space"', "upvotes>20", "+", "=a", "'-x", "")),
    name=words | st.sampled_from(("=1+1", "'=1", "@me", "-")),
    limit=st.integers(0, 1000),
    order=st.sampled_from(Order),
    lowest_score=st.sampled_from((0.0, 0.25, 3.0)),
    layout=st.none() | st.sampled_from(Layout),
    new_versions=st.booleans(),
    diverse=st.booleans(),
    skip_library=st.booleans(),
).filter(lambda profile: not entries_wrong(profile.text))
readers = st.builds(
    Subscriber,
    address=st.integers(0, 99).map("=ada{}@example.org".format),
    profiles=st.lists(profiles, min_size=1, max_size=3).map(tuple),
    schedule=st.builds(
        Schedule,
        st.sampled_from(Cadence),
        st.times().map(lambda at: at.replace(second=0, microsecond=0, tzinfo=None)),
        st.sampled_from(("Europe/Paris", "UTC")),
        st.integers(0, 6),
    ),
    status=st.sampled_from(Status),
    name=words,
    layout=st.sampled_from(Layout),
    summaries=st.booleans(),
    figures=st.booleans(),
    quiet_notes=st.booleans(),
    language=st.sampled_from(("en", "de", "zh-Hant")),
    muted_words=st.lists(words, max_size=3).map(tuple),
    muted_authors=st.just(("Ines Harrow",)),
    came_from=st.just("the reading group"),
    confirmed_at=st.just(datetime(2026, 11, 2, 12, tzinfo=UTC)),
)


def entries_wrong(text: str) -> bool:
    from subscribers.query import check  # noqa: PLC0415 -- for the strategy alone

    return bool(check(text)[1])


@given(st.lists(readers, min_size=1, max_size=4, unique_by=lambda reader: reader.address))
def test_what_is_written_is_read_back(several: list[Subscriber]) -> None:
    text = "".join(write(several))
    back = list(read(text.splitlines(keepends=True), NOBODY))
    assert all(isinstance(one, Entry) and one.consent_on == date(2026, 11, 2) for one in back)
    assert [one.reader for one in back if isinstance(one, Entry)] == [
        replace(one, confirmed_at=None) for one in several
    ]


@given(st.lists(readers, max_size=3))
def test_no_cell_that_is_written_is_a_formula(several: list[Subscriber]) -> None:
    for row in csv.reader("".join(write(several)).splitlines(keepends=True)):
        assert not [cell for cell in row if cell[:1] in tuple("=+-@\t\r＝＋－＠")]
    json.dumps([as_json(reader) for reader in several])


@given(st.text(st.sampled_from("'=+-@a\t"), max_size=6))
def test_a_guarded_cell_is_bared_again(cell: str) -> None:
    assert bare(guarded(cell)) == cell


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(commands, ["subscribers", *words])


def opened() -> Store:
    return open_store("sqlite:///paper-digest.db")


class TestImporting:
    def test_without_being_told_how_nothing_changes(self, folder: Path) -> None:
        (folder / "r.csv").write_text("address\nada@example.org\nnobody\n")
        done = run("import", "r.csv")
        assert done.exit_code == 1
        assert "line 2     ada@example.org  is new" in done.output
        assert "line 3" in done.output
        assert "2 lines: 1 new, 1 wrong" in done.output
        with opened() as store:
            assert store.subscribers.all() == []

    def test_confirmed_readers_are_stored_with_day_and_place_of_consent(self, folder: Path) -> None:
        (folder / "r.csv").write_text(
            "address,keywords,consent_date,consent_source\n"
            "ada@example.org,agents,,\nbo@example.org,,2026-10-01,a booth\n"
        )
        assert run("import", "r.csv", *CONSENT).exit_code == 0
        with opened() as store:
            ada, bo = store.subscribers.all()
        assert (ada.status, ada.came_from) == (Status.ACTIVE, "the reading group")
        assert ada.confirmed_at is not None
        assert (ada.confirmed_at.date(), ada.next_due is not None) == (date(2026, 11, 2), True)
        assert bo.came_from == "a booth"
        assert bo.confirmed_at is not None
        assert bo.confirmed_at.date() == date(2026, 10, 1)

    @pytest.mark.parametrize("missing", ["date", "source"])
    def test_nobody_is_added_without_consent(self, folder: Path, missing: str) -> None:
        (folder / "r.csv").write_text("address\nada@example.org\n")
        given_ = [word for word in ("--consent-date", "--consent-source") if missing not in word]
        done = run("import", "r.csv", "--confirmed", given_[0], "2026-11-02")
        assert done.exit_code == 2
        assert f"--consent-{missing}" in done.output
        with opened() as store:
            assert store.subscribers.all() == []

    def test_consent_that_is_to_come_is_none(self, folder: Path) -> None:
        (folder / "r.csv").write_text("address\nada@example.org\n")
        future = str(datetime.now(UTC).date() + timedelta(days=3))
        done = run(
            "import", "r.csv", "--confirmed", "--consent-date", future, "--consent-source", "x"
        )
        assert done.exit_code == 2
        assert "which is to come" in done.output

    def test_a_wrong_line_stops_all_unless_it_is_to_be_skipped(self, folder: Path) -> None:
        (folder / "r.csv").write_text("address\nada@example.org\nnobody\n")
        done = run("import", "r.csv", *CONSENT)
        assert done.exit_code == 2
        assert "--skip-wrong" in done.output
        assert run("import", "r.csv", *CONSENT, "--skip-wrong").exit_code == 0
        with opened() as store:
            assert [one.address for one in store.subscribers.all()] == ["ada@example.org"]

    def test_whoever_left_or_is_never_to_be_written_to_stays_away(self, folder: Path) -> None:
        now = datetime.now(UTC)
        with opened() as store:
            left = store.subscribers.add(Subscriber("left@example.org").confirm(now), now)
            store.subscribers.update(left.unsubscribe())
            store.suppressions.add("Never@example.org", "complained", now)
            there = store.subscribers.add(Subscriber("there@example.org").confirm(now), now)
        (folder / "r.csv").write_text(
            "address,status,name\nleft@example.org,,\nnever@Example.org,,\n"
            "there@example.org,,Somebody Else\ngone@example.org,unsubscribed,\nnew@example.org,,\n"
        )
        done = run("import", "r.csv", *CONSENT)
        assert done.exit_code == 0
        assert "never@example.org  is never written to: complained" in done.output
        assert "5 lines: 1 new, 1 there already, 3 never to be written to" in done.output
        with opened() as store:
            after = {one.address: one for one in store.subscribers.all()}
        assert set(after) == {"left@example.org", "there@example.org", "new@example.org"}
        assert after["left@example.org"].status is Status.UNSUBSCRIBED
        assert after["there@example.org"] == there

    def test_done_twice_it_adds_nobody_twice(self, folder: Path) -> None:
        (folder / "r.csv").write_text("address\nada@example.org\n")
        assert "1 reader added." in run("import", "r.csv", *CONSENT).output
        assert "0 readers added." in run("import", "r.csv", *CONSENT).output

    def test_of_thousands_the_first_are_told_one_by_one_and_every_mistake(
        self, folder: Path
    ) -> None:
        rows = [f"r{n}@example.org" for n in range(60)] + ["nobody"] * 30
        (folder / "r.csv").write_text("\n".join(["address", *rows, ""]))
        lines = run("import", "r.csv", *CONSENT).stdout.splitlines()
        assert len(lines) == 20 + 1 + 30 + 1
        assert lines[20].strip() == "and 40 more: new"
        assert lines[-1] == "90 lines: 60 new, 30 wrong"

    def test_a_paused_reader_stays_paused(self, folder: Path) -> None:
        (folder / "r.csv").write_text("address,status\nada@example.org,paused\n")
        assert run("import", "r.csv", *CONSENT).exit_code == 0
        with opened() as store:
            (ada,) = store.subscribers.all()
        assert (ada.status, ada.next_due) == (Status.PAUSED, None)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--confirmed", "--invite"], "only one of the two"),
            (["--invite"], "--invited-by"),
            (["--invited-by", "Ada"], "goes with --invite"),
            (["--invite", "--invited-by", "Ada"], "DIGEST_PUBLIC_URL"),
            (["--invite", "--invited-by", "Ada", "--consent-source", "x"], "go with --confirmed"),
        ],
    )
    def test_what_does_not_go_together_is_said(
        self, folder: Path, words: list[str], said: str
    ) -> None:
        (folder / "r.csv").write_text("address\nada@example.org\n")
        done = run("import", "r.csv", *words)
        assert done.exit_code == 2
        assert said in done.output

    def test_no_table_is_one_clear_line(self, folder: Path) -> None:
        (folder / "r.xlsx").write_bytes(b"PK\x03\x04\xff\xfe\x00\x80")
        (folder / "huge.csv").write_bytes(b"")
        with (folder / "huge.csv").open("r+b") as huge:
            huge.truncate(60_000_000)
        for name, reason in (("r.xlsx", "UTF-8"), ("huge.csv", "split it"), ("no.csv", "no.csv")):
            done = run("import", name, *CONSENT)
            assert done.exit_code in {1, 2}
            assert reason in done.output
            assert done.output.count("\n") == 1


def test_an_exported_list_is_imported_the_same(folder: Path) -> None:
    now = datetime.now(UTC)
    with opened() as store:
        for name, text in (("ada", "-image\nagents"), ("=bo", "upvotes>20")):
            reader = Subscriber(
                f"{name}@example.org",
                profiles=(Profile(text, limit=3), Profile("routing", name="=Ways")),
                schedule=Schedule(Cadence.WEEKLY, time(18, 30), "Europe/Paris", 4),
                came_from="the page",
                synonyms=("GNN = graph neural network",),
            )
            store.subscribers.add(reader.confirm(now), now)
        before = store.subscribers.all()
        library = ["arxiv:2611.00001", "title:forgetting on a budget"]
        library += [f"doi:10.1000/{n:07}" for n in range(10_000)]
        store.libraries.add(before[0].number, library)
    assert run("export", "--out", "all.csv").exit_code == 0
    assert (folder / "all.csv").stat().st_mode & 0o077 == 0, "addresses are nobody else's to read"
    told = json.loads(run("export", "--as", "json").stdout)
    assert [one["address"] for one in told] == ["ada@example.org", "=bo@example.org"]
    assert [len(one["library"]) for one in told] == [10_002, 0]
    (folder / "paper-digest.db").unlink()
    for rest in folder.glob("paper-digest.db*"):
        rest.unlink()
    assert run("import", "all.csv", "--confirmed").exit_code == 0
    with opened() as store:
        after = store.subscribers.all()
        assert store.libraries.of(after[0].number) == sorted(library)
        assert not store.libraries.of(after[1].number)

    def settings(reader: Subscriber) -> Subscriber:
        return replace(
            reader, public_id="", created_at=None, confirmed_at=None, next_due=None, number=0
        )

    assert list(map(settings, after)) == list(map(settings, before))
