"""The short mails, in words: confirm, already a reader, quiet week and the like. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from digest.language import DAY_AND_MONTH, LONG_DAY, MASTHEAD, NBSP, SHORT, language
from digest.phrases import cadence_words
from digest.retold import miss
from digest.tex import typeset

if TYPE_CHECKING:
    from datetime import date

    from subscribers.subscriber import Schedule


class Span(NamedTuple):
    """A piece of a paragraph: plain, strong, or a link."""

    text: str
    strong: bool = False
    url: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph in pieces."""

    spans: tuple[Span, ...]

    @property
    def text(self) -> str:
        """Its words without links."""
        return "".join(span.text for span in self.spans)


class Button(NamedTuple):
    """What can be done about a mail: the words and the link."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Note:
    """A short mail: paragraphs, at most two buttons, a foot."""

    subject: str
    headline: str
    before: tuple[Paragraph, ...]
    after: tuple[Paragraph, ...] = ()
    buttons: tuple[Button, ...] = ()
    foot: str = ""
    language: str = "en"
    preheader: str = ""
    day: str = ""


def plain(*texts: str) -> tuple[Paragraph, ...]:
    """Paragraphs of plain text."""
    return tuple(Paragraph((Span(text),)) for text in texts)


@dataclass(frozen=True, slots=True)
class Place:
    """Who writes: the list's name in words, its postal address, and the language it writes in."""

    name: str
    postal_address: str = ""
    language: str = "en"

    @property
    def foot(self) -> str:
        """Who sends it, where from, and that answers are read."""
        who = ", ".join(filter(None, (self.name, self.postal_address)))
        return f"{who}. {language(self.language).say('Replies are read.')}"


def confirm(place: Place, schedule: Schedule, *, url: str, ends: date) -> Note:
    """Asks a new address whether it is its owner who signed up; without a word of theirs."""
    words = language(place.language)
    say = words.say
    return Note(
        subject=say("Please confirm: paper digests from {place}", place=place.name),
        preheader=say("One click, and they begin."),
        headline=say("Is this your address?"),
        before=plain(
            say(
                "Somebody, we hope you, asked {place} to send digests of new papers to this "
                "address, {cadence}.",
                place=place.name,
                cadence=cadence_words(schedule, words),
            )
        ),
        buttons=(Button(say("Yes, start my digests"), url),),
        after=plain(
            say("Your first digest, the best of the last seven days, comes within a minute."),
            say(
                "Was it not you? Do nothing. The link ends on {day} and nothing more is sent.",
                day=words.day(ends, DAY_AND_MONTH),
            ),
        ),
        foot=place.foot,
        language=words.code,
    )


def already(place: Place, *, url: str) -> Note:
    """To somebody who signed up again: the same form, the same answer on the page."""
    say = language(place.language).say
    return _settings(
        place,
        url,
        say("You are already on this list"),
        say("Here is your link; it works for an hour."),
    )


def fresh_link(place: Place, *, url: str) -> Note:
    """The link to all settings, for whoever asked for it."""
    say = language(place.language).say
    return _settings(
        place,
        url,
        say("Your link"),
        say("Here is the link to all your settings; it works for an hour."),
    )


def _settings(place: Place, url: str, headline: str, sentence: str) -> Note:
    say = language(place.language).say
    return Note(
        subject=say("Your settings at {place}", place=place.name),
        preheader=sentence,
        headline=headline,
        before=plain(sentence),
        buttons=(Button(say("Open my settings"), url),),
        after=plain(say("If you did not ask, ignore this: nothing has changed.")),
        foot=place.foot,
        language=place.language,
    )


