"""What the documents say of settings and commands is what the program does."""

from __future__ import annotations

import re
import shlex
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from commands import reference
from dotenv import dotenv_values
from mailsystems import SYSTEMS
from typer.main import get_command
from typer.testing import CliRunner

from digest.cli import app
from digest.settings import SETTINGS, Setting, load

if TYPE_CHECKING:
    from typer.core import TyperGroup

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
EXAMPLE: Final = ROOT / ".env.example"


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.key)
def test_each_setting_is_in_the_table_with_what_it_takes_and_its_default(setting: Setting) -> None:
    rows = [
        row
        for row in read(ROOT / "docs" / "configuration.md").splitlines()
        if row.startswith(f"| `{setting.key}` |")
    ]
    default = f"`{setting.default}`" if setting.default else ""
    wanted = setting.wanted.replace("<", r"\<")  # or Markdown takes an address for a link
    assert rows == [f"| `{setting.key}` | {setting.help} | {wanted} | {default} |"]


def test_the_example_file_has_each_setting_with_its_help_and_default() -> None:
    text = read(EXAMPLE)
    set_there = re.sub(r"(?m)^#(?=DIGEST_)", "", text)
    values = dotenv_values(stream=StringIO(set_there), interpolate=False)
    assert values == {setting.key: setting.default for setting in SETTINGS}
    said = " ".join(re.sub(r"(?m)^# ?", "", text).split())
    assert [setting.key for setting in SETTINGS if setting.help not in said] == []


def test_the_example_file_copied_as_it_is_changes_nothing() -> None:
    values = dotenv_values(stream=StringIO(read(EXAMPLE)), interpolate=False)
    assert load({key: value or "" for key, value in values.items()}) == load({})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_no_setting_that_does_not_exist(page: Path) -> None:
    known = {setting.key for setting in SETTINGS}
    known |= {f"{setting.key}_FILE" for setting in SETTINGS if setting.secret}
    named = set(re.findall(r"\bDIGEST_[A-Z][A-Z_]*[A-Z]\b", read(page)))
    invented = {key for key in named if key.startswith("DIGEST_ACME_")}
    assert named - invented <= known


def commands(page: Path) -> list[list[str]]:
    """Every `paper-digest ...` that stands in a page's code, as words."""
    text = read(page).replace("\\\n", " ")
    blocks = re.findall(r"(?ms)^```[a-z]*\n(.*?)^```", text)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))
    lines = [line for block in blocks for line in block.splitlines()]
    found = []
    for line in [*lines, *spans]:
        call = re.search(r"(?:^|[\s/])paper-digest( [a-z-].*)?$", line.split("  #")[0].rstrip())
        if call and call[1]:
            found.append(shlex.split(call[1]))
    return found


@pytest.mark.parametrize(
    ("page", "words"),
    [
        pytest.param(page, words, id=f"{page.name}: {' '.join(words)}"[:80])
        for page in PAGES
        for words in commands(page)
    ],
)
def test_a_page_names_no_command_or_option_that_does_not_exist(
    page: Path, words: list[str]
) -> None:
    del page
    command = get_command(app)
    chain: list[str] = []
    for word in words:
        children = getattr(command, "commands", {})
        if word in children:
            command = children[word]
            chain.append(word)
    assert chain or words[0].startswith("-"), f"{words[0]} is no command"
    options = {option for parameter in command.params for option in parameter.opts}
    options |= {option for parameter in command.params for option in parameter.secondary_opts}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= options | {"--help"}


def every_command(group: TyperGroup, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, command in group.commands.items():
        children = getattr(command, "commands", None)
        found += every_command(command, (*words, name)) if children else [(*words, name)]  # type: ignore[arg-type]
    return found


@pytest.mark.parametrize("words", every_command(get_command(app)), ids=" ".join)  # type: ignore[arg-type]
def test_the_help_of_each_command_ends_with_an_example_of_it(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"])
    assert result.exit_code == 0
    _, head, examples = result.output.partition("\n  Example")
    assert head, result.output
    assert f"paper-digest {' '.join(words)}" in examples


def test_whatever_a_test_asks_of_the_system_the_runner_installs() -> None:
    (packages,) = re.findall(r"^packages=\(([^)]*)\)", read(ROOT / ".ci" / "run"), re.MULTILINE)
    asked = {
        name
        for path in (ROOT / "tests").glob("*.py")
        for names in re.findall(r'"apt[-]get install ([^"]+)"', read(path))
        for name in names.split()
    }
    assert asked
    assert asked <= set(packages.split())


def test_what_a_test_runs_from_an_unpacked_package_the_runner_unpacks() -> None:
    (packages,) = re.findall(r"unpacked=\(([^)]*)\)", read(ROOT / ".ci" / "run"))
    asked = {system.package for system in SYSTEMS.values()}
    for path in (ROOT / "tests").glob("test_*.py"):
        asked |= set(re.findall(r'rooted\("([^"]+)"', read(path)))
    assert asked == set(packages.split())


def test_the_page_of_commands_is_what_their_help_says() -> None:
    assert read(ROOT / "docs" / "commands.md") == reference(), "`make docs` writes it anew"
