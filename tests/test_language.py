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
from digest import compose, language, phrases, render
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
