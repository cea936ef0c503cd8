"""`paper-digest keywords show, add, set, rename, remove, mute`: what one reader asked for."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from digest.cli.environment import settings
from digest.cli.examples import example
from digest.cli.keywords import app, recent_papers
from digest.cli.liking import read_papers
from digest.cli.options import Address
from digest.cli.readers import Limit, Shape, keywords_read, reader_at
from digest.cli.terminal import columns, table
from digest.errors import Conflict, NotFound
from subscribers.profile import DEFAULT_LIMIT, MAX_INTERESTS, Order, Profile, called

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from digest.app import App
    from subscribers.subscriber import Subscriber

LOOK_BACK: Final = 30

Interest = Annotated[
    str, typer.Argument(metavar="INTEREST", help="Its name, its keywords, or its number.")
]
Named = Annotated[str, typer.Option("--name", help="What to call it.")]
Ranking = Annotated[Order | None, typer.Option("--order", help="What comes first.")]
Lowest = Annotated[
    float | None, typer.Option("--lowest-score", min=0, max=1000, help="Nothing that scores less.")
]
Diverse = Annotated[
    bool | None,
    typer.Option("--diverse/--not-diverse", help="Not ten variants of one paper.", show_default=""),
]
Versions = Annotated[
    bool | None,
    typer.Option("--new-versions/--no-new-versions", help="A paper again when it is replaced."),
]


class Library(Enum):
    """What becomes of papers the reader has already."""

    LEFT_OUT = "left-out"
    KEPT = "kept"


Known = Annotated[Library | None, typer.Option("--library", help="Papers in the reader's library.")]


@app.command(epilog=example("paper-digest keywords show ada@example.org"))
def show(address: Address) -> None:
    """Show a reader's keywords, settings and mutes as one text, as `keywords edit` opens it."""
    from digest.app import open_app
    from subscribers.sheet import write

    with open_app(settings(), create=False) as house:
        typer.echo(write(reader_at(house, address)), nl=False)


@app.command(
    epilog=example("paper-digest keywords add ada@example.org 'mixture of experts' --name Experts")
)
def add(
    address: Address,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="Its keywords.")],
    *,
    name: Named = "",
    limit: Limit = DEFAULT_LIMIT,
    order: Ranking = None,
    lowest_score: Lowest = None,
    layout: Shape = None,
    diverse: Diverse = None,
    new_versions: Versions = None,
    library: Known = None,
) -> None:
    """Add an interest to what a reader asked for."""
    fresh = Profile(keywords_read(query), name.strip())
    fresh = _set(fresh, limit, order, lowest_score, diverse, new_versions, library)
    fresh = replace(fresh, layout=layout)

    def added(reader: Subscriber) -> Subscriber:
        if reader.profiles == (Profile(),):
            return replace(reader, profiles=(fresh,))  # the top ten was all there was
        _unnamed(reader, fresh.name)
        if len(reader.profiles) >= MAX_INTERESTS:
            raise Conflict(
                f"{reader.address} has {len(reader.profiles)} interests, and the most is "
                f"{MAX_INTERESTS}: add lines to one of them with `keywords set`, or drop one with "
                "`keywords remove`"
            )
        return replace(reader, profiles=(*reader.profiles, fresh))

    _change(address, added, shown=lambda reader: reader.profiles[-1:])


@app.command(
    "set",
    epilog=example(
        "paper-digest keywords set ada@example.org Experts --limit 5 --order trending",
        "paper-digest keywords set ada@example.org 1 --keywords 'sparse routing'",
    ),
)
def set_(
    address: Address,
    interest: Interest,
    *,
    keywords: Annotated[
        str | None, typer.Option("--keywords", "-k", help="Other keywords for it.")
    ] = None,
    limit: Limit = None,
    order: Ranking = None,
    lowest_score: Lowest = None,
    layout: Shape = None,
    diverse: Diverse = None,
    new_versions: Versions = None,
    library: Known = None,
) -> None:
    """Change what is given of one interest."""
    text = None if keywords is None else keywords_read(keywords)

    def changed(profile: Profile) -> Profile:
        after = _set(profile, limit, order, lowest_score, diverse, new_versions, library)
        return replace(
            after, layout=layout or after.layout, text=after.text if text is None else text
        )

    _change_one(address, interest, changed)


@app.command(epilog=example("paper-digest keywords rename ada@example.org Experts 'Sparse models'"))
def rename(
    address: Address,
    interest: Interest,
    name: Annotated[str, typer.Argument(metavar="NAME", help='Its new name; "" for none.')],
) -> None:
    """Call an interest something else."""
    _change_one(address, interest, lambda profile: replace(profile, name=name.strip()))


