r"""TeX as people read it, in the two places where that is safe.

`letters` is for sources: Fern\'andez is Fernández, and everything else stays as typed, because
it is part of what a title says. `typeset` is for showing: $\beta$ is β, $O(n^2)$ is O(n²), where
a formula is set whole or stays as typed. Two dollars that are prices stay two prices. Linear.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_MARKS: Final = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "d": "\u0323",
    "b": "\u0331", "k": "\u0328", "r": "\u030a",
}  # fmt: skip
_LETTERS: Final = {
    "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ",
    "aa": "å", "AA": "Å", "dh": "ð", "DH": "Ð", "th": "þ", "TH": "Þ", "dj": "đ", "DJ": "Đ",
    "i": "ı", "j": "ȷ",
}  # fmt: skip
_ACCENT: Final = re.compile(
    r"""\{?\\(?:
        (?P<sign>['`^"~=.])\s?(?:\{\\?(?P<sb>[A-Za-z])\}|\\(?P<si>[ij])(?![A-Za-z])\s?|(?P<s>[A-Za-z]))
      | (?P<name>[uvHcdbkr])(?:\s?\{\\?(?P<nb>[A-Za-z])\}|\s(?P<n>[A-Za-z]))
    )\}?""",
    re.VERBOSE,
)
_LETTER: Final = re.compile(
    r"\{\\(?P<braced>o|O|l|L|ss|ae|AE|oe|OE|aa|AA|dh|DH|th|TH|dj|DJ|i|j)\s?\}"
    r"|\\(?P<bare>o|O|l|L|ss|ae|AE|oe|OE|aa|AA|dh|DH|th|TH|dj|DJ|i|j)(?:\{\}|(?![A-Za-z{])\s?)"
)


def letters(text: str) -> str:
    """The text with its accents written as letters."""
    if "\\" not in text:
        return text
    pieces = text.split("$")
    # Odd pieces are mathematics; a last dollar without partner opens none.
    last = len(pieces) - 1
    for n, piece in enumerate(pieces):
        if n % 2 == 0 or (n == last and last % 2):
            pieces[n] = _LETTER.sub(_letter, _ACCENT.sub(_accent, piece))
    return "$".join(pieces)


def _accent(found: re.Match[str]) -> str:
    base = found["sb"] or found["si"] or found["s"] or found["nb"] or found["n"]
    mark = _MARKS[found["sign"] or found["name"]]
    letter = unicodedata.normalize("NFC", base + mark)
    # Braces belong to the accent only as a pair.
    opened, closed = found[0].startswith("{"), found[0].endswith("}")
    own = found["sb"] or found["nb"]
    inner_closed = closed and (not own or found[0].endswith("}}"))
    before = "{" if opened and not inner_closed else ""
    after = "}" if inner_closed and not opened else ""
    return before + letter + after


def _letter(found: re.Match[str]) -> str:
    return _LETTERS[found["braced"] or found["bare"]]


LONGEST_FORMULA: Final = 80
_DEEPEST: Final = 6

# A formula neither begins nor ends with a blank, and no digit follows its end (pandoc's rule).
_SET: Final = re.compile(
    r"\$\$(?P<double>[^$]{1,200})\$\$"
    r"|(?<![\\$])\$(?P<single>(?=\S)[^$]{1,200}(?<=[^\s\\]))\$(?![\d$])"
    r"|\\\((?P<round>.{1,200}?)\\\)"
    r"|\\(?:emph|textit|textbf|texttt|textsc|textrm|text|mbox)\{(?P<words>[^{}$\\]{1,200})\}"
    r"|\\(?P<sign>[%&#$_])"
    r"|``(?P<quoted>[^`']{1,200})''"
)
_PIECE: Final = re.compile(r"\\(?:[A-Za-z]+\s*|.)|.", re.DOTALL)

_SYMBOLS: Final = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "vartheta": "ϑ", "iota": "ι", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ell": "ℓ", "hbar": "ħ", "infty": "∞", "partial": "∂",
    "nabla": "∇", "times": "×", "cdot": "·", "pm": "±", "mp": "∓", "div": "÷", "star": "⋆",
    "ast": "∗", "circ": "∘", "prime": "′", "sim": "∼", "approx": "≈", "simeq": "≃", "equiv": "≡",
    "neq": "≠", "ne": "≠", "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "ll": "≪", "gg": "≫",
    "in": "∈", "notin": "∉", "subset": "⊂", "subseteq": "⊆", "cup": "∪", "cap": "∩", "to": "→",
    "rightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔", "Rightarrow": "⇒", "mapsto": "↦",
    "forall": "∀", "exists": "∃", "oplus": "⊕", "otimes": "⊗", "propto": "∝", "ldots": "…",
    "dots": "…", "cdots": "⋯", "langle": "⟨", "rangle": "⟩", "lvert": "|", "rvert": "|",
    "sum": "∑", "prod": "∏", "int": "∫", "perp": "⊥", "parallel": "∥", "dagger": "†",
    "quad": " ", "left": "", "right": "",
}  # fmt: skip
_WORDS: Final = frozenset({
    "log", "ln", "exp", "min", "max", "sup", "inf", "lim", "arg", "argmin", "argmax", "det", "dim",
    "ker", "sin", "cos", "tan", "tanh", "gcd", "Pr", "mod",
})  # fmt: skip
_SIGNS: Final = {",": " ", ";": " ", ":": " ", " ": " ", "!": "", "%": "%", "&": "&", "#": "#"} | {
    "$": "$", "_": "_", "{": "{", "}": "}", "|": "‖",
}  # fmt: skip
_UPRIGHT: Final = frozenset(
    ["mathrm", "text", "textrm", "textbf", "textit", "mathbf", "mathit", "mathsf", "operatorname"]
)
# The O of complexity is the letter O wherever it is printed.
_ALPHABETS: Final = {
    "mathbb": dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True)),
    "mathcal": dict(zip("OBEFHILMR", "Oℬℰℱℋℐℒℳℛ", strict=True)),
}
_RAISED: Final = str.maketrans("0123456789+-−=()nidkmtT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱᵈᵏᵐᵗᵀ")
_HIGH: Final = {"∘": "°", "′": "′", "∗": "*", "⋆": "*", "*": "*", "†": "†"}
_LOWERED: Final = str.maketrans("0123456789+-−=()ijkmnt", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ᵢⱼₖₘₙₜ")
_RELATION: Final = re.compile(r"(?<=\S)\s*([=≤≥≈≠→∈<>∘])\s*(?=\S)")


@dataclass(frozen=True, slots=True)
class Typeset:
    """A text as it is shown, and where the pieces that were set stood in the text as typed.

    Each of `pieces` is (start, end) as typed and (start, end) as shown, in order.
    """

    text: str
    pieces: tuple[tuple[int, int, int, int], ...] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a span of the text as typed is shown; one that cuts a formula takes it whole."""
        return self._place(start, 2), self._place(end, 3)

    def _place(self, place: int, edge: int) -> int:
        shift = 0
        for piece in self.pieces:
            typed_start, typed_end, _, shown_end = piece
            if place <= typed_start:
                break
            if place < typed_end:
                return piece[edge]
            shift = shown_end - typed_end
        return place + shift


def in_unicode(text: str) -> str:
    """The text as people read it, where nothing of it is marked."""
    return typeset(text).text


@lru_cache(maxsize=4096)
def typeset(text: str) -> Typeset:
    """The text with its formulas and TeX signs set as Unicode; what cannot be stays as typed."""
    if "$" not in text and "\\" not in text and "``" not in text:
        return Typeset(text)
    shown: list[str] = []
    pieces: list[tuple[int, int, int, int]] = []
    last = length = 0
    for found in _SET.finditer(text):
        setting = _set(found)
        if setting is None:
            continue
        between = text[last : found.start()]
        start = length + len(between)
        length = start + len(setting)
        shown += [between, setting]
        pieces.append((found.start(), found.end(), start, length))
        last = found.end()
    return Typeset("".join([*shown, text[last:]]), tuple(pieces))


def _set(found: re.Match[str]) -> str | None:
    """One piece of TeX in Unicode, or None to leave it."""
    if found["words"]:
        return found["words"]
    if found["sign"]:
        return found["sign"]
    if found["quoted"]:
        return f"“{found['quoted']}”"
    body = (found["double"] or found["single"] or found["round"]).strip()
    if not body or len(body) > LONGEST_FORMULA or _is_money(body):
        return None
    reader = _Formula(_PIECE.findall(body))
    setting = reader.run(0)
    if setting is None or not reader.is_done:
        return None
    return " ".join(_RELATION.sub(r" \1 ", setting).split())


def _is_money(body: str) -> bool:
    return body[0].isdigit() and " " in body and not re.search(r"[\\^_{}=]", body)


class _Formula:
    """A reader of one formula, piece by piece; run() is None where it meets what it cannot set."""

    def __init__(self, pieces: list[str]) -> None:
        self._pieces = pieces
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at == len(self._pieces)

    def run(self, depth: int) -> str | None:
        """Everything up to a closing brace or the end."""
        parts: list[str] = []
        while not self.is_done and self._pieces[self._at] != "}":
            part = self._part(depth)
            if part is None:
                return None
            parts.append(part)
        return "".join(parts)

    def _part(self, depth: int) -> str | None:
        if self.is_done or depth > _DEEPEST:
            return None
        piece = self._pieces[self._at]
        self._at += 1
        if piece == "{":
            return self._group(depth)
        if piece in "^_":
            return self._script(depth, _RAISED if piece == "^" else _LOWERED)
        if piece.startswith("\\"):
            return self._command(piece, depth)
        return {"-": "−", "~": " "}.get(piece, piece)

    def _command(self, piece: str, depth: int) -> str | None:
        name = piece[1:].strip()
        if name in _UPRIGHT:
            return self._part(depth + 1)
        if name in _ALPHABETS:
            return _ALPHABETS[name].get(self._part(depth + 1) or "")
        if name == "sqrt":
            under = self._part(depth + 1)
            return f"√{under}" if under and len(under) == 1 else None
        if name in _WORDS:
            return f"{name} " if piece[-1:].isspace() else name
        return _SYMBOLS.get(name, _SIGNS.get(piece[1:]))

    def _group(self, depth: int) -> str | None:
        inner = self.run(depth + 1)
        if inner is None or self.is_done:
            return None
        self._at += 1
        return inner

    def _script(self, depth: int, table: dict[int, int]) -> str | None:
        inner = self._part(depth + 1)
        if inner is None:
            return None
        if table is _RAISED and inner in _HIGH:
            return _HIGH[inner]
        return inner.translate(table) if all(ord(one) in table for one in inner) else None
