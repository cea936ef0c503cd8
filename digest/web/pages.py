"""Pages out of `templates/web`: autoescaped, strict, with an operator's overlay laid over ours."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads the annotation
from starlette.responses import HTMLResponse

from digest.phrases import counted, date_words
from digest.tex import in_unicode
from digest.web.preferences import listed_zones

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FIELDS: Final = 400

PRIVATE: Final = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow"}
"""Headers of a page behind a token: kept by nobody, found by nobody."""


class Pages:
    """Renders pages.

    `base` is the path the application stands under, "" at the root; `archive` says whether
    the lists of papers are there to be linked to, `settings` the same of readers' settings.
    """

    def __init__(
        self,
        templates: Path,
        *,
        base: str,
        brand: str,
        overlay: Path | None,
        archive: bool = False,
        settings: bool = True,
    ) -> None:
        self.base = base
        folders = [templates / "web"] if overlay is None else [overlay / "web", templates / "web"]
        self._environment = Environment(
            loader=FileSystemLoader(folders),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        first, _, last = brand.rpartition(" ")
        self._environment.globals.update(
            base=base,
            brand=brand,
            brand_first=first,
            brand_last=last,
            archive=archive,
            has_settings=settings,
        )
        self._environment.globals["zone_options"] = zone_options
        self._environment.filters["figure"] = lambda number: f"{number:,}"
        self._environment.filters["count"] = counted
        self._environment.filters["in_unicode"] = in_unicode
        self._environment.filters["date"] = date_words
        self._environment.filters["day"] = lambda day: f"{day.day} {day:%b}"

    def html(self, template: str, **values: object) -> str:
        """The page's source."""
        return self._environment.get_template(template).render(values)

    def page(
        self, template: str, *, status: int = 200, private: bool = False, **values: object
    ) -> HTMLResponse:
        """A page as a response; `private` for everything behind a token."""
        headers = PRIVATE if private else {"cache-control": "no-cache"}
        return HTMLResponse(self.html(template, **values), status_code=status, headers=headers)


@lru_cache(maxsize=64)
def zone_options(chosen: str) -> Markup:
    """The time zones as options of a select; there are hundreds, so they are kept."""
    option = Markup("<option{}>{}</option>")
    selected = {chosen: Markup(" selected")}
    return Markup("").join(option.format(selected.get(zone, ""), zone) for zone in listed_zones())


class Form:
    """The fields of a posted form; a field that is not there reads as ""."""

    def __init__(self, fields: dict[str, list[str]]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        """The field's first value."""
        return self._fields.get(name, [""])[0]

    def __contains__(self, name: str) -> bool:
        """Whether the field was sent at all, empty or not."""
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        """The names of the fields sent."""
        return iter(self._fields)


async def form(request: Request) -> Form:
    """The posted form; empty for a body of any other kind or shape.

    Only urlencoded bodies carry orders of our own pages. RFC 8058 allows multipart for the
    one order that needs no fields, so nothing else has to be understood.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return Form({})
    try:
        fields = parse_qs(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MAX_FIELDS,
            errors="replace",
        )
    except ValueError:
        return Form({})
    return Form({name: [typed(value) for value in values] for name, values in fields.items()})


def typed(text: str) -> str:
    """What was typed into a field: lines end in LF, whatever the browser sent; no NUL.

    Browsers send CR LF (URL standard, form submission). Half of a surrogate pair, which JSON can
    hold and UTF-8 cannot, is a question mark.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