@app.command(epilog=example("paper-digest keywords remove ada@example.org Experts"))
def remove(address: Address, interest: Interest) -> None:
    """Drop one interest of a reader; without any, the day's top ten is left."""

    def removed(reader: Subscriber) -> Subscriber:
        at = place_of(reader, interest)
        left = (*reader.profiles[:at], *reader.profiles[at + 1 :])
        return replace(reader, profiles=left or (Profile(),))

    _change(address, removed, shown=lambda reader: reader.profiles)


@app.command(
    epilog=example(
        "paper-digest keywords mute ada@example.org survey 'image generation'",
        "paper-digest keywords mute ada@example.org --author 'B. Bad' --undo",
    )
)
def mute(
    address: Address,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="Words or phrases.")
    ] = None,
    *,
    authors: Annotated[
        list[str] | None, typer.Option("--author", help="An author; say it again for more.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Show them again.")] = False,
) -> None:
    """Never show a reader papers with these words or by these authors, in any interest."""
    given = [word.strip() for word in words or [] if word.strip()]
    named = [name.strip() for name in authors or [] if name.strip()]
    if not given and not named:
        raise typer.BadParameter("name a word, or an author with --author")

    def muted(reader: Subscriber) -> Subscriber:
        change = _without if undo else _with
        return replace(
            reader,
            muted_words=change(reader.muted_words, given),
            muted_authors=change(reader.muted_authors, named),
        )

    reader = _change(address, muted, shown=lambda _: ())
    never = [*reader.muted_words, *(f"author: {name}" for name in reader.muted_authors)]
    typer.echo(f"Never shown: {', '.join(never)}." if never else "Nothing is muted.")


@app.command(
    epilog=example(
        "paper-digest keywords synonyms ada@example.org",
        "paper-digest keywords synonyms ada@example.org MoE LLM",
    )
)
def synonyms(
    address: Address,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Names to switch on.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Switch on all of them.")] = False,
) -> None:
    """Offer other names for what a reader asks for; switch some on, into the lines themselves."""
    from digest.app import open_app
    from digest.volume import volume
    from subscribers.muting import muted_lines

    with open_app(settings(), create=False) as house:
        reader = reader_at(house, address)
        names_known = house.thesaurus(reader.synonyms)
        if names or everything:
            wanted = {name.casefold() for name in names or []}

            def switched(current: Subscriber) -> Subscriber:
                texts = [names_known.switched_on(one.text, wanted) for one in current.profiles]
                pairs = zip(current.profiles, texts, strict=True)
                return replace(
                    current, profiles=tuple(replace(one, text=text) for one, text in pairs)
                )

            after = house.store.subscribers.change(reader.number, switched)
            if after == reader:
                raise NotFound(f"no line of {reader.address} has another name like that")
            say_volume(house, after, after.profiles)
            return
        recent = recent_papers(house, LOOK_BACK)
        muted = muted_lines(reader.muted_words, reader.muted_authors)
        rows = [
            ((line.text, f"then: {one.text}"), one.name, f"{one.adds:,}")
            for profile in reader.profiles
            for line in volume(profile, recent, names_known, muted=muted).lines
            for one in line.synonyms
        ]
    if rows:
        heads = ("line", "other name", "would add")
        table(heads, rows, right=("would add",), width=columns())
    else:
        typer.echo(f"No other name would have added a paper in the last {LOOK_BACK} days.")


@app.command(
    epilog=example(
        "paper-digest keywords library ada@example.org --file library.bib",
        "paper-digest keywords library ada@example.org 2611.90001 10.1000/182",
    )
)
def library(
    address: Address,
    papers: Annotated[
        list[str] | None,
        typer.Argument(metavar="PAPER", help="arXiv ids, DOIs, addresses or titles."),
    ] = None,
    *,
    file: Annotated[
        Path | None, typer.Option("--file", help="BibTeX, or a line for each paper; - for stdin.")
    ] = None,
    drop: Annotated[bool, typer.Option("--remove", help="Strike these papers.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Forget all of them.")] = False,
) -> None:
    """Name the papers a reader has already; they are left out of digests."""
    from digest.app import open_app

    entries = read_papers(papers or [], file)
    if clear and entries:
        raise typer.BadParameter("--clear forgets all papers: name none with it")
    if drop and not entries:
        raise typer.BadParameter("--remove goes with papers, or a --file of them")
    names = [name for entry in entries for name in entry.names]
    with open_app(settings(), create=False) as house:
        reader = reader_at(house, address)
        libraries = house.store.libraries
        said = ""
        if clear:
            libraries.clear(reader.number)
            said = "Forgotten. "
        elif names:
            change = libraries.remove if drop else libraries.add
            count = change(reader.number, names)
            by_title = sum(not entry.ids for entry in entries)
            known = f", {by_title:,} of them by title alone" if by_title else ""
            change_of = "struck" if drop else "new"
            said = f"{len(entries):,} read{known}; {count:,} {change_of}. "
        held = len(libraries.of(reader.number))
    typer.echo(f"{said}{reader.address} has {held:,} ids and titles in the library.")


