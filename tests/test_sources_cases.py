"""Which test holds each odd or hostile case that sources are known to serve.

A case is held by a test of that name, by an entry of `digest.testing.HOSTILE`, which every source
has to live through, or by one of the odd papers that every source is served.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from test_sources_odd import ODD

from digest.testing import HOSTILE

if TYPE_CHECKING:
    from collections.abc import Mapping

CASES: Final[Mapping[str, str]] = {
    # Daily Papers
    "a minimal, a full item, media and line breaks": "test_every_field_of_a_full_item_arrives",
    "a weekend": "test_an_empty_list_is_expected_or_suspicious",
    "a day still filling": "test_a_day_that_fills_is_asked_for_again_with_its_new_votes",
    "pages with a repeated item": "test_pages_are_followed_and_a_repeated_item_counts_once",
    "400 for a date": (
        "test_a_date_refused_is_not_open_when_it_is_the_newest_and_a_failure_when_not"
    ),
    "429 with RateLimit": "test_throttling_waits_as_told_and_gives_up_for_now",
    "500 and 502 with HTML, truncated JSON": "test_an_outage_is_never_a_quiet_day",
    "the shifted outer date": "test_the_shifted_date_around_a_paper_is_never_read",
    "unknown keys and nulls": "test_nulls_wrong_types_and_unknown_keys_harm_nobody",
    "an old id, scripts, right to left": ("test_hostile_titles_and_old_ids_become_harmless_papers"),
    "a week that may not exist": "test_a_week_nobody_knows_is_asked_for_by_its_days",
    # arXiv's feed
    "all four announce types": "test_the_four_announce_types_and_every_field_arrive",
    "weekend and holiday feeds": "test_weekends_and_holidays_are_quiet",
    "the 400 error feed": "test_an_unknown_category_is_named_and_the_others_go_on",
    "304": "test_an_unchanged_feed_is_not_sent_again",
    "yesterday once more": "test_yesterdays_feed_once_more_is_found_out",
    "empty, then full": "test_an_empty_working_day_is_suspicious_and_then_full",
    "exactly 2,000 items": "test_a_feed_cut_at_its_cap_is_asked_for_in_parts",
    "one paper new here and crossed there": (
        "test_one_day_and_source_list_a_paper_once_as_what_says_most"
    ),
    "old ids and Atom": "test_atom_and_old_ids_are_read_too",
    "controls, CDATA, BOM, gzip, wrong types": "test_oddly_encoded_feeds_are_read",
    "a truncated feed": "test_a_feed_cut_short_gives_every_paper_before_the_cut_and_none_after",
    # arXiv's other endpoints
    "short and empty pages": "test_api_pages_are_followed_through_short_and_empty_ones",
    "error entries with 400 and 200": "test_an_error_entry_is_no_paper",
    "429 without a date": "test_a_throttled_api_is_left_alone",
    "500 for mixed ids": "test_single_papers_are_looked_up_around_a_bad_id",
    "withdrawn papers": "test_a_withdrawn_paper_is_no_news_and_code_is_found_in_comments",
    "OAI errors, bad tokens, deleted and repeated records": "test_oai_errors_are_understood",
    "the API down": "test_where_the_api_fails_too_oai_is_asked",
    # all of them
    "a body that drips": "test_a_server_that_drips_is_left",
    "a server that hangs": "test_a_server_that_says_nothing_is_left",
    "a reset in the middle": "an answer that breaks off",
    "a wrong Content-Length": "too few bytes",
    "a gzip bomb": "a gzip bomb",
    "entity bombs": "an XML bomb",
    "a redirect loop": "a redirect in circles",
    "a redirect to a file": "a redirect to a file",
    "a redirect to our own network": "test_a_redirect_into_our_own_network_is_not_followed",
    "200 with a page of HTML": "an HTML page with 200",
    "a wrong charset": "test_a_wrong_charset_is_read_or_told_and_never_half_read",
    "duplicate items": "the same paper twice",
    "a future date": "a date far ahead",
    "the year 0001": "the year 0001",
    "10,000 authors": "10,000 authors",
    "an empty title": "an empty title",
    "a title of a megabyte": "a title of a megabyte",
    "HTML in every text": "HTML and scripts",
    "CR and LF in a title": "a header in the title",
    "bidirectional and zero-width controls": "text that turns around",
    "ids with slashes and dots": "an id that climbs",
    "ids that are percent-encoded": "an id that is encoded",
    "numbers as text, null, absent, unknown": (
        "test_a_field_of_another_type_costs_another_paper_nothing"
    ),
    "a server whose clock is off": "test_an_odd_paper_is_harmless_and_costs_another_nothing",
    "days on which clocks change": (
        "test_a_list_that_opens_on_the_day_clocks_change_opens_by_the_clocks_there"
    ),
    "an unknown category or key": "test_an_entry_that_names_nothing_is_told_and_the_others_go_on",
    "a name that lies about its address": (
        "test_the_name_is_asked_for_and_proved_though_the_address_is_connected_to"
    ),
}


def names() -> set[str]:
    """The names of all tests there are."""
    return {
        node.name
        for path in Path(__file__).parent.glob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }


@pytest.fixture(scope="module")
def held() -> set[str]:
    return names() | set(HOSTILE) | set(ODD)


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_held_by_a_test_that_exists(case: str, held: set[str]) -> None:
    assert CASES[case] in held
