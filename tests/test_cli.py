"""The command line: what it reads, what it says, and how it fails."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from digest.cli import ORDER, Commands, app, root
from digest.demo import SAMPLE, Mailbox
from digest.store import open_store
from digest.templating.parts import templates_dir
from digest.testing import FixtureServer

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a listing of two papers in it, and settings that lead to it."""
    monkeypatch.chdir(tmp_path)
    papers = [
        paper("arxiv:2611.90001", "Forgetting on a Budget: Machine Unlearning"),
        paper("arxiv:2611.90002", "Zebrafish Learn to Route"),
    ]
    write_listing(papers)
    monkeypatch.setenv("DIGEST_SOURCES", "file:listing.json")
    monkeypatch.setenv("DIGEST_SMTP_URL", "eml:outbox")
    return tmp_path


def paper(name: str, title: str) -> dict[str, object]:
    return {"id": name, "title": title, "abstract": "Of things.", "day": 0, "sample": True}


def write_listing(papers: Sequence[object]) -> None:
    listing = {"source": "arxiv", "label": "arXiv", "papers": papers}
    Path("listing.json").write_text(json.dumps(listing), encoding="utf-8")


def call(*words: str, say: str = "") -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(app, words, input=say)


def well(*words: str, say: str = "") -> str:
    result = call(*words, say=say)
    assert result.exit_code == 0, result.output
    output: str = result.stdout
    return output


def outbox() -> list[str]:
    return sorted(path.name.partition("-")[0] for path in Path("outbox").glob("*.eml"))


def make_due() -> None:
    """Let the hour of every reader have come."""
    with open_store("sqlite:///paper-digest.db") as store:
        for reader in store.subscribers.all():
            store.subscribers.update(replace(reader, next_due=datetime(2026, 1, 1, tzinfo=UTC)))


@pytest.mark.usefixtures("house")
def test_a_reader_is_added_and_told_what_matches_and_when_it_comes() -> None:
    well("ingest")
    said = well(
        *("subscribers", "add", "Ada@Example.ORG", "-k", "unlearning", "-k", "zebra -fish"),
        *("--cadence", "daily", "--at", "07:30", "--zone", "Europe/Paris"),
    )
    assert re.fullmatch(
        r"1 paper of the last 7 days matches; next digest \w{3} 07:30 Europe/Paris\n", said
    )
    (reader,) = json.loads(well("subscribers", "list", "--json"))
    assert reader["address"] == "Ada@example.org"
    assert reader["keywords"] == ["unlearning", "zebra -fish"]
    assert reader["status"] == "active"


