"""Proof-reading an operator's templates: what is wrong with a part, where, before anybody sees it.

MJML as it is compiled takes a misspelt tag or attribute without a word, so both are looked up
here in what MJML has. Names are followed through the Jinja of a part against a mail that has
everything; then the parts are run on that mail and on one that has next to nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final

from jinja2 import nodes

from digest.brand import LEAST_CONTRAST, Brand
from digest.compose import compose
from digest.errors import TemplateError
from digest.render import BUDGET, Renderer, card_values
from digest.templating.contrast import Faint, faint
from digest.templating.parts import PARTS, Source, compile_parts, sources, strangers
from digest.templating.sandbox import Sandbox
from digest.templating.specimens import in_layout, specimens
from subscribers.profile import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from digest.templating.specimens import Specimen

_SPACED: Final = (
    "padding padding-top padding-right padding-bottom padding-left css-class "
    "background-color container-background-color"
)
_FONT: Final = "color font-family font-size font-style font-weight line-height letter-spacing align"
_MJML: Final = {
    "mjml": "lang dir owa",
    "mj-head": "",
    "mj-body": "width background-color css-class id",
    "mj-attributes": "*",
    "mj-all": "*",
    "mj-class": "*",
    "mj-breakpoint": "width",
    "mj-font": "name href",
    "mj-preview": "",
    "mj-title": "",
    "mj-style": "inline",
    "mj-raw": "position",
    "mj-wrapper": f"{_SPACED} border border-bottom border-left border-radius border-right "
    "border-top "
    "background-url background-repeat background-size background-position direction full-width "
    "text-align gap",
    "mj-section": f"{_SPACED} border border-bottom border-left border-radius border-right "
    "border-top background-url background-repeat background-size background-position direction "
    "full-width text-align text-padding",
    "mj-group": "background-color direction vertical-align width css-class",
    "mj-column": f"{_SPACED} border border-bottom border-left border-radius border-right "
    "border-top inner-background-color inner-border inner-border-radius direction vertical-align "
    "width",
    "mj-text": f"{_SPACED} {_FONT} height text-decoration text-transform vertical-align",
    "mj-button": f"{_SPACED} {_FONT} border border-bottom border-left border-radius border-right "
    "border-top height href inner-padding rel target text-align text-decoration text-transform "
    "title vertical-align width name",
    "mj-image": f"{_SPACED} align alt border border-bottom border-left border-radius border-right "
    "border-top fluid-on-mobile height href name rel sizes src srcset target title usemap width",
    "mj-divider": f"{_SPACED} align border-color border-style border-width width",
    "mj-spacer": f"{_SPACED} height vertical-align",
    "mj-table": f"{_SPACED} {_FONT} border cellpadding cellspacing role table-layout width",
    "mj-hero": f"{_SPACED} align mode height width background-height background-position "
    "background-url background-width border-radius inner-background-color inner-padding "
    "vertical-align",
    "mj-social": f"{_SPACED} {_FONT} border-radius icon-height icon-padding icon-size "
    "inner-padding mode table-layout text-decoration text-padding",
    "mj-social-element": f"{_SPACED} {_FONT} alt border-radius href icon-height icon-padding "
    "icon-position icon-size name rel src srcset target text-decoration text-padding title",
}
"""What MJML 4 has: each tag and its attributes; * takes any."""
_VOID: Final = frozenset({"br", "img", "meta", "hr", "link", "input", "wbr"})
_LARGE: Final = 9_000
_MANY: Final = 5
_JINJA: Final = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend: in which file and line (0: the whole file), and what to do about it.

    `serious` is what keeps a part from being used; the others are advice.
    """

    path: str
    line: int
    says: str
    serious: bool = True

    def __str__(self) -> str:
        """Say it in one line, as editors understand it."""
        return f"{self.path}:{self.line}: {self.says}" if self.line else f"{self.path}: {self.says}"


def check(overlay: Path | None, brand: Brand | None = None) -> list[Finding]:
    """Everything wrong with an operator's templates (with ours, where there is no overlay)."""
    findings = [_stranger(path) for path in strangers(overlay)]
    parts = sources(overlay)
    looked_at = [part for part in parts.values() if part.own] or list(parts.values())
    for source in looked_at:
        own = [*_syntax(source), *_markup(source)]
        findings += own
        if not any(one.serious for one in own):
            findings += _names(source, brand or Brand())
    if any(one.serious for one in findings):
        return findings
    return findings + _tried(overlay, brand or Brand(), looked_at)


def _stranger(path: Path) -> Finding:
    close = get_close_matches(path.name, PARTS, n=1)
    hint = f"did you mean {close[0]}?" if close else "paper-digest templates list shows them"
    return Finding(str(path), 0, f"there is no part {path.name}: {hint}")


