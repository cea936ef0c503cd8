"""Reading XML that may be hostile, cut short or damaged, on expat alone.

Nothing is ever loaded or expanded: a document that declares entities is refused (PubMed's
external DOCTYPE declares none and passes). A document that breaks off gives every element that
was closed before, and says that it is not complete: half an item is never one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH: Final = 100
_CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(slots=True)
class Element:
    """An element: its name ("namespace local", or "local" without namespace) and what is in it."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    parts: list[Element | str] = field(default_factory=list)
    closed: bool = False

    @property
    def children(self) -> Iterator[Element]:
        """The elements in it that are whole."""
        return (part for part in self.parts if isinstance(part, Element) and part.closed)

    @property
    def text(self) -> str:
        """All text in it, of its elements too, in order, on one line."""
        return " ".join("".join(self.texts()).split())

    def all(self, *path: str) -> list[Element]:
        """The whole elements at a path of names below it."""
        found = [self]
        for name in path:
            found = [child for one in found for child in one.children if child.name == name]
        return found

    def value(self, *path: str) -> str:
        """The text of the first element at a path, or nothing."""
        return next((one.text for one in self.all(*path)), "")

    def texts(self) -> Iterator[str]:
        """The pieces of text in it, in order."""
        for part in self.parts:
            if isinstance(part, str):
                yield part
            else:
                yield from part.texts()


@dataclass(frozen=True, slots=True)
class Document:
    """A document as far as it could be read; `root` has no name where it could not at all."""

    root: Element
    complete: bool

    def descend(self, *path: str) -> Element:
        """The first element at a path below the root, also one that never closed."""
        here = self.root
        for name in path:
            inside = (part for part in here.parts if isinstance(part, Element))
            here = next((part for part in inside if part.name == name), Element(""))
        return here


class _Refused(Exception):
    """Raised out of expat's callbacks to stop it."""


def read_xml(body: bytes) -> Document:
    """The document of these bytes; never raises."""
    if not body.startswith(_UTF_16):
        body = _CONTROLS.sub(b" ", body)
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.EntityDeclHandler = builder.refuse
    parser.SkippedEntityHandler = builder.refuse
    try:
        parser.Parse(body, True)  # noqa: FBT003 -- expat's own signature
    except (expat.ExpatError, _Refused, ValueError, LookupError):
        return Document(builder.root, complete=False)
    return Document(builder.root, complete=True)


class _Builder:
    def __init__(self) -> None:
        self.root = Element("")
        self._open: list[Element] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        element = Element(name, attributes)
        if self._open:
            self._open[-1].parts.append(element)
        else:
            self.root = element
        if len(self._open) >= MAX_DEPTH:
            raise _Refused
        self._open.append(element)

    def end(self, name: str) -> None:
        del name
        self._open.pop().closed = True

    def characters(self, text: str) -> None:
        if self._open:
            self._open[-1].parts.append(text)

    def refuse(self, *about: object) -> None:
        del about
        raise _Refused