def place_of(reader: Subscriber, interest: str) -> int:
    """Which profile is meant by a name, by keywords or by a number from 1; NotFound for none."""
    asked = interest.strip().casefold()
    for at, profile in enumerate(reader.profiles):
        if asked and asked in {profile.name.casefold(), profile.text.strip().casefold()}:
            return at
    if asked.isdecimal() and 0 < int(asked) <= len(reader.profiles):
        return int(asked) - 1
    known = ", ".join(
        f"{called(profile)!r} ({n})" for n, profile in enumerate(reader.profiles, start=1)
    )
    raise NotFound(f"{reader.address} has no interest {interest!r}, only {known}")


def say_volume(house: App, reader: Subscriber, profiles: Sequence[Profile]) -> None:
    """One line for each profile: how much it would have brought."""
    from digest.volume import headline, volume
    from subscribers.muting import muted_lines

    recent = recent_papers(house, LOOK_BACK)
    muted = muted_lines(reader.muted_words, reader.muted_authors)
    for profile in profiles:
        said = headline(volume(profile, recent, muted=muted))
        if not recent.papers:
            said = "there are no papers yet (paper-digest ingest fetches them)"
        typer.echo(f"{called(profile)}: {said}")


def _set(  # noqa: PLR0917 -- as many as a profile has
    profile: Profile,
    limit: int | None,
    order: Order | None,
    lowest_score: float | None,
    diverse: bool | None,  # noqa: FBT001 -- None says nothing
    new_versions: bool | None,  # noqa: FBT001
    library: Library | None,
) -> Profile:
    """The profile with what is given."""
    return replace(
        profile,
        limit=profile.limit if limit is None else limit,
        order=order or profile.order,
        lowest_score=profile.lowest_score if lowest_score is None else lowest_score,
        diverse=profile.diverse if diverse is None else diverse,
        new_versions=profile.new_versions if new_versions is None else new_versions,
        skip_library=profile.skip_library if library is None else library is Library.LEFT_OUT,
    )


def _change_one(address: str, interest: str, how: Callable[[Profile], Profile]) -> None:
    place = 0

    def changed(reader: Subscriber) -> Subscriber:
        nonlocal place
        place = place_of(reader, interest)
        after = how(reader.profiles[place])
        others = (*reader.profiles[:place], *reader.profiles[place + 1 :])
        _unnamed(replace(reader, profiles=others), after.name)
        profiles = (*reader.profiles[:place], after, *reader.profiles[place + 1 :])
        return replace(reader, profiles=profiles)

    _change(address, changed, shown=lambda reader: reader.profiles[place : place + 1])


def _change(
    address: str,
    how: Callable[[Subscriber], Subscriber],
    *,
    shown: Callable[[Subscriber], Sequence[Profile]],
) -> Subscriber:
    """Change a stored reader, and say what these interests would have brought."""
    from digest.app import open_app

    with open_app(settings(), create=False) as house:
        reader = house.store.subscribers.change(reader_at(house, address).number, how)
        if profiles := shown(reader):
            say_volume(house, reader, profiles)
    return reader


def _unnamed(reader: Subscriber, name: str) -> None:
    """Raise Conflict where an interest has that name already."""
    if name and any(one.name.casefold() == name.casefold() for one in reader.profiles):
        raise Conflict(f"{reader.address} has an interest named {name!r} already")


def _with(old: tuple[str, ...], new: Sequence[str]) -> tuple[str, ...]:
    known = {one.casefold(): one for one in reversed((*old, *new))}
    return tuple(one for one in dict.fromkeys((*old, *new)) if known[one.casefold()] == one)


def _without(old: tuple[str, ...], new: Sequence[str]) -> tuple[str, ...]:
    gone = {one.casefold() for one in new}
    return tuple(one for one in old if one.casefold() not in gone)