@pytest.mark.usefixtures("house")
def test_without_papers_or_keywords_the_answer_says_so() -> None:
    said = well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    assert said.startswith("There are no papers yet (paper-digest ingest fetches them); next")
    well("ingest")
    said = well("subscribers", "add", "bo@example.org")
    assert said.startswith("The top ten of 2 papers in the last 7 days; next digest")


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody@"], "'nobody@' is no e-mail address"),
        (["ada@example.org\nBcc: x@example.org"], "is no e-mail address"),
        (["a@example.org", "-k", "upvotes>many"], "in 'upvotes>many'"),
        (["a@example.org", "--zone", "Europe/Pariss"], "is no zone"),
        (["a@example.org", "--at", "7 o'clock"], "is no hour"),
        (["a@example.org", "--cadence", "hourly"], "hourly"),
        (["a@example.org", "--limit", "-1"], "--limit"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_when_a_reader_is_added(
    words: list[str], said: str
) -> None:
    result = call("subscribers", "add", *words)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.stderr.count("\n") == 1
    assert "there is no database at" in call("subscribers", "list").stderr


@pytest.mark.usefixtures("house")
def test_a_reader_who_is_there_is_not_added_twice() -> None:
    well("subscribers", "add", "ada@example.org")
    result = call("subscribers", "add", "ADA@example.org")
    assert result.exit_code == 1
    assert "subscribers edit" in result.stderr


@pytest.mark.usefixtures("house")
def test_a_reader_is_changed_paused_resumed_and_forgotten() -> None:
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    well(
        *("subscribers", "edit", "ada@example.org", "-k", "zebrafish", "--limit", "0"),
        *("--cadence", "weekly", "--weekday", "friday", "--at", "18:30", "--layout", "titles"),
    )
    (reader,) = json.loads(well("subscribers", "list", "--json"))
    assert reader["keywords"] == ["zebrafish"]
    assert (reader["limit"], reader["layout"]) == (0, "titles")
    assert (reader["cadence"], reader["weekday"], reader["at"]) == ("weekly", "friday", "18:30")
    said = well("subscribers", "show", "ada@example.org")
    assert "every Friday at 18:30 UTC; next digest Fri" in said
    assert "asked for  zebrafish (all papers)\n             Papers with zebrafish.\n" in said
    assert "paused, no digest is due" in well("subscribers", "edit", "ada@example.org", "--pause")
    assert "24 Dec 2099" in well(
        *("subscribers", "edit", "ada@example.org", "--pause", "--until", "2099-12-24"),
        *("--cadence", "daily"),
    )
    assert "active; next digest" in well("subscribers", "edit", "ada@example.org", "--resume")
    assert "asks for (no keywords: top ten); " in well(
        "subscribers", "edit", "ada@example.org", "--top-ten"
    )
    assert "ada@example.org: is so already; " in well(
        "subscribers", "edit", "ada@example.org", "--layout", "titles"
    )
    assert "(no keywords: top ten)" in well("subscribers", "list")
    assert call("subscribers", "remove", "ada@example.org", say="n\n").exit_code == 1
    assert "is forgotten" in well("subscribers", "remove", "ada@example.org", say="y\n")
    assert "Nobody reads yet" in well("subscribers", "list")
    assert call("subscribers", "show", "ada@example.org").exit_code == 1


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize(
    "words",
    [["--pause", "--resume"], ["--until", "2099-01-01"], ["--top-ten", "-k", "a"], []],
)
def test_what_contradicts_itself_or_says_nothing_is_refused(words: list[str]) -> None:
    well("subscribers", "add", "ada@example.org")
    assert call("subscribers", "edit", "ada@example.org", *words).exit_code == 2


@pytest.mark.usefixtures("house")
def test_run_sends_what_is_due_once_and_says_when_the_next_comes() -> None:
    well("ingest")
    assert "Nobody reads yet" in well("subscribers", "list")
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    assert well("run").startswith("Nothing is due; next digest ")
    assert well("run", "--quiet") == ""
    make_due()
    said = well("run")
    assert "Listing    2 papers from 1 source  2/2" in said
    assert "Matching   1 reader, 1 with something new  1/1" in said
    assert "Sending    to eml:outbox  1/1" in said
    assert outbox() == ["ada@example.org"]
    assert well("run").startswith("Nothing is due; next digest ")
    assert "nothing to send" in well("run", "--now")
    assert outbox() == ["ada@example.org"]
    (sent,) = json.loads(well("deliveries", "--json", "--reader", "ada@example.org"))
    assert (sent["state"], sent["papers"], sent["kind"]) == ("accepted", 1, "digest")
    assert "accepted" in well("deliveries")


@pytest.mark.usefixtures("house")
def test_a_welcome_is_sent_at_once() -> None:
    well("ingest")
    said = well("subscribers", "add", "ada@example.org", "-k", "unlearning", "--welcome")
    assert "Welcome to ada@example.org: accepted" in said
    said = well("subscribers", "add", "bo@example.org", "-k", "nothing", "--welcome")
    assert "no welcome was sent" in said
    assert outbox() == ["ada@example.org"]


@pytest.mark.usefixtures("house")
def test_a_preview_writes_files_and_marks_nothing_as_sent() -> None:
    well("ingest")
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    for _ in range(2):
        said = well("preview", "ada@example.org", "--out", "previews")
        assert "1 matched, 1 in the mail, 2 looked at" in said
        assert "Subject: 1 new: Forgetting on a Budget" in said
    assert "Forgetting on a" in Path("previews/ada@example.org.txt").read_text(encoding="utf-8")
    assert "<html" in Path("previews/ada@example.org.html").read_text(encoding="utf-8")
    assert "Nothing was sent yet" in well("deliveries")
    well("subscribers", "add", "bo@example.org", "-k", "nothing at all")
    assert "no mail: nothing matched, 2 looked at" in well("preview", "bo@example.org")


def test_a_preview_is_opened_in_the_browser_whose_noise_nobody_sees(house: Path) -> None:
    well("ingest")
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    opener, opened = house / "bin" / "xdg-open", house / "opened"
    opener.parent.mkdir()
    opener.write_text(f"#!/bin/sh\necho noise; echo noise >&2; echo $1 > {opened}\n")
    opener.chmod(0o755)
    os.mkfifo(opened)  # reading it waits for whoever is started last
    env = {**os.environ, "PATH": f"{opener.parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "digest", "preview", "ada@example.org", "--open"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert opened.read_text(encoding="utf-8").startswith("file:///")
    assert "noise" not in done.stdout + done.stderr


@pytest.mark.usefixtures("house")
def test_a_preview_of_keywords_with_a_mistake_is_refused_and_not_taken_for_the_top_ten() -> None:
    well("ingest")
    result = call("preview", "--query", '"unlearning')
    assert result.exit_code == 2
    assert "this quote is never closed" in result.stderr
    assert not result.stdout


@pytest.mark.usefixtures("house")
def test_a_preview_after_the_last_digest_says_how_to_see_that_one() -> None:
    well("ingest")
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    well("run", "--now")
    *_, last = well("preview", "ada@example.org").splitlines()
    begins = "The last one: paper-digest "
    assert last.startswith(begins)
    assert "1 matched, 1 in the mail" in well(*last.removeprefix(begins).split())


@pytest.mark.usefixtures("house")
def test_an_item_that_is_no_paper_is_shown_and_the_others_live() -> None:
    write_listing([paper("arxiv:2611.90001", "Good"), {"title": "No id"}, 7])
    result = call("ingest")
    assert result.exit_code == 0
    assert "1 paper from 1 source" in result.stdout
    assert "2 items skipped, no paper" in result.stderr


def test_a_source_that_is_not_there_is_told_and_made_up_for_by_the_next_run(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    make_due()
    listing = house / "listing.json"
    listing.rename(house / "away.json")
    result = call("run", "--quiet")
    assert result.exit_code == 1
    assert "file" in result.stderr
    assert result.stdout == ""
    (house / "away.json").rename(listing)
    make_due()
    well("run")
    assert outbox() == ["ada@example.org"]
    monkeypatch.setenv("DIGEST_SOURCES", "nonsense")
    result = call("ingest")
    assert result.exit_code == 2
    assert "there is no source 'nonsense': known are arxiv" in result.stderr


def test_a_server_that_will_not_answer_is_told_in_one_line_for_all_its_days(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FixtureServer() as nowhere:
        monkeypatch.setenv("DIGEST_SOURCES", "hf")
        monkeypatch.setenv("DIGEST_HF_URL", nowhere.url)
        result = call("ingest", "--quiet")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert re.match(r"Daily Papers .* \(\d days from .*; asked again next time", line)
    assert (house / "paper-digest.db").exists()
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    said = well("run", "--now")
    assert "Listing    Daily Papers gave no full answer last time; asked again " in said
    assert "6 other days incomplete" in well("sources")


def test_a_relay_that_is_not_there_is_told_with_advice_and_loses_nothing(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        nobody = listening.getsockname()[1]
    monkeypatch.setenv("DIGEST_SMTP_URL", f"smtp://127.0.0.1:{nobody}")
    monkeypatch.setenv("DIGEST_FROM", "Paper Digest <digest@example.org>")
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    make_due()
    result = call("run")
    assert result.exit_code == 1
    assert "1 of 1 mail left for the next run" in result.stdout
    assert "Nothing listens there" in result.stderr
    with Mailbox(house / "mails") as mailbox:
        monkeypatch.setenv("DIGEST_SMTP_URL", f"smtp://127.0.0.1:{mailbox.port}")
        assert "1/1" in well("run")
        assert "Nothing is due" in well("run")
    assert (house / "mails" / "ada.eml").exists()


@pytest.mark.usefixtures("house")
def test_wrong_settings_are_all_told_and_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_PORT", "eighty")
    monkeypatch.setenv("DIGEST_PUBIC_URL", "https://example.org")
    result = call("run")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "DIGEST_PORT is 'eighty': set it to a port, as in 8000",
        "DIGEST_PUBIC_URL is '***': there is no such setting; did you mean DIGEST_PUBLIC_URL?",
    ]
    assert not Path("paper-digest.db").exists()


@pytest.mark.usefixtures("house")
def test_a_database_that_is_none_is_one_line_and_where_it_happened_only_on_request() -> None:
    Path("paper-digest.db").write_bytes(b"this is no database, whatever its name says" * 50)
    result = call("subscribers", "list")
    assert result.exit_code == 1
    assert "paper-digest.db" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in call("--debug", "subscribers", "list").stderr


def test_a_file_that_is_in_the_way_is_named_in_one_line(house: Path) -> None:
    (house / "out").write_text("a file where a folder should be", encoding="utf-8")
    well("ingest")
    well("subscribers", "add", "ada@example.org")
    result = call("preview", "ada@example.org")
    assert result.exit_code == 1
    assert result.stderr == "File exists: out\n"


def test_a_mistake_of_ours_is_one_line_too() -> None:
    broken = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
    broken.callback()(root)

    @broken.command()
    def divide() -> None:
        raise ZeroDivisionError("by zero")

    result = CliRunner().invoke(broken, ["divide"])
    assert result.exit_code == 70
    assert result.stderr == (
        "This is a mistake in Paper Digest, not yours: ZeroDivisionError: by zero"
        " (paper-digest --debug shows where)\n"
    )
    assert "Traceback" in CliRunner().invoke(broken, ["--debug", "divide"]).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("subscribe", "there is no command 'subscribe': did you mean subscribers?"),
        ("frobnicate", "there is no command 'frobnicate': --help lists what there is"),
        ("keywords tset x", "there is no command 'tset': did you mean set or test?"),
        ("--dbug", "there is no option --dbug: did you mean --debug?"),
        ("keywords test x --days", "--days needs a value behind it: "),
        ("keywords test x --days -3", "--days is '-3': write 1 or more"),
        ("keywords test x --days many", "--days is 'many': write a whole number"),
        ("serve --port 99999", "--port is '99999': write 65535 or less"),
        ("keywords test", "QUERY is missing: paper-digest keywords test [OPTIONS] {QUERY}"),
        ("keywords show", "ADDRESS is missing: paper-digest keywords show [OPTIONS] {ADDRESS}"),
        ("keywords test x y", "there is no place for 'y': paper-digest keywords test"),
        (
            "subscribers add a@b.c --cadence hourly",
            "--cadence is 'hourly': write daily, weekdays, weekly or monthly",
        ),
        ("subscribers add a@b.c --at 25:00", "--at: '25:00' is no hour: write it as 07:00"),
        ("preview -q x --date 2026-13-40", "--date is '2026-13-40': write a day as 2026-12-24"),
        (
            "subscribers add a@b.c --weekday friday --cadence daily",
            "--weekday goes with --cadence weekly, or with no --cadence",
        ),
    ],
)
@pytest.mark.usefixtures("house")
def test_a_mistake_in_the_usage_is_one_line_that_says_what_to_do(words: str, said: str) -> None:
    result = CliRunner().invoke(app, words.split(), prog_name="paper-digest")
    assert result.exit_code == 2
    assert result.stderr.startswith(said)
    assert result.stderr.count("\n") == 1
    assert not result.stdout


@pytest.mark.usefixtures("house")
def test_a_day_alone_makes_a_weekly_digest() -> None:
    well("subscribers", "add", "ada@example.org", "--weekday", "friday")
    (ada,) = json.loads(well("subscribers", "list", "--json"))
    assert (ada["cadence"], ada["weekday"]) == ("weekly", "friday")


@pytest.mark.usefixtures("house")
def test_a_question_that_nobody_can_answer_names_the_option_that_does() -> None:
    well("subscribers", "add", "ada@example.org")
    result = call("subscribers", "remove", "ada@example.org")
    assert result.exit_code == 1
    assert result.stderr == "nobody is here to answer, so nothing was done: --yes says yes\n"
    assert len(json.loads(well("subscribers", "list", "--json"))) == 1


@pytest.mark.usefixtures("house")
def test_a_mistyped_folder_makes_no_second_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGEST_DATABASE_URL", "sqlite:///no/such/papers.db")
    for words in (("subscribers", "list"), ("subscribers", "add", "ada@example.org")):
        said = call(*words).stderr
        assert said.startswith(f"there is no folder {Path.cwd()}/no/such for the database: make it")
    assert not Path("no").exists()


def test_no_summary_of_a_command_is_cut() -> None:
    for words in ((), ("keywords",), ("subscribers",), ("deliveries",)):
        assert "..." not in well(*words, "--help").partition("Commands:")[2].partition("Exam")[0]


def test_every_command_has_its_place_among_the_others() -> None:
    group = get_command(app)
    assert isinstance(group, Commands)
    assert set(group.commands) <= set(ORDER)


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2020-01-01", "--until 2020-01-01 is over"),
        ("9999-12-31", "without --until a pause has no end"),
    ],
)
@pytest.mark.usefixtures("house")
def test_a_pause_ends_on_a_day_to_come_that_is_not_the_end_of_time(until: str, said: str) -> None:
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    result = call("subscribers", "edit", "ada@example.org", "--pause", "--until", until)
    assert result.exit_code == 2
    assert said in result.stderr


