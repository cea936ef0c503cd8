"""The stages of a run as a person sees them: asking, matching, and what went wrong."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Final

import typer

from digest.cli.terminal import Steps, count, when
from digest.errors import MailboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from digest.app import App
    from digest.ingest import IngestReport, Progress
    from digest.news import Considered
    from digest.papers import PaperId
    from digest.run import Decided, IssueReport

_SHOWN: Final = 5
"""Skipped items of one answer that are named; the others are counted."""
_PASSING: Final = ("partial", "suspicious")
"""States of an answer that readers are told of in their mail and nobody has to act on."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that went wrong, in one line; `failed` makes the exit code 1."""

    said: str
    failed: bool = True


@contextmanager
def stages(*, quiet: bool) -> Iterator[Steps]:
    """Where the stages are shown: nowhere when quiet."""
    with Steps(StringIO() if quiet else None) as steps:
        yield steps


def end(troubles: Sequence[Trouble]) -> None:
    """Tell what went wrong; raises typer.Exit where that was a failure."""
    for trouble in troubles:
        typer.echo(trouble.said, err=True)
    if any(trouble.failed for trouble in troubles):
        raise typer.Exit(1)


def ingest_stage(
    house: App, steps: Steps, *, now: bool = False
) -> tuple[IngestReport, list[Trouble]]:
    """Ask every source that is due, or all of them with `now`."""
    from digest.ingest import ingest

    step = steps.step("Listing", "asking the sources")

    def show(progress: Progress) -> None:
        step.progress(progress.ended, progress.asked)

    report = ingest(house, now=now, on_progress=show)
    if report.waiting and not report.fetches and not report.failed:
        step.progress(0, 0)
        step.end(_not_due(house, report))
        return report, []
    papers = _distinct(report)
    step.progress(papers, papers)
    step.end(f"{count(papers, 'paper')} {_from_sources(report)}")
    return report, _troubles(report)


def bounces_stage(house: App, steps: Steps) -> list[Trouble]:
    """Read what came back since, where there is a mailbox for it."""
    if not house.settings.bounces_url:
        return []
    from digest.bounces.taking import take_mailbox
    from digest.cli.bounces import summed

    step = steps.step("Bounces", "reading what came back")
    try:
        step.end(summed(take_mailbox(house)))
    except MailboxError as error:
        step.end("the mailbox could not be read")
        return [Trouble(str(error))]
    return []


def issue_stage(
    house: App,
    steps: Steps,
    *,
    everybody: bool,
    on_considered: Callable[[Sequence[Considered]], None] = lambda _: None,
) -> IssueReport:
    """Decide who gets what, and freeze it."""
    from digest.run import issue

    step = steps.step("Matching", "holding papers against keywords")
    with_something = 0

    def show(block: Decided) -> None:
        nonlocal with_something
        with_something += sum(bool(one.selection.picks) for one in block.considered)
        step.progress(block.done, block.total)
        on_considered(block.considered)

    report = issue(house, everybody=everybody, on_decided=show)
    told = f"{count(report.readers, 'reader')}, {with_something:,} with something new"
    if not report.readers:
        step.progress(0, 0)
        told = "nobody is due"
    step.end(told)
    return report


def _not_due(house: App, report: IngestReport) -> str:
    """That no source was asked, why, and when the next one is."""
    moments = [moment for _, moment in report.waiting if moment]
    zone, now = house.settings.zone, house.clock()
    newest = house.store.sources.newest()
    lacking = [said for name, _ in report.waiting for said, _ in newest.get(name, ())]
    labels = list(dict.fromkeys(answer.label for answer in lacking if answer.lacking))
    if labels:
        following = f"; asked again {when(min(moments), zone, now=now)}" if moments else ""
        return f"{', '.join(labels)} gave no full answer last time{following}"
    following = f"; next {when(min(moments), zone, now=now)}" if moments else ""
    return f"no source has anything new yet{following}"


def _distinct(report: IngestReport) -> int:
    """How many papers there are when those that share a name are one."""
    groups: dict[PaperId, set[PaperId]] = {}
    for fetch in report.fetches:
        for paper in fetch.papers:
            names = {paper.id, *paper.aliases}
            for name in list(names):
                names |= groups.get(name, set())
            groups.update(dict.fromkeys(names, names))
    return len({id(names) for names in groups.values()})


def _from_sources(report: IngestReport) -> str:
    names = {fetch.source for fetch in report.fetches}
    incomplete = {fetch.source for fetch in report.fetches if not fetch.state.complete}
    total = len(names) + len(report.failed)
    lacking = len(incomplete) + len(report.failed)
    told = f"from {count(total, 'source')}"
    some = "" if lacking == total == 1 else f"{lacking} of them "
    return told + (f" ({some}incomplete)" if lacking else "")


def _troubles(report: IngestReport) -> list[Trouble]:
    troubles = [Trouble(failure) for failure in report.failed]
    lacking: dict[tuple[str, str, bool], list[date]] = {}
    for fetch in report.fetches:
        if not fetch.state.complete:
            note = fetch.note or f"is {fetch.state.value}"
            failed = fetch.state.value not in _PASSING
            lacking.setdefault((fetch.label, note, failed), []).append(fetch.day)
    for (label, note, failed), days in lacking.items():
        troubles.append(Trouble(f"{label} {note} ({_days(days)}); asked again next time", failed))
    for fetch in report.fetches:
        if fetch.state.value == "ok" and fetch.note:
            troubles.append(Trouble(f"{fetch.label} ({fetch.day}) {fetch.note}", failed=False))
        if fetch.skipped:
            number = count(len(fetch.skipped), "item")
            named = "; ".join(fetch.skipped[:_SHOWN])
            more = " ..." if len(fetch.skipped) > _SHOWN else ""
            said = f"{fetch.label} ({fetch.day}): {number} skipped, no paper: {named}{more}"
            troubles.append(Trouble(said, failed=False))
    return troubles


def _days(days: Sequence[date]) -> str:
    if len(days) == 1:
        return f"{days[0]}"
    return f"{len(days)} days from {min(days)} to {max(days)}"
