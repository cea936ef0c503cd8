"""Languages: every sentence of a mail has its German, dates and numbers are as they are there."""

from __future__ import annotations

import ast
import re
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po

import digest
from digest import compose, language, phrases, render, retold
from digest.language import FULL, LISTED, SHORT, languages
from digest.notes import Place, confirm
from digest.phrases import cadence_words, since_words
from digest.render import Brand, Renderer
from digest.templating.specimens import specimens
from subscribers.subscriber import Cadence, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from babel.messages.catalog import Message

HOME: Final = Path(digest.__file__).parent
ENGLISH, GERMAN = language.language("en"), language.language("de")
FORMS: Final = ("SHORT", "LISTED", "WHOLE", "MASTHEAD", "FULL", "DAY", "DAY_OF_MONTH")


def catalogue(code: str) -> dict[object, Message]:
    with (HOME / "languages" / f"{code}.po").open("rb") as file:
        return {message.id: message for message in read_po(file, locale=code) if message.id}


def said() -> Iterator[str | tuple[str, str]]:
    """Every sentence that a mail may say, as the code and the templates have it."""
    for name in ("cards", "compose", "notes", "phrases", "trial", "language"):
        for node in ast.walk(ast.parse((HOME / f"{name}.py").read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = ast.unparse(node.func).rpartition(".")[2]
            texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
            strings = [text for text in texts if isinstance(text, str)]
            if called == "say" and strings:
                yield strings[0]
            if called == "count" and len(strings) == 2:
                yield strings[0], strings[1]
    for path in (render.templates_dir() / "email").iterdir():
        yield from re.findall(r'say\("([^"]+)"', path.read_text(encoding="utf-8"))
    yield from (render.PROMISE, compose.ARXIV_THANKS, "upvotes", "comments", "stars")
    yield from (getattr(language, form) for form in FORMS)
    yield from (*retold.REASONS, *retold.MISSES, *retold.TROUBLES, retold.TOP_TEN)
    yield from (retold.KEEP_ASKING, retold.UNASKED)


@pytest.mark.parametrize("code", [code for code in languages() if code != "en"])
def test_a_catalogue_has_every_sentence_and_keeps_what_is_filled_in(code: str) -> None:
    known = catalogue(code)
    wanted = set(said())
    assert len(wanted) > 100
    assert wanted - known.keys() == set()
    for sentence, message in known.items():
        ours = [sentence] if isinstance(sentence, str) else list(sentence)  # type: ignore[call-overload]
        said_there = message.string or ()
        theirs = [said_there] if isinstance(said_there, str) else list(said_there)
        assert all(theirs), sentence
        for text in theirs:
            assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", ours[-1]))


def test_dates_and_numbers_are_as_they_are_there() -> None:
    day = date(2026, 11, 3)
    assert [ENGLISH.day(day, form) for form in (SHORT, LISTED, FULL)] == [
        "Tue\u00a03\u00a0Nov",
        "3\u00a0Nov\u00a02026",
        "Tuesday\u00a03\u00a0November\u00a02026",
    ]
    assert GERMAN.day(day, FULL) == "Dienstag,\u00a03.\u00a0November\u00a02026"
    assert (ENGLISH.number(1204), GERMAN.number(1204)) == ("1,204", "1.204")
    assert GERMAN.count("{number}~paper", "{number}~papers", 1) == "1\u00a0Arbeit"
    assert ENGLISH.count("{number}~paper", "{number}~papers", 0) == "0\u00a0papers"


def test_spans_and_cadences() -> None:
    now, zone = datetime(2026, 11, 20, 6, 0, tzinfo=UTC), ZoneInfo("Europe/Paris")
    cases = {
        datetime(2026, 11, 19, 6, 0, tzinfo=UTC): "since yesterday at 07:00",
        datetime(2026, 11, 16, 6, 0, tzinfo=UTC): "since Monday at 07:00",
        datetime(2026, 11, 20, 4, 0, tzinfo=UTC): "since 05:00 today",
        datetime(2026, 11, 3, 6, 0, tzinfo=UTC): "since 3 Nov 2026",
    }
    for since, words in cases.items():
        assert since_words(since, now, zone).replace("\u00a0", " ") == words
    weekly = Schedule(Cadence.WEEKLY, time(7), "Europe/Paris", weekday=0)
    assert cadence_words(weekly).replace("\u00a0", " ") == "every Monday at 07:00 (Europe/Paris)"
    assert "jeden Montag" in cadence_words(weekly, GERMAN)
    assert phrases.period_words(date(2026, 11, 16), date(2026, 11, 20)).replace("\u00a0", " ") == (
        "16-20 Nov"
    )


def test_a_language_nobody_wrote_is_english() -> None:
    assert language.language("xx").code == "en"
    assert language.language("de-AT").code == "de"


def test_a_german_reader_gets_a_german_mail() -> None:
    from dataclasses import replace  # noqa: PLC0415

    rich = specimens()[0]
    reader = replace(rich.reader, language="de")
    mail = Renderer(Brand()).fitted(reader, rich.selection, rich.papers, rich.links)[1]
    text = mail.text.replace("\u00a0", " ")
    assert mail.subject.startswith("11 neu: mixture of experts (9)")
    assert '<html lang="de"' in mail.html
    for words in ("Passt zu experts im Titel", "Stichwörter", "Abmelden", "48 Stimmen", "Merken"):
        assert words in text + mail.html.replace("\u00a0", " ")
    for english in ("Unsubscribe", "Matches", "upvotes", "Not for me", "signed up"):
        assert english not in text + mail.html
    note = confirm(
        Place("Der Lesekreis", language="de"), Schedule(), url="https://x/", ends=date(2026, 11, 27)
    )
    assert note.headline == "Ist das Ihre Adresse?"
    assert "27. November" in note.after[1].text.replace("\u00a0", " ")


def texts(node: ast.expr) -> Iterator[str]:
    """The texts an expression may be, with 1 for what is filled in."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(one.value if isinstance(one, ast.Constant) else "1" for one in parts)  # type: ignore[misc]
        case ast.BoolOp(values=parts) | ast.Tuple(elts=parts):
            for one in parts:
                yield from texts(one)
        case ast.IfExp(body=yes, orelse=no):
            yield from texts(yes)
            yield from texts(no)


def notes_of_sources() -> Iterator[str]:
    """What sources say of an answer that is not as it should be: a verb phrase."""
    paths = [*(HOME / "sources").glob("*.py"), HOME / "ingest.py", HOME / "backfill.py"]
    names = {"note", "reason", "trouble"}
    for node in (one for path in paths for one in ast.walk(ast.parse(path.read_text("utf-8")))):
        match node:
            case ast.keyword(arg=name, value=value) if name in names:
                yield from texts(value)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in names:
                yield from texts(value)
            case ast.Assign(targets=[ast.Tuple()], value=ast.Tuple(elts=values)):
                yield from (text for one in values for text in texts(one) if " " in text)


def test_whatever_a_source_failed_at_is_told_in_the_language_of_the_mail() -> None:
    never_in_a_mail = ("is wrong: ", "announces nothing", "has nothing new", "lists ")
    told = {
        note
        for note in notes_of_sources()
        if note and not note.startswith(never_in_a_mail) and note != "11"
    }
    assert len(told) > 25
    for note in told:
        sentence = f"bioRxiv (cell biology) {note}. {retold.KEEP_ASKING}"
        assert retold.trouble(sentence, ENGLISH) == sentence
        german = retold.trouble(sentence, GERMAN)
        assert german.startswith("bioRxiv (cell biology) "), note
        assert german.endswith("kommt mit Ihrer nächsten Übersicht."), note
        assert note not in german, note


def test_troubles_are_told_with_their_numbers_and_one_by_one() -> None:
    said = f"arXiv answered 503; broke off in the middle. {retold.KEEP_ASKING}"
    assert retold.trouble(said, GERMAN).startswith(
        "arXiv hat mit 503 geantwortet; ist mittendrin abgebrochen. Wir fragen weiter"
    )
    assert retold.trouble(retold.UNASKED.format(label="A b"), GERMAN).startswith("A b kann erst")
    assert retold.trouble("Somebody else did what nobody knows.", GERMAN) == (
        "Somebody else did what nobody knows."
    )


@pytest.mark.parametrize(
    ("said", "german"),
    [
        ("like 2 papers you saved", "ähnlich 2 Arbeiten, die Sie gemerkt haben"),
        (
            "new version of a paper you were sent",
            "neue Fassung einer Arbeit, die Sie schon bekamen",
        ),
        ("passed 1,200 upvotes today", "heute über 1.200 Stimmen"),
        ("48 upvotes in 18 hours, 7 comments", "48 Stimmen in 18 Stunden, 7 Kommentare"),
    ],
)
def test_reasons_are_told_in_german(said: str, german: str) -> None:
    assert phrases.reason_words(said, GERMAN).replace("\u00a0", " ") == german
    assert phrases.reason_words(said) == said


def test_what_stopped_a_paper_is_told_in_german() -> None:
    said = "it has 3 upvotes, you asked for more than 1,000"
    assert retold.miss(said, GERMAN) == "sie hat 3 Stimmen, Sie wollten mehr als 1.000"
    assert retold.miss("it lacks sparse routing", GERMAN) == "es fehlt sparse routing"
    assert retold.miss("something new", GERMAN) == "something new"
