"""The language of a mail: its words, its dates and its numbers.

Words are looked up with gettext in `languages/*.po`, by the English sentence; dates and numbers
come from the Unicode locale data (Babel). In sentences `~` is a blank that is never broken.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

NBSP: Final = "\u00a0"
_CATALOGUES: Final = Path(__file__).parent / "languages"
_RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ur"})

SHORT: Final = "EEE d MMM"
LISTED: Final = "d MMM y"
WHOLE: Final = "d MMMM y"
MASTHEAD: Final = "EEE d MMM y"
FULL: Final = "EEEE d MMMM y"
WEEKDAY: Final = "EEEE"
DAY: Final = "d"
DAY_OF_MONTH: Final = "d MMM"
DAY_AND_MONTH: Final = "d MMMM"
LONG_DAY: Final = "EEEE d MMMM"
"""Forms of a date, in the letters of Unicode's locale data; a catalogue may reorder them."""


class Language:
    """One language, by its code ("en", "de"); see `language`."""

    def __init__(self, code: str) -> None:
        self.code = code
        self._one = lru_cache(maxsize=1024)(self._sentence)
        self._many = lru_cache(maxsize=4096)(self._sentence_for)

    @property
    def is_right_to_left(self) -> bool:
        """Whether it is written from right to left."""
        return self.code in _RIGHT_TO_LEFT

    def say(self, sentence: str, /, **values: object) -> str:
        """The sentence in this language, with the values in its braces."""
        said = self._one(sentence)
        return said.format_map(values) if values else said

    def count(self, one: str, many: str, number: int, /, **values: object) -> str:
        """The sentence for that number, which stands in it as {number}."""
        values["number"] = _number(self.code, number)
        return self._many(one, many, number).format_map(values)

    def number(self, number: int) -> str:
        """1,204 in English."""
        return _number(self.code, number)

    def day(self, day: date, form: str) -> str:
        """A date in one of the forms above, its parts glued together."""
        return _day(self.code, day.year, day.month, day.day, self._words.gettext(form))

    def joined(self, names: list[str] | tuple[str, ...]) -> str:
        """A, B and C."""
        if len(names) <= 1:
            return "".join(names)
        return self.say("{some} and {last}", some=", ".join(names[:-1]), last=names[-1])

    def _sentence(self, sentence: str) -> str:
        return self._words.gettext(sentence).replace("~", NBSP)

    def _sentence_for(self, one: str, many: str, number: int) -> str:
        return self._words.ngettext(one, many, number).replace("~", NBSP)

    @cached_property
    def _words(self) -> NullTranslations:
        path = _CATALOGUES / f"{self.code}.po"
        if self.code not in languages() or not path.is_file():
            return NullTranslations()
        from babel.messages.mofile import write_mo  # noqa: PLC0415 -- other languages need it
        from babel.messages.pofile import read_po  # noqa: PLC0415

        compiled = BytesIO()
        with path.open("rb") as catalogue:
            write_mo(compiled, read_po(catalogue, locale=self.code))
        compiled.seek(0)
        return GNUTranslations(compiled)


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The codes of all languages there are words in; English first."""
    return ("en", *sorted(path.stem for path in _CATALOGUES.glob("*.po")))


@lru_cache(maxsize=64)
def language(code: str) -> Language:
    """The language of that code ("de", "de-AT"); English where we have no words in it."""
    plain = code.replace("_", "-").partition("-")[0].lower()
    return Language(plain if plain in languages() else "en")


@lru_cache(maxsize=4096)
def _number(code: str, number: int) -> str:
    from babel.numbers import format_decimal  # noqa: PLC0415 -- its locale data take a while

    return format_decimal(number, locale=code)


@lru_cache(maxsize=4096)
def _day(code: str, year: int, month: int, day: int, form: str) -> str:
    from datetime import date as calendar_date  # noqa: PLC0415

    from babel.dates import format_date  # noqa: PLC0415 -- its locale data take a while

    said = format_date(calendar_date(year, month, day), form, locale=code)
    return said.replace(" ", NBSP)


ENGLISH: Final = language("en")
