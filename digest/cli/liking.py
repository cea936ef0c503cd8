"""`paper-digest keywords suggest`: keywords from papers a reader liked or pasted."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.cli.keywords import app, recent_papers
from digest.cli.options import AsJson
from digest.cli.readers import reader_at
from digest.cli.terminal import table
from digest.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from digest.app import App
    from digest.papers import Paper
    from subscribers.library import Entry


@app.command(
    epilog=example(
        "paper-digest keywords suggest --reader ada@example.org",
        "paper-digest keywords suggest --file library.bib",
        "paper-digest keywords suggest 2611.90001 'Forgetting on a Budget'",
    )
)
def suggest(
    papers: Annotated[
        list[str] | None,
        typer.Argument(metavar="PAPER", help="arXiv ids, DOIs, addresses or titles."),
    ] = None,
    *,
    reader: Annotated[str, typer.Option("--reader", help="What this reader saved.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="BibTeX, or a line for each paper; - for stdin.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="How far to look back.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Suggest keywords: terms that set some papers apart, each with what it would bring."""
    from digest.app import open_app
    from digest.suggest import suggest as suggested
    from digest.volume import headline, volume

    entries = read_papers(papers or [], file)
    with open_app(settings(), create=False) as house:
        given = [_paper_of(house, entry) for entry in entries]
        given += _saved(house, reader) if reader else []
        if not given:
            raise NotFound("name some papers, a --file of them, or a --reader who saved some")
        recent = recent_papers(house, days)
    found = suggested(given, recent)
    if as_json:
        told = [
            {"text": one.text, "papers": one.papers, "brings": one.brings.total,
             "a_weekday": round(one.brings.a_weekday, 2)}
            for one in found
        ]  # fmt: skip
        typer.echo(json.dumps({"papers": len(given), "days": days, "terms": told}, indent=2))
    elif not found:
        typer.echo("Nothing sets these papers apart from all others; name more of them.")
    else:
        rows = [(one.text, f"{one.papers} of {len(given)}", headline(one.brings)) for one in found]
        table(("keywords", "in yours", "would bring"), rows, right=("in yours",))
        together = volume("\n".join(one.text for one in found), recent)
        typer.echo(f"\nAll of these lines together: {headline(together)}.")


def _paper_of(house: App, entry: Entry) -> Paper:
    """The paper as it is here, abstract and all, or else by its title alone."""
    from digest.papers import Paper, PaperId

    for name in entry.names:
        number = house.store.archive.number_of(name)
        if number is not None:
            return house.store.papers.by_numbers([number])[number]
    if entry.title:
        from digest.why import find_paper

        try:
            return find_paper(house, entry.title)
        except (NotFound, Conflict):
            return Paper(PaperId("title", "pasted"), entry.title)
    raise NotFound(f"{entry.names[0]} is not here, and without its title nothing is known of it")


def _saved(house: App, address: str) -> list[Paper]:
    """The papers a reader saved; raises NotFound when there are none."""
    from subscribers.feedback import Verdict

    reader = reader_at(house, address)
    saved = [said.paper for said in house.store.feedback.of(reader.number, Verdict.SAVE)]
    papers = list(house.store.papers.by_numbers(saved).values())
    if not papers:
        raise NotFound(f"{reader.address} saved no paper yet: name some, or a --file of them")
    return papers


def read_papers(given: Sequence[str], file: Path | None) -> tuple[Entry, ...]:
    """The papers that are named, and those of a file; raises PaperDigestError for a bad file."""
    from subscribers.library import read_library

    for one in given:
        if one.strip() and not read_library(one):
            raise NotFound(
                f"{one!r:.120} names no paper: write an arXiv id, a DOI, a link, or a title of "
                "three words or more"
            )
    text = "\n".join(given)
    if file is not None:
        try:
            more = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise NotFound(f"{file} cannot be read: {why}") from error
        text = f"{text}\n{more}"
    try:
        entries = read_library(text)
    except ValueError as error:
        raise Conflict(f"{file or 'these'}: {error}") from error
    if text.strip() and not entries:
        raise NotFound("no paper is named there: write BibTeX, or ids, links or titles, one a line")
    return entries
