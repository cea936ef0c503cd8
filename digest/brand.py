"""Who sends, in words and colours. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of one scheme, as #RRGGBB; `press` is the text of a button."""

    page: str
    ink: str
    body: str
    quiet: str
    link: str
    mark: str
    rule: str
    note: str
    bar: str
    press: str


LIGHT = Colours(
    page="#FFFFFF",
    ink="#1F1D1A",
    body="#35322D",
    quiet="#625D54",
    link="#154C86",
    mark="#FFEFA6",
    rule="#E3DED4",
    note="#FBF3E2",
    bar="#B7791F",
    press="#FFFFFF",
)
DARK = Colours(
    page="#17181B",
    ink="#ECEAE5",
    body="#D3D0CA",
    quiet="#A6A29A",
    link="#93C3F5",
    mark="#4B4011",
    rule="#34363B",
    note="#262219",
    bar="#D9A441",
    press="#10151C",
)


@dataclass(frozen=True, slots=True)
class Brand:
    """Who sends: the masthead's name, what stands at the foot, the colours.

    `sender` is name and postal address in one line; `foot` and `thanks` are lines of the
    operator's own; `contact` is who to write to.
    """

    name: str = "Paper Digest"
    sender: str = ""
    contact: str = ""
    sender_name: str = ""
    foot: str = ""
    thanks: str = ""
    light: Colours = field(default=LIGHT)
    dark: Colours = field(default=DARK)

    @property
    def first(self) -> str:
        """The name but for its last word."""
        return self.name.rpartition(" ")[0]

    @property
    def last(self) -> str:
        """The name's last word, which is marked."""
        return self.name.rpartition(" ")[2]


def coloured(
    light: Colours, dark: Colours, link: tuple[str, ...], mark: tuple[str, ...]
) -> tuple[Colours, Colours]:
    """The two schemes with an operator's colours of links and marks: (light, dark) each, or ()."""
    if link:
        light, dark = replace(light, link=link[0]), replace(dark, link=link[1])
    if mark:
        light, dark = replace(light, mark=mark[0]), replace(dark, mark=mark[1])
    return light, dark


LEAST_CONTRAST: Final = 4.5
"""What text needs against its background (WCAG 2.2, 1.4.3)."""


def contrast(one: str, other: str) -> float:
    """The contrast of two colours #RRGGBB, from 1 to 21 (WCAG 2.2, contrast ratio)."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 -- sRGB
