"""The house keeps its order: who may import whom, what is pure, and who alone knows what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Final

import pytest

import digest

ROOT: Final = Path(digest.__file__).parent.parent
LONGEST: Final = {"digest": 500, "subscribers": 500, "bench": 500, "tests": 800}

# From the ground up: a room imports from its own storey and from those below.
STOREYS: Final = (
    {"digest", "digest.errors", "digest.brand"},
    {"digest.settings", "digest.advice", "digest.pace"},
    {"digest.papers", "digest.merge", "digest.tags", "digest.tex", "subscribers"},
    {
        "digest.match",
        "digest.learn",
        "digest.phrases",
        "digest.retold",
        "digest.language",
        "digest.cite",
        "digest.variants",
    },
    {"digest.selection", "digest.repairs"},
    {"digest.volume", "digest.misses"},
    {"digest.suggest"},
    {"digest.compose", "digest.cards", "digest.notes", "digest.columns"},
    {"digest.templating", "digest.templating.sandbox", "digest.mail", "digest.dkim"},
    {"digest.templating.parts", "digest.templating.stencil", "digest.hints"},
    {"digest.render", "digest.templating.contrast"},
    {"digest.fragments", "digest.templating.specimens"},
    {"digest.templating.proof"},
    {"digest.smtp", "digest.channels", "digest.sources", "digest.store", "digest.bounces"},
    {"digest.workshop", "digest.doorbell"},
    {"digest.backlog"},
    {"digest.pool"},
    {"digest.delivery"},
    {"digest.app"},
    {
        "digest.ingest",
        "digest.news",
        "digest.windows",
        "digest.letters",
        "digest.roster",
        "digest.bounces.taking",
        "digest.notices",
        "digest.quiet",
    },
    {"digest.press"},
    {"digest.backfill", "digest.run", "digest.reopen"},
    {
        "digest.schedule",
        "digest.workers",
        "digest.preview",
        "digest.trial",
        "digest.why",
        "digest.web",
        "digest.doctor",
    },
    {"digest.testing"},
    {"digest.demo", "digest.cli"},
    {"digest.__main__"},
)
_TEMPLATES: Final = "digest.templating.parts"
"""Templates are files, and it reads them once, when it is made."""
PURE: Final = (
    "digest.papers",
    "digest.merge",
    "digest.tags",
    "digest.bounces.events",
    "digest.bounces.judging",
    "digest.bounces.mime",
    "digest.bounces.reading",
    "digest.match",
    "digest.learn",
    "digest.phrases",
    "digest.retold",
    "digest.cite",
    "digest.repairs",
    "digest.variants",
    "digest.volume",
    "digest.suggest",
    "digest.misses",
    "digest.selection",
    "digest.compose",
    "digest.cards",
    "digest.notes",
    "digest.brand",
    "digest.columns",
    "digest.tex",
    "digest.templating.sandbox",
    "digest.templating.stencil",
    "digest.templating.parts",
    "digest.render",
    "digest.fragments",
    "digest.templating.specimens",
    "digest.templating.contrast",
    "digest.hints",
    "digest.templating.proof",
    "digest.mail",
    "subscribers",
)
# What only these may import, because they turn its ways and its errors into ours.
KEPT: Final = {
    "httpx": {"digest.sources.http"},
    "apscheduler": {"digest.schedule"},
    "procrastinate": {"digest.workers"},
    "smtplib": {"digest.smtp"},
    "imaplib": {"digest.bounces.mailboxes"},
    "dns": {"digest.doctor.names"},
    "mjml": {"digest.templating.parts"},
    "babel": {"digest.language"},
    "sqlalchemy": {"digest.store"},
    "sqlmodel": {"digest.store"},
    "sqlite3": {"digest.store"},
    "psycopg": {"digest.store"},
    "alembic": {"digest.store"},
    "dotenv": {"digest.cli"},
    "typer": {"digest.cli"},
    "fastapi": {"digest.web"},
}
WORLD: Final = {
    "aiosmtpd", "httpx", "os", "random", "requests", "secrets", "shutil", "smtplib", "socket",
    "sqlalchemy", "sqlite3", "sqlmodel", "subprocess", "tempfile", "threading", "time",
    "urllib.request",
}  # fmt: skip
CLOCKS: Final = {"now", "utcnow", "today", "time", "monotonic", "perf_counter"}
# A heavy library is imported by the function that needs it: the command line answers at once.
HEAVY: Final = (
    "alembic", "apscheduler", "babel", "fastapi", "httpx", "mjml", "numpy", "playwright",
)  # fmt: skip


@dataclass(frozen=True)
class Module:
    """One source file, read."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def imports(self) -> dict[str, int]:
        """Every module it imports, wherever in the file, with the line."""
        found: dict[str, int] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update({alias.name: node.lineno for alias in node.names})
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{self.name}: relative import in line {node.lineno}"
                origin = node.module or ""
                found[origin] = node.lineno
                found.update({f"{origin}.{alias.name}": node.lineno for alias in node.names})
        return found