def test_what_is_due_stays_due_where_another_thing_is_changed(house: Path) -> None:
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    due = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
    with open_store(f"sqlite:///{house / 'paper-digest.db'}") as store:
        reader = store.subscribers.by_address("ada@example.org")
        store.subscribers.update(replace(reader, next_due=due))
        well("subscribers", "edit", "ada@example.org", "--name", "Ada", "-k", "zebrafish")
        assert store.subscribers.by_number(reader.number).next_due == due
        well("subscribers", "edit", "ada@example.org", "--at", "18:30")
        assert store.subscribers.by_number(reader.number).next_due != due


def test_why_is_told_also_of_who_was_sent_a_notice(house: Path) -> None:
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    well("ingest", "--now")
    with open_store(f"sqlite:///{house / 'paper-digest.db'}") as store:
        reader = store.subscribers.by_address("ada@example.org")
        store.notices.post(
            reader,
            "quiet",
            channel="eml",
            domain="example.org",
            now=datetime.now(UTC),
            lasts=timedelta(days=1),
            about=b"{}",
        )
        (paper, *_) = store.papers.by_numbers([1]).values()
    assert "quiet" in well("why", "ada@example.org")
    assert paper.title in well("why", "ada@example.org", str(paper.id))


def test_who_is_forgotten_is_in_no_line_of_the_log(house: Path) -> None:
    del house
    well("subscribers", "add", "ada@example.org", "-k", "unlearning")
    well("run", "--now")
    assert "ada@example.org" in well("deliveries", "--json")
    well("subscribers", "remove", "ada@example.org", "--yes")
    assert "ada@example.org" not in well("deliveries", "--json")


