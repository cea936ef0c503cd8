"""`paper-digest keywords`: interests added, changed and dropped, and the whole wish edited."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from digest.cli import app
from digest.store import open_store
from subscribers.profile import MAX_INTERESTS, Order, Profile
from subscribers.sheet import read

if TYPE_CHECKING:
    from subscribers.subscriber import Subscriber

ADA = "ada@example.org"


@pytest.fixture(autouse=True)
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader of unlearning, and two papers."""
    monkeypatch.chdir(tmp_path)
    papers = [
        {"id": f"arxiv:2611.9000{n}", "title": title, "abstract": "Of things.", "day": 0,
         "authors": [author]}
        for n, (title, author) in enumerate(
            [("Machine Unlearning", "Ines Harrow"), ("Zebrafish Learn to Route", "B. Bad")], 1
        )
    ]  # fmt: skip
    listing = {"source": "arxiv", "label": "arXiv", "papers": papers}
    Path("listing.json").write_text(json.dumps(listing), encoding="utf-8")
    monkeypatch.setenv("DIGEST_SOURCES", "file:listing.json")
    monkeypatch.setenv("DIGEST_SMTP_URL", "eml:outbox")
    monkeypatch.delenv("VISUAL", raising=False)
    well("ingest")
    well("subscribers", "add", ADA, "-k", "unlearning")
    return tmp_path


def call(*words: str, say: str = "") -> Any:  # noqa: ANN401 -- typer's result is private
    return CliRunner().invoke(app, words, input=say)


def well(*words: str, say: str = "") -> str:
    result = call(*words, say=say)
    assert result.exit_code == 0, result.output
    output: str = result.stdout
    return output


def ada() -> Subscriber:
    with open_store("sqlite:///paper-digest.db") as store:
        return store.subscribers.by_address(ADA)


# --- one interest ------------------------------------------------------------------------------


def test_an_interest_is_added_and_told_what_it_brings() -> None:
    said = well("keywords", "add", ADA, "zebrafish -x", "--name", "Fish", "--limit", "5",
                "--order", "trending", "--lowest-score", "0.5", "--not-diverse",
                "--new-versions", "--library", "kept", "--layout", "titles")  # fmt: skip
    assert re.fullmatch(r"Fish: About 1 paper a \w+\n", said)
    assert ada().profiles == (
        Profile("unlearning"),
        Profile("zebrafish -x", "Fish", 5, Order.TRENDING, 0.5, ada().profiles[1].layout,
                new_versions=True, diverse=False, skip_library=False),
    )  # fmt: skip


def test_the_first_interest_takes_the_place_of_the_top_ten() -> None:
    well("subscribers", "add", "bo@example.org")
    well("keywords", "add", "bo@example.org", "zebrafish")
    with open_store("sqlite:///paper-digest.db") as store:
        assert store.subscribers.by_address("bo@example.org").profiles == (Profile("zebrafish"),)


def test_an_interest_is_found_by_its_name_its_keywords_or_its_number() -> None:
    well("keywords", "add", ADA, "zebrafish", "--name", "Fish")
    well("keywords", "set", ADA, "fish", "--limit", "3")
    well("keywords", "set", ADA, "Unlearning", "--limit", "0")
    well("keywords", "set", ADA, "2", "--keywords", "zebrafish larvae")
    assert ada().profiles == (
        Profile("unlearning", limit=0),
        Profile("zebrafish larvae", "Fish", limit=3),
    )


def test_an_interest_is_renamed_and_removed_until_the_top_ten_is_left() -> None:
    well("keywords", "rename", ADA, "1", "Forgetting")
    assert ada().profiles[0].name == "Forgetting"
    assert well("keywords", "remove", ADA, "forgetting").startswith("top ten: The 10 papers")
    assert ada().profiles == (Profile(),)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", ADA, '"bad'], 'this quote is never closed in \'"bad\'. Try: "bad"'),
        (["add", ADA, "x", "--name", "FISH"], "has an interest named 'FISH' already"),
        (["rename", ADA, "1", "fish"], "has an interest named 'fish' already"),
        (["remove", ADA, "birds"], "has no interest 'birds', only 'unlearning' (1), 'Fish' (2)"),
        (["set", ADA, "3"], "has no interest '3'"),
        (["set", ADA, "1", "-k", "titel:x"], "Try: title:x"),
        (["show", "nobody@example.org"], "there is no reader nobody@example.org"),
        (["mute", ADA], "name a word"),
        (["set", ADA, "1", "--lowest-score", "-1"], "lowest-score"),
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_changes_nothing(
    words: list[str], said: str
) -> None:
    well("keywords", "add", ADA, "zebrafish", "--name", "Fish")
    before = ada()
    result = call("keywords", *words)
    assert result.exit_code in {1, 2}
    assert said in result.stderr
    assert ada() == before


