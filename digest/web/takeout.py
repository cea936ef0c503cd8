"""What a reader takes along: saved papers as a table or a list, and everything as JSON. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from digest.cite import bibtex, ris
from digest.selection import Selection
from digest.tex import typeset
from digest.volume import day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from digest.papers import Paper
    from digest.store.deliveries import Delivery
    from subscribers.feedback import Feedback
    from subscribers.subscriber import Subscriber

WITH_PAPERS: Final = ("digest", "welcome")
_FORMULA: Final = re.compile(r"^[=+\-@\t\r]")
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]<>#|])")
_COLUMNS: Final = ("title", "authors", "date", "venue", "id", "url", "pdf", "saved")


@dataclass(frozen=True, slots=True)
class Saved:
    """A paper a reader saved, and when."""

    paper: Paper
    at: datetime


@dataclass(frozen=True, slots=True)
class Export:
    """A way to write saved papers: how, and the media type it is served as."""

    name: str
    write: Callable[[Sequence[Saved]], str]
    media_type: str


def as_csv(saved: Sequence[Saved]) -> str:
    """A table (RFC 4180); no cell is read as a formula by a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for one in saved:
        paper, day = one.paper, day_of(one.paper)
        cells = (
            paper.title,
            "; ".join(author.name for author in paper.authors),
            day.isoformat() if day else "",
            paper.venue,
            str(paper.id),
            paper.url,
            paper.pdf_url,
            one.at.date().isoformat(),
        )
        writer.writerow([f"'{cell}" if _FORMULA.match(cell) else cell for cell in cells])
    return out.getvalue()


def as_markdown(saved: Sequence[Saved]) -> str:
    """A list with links (CommonMark)."""
    lines = []
    for one in saved:
        title = _MARKDOWN.sub(r"\\\1", typeset(one.paper.title).text)
        who = _MARKDOWN.sub(r"\\\1", ", ".join(author.name for author in one.paper.authors))
        link = f"[{title}](<{one.paper.url}>)" if one.paper.url else title
        lines.append(f"- {link}{'. ' if who else ''}{who}")
    return "\n".join(lines) + "\n" if lines else ""


EXPORTS: Final = {
    "bib": Export(
        "BibTeX", lambda saved: bibtex(one.paper for one in saved), "application/x-bibtex"
    ),
    "ris": Export(
        "RIS",
        lambda saved: ris(one.paper for one in saved),
        "application/x-research-info-systems",
    ),
    "csv": Export("CSV", as_csv, "text/csv"),
    "md": Export("Markdown", as_markdown, "text/markdown"),
}


def everything(
    reader: Subscriber,
    feedback: Sequence[Feedback],
    deliveries: Sequence[Delivery],
    papers: Mapping[int, Paper],
    library: Sequence[str],
) -> str:
    """All that is kept of a reader, as JSON; papers by their own ids."""
    kept = asdict(reader)
    del kept["number"], kept["public_id"]
    said = [
        {"paper": _named(papers, one.paper), "verdict": one.verdict.value, "at": one.at}
        for one in feedback
    ]
    mails = [
        {
            "kind": one.kind,
            "made_at": one.created_at,
            "state": one.state,
            "papers": [_named(papers, pick.paper) for pick in picks_of(one)],
        }
        for one in deliveries
    ]
    whole = {"reader": kept, "library": library, "feedback": said, "mails": mails}
    return json.dumps(whole, ensure_ascii=False, indent=1, default=str)


def picks_of(delivery: Delivery) -> Sequence[Any]:
    """The picks of a digest; none for another kind of mail."""
    if delivery.kind not in WITH_PAPERS:
        return ()
    return Selection.unpack(delivery.selection).picks


def _named(papers: Mapping[int, Paper], number: int) -> dict[str, str]:
    if number not in papers:
        return {"id": "", "title": ""}
    return {"id": str(papers[number].id), "title": papers[number].title}
