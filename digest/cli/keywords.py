"""`paper-digest keywords`: what a text of keywords means and brings, before anybody is sent it."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.cli.options import AsJson
from digest.cli.terminal import bars, columns, table
from digest.tex import in_unicode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from digest.app import App
    from digest.errors import QueryError
    from digest.match import Match
    from digest.papers import Paper
    from digest.volume import Recent, Volume

app = typer.Typer(
    help="See what keywords mean and bring.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=example("paper-digest keywords test 'mixture of experts -image' --days 30"),
)
_LONGEST: Final = 366


@app.command(
    "test",
    epilog=example(
        "paper-digest keywords test 'mixture of experts, unlearning -image'",
        "paper-digest keywords test 'author:\"Ines Harrow\" OR upvotes>20' --days 7 --json",
    ),
)
def try_out(
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help="A text of keywords, as a reader types it; - reads it from the standard input.",
        ),
    ],
    *,
    days: Annotated[
        int, typer.Option("--days", min=1, max=_LONGEST, help="How far to look back.")
    ] = 30,
    explained: Annotated[
        bool, typer.Option("--explain", help="Show what the score of each of the best is made of.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say what keywords mean, and what they would have brought in the last days."""
    from digest.app import open_app
    from digest.volume import volume
    from subscribers.grammar import MAX_TEXT

    if query == "-":
        query = sys.stdin.read(MAX_TEXT + 1)
    with open_app(settings(), create=False) as house:
        recent = recent_papers(house, days)
        answer = volume(query, recent, house.thesaurus())
    if as_json:
        typer.echo(json.dumps(described(answer, recent), indent=2))
    else:
        for line in told(answer, recent):
            typer.echo(line)
        if not answer.mistakes:
            show_lines(answer)
            show_best(answer, recent)
            for line in scored(answer, recent) if explained else ():
                typer.echo(line)
    if answer.mistakes:
        raise typer.Exit(2)


def recent_papers(house: App, days: int) -> Recent:
    """The papers of so many days up to today, indexed."""
    from digest.volume import Recent

    now = house.clock()
    today = now.date()
    papers = house.store.papers.between(today - timedelta(days=days - 1), today)
    return Recent(papers, today=today, now=now, days=days)


def meant(house: App, texts: Sequence[str]) -> Iterator[str]:
    """Each line that brought nothing in the last days, with what may have been meant by it."""
    from digest.volume import DAYS, remark, volume
    from subscribers.profile import Profile

    recent = recent_papers(house, DAYS)
    for text in texts:
        answer = volume(Profile(text), recent)
        for line in answer.lines:
            if line.instead:
                yield f"{line.text}: {remark(line, answer)}"


def told(answer: Volume, recent: Recent) -> Iterator[str]:
    """The mistakes; else what the text means, how much it brings, and a bar for each day."""
    from digest.phrases import day_words
    from digest.volume import detail, headline
    from subscribers.query import check, explain, mended

    if answer.mistakes:
        for mistake in answer.mistakes:
            yield from shown(answer.text, mistake)
        together = mended(answer.text) if len(answer.mistakes) > 1 else ""
        if together:
            yield "All mended:"
            yield from (f"  {row}" for row in together.split("\n"))
        return
    if not recent.papers:
        yield explain(check(answer.text)[0])
        yield "There are no papers yet: paper-digest ingest fetches them."
        return
    yield explain(check(answer.text)[0])
    yield ""
    yield headline(answer)
    yield detail(answer)
    if answer.busiest and not answer.is_top_ten:
        drawn = bars([count for _, count in answer.counts], stream=sys.stdout)
        busiest, most = answer.busiest
        ends = f"{day_words(answer.counts[0][0])} to {day_words(answer.counts[-1][0])}"
        yield ""
        yield f"  {drawn}"
        yield f"  {ends}, most: {most:,} on {day_words(busiest)}"


def shown(text: str, mistake: QueryError) -> Iterator[str]:
    """A mistake in the line it stands in, underlined, with what it may have been meant to be."""
    from subscribers.grammar import rows_of

    rows = rows_of(text)
    row = rows[min(mistake.line, len(rows)) - 1]
    start = max(0, mistake.column - 30)
    cut = "".join(c if c.isprintable() else " " for c in row[start : start + 70])
    yield f"Line {mistake.line}, column {mistake.column}: {mistake.reason}"
    yield f"  {cut}"
    yield f"  {' ' * (mistake.column - 1 - start)}{'^' * min(mistake.length, 70)}"[:72]
    for repair in mistake.repairs:
        yield f"  try: {repair or 'without this line'}"[:200]