def test_interests_have_a_limit_that_the_command_line_and_the_edited_text_share() -> None:
    for number in range(MAX_INTERESTS - 1):
        well("keywords", "add", ADA, f"word{number}")
    before = ada()
    assert len(before.profiles) == MAX_INTERESTS
    result = call("keywords", "add", ADA, "one more")
    assert (result.exit_code, ada()) == (1, before)
    assert "has 50 interests, and the most is 50" in result.stderr
    assert len(result.stderr.strip().split("\n")) == 1
    sheet, mistakes = read("".join(f"[Topic {n}]\nword{n}\n" for n in range(MAX_INTERESTS + 1)))
    assert len(sheet.profiles) == MAX_INTERESTS
    assert "the most interests are 50" in mistakes[0].reason


def test_a_slip_is_told_where_nothing_is_to_be_seen() -> None:
    well("subscribers", "add", "bo@example.org", "-k", "unlerning\nrouting of what")
    for words in (["bo@example.org"], ["--query", "unlerning"]):
        assert "unlerning: Brings nothing. Did you mean unlearning" in well("preview", *words)
    assert "unlerning: Brings nothing. Did you mean unlearning" in well("why", "bo@example.org")
    assert "Did you mean" not in well("preview", "--query", "nothinglikethisanywhere")


def test_keywords_come_from_the_standard_input_or_begin_with_a_minus() -> None:
    assert "Papers with unlearning." in well("keywords", "test", "-", say="unlearning\n")
    assert "Leaves out papers with unlearning." in well("keywords", "test", "--", "-unlearning")
    said = call("keywords", "test", "-unlearning").stderr
    assert "keywords that begin with a minus stand behind --" in said


def test_words_and_authors_are_muted_for_the_reader_as_a_whole() -> None:
    assert well("keywords", "mute", ADA, "survey", "Survey", "image generation",
                "--author", "B. Bad") == (
        "Never shown: survey, image generation, author: B. Bad.\n"
    )  # fmt: skip
    assert ada().muted_words == ("survey", "image generation")
    well("keywords", "mute", ADA, "SURVEY", "image generation", "--undo")
    assert well("keywords", "mute", ADA, "--author", "b. bad", "--undo") == "Nothing is muted.\n"


def test_synonyms_are_offered_with_what_they_add_and_switched_on_by_name() -> None:
    well("keywords", "set", ADA, "1", "--keywords", "MU")
    assert well("keywords", "synonyms", ADA).startswith("No other name would have added")
    sheet = well("keywords", "show", ADA) + "\n[my synonyms]\nMU = machine unlearning\n"
    well("keywords", "edit", ADA, "--file", "-", "--yes", say=sheet)
    said = well("keywords", "synonyms", ADA)
    assert re.search(r'MU +machine unlearning +1\n  then: MU OR "machine unlearning"', said)
    assert well("keywords", "synonyms", ADA, "Machine Unlearning").startswith("MU OR ")
    assert ada().profiles[0].text == 'MU OR "machine unlearning"'
    result = call("keywords", "synonyms", ADA, "--all")
    assert (result.exit_code, "has another name like that" in result.stderr) == (1, True)


# --- the whole wish ----------------------------------------------------------------------------