def _syntax(source: Source) -> Iterator[Finding]:
    try:
        Sandbox(html=not source.name.endswith(".txt")).compiled(source.text, str(source.path))
    except TemplateError as error:
        said = str(error)
        line = re.search(r", line (\d+): (.*)", said, re.DOTALL)
        yield Finding(str(source.path), int(line[1]) if line else 0, line[2] if line else said)


def _markup(source: Source) -> list[Finding]:
    if source.name.endswith(".txt"):
        return []
    reader = _Markup(source)
    # Jinja's tags are blanked out, line for line, so that places stay where they are.
    reader.feed(_JINJA.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), _quoted(source.text)))
    reader.close()
    return reader.findings + reader.unclosed()


def _quoted(text: str) -> str:
    """The text with Jinja inside quotes made a word, so that an attribute keeps its value."""
    return re.sub(r'"[^"<>]*"', lambda found: _JINJA.sub(_word, found[0]), text)


def _word(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "x", found[0])


class _Markup(HTMLParser):
    """Tags and attributes of one part, held against what MJML and mail programs have."""

    def __init__(self, source: Source) -> None:
        super().__init__(convert_charrefs=True)
        self.findings: list[Finding] = []
        self._source = source
        self._open: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look_at(tag, dict(attrs))
        if tag not in _VOID:
            self._open.append((tag, self.getpos()[0]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._look_at(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self._open or self._open[-1][0] != tag:
            opened = f"<{self._open[-1][0]}> is open" if self._open else "nothing is open"
            self._find(f"</{tag}> closes nothing here: {opened}")
            return
        self._open.pop()

    def unclosed(self) -> list[Finding]:
        """What was never closed."""
        path = str(self._source.path)
        return [Finding(path, line, f"<{tag}> is never closed") for tag, line in self._open]

    def _look_at(self, tag: str, attrs: dict[str, str | None]) -> None:
        if tag.startswith("mj"):
            self._look_at_mjml(tag, attrs)
        elif tag in {"script", "iframe", "object", "embed", "form", "input", "video", "svg"}:
            self._find(f"<{tag}> does nothing in a mail, or keeps it from being shown")
        if tag in {"img", "mj-image"} and "alt" not in attrs:
            self._find(f'<{tag}> has no alt text; alt="" where the picture says nothing new')
        for name in ("href", "src"):
            value = (attrs.get(name) or "").strip().lower()
            if value.startswith(("http:", "javascript:", "data:", "//")):
                self._find(
                    f"{name} leads to {value[:40]}: only https and mailto are safe in a mail"
                )

    def _look_at_mjml(self, tag: str, attrs: dict[str, str | None]) -> None:
        if not self._source.name.endswith(".mjml"):
            self._find(f"<{tag}> in a part that is HTML already: MJML is compiled before it")
        elif tag not in _MJML:
            close = get_close_matches(tag, _MJML, n=1, cutoff=0.6)
            hint = f": did you mean <{close[0]}>?" if close else ""
            self._find(f"MJML has no <{tag}>{hint}")
        elif _MJML[tag] != "*" and not any(parent == "mj-attributes" for parent, _ in self._open):
            known = _MJML[tag].split()
            for name in attrs:
                if name not in known:
                    close = get_close_matches(name, known, n=1)
                    hint = f": did you mean {close[0]}?" if close else ""
                    self._find(f"<{tag}> has no attribute {name}{hint}")

    def _find(self, says: str) -> None:
        self.findings.append(Finding(str(self._source.path), self.getpos()[0], says))


def _names(source: Source, brand: Brand) -> list[Finding]:
    """Names that are not there, wherever in the part, followed through a mail that has all."""
    rich = specimens()[0]
    known = _values(source.name, rich, brand)
    tree = Sandbox(html=True).parse(source.text)
    found: dict[tuple[int, str], Finding] = {}
    for line, says in _unknown(tree, known):
        found.setdefault((line, says), Finding(str(source.path), line, says))
    return list(found.values())


def _values(name: str, specimen: Specimen, brand: Brand) -> dict[str, Any]:
    """What a part of that name is given."""
    renderer = Renderer(brand)
    digest = compose(specimen.reader, specimen.selection, specimen.papers)
    common = renderer.common("en")
    part = name.partition(".")[0]
    if part in {"card", "compact", "title"}:
        card = digest.groups[0].cards[0]
        return {**common, "one": card_values(card, specimen.links.feedback, brand, is_first=False)}
    if part == "interest":
        return {**common, "group": digest.groups[0]}
    if part in {"note", "letter"}:
        return {**common, "note": specimen.note, "links": specimen.links, "day": ""}
    everything = {**common, "digest": digest, "links": specimen.links, "day": digest.day_short}
    return {**everything, "note": specimen.note} if part in {"style", "masthead"} else everything


_NOTHING: Final = object()


def _unknown(node: nodes.Node, known: dict[str, Any]) -> Iterator[tuple[int, str]]:
    if isinstance(node, nodes.For):
        yield from _unknown(node.iter, known)
        items = _value(node.iter, known)
        first = next(iter(items), _NOTHING) if isinstance(items, tuple | list) else _NOTHING
        inner = {**known, "loop": _NOTHING}
        targets = [node.target, *node.target.find_all(nodes.Name)]
        inner |= {one.name: _NOTHING for one in targets if isinstance(one, nodes.Name)}
        if isinstance(node.target, nodes.Name):
            inner[node.target.name] = first
        for child in (*node.body, *node.else_):
            yield from _unknown(child, inner)
        return
    if isinstance(node, nodes.Assign | nodes.AssignBlock | nodes.Macro | nodes.CallBlock):
        names = [one for one in node.find_all(nodes.Name) if one.ctx in {"store", "param"}]
        known |= {one.name: _NOTHING for one in names}
        if isinstance(node, nodes.Macro):
            known[node.name] = _NOTHING
    if isinstance(node, nodes.Name | nodes.Getattr):
        says = _missing(node, known)
        if says:
            yield node.lineno, says
            return
    for child in node.iter_child_nodes():
        yield from _unknown(child, known)


def _value(node: nodes.Node, known: dict[str, Any]) -> Any:  # noqa: ANN401 -- whatever it holds
    if isinstance(node, nodes.Filter) and node.name == "_counted" and node.node is not None:
        return _value(node.node, known)
    if isinstance(node, nodes.Name):
        return known.get(node.name, _NOTHING)
    if isinstance(node, nodes.Getattr):
        owner = _value(node.node, known)
        if isinstance(owner, dict):
            return owner.get(node.attr, _NOTHING)
        return getattr(owner, node.attr, _NOTHING)
    return _NOTHING


def _missing(node: nodes.Name | nodes.Getattr, known: dict[str, Any]) -> str:
    """What is not there of a name, and what is; nothing where it is or cannot be known."""
    if isinstance(node, nodes.Name):
        if node.ctx != "load" or node.name in known:
            return ""
        return _not_there(node.name, node.name, list(known))
    owner = _value(node.node, known)
    if owner is _NOTHING or owner is None:
        return ""
    has = list(owner) if isinstance(owner, dict) else _fields(owner)
    if node.attr in has:
        return ""
    return _not_there(node.attr, f"{_said(node.node)}.{node.attr}", has)


def _fields(owner: object) -> list[str]:
    public = (name for name in dir(owner) if not name.startswith("_"))
    return [name for name in public if not callable(getattr(owner, name))]


def _said(node: nodes.Node) -> str:
    if isinstance(node, nodes.Getattr):
        return f"{_said(node.node)}.{node.attr}"
    return node.name if isinstance(node, nodes.Name) else "it"


def _not_there(name: str, whole: str, has: list[str]) -> str:
    close = get_close_matches(name, has, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(sorted(has))}"
    return f"there is no {whole} here: {hint}"


def _tried(overlay: Path | None, brand: Brand, looked_at: list[Source]) -> list[Finding]:
    """Run every part on both specimens, in every layout, and look at what comes of it."""
    path = str(overlay / "email") if overlay else str(looked_at[0].path.parent)
    try:
        compile_parts(sources(overlay))
    except TemplateError as error:
        return [Finding(path, 0, str(error))]
    findings: dict[str, Finding] = {}
    for specimen in specimens():
        for layout in Layout:
            renderer = Renderer(brand, overlay)
            tried = in_layout(specimen, layout)
            mail = renderer.fitted(tried.reader, tried.selection, tried.papers, tried.links)[1]
            note = renderer.note(tried.note, tried.links)
            said = [f"{one} (with the {specimen.name} mail)" for one in renderer.troubles.values()]
            for says in (*said, *_looked_through(mail.html, note.html)):
                findings.setdefault(says, Finding(path, 0, says))
            size, cards = len(mail.html.encode()), mail.html.count("<h3")
            if cards >= _MANY and layout is Layout.FULL and size > cards * _LARGE:
                advice = f"{size // cards:,} bytes a paper leave room for few"
                findings.setdefault(advice, Finding(path, 0, advice, serious=False))
    return list(findings.values())


def _looked_through(*mails: str) -> Iterator[str]:
    """What is wrong with mails as they would be sent: size, contrast, what was left in them."""
    faints: dict[tuple[str, str, str], Faint] = {}
    for html in mails:
        if len(html.encode()) > BUDGET:
            yield f"a mail has {len(html.encode()):,} bytes of HTML, and {BUDGET:,} is the most"
        left = _JINJA.search(html)
        if left:
            yield f"{left[0][:40]!r} is left in the mail"
        for one in faint(html):
            faints.setdefault((one.scheme, one.colour, one.background), one)
    for one in faints.values():
        yield (
            f"{one.text!r} is hard to read in the {one.scheme}: {one.colour} on {one.background} "
            f"is {one.ratio:.1f}:1, and {LEAST_CONTRAST}:1 is the least"
        )
