"""`paper-digest sources` and `backfill`: how the sources fare, a trial, and filling in the past."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final
from zoneinfo import ZoneInfo

import typer

from digest.cli.environment import open_to_look, settings
from digest.cli.examples import example
from digest.cli.options import AsJson, Quiet, read_date
from digest.cli.stages import stages
from digest.cli.terminal import count, stamp, table, when
from digest.tex import in_unicode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from digest.app import App
    from digest.backfill import BackfillReport, Step
    from digest.papers import Paper
    from digest.sources import Entry, Fetch, Source
    from digest.store.sources import Answer

_SHOWN: Final = 5

app = typer.Typer(
    help="See how each source fares; try one.",
    invoke_without_command=True,
    rich_markup_mode=None,
    epilog=example(
        "paper-digest sources",
        "paper-digest sources --json",
        "paper-digest sources test arxiv:cs.CL",
    ),
)


@app.callback()
def sources(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show each source: its state, what it brought, the last good answer and the next try."""
    if context.invoked_subcommand:
        return
    with open_to_look() as house:
        rows = [row for entry in house.sources for row in _described(house, entry)]
        zone, now = house.settings.zone, house.clock()
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=_machine))
        return
    heads = ("source", "state", "list day", "papers", f"last good ({zone})", "next try", "said")
    times = Counter(row["source"] for row in rows)
    for row in rows:
        if times[row["source"]] > 1:
            row["source"] = f"{row['label']}, {row['source']}"
    table(heads, [_row(row, zone, now) for row in rows], right=("papers",), remark=True)


def _described(house: App, entry: Entry) -> list[dict[str, Any]]:
    """One entry of DIGEST_SOURCES, for machines; a folder of files has a line for each source."""
    from digest.ingest import next_try

    following = next_try(house, entry)
    since = house.clock().date() - timedelta(days=6)
    answers = house.store.sources.answers(since, [entry.name])
    rows = []
    for newest, good in house.store.sources.newest().get(entry.name, [(None, None)]):
        mine = [one for one in answers if newest and one.source == newest.source]
        never = "never asked" if entry.source else "misconfigured"
        rows.append(
            {
                "source": entry.name,
                "label": newest.label if newest else _label(entry),
                "state": _state(newest) if newest else never,
                "day": newest.day if newest else None,
                "papers": good.papers if good else 0,
                "papers_day": good.day if good else None,
                "asked_at": newest.asked_at if newest else None,
                "good_at": max((one.good_at for one in mine if one.good_at), default=None),
                "next_try": following,
                "incomplete": sorted({one.day for one in mine if one.lacking}),
                "note": _note(newest) if newest else entry.problem,
            }
        )
    return rows


def _label(entry: Entry) -> str:
    return entry.source.label if entry.source else entry.name


def _state(answer: Answer) -> str:
    return answer.said if answer.lacking else answer.state


def _note(answer: Answer) -> str:
    return answer.said_note if answer.lacking else answer.note


def _row(row: dict[str, Any], zone: str, now: datetime) -> list[str]:
    following = row["next_try"]
    if following is None:
        shown = "when it is mended" if row["state"] == "misconfigured" else ""
    else:
        shown = "now" if following <= now else when(following, zone, now=now)
    missing = [day for day in row["incomplete"] if day != row["day"]]
    note = f"{count(len(missing), 'other day')} incomplete; " if missing else ""
    return [
        row["source"],
        row["state"],
        str(row["day"] or ""),
        _papers(row),
        stamp(row["good_at"], ZoneInfo(zone)) if row["good_at"] else "never",
        shown,
        note + str(row["note"]),
    ]


def _papers(row: dict[str, Any]) -> str:
    """How many papers the newest list day brought that brought any, and which one that was."""
    if not row["papers_day"]:
        return ""
    on = "" if row["papers_day"] == row["day"] else f" ({row['papers_day']})"
    return f"{row['papers']:,}{on}"


