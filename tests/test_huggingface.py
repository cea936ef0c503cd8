"""Daily Papers, against a server that answers as Hugging Face does (all papers invented)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import SourceError
from digest.papers import Author, ListingKind, PaperId
from digest.sources import Fetch, FetchState, Options, Window, load
from digest.sources.huggingface import HuggingFace, newest_day, read_items
from digest.testing import Clock, FixtureServer, Reply, Request, check_source, polite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FRIDAY = date(2026, 11, 20)
SATURDAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)  # 13:00 in New York
PATH = "/api/daily_papers"


def item(number: int = 1, **inner: object) -> dict[str, object]:
    """The least an item ever was."""
    paper = {
        "id": f"2611.{number:05}",
        "title": f"Invented Paper {number}",
        "summary": "We invent.",
        "publishedAt": "2026-11-18T00:00:00.000Z",
        "submittedOnDailyAt": "2026-11-20T00:00:00.000Z",
        "upvotes": 3,
        "authors": [{"_id": "1", "name": "Ada Invented", "hidden": False}],
        "discussionId": "6abc",
        **inner,
    }
    return {"paper": paper, "publishedAt": "2026-11-17T19:00:00.000Z", "numComments": 0}


FULL: dict[str, object] = {
    "paper": {
        "id": "2611.01234",
        "authors": [
            {
                "_id": "6abc",
                "name": "Ada Invented",
                "hidden": False,
                "user": {"_id": "657a", "avatarUrl": "/avatars/f607.svg", "user": "ada-inv"},
                "status": "claimed_verified",
            },
            {"_id": "6abd", "name": "Bo Exemplar", "hidden": True},
            {"_id": "6abe", "name": "Cy Sample"},
        ],
        "mediaUrls": [
            "https://cdn.example.org/film.mp4",
            "https://cdn.example.org/figure.PNG?v=2",
        ],
        "publishedAt": "2026-11-19T01:30:00.000Z",
        "submittedOnDailyAt": "2026-11-20T03:55:12.777Z",
        "title": "An Invented Paper: Methods\nand Applications",
        "summary": "Gains of up to 25\\%.\nOlder records have hard newlines.",
        "upvotes": 358,
        "discussionId": "6abc",
        "projectPage": "https://example.github.io/invented/",
        "githubRepo": "https://github.com/example/invented",
        "githubRepoAddedBy": "user",
        "ai_summary": "One sentence.",
        "ai_keywords": ["keyword one", "keyword two"],
        "githubStars": 14,
        "organization": {"_id": "643f", "name": "ExampleLab", "fullname": "Example Lab"},
    },
    "publishedAt": "2026-11-18T20:30:00.000Z",
    "title": "An Invented Paper: Methods and Applications",
    "thumbnail": "https://cdn.example.org/social.png",
    "numComments": 2,
    "isAuthorParticipating": True,
}


def body(*items: object) -> Reply:
    return Reply(json.dumps(items).encode(), headers={"Content-Type": "application/json"})


def fetch(
    answer: Callable[[Request], Reply] | FixtureServer,
    since: date = FRIDAY,
    until: date = FRIDAY,
    now: datetime = NOON,
) -> list[Fetch]:
    if isinstance(answer, FixtureServer):
        with polite(Clock(now)) as client:
            source = HuggingFace(Options(url=answer.url))
            return list(source.fetch(Window(since, until, now), client))
    with FixtureServer(answer) as server:
        return fetch(server, since, until, now)


def scripted(*replies: Reply, now: datetime = NOON, day: date = FRIDAY) -> Fetch:
    with FixtureServer() as server:
        server.on(PATH, *replies)
        (only,) = fetch(server, day, day, now)
        return only


def test_it_passes_the_contract_of_sources() -> None:
    fetches = check_source(
        lambda url: HuggingFace(Options(url=url)),
        lambda _: body(FULL, item()),
        Window(FRIDAY, FRIDAY, NOON),
    )
    assert [len(fetch.papers) for fetch in fetches] == [2]


def test_every_field_of_a_full_item_arrives() -> None:
    found = scripted(body(FULL))
    (paper,) = found.papers
    assert (found.state, found.source, found.label) == (FetchState.OK, "hf", "Daily Papers")
    assert paper.id == PaperId("arxiv", "2611.01234")
    assert paper.title == "An Invented Paper: Methods and Applications"
    assert paper.abstract == "Gains of up to 25\\%. Older records have hard newlines."
    assert paper.authors == (Author("Ada Invented"), Author("Cy Sample")), "hidden stays hidden"
    assert paper.organization == "Example Lab"
    assert (paper.summary, paper.keywords) == ("One sentence.", ("keyword one", "keyword two"))
    assert paper.url == "https://arxiv.org/abs/2611.01234"
    assert paper.pdf_url == "https://arxiv.org/pdf/2611.01234"
    assert paper.discussion_url == "https://huggingface.co/papers/2611.01234"
    assert paper.code_url == "https://github.com/example/invented"
    assert paper.project_url == "https://example.github.io/invented/"
    assert paper.image_url == "https://cdn.example.org/figure.PNG?v=2", "never the film"
    signals = paper.signals
    assert (signals.upvotes, signals.comments, signals.stars) == (358, 2, 14)
    assert signals.seen_at == NOON
    (listing,) = paper.listings
    assert (listing.day, listing.kind) == (FRIDAY, ListingKind.FEATURED)


def test_the_shifted_date_around_a_paper_is_never_read() -> None:
    (paper,) = scripted(body(FULL)).papers
    assert paper.published_at == datetime(2026, 11, 19, 1, 30, tzinfo=UTC)
    (bare,) = scripted(body(item(publishedAt=None))).papers
    assert bare.published_at is None


def test_a_missing_count_is_not_zero() -> None:
    poor = {"paper": {"id": "2611.00001", "title": "Poor"}}
    (paper,) = scripted(body(poor)).papers
    assert (paper.signals.upvotes, paper.signals.comments, paper.signals.stars) == (
        None, None, None,
    )  # fmt: skip
    (zero,) = scripted(body(item(upvotes=0))).papers
    assert (zero.signals.upvotes, zero.signals.comments) == (0, 0)


def test_what_the_paper_lacks_is_read_from_the_item_around_it() -> None:
    around = {
        "paper": {"id": "2611.00001", "upvotes": 4},
        "title": "Outer Title",
        "summary": "Outer summary.",
        "organization": {"name": "outer-lab"},
        "mediaUrls": ["https://cdn.example.org/a.webp"],
        "numComments": "12",
    }
    (paper,) = scripted(body(around)).papers
    assert (paper.title, paper.abstract) == ("Outer Title", "Outer summary.")
    assert (paper.organization, paper.signals.comments) == ("outer-lab", 12)
    assert paper.image_url == "https://cdn.example.org/a.webp"


def test_nulls_wrong_types_and_unknown_keys_harm_nobody() -> None:
    odd: dict[str, object] = dict.fromkeys(
        ["summary", "authors", "publishedAt", "upvotes", "mediaUrls", "organization", "githubRepo"]
    )
    twisted: dict[str, object] = {
        "authors": [None, 7, {"name": {"first": "Ada"}}, {"name": "Kept"}],
        "upvotes": "eleven",
        "githubStars": "1300",
        "mediaUrls": "https://cdn.example.org/a.png",
        "organization": "Lab",
        "ai_keywords": [None, 1, "kept"],
        "publishedAt": "0001-01-01T00:00:00+23:00",
        "newKey": {"deep": [1]},
    }
    found = scripted(body(item(1, **odd), item(2, **twisted)))
    assert (found.state, len(found.papers), found.skipped) == (FetchState.OK, 2, ())
    second = found.papers[1]
    assert [author.name for author in second.authors] == ["Kept"]
    assert (second.signals.upvotes, second.signals.stars) == (None, 1300)
    assert second.keywords == ("1", "kept")
    assert second.published_at is None


def test_a_malformed_paper_is_skipped_and_named_and_the_others_live() -> None:
    found = scripted(
        body(
            item(1),
            None,
            7,
            {"paper": None},
            item(2, title=" \u200b"),
            item(3, id="../etc"),
            item(4),
        )
    )
    assert found.state is FetchState.OK
    assert [paper.id.value for paper in found.papers] == ["2611.00001", "2611.00004"]
    assert len(found.skipped) == 5
    assert found.skipped[3] == "item 5: it has no title"


def test_a_list_that_cannot_be_read_at_all_is_a_failure() -> None:
    found = scripted(body({"paper": {"arxivId": "2611.00001"}}))
    assert (found.state, found.note) == (FetchState.FAILED, "sent items that we cannot read")


def test_a_withdrawn_paper_is_no_news() -> None:
    found = scripted(body(item(1, withdrawnAt="2026-11-20T00:00:00Z"), item(2)))
    assert [paper.id.value for paper in found.papers] == ["2611.00002"]
    assert found.skipped == ("item 1: it was withdrawn",)


def test_hostile_titles_and_old_ids_become_harmless_papers() -> None:
    hostile = "\u202e<script>alert(1)</script>\r\nBcc: x@example.org $x<y$ 🎉 \u0633\u0644\ud800"
    long = item(3, title="word " * 200_000, authors=[{"name": f"A{n}"} for n in range(10_000)])
    found = scripted(body(item(1, title=hostile), item(2, id="cs/0112017"), long))
    first, second, third = found.papers
    assert "\n" not in first.title
    assert "\u202e" not in first.title
    assert "$x<y$ 🎉" in first.title
    assert second.id == PaperId("arxiv", "cs/0112017")
    assert len(third.title) <= 500
    assert len(third.authors) <= 2000


def test_pages_are_followed_and_a_repeated_item_counts_once() -> None:
    def answer(request: Request) -> Reply:
        assert request.query["date"] == "2026-11-20"
        assert request.query["limit"] == "100"
        if request.query.get("p") == "1":
            return body(item(2, upvotes=99), item(3))
        link = "<https://huggingface.co/api/daily_papers?date=2026-11-20&limit=100&p=1>"
        first = body(item(1), item(2))
        return Reply(first.body, headers={"Link": f'{link}; rel="next"'})

    (found,) = fetch(answer)
    assert found.state is FetchState.OK
    assert [paper.id.value for paper in found.papers] == ["2611.00001", "2611.00002", "2611.00003"]
    assert found.papers[1].signals.upvotes == 3


def test_pages_that_never_end_do() -> None:
    def answer(request: Request) -> Reply:
        page = int(request.query.get("p", "0"))
        link = f'<{PATH}?date=2026-11-20&limit=100&p={page + 1}>; rel="next"'
        return Reply(body(item(page + 1)).body, headers={"Link": link})

    def circle(_: Request) -> Reply:
        return Reply(body(item()).body, headers={"Link": f'<{PATH}?p=1>; rel="next"'})

    (found,) = fetch(answer)
    assert (found.state, len(found.papers)) == (FetchState.PARTIAL, 30)
    (circled,) = fetch(circle)
    assert len(circled.papers) == 1


def test_a_second_page_that_fails_makes_the_day_partial() -> None:
    def answer(request: Request) -> Reply:
        if "p" in request.query:
            return Reply(b"<h1>Bad Gateway</h1>", 502)
        return Reply(body(item()).body, headers={"Link": f'<{PATH}?p=1>; rel="next"'})

    (found,) = fetch(answer)
    assert (found.state, found.note) == (FetchState.PARTIAL, "answered 502")
    assert len(found.papers) == 1


def test_a_day_that_fills_is_asked_for_again_with_its_new_votes() -> None:
    with FixtureServer() as server:
        server.on(PATH, body(item(1)), body(*[item(n, upvotes=40 + n) for n in range(1, 6)]))
        (first,), (second,) = fetch(server), fetch(server)
    assert len(first.papers) == 1
    assert len(second.papers) == 5
    assert second.papers[0].signals.upvotes == 41


def test_a_list_that_did_not_change_is_not_sent_again() -> None:
    with FixtureServer() as server, polite(Clock(NOON)) as client:
        first = body(item())
        server.on(PATH, Reply(first.body, headers={"ETag": 'W/"1"'}), Reply(status=304))
        source = HuggingFace(Options(url=server.url))
        (before,) = source.fetch(Window(FRIDAY, FRIDAY, NOON), client)
        kept = {validator.url: validator for validator in before.validators}
        (after,) = source.fetch(Window(FRIDAY, FRIDAY, NOON, kept), client)
    assert server.requests[1].etag == 'W/"1"'
    assert (after.state, after.note) == (FetchState.EMPTY, "has nothing new")
    assert after.validators == before.validators


@pytest.mark.parametrize(
    ("day", "now", "state"),
    [
        (SATURDAY, datetime(2026, 11, 21, 20, 0, tzinfo=UTC), FetchState.EMPTY),
        (FRIDAY, datetime(2026, 11, 20, 3, 0, tzinfo=UTC), FetchState.EMPTY),
        (FRIDAY, datetime(2026, 11, 20, 14, 0, tzinfo=UTC), FetchState.EMPTY),
        (FRIDAY, datetime(2026, 11, 20, 18, 0, tzinfo=UTC), FetchState.SUSPICIOUS),
        (FRIDAY, datetime(2026, 11, 22, 18, 0, tzinfo=UTC), FetchState.SUSPICIOUS),
    ],
)
def test_an_empty_list_is_expected_or_suspicious(
    day: date, now: datetime, state: FetchState
) -> None:
    assert scripted(body(), now=now, day=day).state is state


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2026, 11, 20, 2, 29, tzinfo=UTC), date(2026, 11, 19)),
        (datetime(2026, 11, 20, 2, 30, tzinfo=UTC), FRIDAY),
        (datetime(2026, 7, 10, 1, 30, tzinfo=UTC), date(2026, 7, 10)),
        (datetime(2026, 7, 10, 1, 29, tzinfo=UTC), date(2026, 7, 9)),
        # New York sets its clocks back on 1 November 2026 and forward on 14 March 2027.
        (datetime(2026, 11, 1, 1, 30, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2026, 11, 2, 1, 30, tzinfo=UTC), date(2026, 11, 1)),
        (datetime(2027, 3, 14, 2, 30, tzinfo=UTC), date(2027, 3, 14)),
        (datetime(2027, 3, 15, 1, 30, tzinfo=UTC), date(2027, 3, 15)),
    ],
)
def test_a_list_opens_in_new_york_on_the_evening_before(now: datetime, day: date) -> None:
    assert newest_day(now) == day


def test_lists_that_are_not_open_yet_are_not_asked_for() -> None:
    early = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
    with FixtureServer() as server:
        server.on(PATH, body(item()))
        fetches = fetch(server, date(2026, 11, 18), FRIDAY, early)
        asked = [request.query["date"] for request in server.requests]
    assert asked == ["2026-11-18", "2026-11-19"]
    assert [found.day for found in fetches] == [date(2026, 11, 18), date(2026, 11, 19)]


def test_a_date_refused_is_not_open_when_it_is_the_newest_and_a_failure_when_not() -> None:
    refusal = Reply(b'{"error":"Invalid date"}', 400)
    assert scripted(refusal).state is FetchState.EMPTY
    old = scripted(refusal, day=date(2026, 11, 17))
    assert (old.state, old.note) == (FetchState.FAILED, "refused the date asked for")


def test_the_first_ingest_reaches_back_seven_days() -> None:
    window = Window.last(7, NOON)
    assert (window.since, window.until) == (date(2026, 11, 14), FRIDAY)
    with FixtureServer(lambda _: body(item())) as server:
        fetches = fetch(server, window.since, window.until)
    assert len(fetches) == 7


def test_throttling_waits_as_told_and_gives_up_for_now() -> None:
    soon = Reply(status=429, headers={"RateLimit": '"api";r=0;t=2'})
    assert len(scripted(soon, body(item())).papers) == 1
    late = Reply(status=429, headers={"RateLimit": '"api";r=0;t=280'})
    found = scripted(late)
    assert found.state is FetchState.THROTTLED
    assert found.retry_at == NOON + timedelta(seconds=280)


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (Reply(b"<h1>Internal Server Error</h1>", 500), FetchState.FAILED),
        (Reply(b"<h1>Bad Gateway</h1>", 502), FetchState.FAILED),
        (Reply(b"<!doctype html>Verify you are human", 200), FetchState.FAILED),
        (Reply(b'[{"paper": {"id": "2611.00001", "title": "Cut o', 200), FetchState.FAILED),
        (Reply(b'{"error": "odd"}', 200), FetchState.FAILED),
        (Reply(b'{"error": "Paper not found."}', 404), FetchState.MISCONFIGURED),
        (Reply(b'{"error": "Invalid token"}', 401), FetchState.MISCONFIGURED),
        (Reply(b"", 403), FetchState.FAILED),
    ],
)
def test_an_outage_is_never_a_quiet_day(reply: Reply, state: FetchState) -> None:
    found = scripted(reply)
    assert found.state is state
    assert found.note
    assert not found.papers


def test_a_token_is_sent_where_one_is_given() -> None:
    with FixtureServer() as server, polite(Clock(NOON)) as client:
        server.on(PATH, body(item()))
        (source,) = load(["hf"], {"hf": f"{server.url}/", "hf_key": "hf_secret"})
        list(source.fetch(Window(FRIDAY, FRIDAY, NOON), client))
        assert server.requests[0].headers["authorization"] == "Bearer hf_secret"


@pytest.mark.parametrize("listed", ["2999-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "2020-01-01"])
def test_a_list_date_that_cannot_be_is_the_day_asked_for(listed: str) -> None:
    (paper,) = scripted(body(item(submittedOnDailyAt=listed))).papers
    assert paper.listings[0].day == FRIDAY


def test_week_month_and_trending_lists_keep_each_papers_own_day() -> None:
    with FixtureServer() as server, polite(Clock(NOON)) as client:
        server.on(PATH, body(item(1, submittedOnDailyAt="2026-11-17T00:00:00.000Z")))
        source = HuggingFace(Options(url=server.url))
        week, month = source.week(FRIDAY, client), source.month(FRIDAY, client)
        trending = source.trending(client)
        source.week(date(2027, 1, 2), client)
        asked = [dict(request.query) for request in server.requests]
    assert [found.papers[0].listings[0].day for found in (week, month, trending)] == [
        date(2026, 11, 17)
    ] * 3
    assert asked[0]["week"] == "2026-W47"
    assert asked[1]["month"] == "2026-11"
    assert asked[2]["sort"] == "trending"
    assert asked[3]["week"] == "2026-W53"


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("hf:week", {"week": "2026-W47", "limit": "100"}),
        ("hf:month", {"month": "2026-11", "limit": "100"}),
        ("hf:trending", {"sort": "trending", "limit": "100"}),
    ],
)
def test_each_list_is_a_source_of_its_own_in_one_request(
    name: str, query: Mapping[str, str]
) -> None:
    with FixtureServer() as server, polite(Clock(NOON)) as client:
        server.on(PATH, body(item(1, submittedOnDailyAt="2026-11-17T00:00:00.000Z")))
        (source,) = load([name], {"hf": server.url})
        (found,) = source.fetch(Window.last(7, NOON), client)
        assert [dict(request.query) for request in server.requests] == [query]
    assert (found.source, found.day, found.state) == ("hf", FRIDAY, FetchState.OK)
    assert found.papers[0].listings[0].day == date(2026, 11, 17)
    with pytest.raises(SourceError, match="has the lists week, month and trending"):
        load(["hf:yesterday"], {})


def test_a_week_nobody_knows_is_asked_for_by_its_days() -> None:
    def answer(request: Request) -> Reply:
        if "week" in request.query:
            return Reply(b'{"error":"Invalid week"}', 400)
        return body(item(int(request.query["date"][-2:])))

    january = datetime(2027, 1, 10, 18, 0, tzinfo=UTC)
    with FixtureServer(answer) as server, polite(Clock(january)) as client:
        found = HuggingFace(Options(url=server.url)).week(date(2027, 1, 2), client)
    assert (found.state, len(found.papers)) == (FetchState.OK, 7)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
KEYS = sorted(FULL["paper"]) if isinstance(FULL["paper"], dict) else []


@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.dictionaries(st.text(), JSON), JSON)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_item_anybody_can_send_costs_another_paper(
    inner: Mapping[str, object], outer: Mapping[str, object], junk: object
) -> None:
    items: Sequence[object] = [item(7), {**item(8, **inner), **outer}, junk, item(9)]
    papers, skipped = read_items(items, FRIDAY, NOON)
    names = [paper.id.value for paper in papers]
    assert {"2611.00007", "2611.00009"} <= set(names)
    assert len(papers) + len(skipped) >= 3
