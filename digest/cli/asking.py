"""`paper-digest why`: why a reader got a paper, or nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final
from zoneinfo import ZoneInfo

import typer

from digest.cli.environment import settings
from digest.cli.keywords import meant
from digest.cli.options import Address, AsJson
from digest.cli.readers import reader_at
from digest.cli.terminal import count, stamp, table, when
from digest.tex import in_unicode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from digest.app import App
    from digest.store.history import Entry
    from digest.why import Reader, Told, Verdict

_FEW: Final = 5


def why(
    address: Address,
    paper: Annotated[
        str, typer.Argument(metavar="[PAPER]", help="Its arXiv id, DOI, address or title.")
    ] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Say why a reader got a paper, or did not; without a paper, why they get what they get."""
    from digest.app import open_app
    from digest.why import about, about_paper

    with open_app(settings(), create=False) as house:
        reader, now = reader_at(house, address), house.clock()
        if paper:
            verdict = about_paper(house, reader, paper, now)
            said = _of_paper(verdict) if as_json else None
            if said is None:
                _say_of_paper(house, verdict)
        else:
            known = about(house, reader, now)
            said = _of_reader(known) if as_json else None
            if said is None:
                _say_of_reader(house, known, now)
    if said is not None:
        typer.echo(json.dumps(said, indent=2))


def _say_of_reader(house: App, known: Reader, now: datetime) -> None:
    reader = known.reader
    for line in known.stopped:
        typer.echo(f"Nothing is sent: {line}.")
    if reader.next_due is not None and not known.stopped:
        typer.echo(f"Next digest: {when(reader.next_due, reader.schedule.zone, now=now)}.")
    since = f"since {house.at(known.since)}" if known.since else "of the last 7 days"
    if known.looked_at:
        listed = f"{count(known.looked_at, 'paper')} {since}, {known.matched:,} match"
        typer.echo(f"If it were made now: {listed}, {len(known.picks)} would be in it.")
    else:
        typer.echo(f"If it were made now: nothing new was listed {since}.")
    _say("  in", known.picks)
    if known.misses:
        typer.echo("Nearly:")
        _say("  not", known.misses)
    if known.looked_at and not known.matched:
        for line in meant(house, [profile.text for profile in reader.profiles]):
            typer.echo(line)
    typer.echo("")
    if known.last:
        zone = ZoneInfo(house.settings.zone)
        heads = (f"before ({zone.key})", "kind", "state", "papers", "")
        table(heads, [_row(entry, zone) for entry in known.last], right=("papers",))
    else:
        typer.echo("Nothing was sent before.")
    typer.echo("")
    _say_sources(known)


def _say_sources(known: Reader) -> None:
    rows = [
        (answer.label, answer.day.isoformat(), answer.state, f"{answer.papers:,}", answer.note)
        for answer in known.sources
    ]
    if rows:
        table(("source", "newest list", "answer", "papers", ""), rows, right=("papers",))
    else:
        typer.echo("No source was asked yet: paper-digest ingest asks them.")
    for sentence in known.incomplete:
        typer.echo(sentence)


def _say(head: str, papers: Sequence[Told]) -> None:
    for one in papers[:_FEW]:
        typer.echo(f"{head}: {in_unicode(one.paper.title)} ({one.why})")
    if len(papers) > _FEW:
        typer.echo(f"{' ' * len(head)}  and {len(papers) - _FEW} more")


def _row(entry: Entry, zone: ZoneInfo) -> tuple[str, ...]:
    return (stamp(entry.created_at, zone), entry.kind, entry.state, _papers(entry), entry.text)


def _papers(entry: Entry) -> str:
    from digest.selection import Selection
    from digest.store.history import WITH_PAPERS

    if entry.kind not in WITH_PAPERS or not entry.selection:
        return "–"
    return f"{len(Selection.unpack(entry.selection).picks)}"


def _say_of_paper(house: App, verdict: Verdict) -> None:
    paper = verdict.paper
    listed = "; ".join(
        dict.fromkeys(f"{one.label} on {one.day.isoformat()}" for one in paper.listings)
    )
    typer.echo(f"{in_unicode(paper.title)} ({paper.id})")
    typer.echo(f"  listed by {listed}" if listed else "  listed nowhere yet")
    typer.echo(verdict.sentence)
    for entry, reasons in verdict.sent[1:]:
        typer.echo(
            f"Also in the {entry.kind} of {house.at(entry.created_at)} ({entry.state}): {reasons}."
        )
    typer.echo("")
    rows = [
        (
            one.name,
            "–" if one.score is None else f"{one.score:.2f}",
            text if text != one.name else "",
            lacking or "fits",
        )
        for one in verdict.interests
        for text, lacking in one.lacks
    ]
    table(("interest", "score", "line", "today"), rows, right=("score",))


def _of_reader(known: Reader) -> dict[str, object]:
    reader = known.reader
    return {
        "reader": reader.address,
        "status": reader.status.value,
        "stopped": list(known.stopped),
        "next_due": reader.next_due.isoformat() if reader.next_due else None,
        "since": known.since.isoformat() if known.since else None,
        "looked_at": known.looked_at,
        "matched": known.matched,
        "in": [_told(one) for one in known.picks],
        "nearly": [_told(one) for one in known.misses],
        "incomplete": list(known.incomplete),
        "sources": [
            {"source": one.label, "day": one.day.isoformat(), "state": one.state, "note": one.note}
            for one in known.sources
        ],
        "last": [
            {
                "id": entry.public_id or None,
                "kind": entry.kind,
                "state": entry.state,
                "text": entry.text,
                "created_at": entry.created_at.isoformat(),
            }
            for entry in known.last
        ],
    }


def _told(one: Told) -> dict[str, str]:
    return {"id": str(one.paper.id), "title": one.paper.title, "why": one.why}


def _of_paper(verdict: Verdict) -> dict[str, object]:
    return {
        "id": str(verdict.paper.id),
        "title": verdict.paper.title,
        "why": verdict.sentence,
        "sent": [
            {"delivery": entry.public_id, "state": entry.state, "why": reasons}
            for entry, reasons in verdict.sent
        ],
        "interests": [
            {
                "name": one.name,
                "fits": one.fits,
                "score": one.score,
                "lines": [{"text": text, "lacks": lacking or None} for text, lacking in one.lacks],
            }
            for one in verdict.interests
        ],
    }