def new_address(place: Place, *, url: str) -> Note:
    """To the new address of a reader: whether the digests should come there."""
    say = language(place.language).say
    return Note(
        subject=say("Please confirm your new address: {place}", place=place.name),
        preheader=say("One click, and your digests come here."),
        headline=say("Is this your new address?"),
        before=plain(
            say("A reader of {place} asked to get the digests here from now on.", place=place.name)
        ),
        buttons=(Button(say("Yes, send them here"), url),),
        after=plain(
            say("Was it not you? Do nothing. The link ends in a day and nothing more is sent.")
        ),
        foot=place.foot,
        language=place.language,
    )


def invitation(
    place: Place, schedule: Schedule, *, host: str, yes: str, never: str, ends: date
) -> Note:
    """To an address that somebody of the list put on it; `host` is who."""
    words = language(place.language)
    say = words.say
    return Note(
        subject=say("{host} invites you: paper digests from {place}", host=host, place=place.name),
        preheader=say("Nothing is sent unless you say yes."),
        headline=say("Would you like digests of new papers?"),
        before=plain(
            say(
                "{host} of {place} put this address on a list that gets digests of new papers, "
                "{cadence}.",
                host=host,
                place=place.name,
                cadence=cadence_words(schedule, words),
            )
        ),
        buttons=(Button(say("Yes, send them"), yes), Button(say("No, never write here"), never)),
        after=plain(
            say(
                "Do nothing, and nothing more is sent. The links end on {day}.",
                day=words.day(ends, DAY_AND_MONTH),
            )
        ),
        foot=place.foot,
        language=words.code,
    )


@dataclass(frozen=True, slots=True)
class Nearest:
    """The paper that came nearest to a reader's keywords, and what stopped it, in words."""

    title: str
    url: str
    why: str


def quiet_week(
    place: Place,
    *,
    since: date,
    looked_at: int,
    complete: bool,
    nearest: Nearest | None,
    widen: str,
    stop: str,
) -> Note:
    """After a week without a mail: that nothing matched, that nothing is broken, what came near."""
    words = language(place.language)
    say = words.say
    nothing = say("Nothing matched since {day}.", day=words.day(since, LONG_DAY))
    if complete:
        looked = words.count(
            "{number} paper was looked at and every source answered, so nothing is broken.",
            "{number} papers were looked at and every source answered, so nothing is broken.",
            looked_at,
        )
    else:
        looked = words.count(
            "{number} paper was looked at, but not every source answered fully.",
            "{number} papers were looked at, but not every source answered fully.",
            looked_at,
        )
    before = plain(f"{nothing} {looked}")
    if nearest:
        link = Span(typeset(nearest.title).text, url=nearest.url)
        before += (
            Paragraph((Span(say("Closest: ")), link, Span(f" ({miss(nearest.why, words)})."))),
        )
    after = [Span(say("You get a note like this at most once a week."))]
    if stop:
        after += [Span(" "), Span(say("Stop these notes"), url=stop)]
    return Note(
        subject=say(
            "A quiet week: nothing matched since {day}", day=words.day(since, DAY_AND_MONTH)
        ).replace(NBSP, " "),
        preheader=looked,
        headline=say("A quiet week"),
        before=before,
        buttons=(Button(say("Widen my keywords"), widen),) if widen else (),
        after=(Paragraph(tuple(after)),),
        foot=place.foot,
        language=words.code,
    )


def empty_day(place: Place, *, day: date, looked_at: int, manage: str) -> Note:
    """For who asked to hear of empty days too: one sentence."""
    words = language(place.language)
    say = words.say
    number = words.number(looked_at)
    subject = say("Nothing new today ({number} looked at)", number=number)
    sentence = say("None of the {number} papers listed today matched your keywords.", number=number)
    spans = [Span(sentence)]
    if manage:
        spans += [Span(" "), Span(say("Change your keywords"), url=manage)]
    return Note(
        subject=f"{subject} · {words.day(day, SHORT)}".replace(NBSP, " "),
        headline=say("Nothing new today"),
        before=(Paragraph(tuple(spans)),),
        foot=place.foot,
        language=words.code,
        day=words.day(day, MASTHEAD),
    )