def _machine(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _chosen(house: App, name: str) -> list[Entry]:
    """The entries a name means: one of DIGEST_SOURCES, all of one kind, or one to be made now."""
    from digest.sources import entries

    wanted = name.strip()
    same = [one for one in house.sources if one.name == wanted]
    kind = [one for one in house.sources if one.name.partition(":")[0] == wanted]
    return same or kind or entries([wanted], house.settings.source_options)


@app.command(
    name="test",
    epilog=example("paper-digest sources test hf", "paper-digest sources test arxiv:cs.CL+cs.LG"),
)
def try_out(
    name: Annotated[
        str, typer.Argument(help="A source, as DIGEST_SOURCES names it.", show_default=False)
    ],
) -> None:
    """Ask a source once for its newest list day, and show what came and what was odd.

    Nothing is stored. The exit code is 1 where the answer was not complete.
    """
    complete = True
    with open_to_look() as house:
        for entry in _chosen(house, name):
            if entry.source is None:
                typer.echo(entry.problem, err=True)
                complete = False
            else:
                complete &= _tried(house, entry.source)
    if not complete:
        raise typer.Exit(1)


def _tried(house: App, source: Source) -> bool:
    """One question and what came of it; whether it was complete."""
    from digest.sources import Window

    now = house.clock()
    window = Window.last(1, now)
    with house.polite() as client:
        began = client.clock.monotonic()
        fetches = source.fetch(window, client)
        # Others may go on to older days; a folder of files has a list of each of its sources.
        found = list(fetches if source.name == "file" else islice(fetches, 1))
        seconds = client.clock.monotonic() - began
        asked = client.requests
        troubles = dict(client.troubles)
    if not found:
        typer.echo(f"{source.label} has no list for {window.until} yet.")
        return True
    cost = f"{count(asked, 'request')}, {seconds:.1f} s"
    for fetch in found:
        _show(fetch, cost, house.settings.zone, now)
    complete = all(fetch.state.complete for fetch in found)
    for host, said in troubles.items():
        typer.echo(f"  {host}: {said}")
        if not complete:
            typer.echo(f"  {_advice(host, said)}")
    return complete


def _advice(host: str, said: str) -> str:
    """What to do about a host that could not be asked."""
    if "certificate" in said:
        return "Where a proxy opens TLS, SSL_CERT_FILE names its authority; else look at the clock."
    return (
        f"See whether this machine reaches it: curl -I https://{host}/ (where a proxy leads out, "
        "set HTTPS_PROXY). Nothing is lost: the next run asks again."
    )


def _show(fetch: Fetch, cost: str, zone: str, now: datetime) -> None:
    """What came, the first of its papers, and what was odd."""
    from digest.sources import FetchState

    note = f" ({fetch.note})" if fetch.note else ""
    came = count(len(fetch.papers), "paper")
    typer.echo(f"{fetch.label}, {fetch.day}: {fetch.state.value}{note}, {came}, {cost}")
    for paper in fetch.papers[:_SHOWN]:
        typer.echo(f"  {paper.id}  {in_unicode(paper.title)}")
    if len(fetch.papers) > _SHOWN:
        typer.echo(f"  and {len(fetch.papers) - _SHOWN:,} more")
    odd = list(_odd(fetch, now))
    for line in odd:
        typer.echo(f"  odd: {line}")
    if fetch.papers and not odd:
        typer.echo("  nothing odd")
    if fetch.state is FetchState.THROTTLED and fetch.retry_at:
        typer.echo(f"  it wants to be asked again {when(fetch.retry_at, zone, now=now)}")


def _odd(fetch: Fetch, now: datetime) -> Iterable[str]:
    """What an operator may want to know of the papers of an answer."""
    yield from fetch.skipped[:_SHOWN]
    if len(fetch.skipped) > _SHOWN:
        yield f"{len(fetch.skipped) - _SHOWN:,} more items were no papers"
    checks: tuple[tuple[str, Callable[[Paper], bool]], ...] = (
        ("no abstract", lambda paper: not (paper.abstract or paper.summary)),
        ("no authors", lambda paper: not paper.authors),
        ("no link", lambda paper: not paper.url),
        ("no date", lambda paper: paper.published_at is None and fetch.source != "arxiv"),
        ("a date ahead", lambda paper: bool(paper.published_at and paper.published_at > now)),
    )
    for what, lacks in checks:
        yield from _counted(what, [paper for paper in fetch.papers if lacks(paper)])
    other = {one.day for paper in fetch.papers for one in paper.listings} - {fetch.day}
    if other and fetch.source == "hf":
        yield f"listed on other days too: {', '.join(map(str, sorted(other)[:_SHOWN]))}"


def _counted(what: str, papers: Sequence[Paper]) -> Iterable[str]:
    if papers:
        has = "has" if len(papers) == 1 else "have"
        yield f"{count(len(papers), 'paper')} {has} {what}, as {papers[0].id}"


def backfill(
    *,
    source: Annotated[
        str,
        typer.Option("--source", metavar="NAME", help="As in DIGEST_SOURCES; arxiv means all."),
    ],
    since: Annotated[
        date, typer.Option(parser=read_date, metavar="DATE", help="The first list day.")
    ],
    until: Annotated[
        date | None,
        typer.Option(parser=read_date, metavar="DATE", help="The last one; without it, today."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Fill in the list days of the past.

    Asks as politely as always, so a month of arXiv takes minutes. Stopped or run again, it goes
    on where it was. What comes is in the archive; it floods nobody's mail.
    """
    from digest.app import open_app
    from digest.backfill import backfill as fill

    with open_app(settings()) as house, stages(quiet=quiet) as steps:
        last = until or house.clock().date()
        if not since <= last <= house.clock().date():
            raise typer.BadParameter(
                f"from {since} to {last} there is no day that has been", param_hint="--since"
            )
        reports: list[tuple[str, BackfillReport]] = []
        for entry in _chosen(house, source):
            step = steps.step("Back-fill", f"{entry.name} from {since} to {last}")

            def show(at: Step, bar: Any = step) -> None:  # noqa: ANN401 -- a bar of this loop
                bar.progress(at.done, at.days)

            report = fill(house, entry, since, last, on_step=show)
            step.end(_filled(entry.name, report))
            reports.append((entry.name, report))
    for name, report in reports:
        for fetch in report.incomplete:
            said = fetch.note or f"is {fetch.state.value}"
            typer.echo(f"{name}, {fetch.day}: {fetch.label} {said}", err=True)
    if any(report.incomplete for _, report in reports):
        typer.echo("Run the same command again: it asks only for what is missing.", err=True)
        raise typer.Exit(1)


def _filled(name: str, report: BackfillReport) -> str:
    had = f", {report.had} of them there already" if report.had else ""
    stopped = f"; stopped: it {report.stopped}" if report.stopped else ""
    came = f"{count(report.new, 'new paper')}, {report.changed:,} changed"
    return f"{name}: {count(report.days, 'day')}{had}, {came}{stopped}"