def show_lines(answer: Volume) -> None:
    """What each line brings, and what each exclusion keeps out."""
    from digest.volume import remark

    if answer.lines:
        typer.echo("")
        rows = [
            ((line.text, remark(line, answer)), f"{line.papers:,}", f"{line.alone:,}")
            for line in answer.lines
        ]
        numbers = ("papers", "only here")
        table(("line", "papers", "only here"), rows, right=numbers, width=columns())
    if answer.left_out:
        typer.echo("")
        rows_out = [
            (cut.text, f"line {cut.line}" if cut.line else "everything", f"{cut.papers:,}")
            for cut in answer.left_out
        ]
        table(("left out by", "from", "papers"), rows_out, right=("papers",), width=columns())


def show_best(answer: Volume, recent: Recent) -> None:
    """The best papers, each with its score and what brought it."""
    from digest.volume import because

    if not answer.best:
        return
    typer.echo("")
    papers = {paper.number: paper for paper in recent.papers}
    rows = [
        (
            f"{place}.",
            (in_unicode(papers[one.paper].title), because(one.reasons)),
            f"{one.score:.2f}",
        )
        for place, one in enumerate(answer.best, start=1)
    ]
    table(("", "best, and what brought it", "score"), rows, right=("", "score"), width=columns())


def scored(answer: Volume, recent: Recent) -> Iterator[str]:
    """What the score of each of the best papers is made of."""
    papers = {paper.number: paper for paper in recent.papers}
    for place, one in enumerate(answer.best, start=1):
        parts = one.parts
        named = {
            "keywords": parts.relevance, "trend": parts.trend,
            "freshness": parts.freshness, "learned": parts.learned,
        }  # fmt: skip
        told = " + ".join(f"{value:.2f} {name}" for name, value in named.items() if value)
        yield ""
        yield f"{place}. {in_unicode(papers[one.paper].title)}"
        yield f"   {one.score:.2f} = {told or '0'}"
        for line in one.lines:
            yield f"   line {line.line}, {line.text}: {line.points:.2f}"
            for term in line.terms:
                yield (
                    f"      {term.text}: {term.points:.2f} = {term.share:.2f} share x "
                    f"{term.rarity:.2f} rarity x {term.strength:.2f} strength"
                )


def described(answer: Volume, recent: Recent) -> dict[str, object]:
    """The answer for machines."""
    from digest.volume import headline
    from subscribers.query import check, explain, format_query

    query = check(answer.text)[0]
    papers = {paper.number: paper for paper in recent.papers}
    return {
        "query": answer.text,
        "canonical": format_query(query),
        "means": explain(query).splitlines(),
        "mistakes": [
            {
                "line": each.line,
                "column": each.column,
                "length": each.length,
                "reason": each.reason,
                "repairs": list(each.repairs),
            }
            for each in answer.mistakes
        ],
        "says": headline(answer),
        "papers": answer.total,
        "looked_at": answer.looked_at,
        "a_weekday": round(answer.a_weekday, 2),
        "days": {day.isoformat(): count for day, count in answer.counts},
        "lines": [
            {
                "line": each.number,
                "text": each.text,
                "papers": each.papers,
                "only_here": each.alone,
                "did_you_mean": {one.text: one.papers for one in each.instead},
                "narrower": {one.text: one.papers for one in each.narrower},
                "synonyms": {
                    one.name: {"text": one.text, "adds": one.adds} for one in each.synonyms
                },
            }
            for each in answer.lines
        ],
        "left_out": [
            {"text": each.text, "line": each.line or None, "papers": each.papers}
            for each in answer.left_out
        ],
        "best": [_described(one, papers[one.paper]) for one in answer.best],
    }


def _described(one: Match, paper: Paper) -> dict[str, object]:
    return {
        "id": str(paper.id),
        "title": paper.title,
        "url": paper.url,
        "score": round(one.score, 3),
        "parts": {
            "keywords": round(one.parts.relevance, 3),
            "trend": round(one.parts.trend, 3),
            "freshness": round(one.parts.freshness, 3),
            "learned": round(one.parts.learned, 3),
        },
        "reasons": [
            {"kind": reason.kind.value, "text": reason.text, "field": reason.field}
            for reason in one.reasons
        ],
    }
