"""How well the words of a mail can be read: the contrast of every text, light and dark. Pure.

Colours are followed down the elements as a mail program does it: inline styles, and over them
the rules that a mail brings for dark mode.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

from digest.brand import LEAST_CONTRAST, contrast

_COLOUR: Final = re.compile(r"#[0-9A-Fa-f]{6}\b")
_DARK: Final = re.compile(
    r"@media \(prefers-color-scheme: ?dark\) ?\{((?:[^{}]*\{[^{}]*\})*)[^{}]*\}"
)
_RULE: Final = re.compile(r"([^{}]+)\{([^{}]*)\}")
_VOID: Final = frozenset({"br", "img", "meta", "link", "hr", "input"})


@dataclass(frozen=True, slots=True)
class Faint:
    """A text that is hard to read: which scheme, the two colours, and how much they differ."""

    text: str
    scheme: str
    colour: str
    background: str
    ratio: float


def faint(html: str) -> list[Faint]:
    """The texts of a mail below the least contrast, in either scheme."""
    found: list[Faint] = []
    for scheme, rules in (("light", {}), ("dark", _dark_rules(html))):
        reader = _Reader(scheme, rules)
        reader.feed(html)
        found += reader.faint
    return found


def _dark_rules(html: str) -> dict[str, dict[str, str]]:
    """What dark mode sets for a class or an element."""
    rules: dict[str, dict[str, str]] = {}
    for block in _DARK.findall(html):
        for selectors, body in _RULE.findall(block):
            for selector in selectors.split(","):
                rules.setdefault(selector.strip().removeprefix("."), {}).update(_styles(body))
    return rules


def _styles(style: str) -> dict[str, str]:
    pairs = (one.partition(":") for one in style.split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


class _Reader(HTMLParser):
    """Walks a mail with the colours in force at each place."""

    def __init__(self, scheme: str, rules: dict[str, dict[str, str]]) -> None:
        super().__init__()
        self.faint: list[Faint] = []
        self._scheme, self._rules = scheme, rules
        self._stack: list[tuple[str, str, str, bool]] = [("", "#000000", "#FFFFFF", False)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        given = {name: value or "" for name, value in attrs}
        own = _styles(given.get("style", ""))
        _, colour, background, hidden = self._stack[-1]
        names = (tag, *given.get("class", "").split())
        for style in (own, *(self._rules.get(name, {}) for name in names)):
            colour = _first(style.get("color", ""), colour)
            background = _first(
                style.get("background-color", "") or style.get("background", ""), background
            )
        hidden = hidden or own.get("display") == "none" or tag in {"style", "title", "script"}
        self._stack.append((tag, colour, background, hidden))

    def handle_endtag(self, tag: str) -> None:
        for at in range(len(self._stack) - 1, 0, -1):
            if self._stack[at][0] == tag:
                del self._stack[at:]
                return

    def handle_data(self, data: str) -> None:
        _, colour, background, hidden = self._stack[-1]
        text = data.strip(" \n\t\r\u00a0\u00b7")
        if not text or hidden:
            return
        ratio = contrast(colour, background)
        if ratio < LEAST_CONTRAST:
            self.faint.append(Faint(text[:60], self._scheme, colour, background, ratio))


def _first(value: str, other: str) -> str:
    colour = _COLOUR.search(value)
    return colour[0] if colour else other