def test_a_first_part_makes_the_folder_of_templates(house: Path) -> None:
    said = well("templates", "new", "card.html", "--dir", "mine")
    assert (house / "mine" / "email" / "card.html").is_file()
    assert said.endswith("It is used once DIGEST_TEMPLATES=mine is set.\n")
    same = Path("mine/email/card.html")
    assert well("templates", "diff", "--dir", "mine") == f"{same} is as ours is.\n"


def test_a_part_is_copied_into_a_folder_of_ones_own_also_beside_ours(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    well("templates", "new", "card.html")
    assert (house / "my-templates" / "email" / "card.html").is_file()
    monkeypatch.chdir(templates_dir().parent)
    refused = call("templates", "new", "card.html", "--dir", "templates")
    assert refused.exit_code == 1
    assert refused.stderr.startswith("templates holds our parts: ")


@pytest.mark.usefixtures("house")
def test_a_trial_of_a_folder_of_listings_shows_every_source_in_it() -> None:
    result = call("sources", "test", f"file:{SAMPLE}")
    shown = [line.partition(",")[0] for line in result.stdout.splitlines() if line[0] != " "]
    assert shown == ["arXiv", "bioRxiv", "Daily Papers"]
    assert result.exit_code == 1, "one of them is known to be incomplete"


@pytest.mark.usefixtures("house")
def test_a_source_that_cannot_be_reached_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # so nothing leaves this machine
    result = call("sources", "test", "openalex:sparse")
    assert result.exit_code == 1
    assert "  api.openalex.org: Connection refused\n" in result.stdout
    assert "curl -I https://api.openalex.org/ (where a proxy leads out" in result.stdout


@pytest.mark.usefixtures("house")
def test_readers_are_found_by_a_word_and_by_how_they_stand_and_the_rest_is_counted() -> None:
    for number in range(3):
        well("subscribers", "add", f"r{number}@uni{number}.example", "-k", f"topic{number}")
    well("subscribers", "edit", "r2@uni2.example", "--pause")
    well("suppressions", "add", "R1@uni1.example")
    listed = call("subscribers", "list", "--limit", "2")
    assert [line.partition(" ")[0] for line in listed.stdout.splitlines()] == [
        "reader", "r0@uni0.example", "r1@uni1.example",
    ]  # fmt: skip
    assert listed.stderr.startswith("2 of 3 readers: --limit 0 shows all")

    def found(*words: str) -> list[str]:
        told = json.loads(well("subscribers", "list", "--json", *words))
        return [reader["address"][:2] for reader in told]

    assert found("--find", "TOPIC1") == ["r1"]
    assert found("--find", "uni", "--status", "paused") == ["r2"]
    assert found("--status", "suppressed", "--status", "paused") == ["r1", "r2"]
    assert found("--status", "active") == ["r0", "r1"]
    assert well("subscribers", "list", "--find", "nobody") == "No reader is like that.\n"


@pytest.mark.usefixtures("house")
def test_lines_of_one_interest_stand_in_one_row_of_the_list() -> None:
    well("subscribers", "add", "ada@example.org", "-k", "agents\nplanning", "-k", "fusion")
    _, row = well("subscribers", "list").splitlines()
    assert "agents; planning; fusion" in row
    refused = call("keywords", "remove", "ada@example.org", "nothing")
    assert "has no interest 'nothing', only " in refused.stderr