def editor(monkeypatch: pytest.MonkeyPatch, *changes: tuple[str, str]) -> None:
    """An editor that makes one change each time it is opened."""
    script = Path("editor.py")
    Path("times").write_text("", encoding="utf-8")
    script.write_text(
        "import pathlib, sys\n"
        f"changes = {list(changes)!r}\n"
        "times = pathlib.Path('times')\n"
        "done = len(times.read_text())\n"
        "times.write_text('x' * (done + 1))\n"
        "draft = pathlib.Path(sys.argv[1])\n"
        "old, new = changes[min(done, len(changes) - 1)]\n"
        "draft.write_text(draft.read_text(encoding='utf-8').replace(old, new), encoding='utf-8')\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("EDITOR", f"python3 {script}")


def kept(result: Any) -> Path:  # noqa: ANN401 -- typer's result is private
    """Where the text was kept, out of the temporary folder and into ours."""
    found = re.search(
        rf"Your text is in (\S+): paper-digest keywords edit {ADA} --file \1", result.stderr
    )
    assert found, result.stderr
    return Path(shutil.move(found[1], "kept.txt"))


def test_the_wish_is_changed_in_an_editor_and_shown_before_it_is_saved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    editor(monkeypatch, ("unlearning", "unlearning\nzebrafsh\n[Fish]\nmost papers: 3\nzebrafish"))
    said = well("keywords", "edit", ADA, say="y\n")
    assert "Did you mean zebrafish (1 paper)?" in said
    assert said.endswith(f"Saved. It holds from {ADA}'s next digest on.\n")
    assert ada().profiles == (
        Profile("unlearning\nzebrafsh"),
        Profile("zebrafish", "Fish", limit=3),
    )


def test_a_mistake_is_shown_and_the_text_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    editor(monkeypatch, ("unlearning", '"unlearning'), ('"unlearning', "forgetting"))
    said = well("keywords", "edit", ADA, say="y\ny\n")
    assert "Line 7, column 1: this quote is never closed." in said
    assert ada().profiles == (Profile("forgetting"),)


def test_a_text_that_is_given_up_is_kept_and_can_be_taken_from_its_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    editor(monkeypatch, ("unlearning", '"unlearning'))
    result = call("keywords", "edit", ADA, say="n\n")
    assert result.exit_code == 2
    draft = kept(result)
    assert ada().profiles == (Profile("unlearning"),)
    assert call("keywords", "edit", ADA, "--file", str(draft)).exit_code == 2
    draft.write_text(draft.read_text(encoding="utf-8").replace('"unl', "unl") + "\nsurvey\n")
    well("keywords", "edit", ADA, "--file", str(draft), "--yes")
    assert ada().muted_words == ("survey",)


def test_no_to_saving_keeps_the_text_too_and_edit_opens_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    editor(monkeypatch, ("unlearning", "forgetting"), ("forgetting", "zebrafish"))
    result = call("keywords", "edit", ADA, say="e\nn\n")
    assert result.exit_code == 2
    assert "zebrafish" in kept(result).read_text(encoding="utf-8")
    assert ada().profiles == (Profile("unlearning"),)


def test_an_answer_that_never_comes_keeps_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    editor(monkeypatch, ("unlearning", "forgetting"))
    result = call("keywords", "edit", ADA, say="")
    assert result.exit_code == 1
    assert "forgetting" in kept(result).read_text(encoding="utf-8")


def test_nothing_changed_is_nothing_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    editor(monkeypatch, ("x" * 99, ""))
    assert well("keywords", "edit", ADA) == "Nothing changed.\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("no-such-editor", "there is no editor 'no-such-editor': set EDITOR to one"),
        ("false", "the editor 'false' ended with 1; nothing is saved"),
        ("'", "there is no editor"),
    ],
)
def test_an_editor_that_fails_is_named(
    command: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", command)
    result = call("keywords", "edit", ADA)
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Your text is in" not in result.stderr


def test_a_wish_that_was_changed_meanwhile_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    editor(monkeypatch, ("unlearning", "forgetting"))
    script = Path("editor.py").read_text(encoding="utf-8")
    elsewhere = "import subprocess, sys\nsubprocess.run([sys.executable, '-m', 'digest', "
    Path("editor.py").write_text(
        f"{elsewhere}'keywords', 'mute', '{ADA}', 'survey'], check=True)\n{script}",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    monkeypatch.setenv("EDITOR", f"{sys.executable} editor.py")
    result = call("keywords", "edit", ADA, "--yes")
    assert result.exit_code == 1
    assert "was changed meanwhile; nothing is saved" in result.stderr
    assert ada().profiles == (Profile("unlearning"),)
    assert ada().muted_words == ("survey",)
    assert "forgetting" in kept(result).read_text(encoding="utf-8")


def test_what_show_prints_is_what_edit_takes() -> None:
    well("keywords", "add", ADA, "zebrafish", "--name", "Fish")
    before = ada()
    Path("wish.txt").write_text(well("keywords", "show", ADA), encoding="utf-8")
    well("keywords", "edit", ADA, "--file", "wish.txt", "--yes")
    assert ada() == before
    assert call("keywords", "edit", ADA, "--file", "none.txt").exit_code == 1