@cache
def read(folder: str) -> tuple[Module, ...]:
    modules = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text(encoding="utf-8")
        modules.append(Module(name, path, text, ast.parse(text)))
    return tuple(modules)


def product() -> tuple[Module, ...]:
    return read("digest") + read("subscribers")


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def storey(name: str) -> int:
    """How high a module stands; the longest room name that holds it counts."""
    rooms = [
        (len(room), height)
        for height, names in enumerate(STOREYS)
        for room in names
        if name == room or (room != "digest" and within(name, room))
    ]
    assert rooms, f"{name} has no place in the house: give it a storey in {Path(__file__).name}"
    return max(rooms)[1]


def ours(module: Module) -> dict[str, int]:
    known = {each.name for each in product()}
    return {
        name: line
        for name, line in module.imports.items()
        if name in known and name not in {module.name, "digest"}
    }


@pytest.mark.parametrize("module", product(), ids=lambda module: module.name)
def test_imports_go_downwards(module: Module) -> None:
    own = storey(module.name)
    upwards = [
        f"{module.path.name}:{line} imports {name}"
        for name, line in ours(module).items()
        if storey(name) > own
    ]
    assert not upwards


@pytest.mark.parametrize(
    "module",
    [module for module in product() if any(within(module.name, room) for room in PURE)],
    ids=lambda module: module.name,
)
def test_what_is_pure_touches_neither_world_nor_clock_nor_chance(module: Module) -> None:
    touched = [
        f"{module.path.name}:{line} imports {name}"
        for name, line in module.imports.items()
        if any(within(name, foreign) for foreign in WORLD)
    ]
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        owner, _, method = called.rpartition(".")
        clock = method in CLOCKS and owner.split(".")[-1] in {"datetime", "date", "time"}
        opens = called in {"open", "Path.open", "path.open"} and module.name != _TEMPLATES
        if clock or opens or called == "uuid.uuid4":
            touched.append(f"{module.path.name}:{node.lineno} calls {called}")
    assert not touched


@pytest.mark.parametrize(("library", "rooms"), KEPT.items(), ids=KEPT)
def test_one_room_alone_knows_each_library(library: str, rooms: set[str]) -> None:
    strangers = [
        f"{module.name}:{line}"
        for module in product()
        for name, line in module.imports.items()
        if within(name, library)
        and not any(within(module.name, room) for room in rooms)
        and module.name != "digest.testing"
    ]
    assert not strangers


def test_no_statement_of_sql_stands_outside_the_store() -> None:
    statement = re.compile(r"\b(SELECT .+ FROM|INSERT INTO|UPDATE \w+ SET|DELETE FROM|PRAGMA) ")
    outside = [
        f"{module.name}:{node.lineno}"
        for module in product()
        if not within(module.name, "digest.store")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and statement.search(node.value)
    ]
    assert not outside


def test_no_file_is_longer_than_a_person_reads() -> None:
    long = {
        module.name: lines
        for folder, longest in LONGEST.items()
        for module in read(folder)
        if (lines := module.text.count("\n")) > longest
    }
    assert not long


def test_no_file_is_named_for_having_no_name() -> None:
    vague = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
    named = {module.name for module in product() if vague & set(module.path.stem.split("_"))}
    assert not named


def test_no_test_pretends() -> None:
    forbidden = ["unittest" + ".mock", "monkeypatch" + ".setattr", "mocker", "time.sleep"]
    pretending = [
        f"{module.path.name}: {word}"
        for module in read("tests")
        for word in forbidden
        if word in module.text and module.path != Path(__file__)
    ]
    assert not pretending


def test_every_library_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    written = {re.split(r"[^A-Za-z0-9._-]", line)[0] for lines in lists for line in lines}
    declared = {re.sub(r"[-_.]+", "-", name).lower() for name in written}
    # FastAPI and Jinja speak in these and bring them along.
    declared |= {"starlette", "pydantic", "markupsafe"}
    providers = packages_distributions()
    undeclared = {
        f"{module.name}:{line} imports {name}"
        for module in product()
        for name, line in module.imports.items()
        if (top := name.partition(".")[0]) not in {"digest", "subscribers", "__future__"}
        and top not in sys.stdlib_module_names
        and not {re.sub(r"[-_.]+", "-", one).lower() for one in providers.get(top, ())} & declared
    }
    assert not undeclared


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
    left = [
        f"{module.path.name}:{number}"
        for module in product() + read("tests") + read("bench")
        for number, line in enumerate(module.text.splitlines(), start=1)
        if later.search(line) and module.path != Path(__file__)
    ]
    assert not left


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    program = f"import digest.cli, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
