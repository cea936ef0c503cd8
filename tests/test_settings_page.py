"""The settings over real HTTP: pausing, saving, undoing, and what a text would bring."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, time
from urllib.parse import urlencode

import pytest
from served import NOW, PAPERS, House, form_fields, house, listed

from subscribers.links import Purpose
from subscribers.profile import Layout, Profile
from subscribers.subscriber import Cadence, Schedule, Status

__all__ = ["house", "listed"]  # the fixtures, found by their names


class TestPausing:
    def test_until_a_day(self, house: House) -> None:
        answer = house.site.post(house.path(Purpose.PAUSE), do="pause", until="2026-12-07")
        assert "Mails begin again on Monday, 7 December 2026" in answer.text
        assert house.status() is Status.PAUSED
        assert house.reader.next_due == datetime(2026, 12, 7, 6, 0, tzinfo=UTC)

    def test_without_an_end_and_back(self, house: House) -> None:
        path = house.path(Purpose.PAUSE)
        house.site.post(path, do="pause", until="")
        assert house.status() is Status.PAUSED
        assert house.reader.next_due is None
        house.site.post(path, do="resume")
        assert house.status() is Status.ACTIVE
        assert house.reader.next_due == datetime(2026, 11, 20, 6, 0, tzinfo=UTC)

    @pytest.mark.parametrize(
        "until", ["2026-11-20", "1999-01-01", "2999-01-01", "tomorrow", "x" * 500]
    )
    def test_a_day_that_cannot_be_is_said(self, house: House, until: str) -> None:
        before = house.reader
        answer = house.site.post(house.path(Purpose.PAUSE), do="pause", until=until)
        assert 'class="problem"' in answer.text
        assert house.reader == before

    def test_pausing_brings_nobody_back_who_has_left(self, house: House) -> None:
        house.put(house.reader.unsubscribe())
        for do in ("pause", "resume"):
            house.site.post(house.path(Purpose.PAUSE), do=do, until="")
            assert house.status() is Status.UNSUBSCRIBED
            house.site.post(house.path(Purpose.MANAGE), do=do, until="")
            assert house.status() is Status.UNSUBSCRIBED


class TestSettings:
    def test_saving_what_is_shown_changes_nothing(self, house: House) -> None:
        before = house.reader
        assert "Saved." in house.save(house.fields()).text
        assert house.reader == before

    def test_keywords_number_name_and_look(self, house: House) -> None:
        house.save(
            house.fields(
                **{
                    "text-0": "protein design\r\nfolding",
                    "name-0": "Proteins",
                    "limit-0": "0",
                    "layout-0": "titles",
                    "order-0": "trending",
                }
            )
        )
        (profile,) = house.reader.profiles
        assert profile.text == "protein design\nfolding"
        assert (profile.name, profile.limit, profile.layout) == ("Proteins", 0, Layout.TITLES)
        assert profile.order == "trending"

    def test_another_interest_comes_and_goes(self, house: House) -> None:
        house.save(house.fields(**{"text-1": "zebrafish"}))
        assert [profile.text for profile in house.reader.profiles][1:] == ["zebrafish"]
        house.save(house.fields(**{"remove-0": "1"}))
        assert [profile.text for profile in house.reader.profiles] == ["zebrafish"]

    def test_removing_every_interest_leaves_the_top_ten(self, house: House) -> None:
        house.save(house.fields(**{"remove-0": "1"}))
        assert house.reader.profiles == (Profile(),)

    def test_when(self, house: House) -> None:
        house.save(house.fields(cadence="weekly", weekday="2", hour="18", zone="Asia/Tokyo"))
        schedule = house.reader.schedule
        assert schedule == Schedule(Cadence.WEEKLY, time(18), "Asia/Tokyo", 2)
        assert house.reader.next_due == datetime(2026, 11, 25, 9, 0, tzinfo=UTC)

    def test_a_new_hour_makes_no_second_mail_on_one_date(self, house: House) -> None:
        house.put(replace(house.reader, last_day=NOW.date()))
        house.save(house.fields(hour="20"))
        assert house.reader.next_due == datetime(2026, 11, 23, 19, 0, tzinfo=UTC)

    def test_switches_and_what_is_never_shown(self, house: House) -> None:
        fields = house.fields(
            muted_words="blockchain\r\n\r\n quantum , nft", muted_authors="B. Bad"
        )
        del fields["summaries"], fields["figures"]
        house.save(fields)
        reader = house.reader
        assert (reader.summaries, reader.figures, reader.quiet_notes) == (False, False, True)
        assert reader.muted_words == ("blockchain", "quantum", "nft")
        assert reader.muted_authors == ("B. Bad",)

    @pytest.mark.parametrize(
        ("wish", "is_weekly", "is_daily"),
        [("week", True, False), ("day", False, True), ("never", False, False)],
    )
    def test_what_to_hear_when_nothing_matches(
        self, house: House, wish: str, *, is_weekly: bool, is_daily: bool
    ) -> None:
        house.save(house.fields(quiet=wish))
        assert (house.reader.quiet_notes, house.reader.empty_days) == (is_weekly, is_daily)
        house.save(house.fields(quiet="nonsense"))
        assert (house.reader.quiet_notes, house.reader.empty_days) == (is_weekly, is_daily)

    def test_floor_and_new_versions(self, house: House) -> None:
        house.save(house.fields(**{"floor-0": "1.5", "versions-0": "1"}))
        (profile,) = house.reader.profiles
        assert (profile.lowest_score, profile.new_versions) == (1.5, True)
        house.save(house.fields(**{"floor-0": "1e9"}) | {"versions-0": ""})
        (profile,) = house.reader.profiles
        assert (profile.lowest_score, profile.new_versions) == (1.5, False)

    def test_an_interest_moves_up(self, house: House) -> None:
        house.save(house.fields(**{"text-1": "zebrafish"}))
        house.save(house.fields(**{"text-2": "agents"}))
        house.save(house.fields(up="2"))
        texts = [profile.text.partition("\n")[0] for profile in house.reader.profiles]
        assert texts == ["mixture of experts", "agents", "zebrafish"]
        before = house.reader
        for nowhere in ("0", "7", "-1", "x"):
            house.save(house.fields(up=nowhere))
        assert house.reader == before

    def test_saving_can_be_undone(self, house: House) -> None:
        schedule = Schedule(at=time(7, 30), zone="Europe/Paris")
        second = Profile("agents", "Agents", 0, lowest_score=2.5, layout=Layout.TITLES)
        shown = replace(
            house.reader, muted_words=("nft",), muted_authors=("B. Bad",), figures=False
        )
        profiles = (*shown.profiles, second)
        house.put(replace(shown, profiles=profiles, schedule=schedule).reschedule(NOW))
        before = house.reader
        fields = house.fields(
            **{
                "text-0": "zebrafish\r\nlarvae",
                "remove-1": "1",
                "hour": "20",
                "zone": "Asia/Tokyo",
            },
            muted_words="",
            layout="titles",
        )
        del fields["summaries"]
        page = house.save(fields | {"figures": "1"}).text
        assert house.reader.profiles[0].text == "zebrafish\nlarvae"
        undo = form_fields(page)
        assert "Undone." in house.save(undo | {"do": "undo"}).text
        assert house.reader == before
        assert "changed in another window" in house.save(undo | {"do": "undo"}).text

    def test_it_shows_what_a_text_would_bring_and_saves_nothing(self, listed: House) -> None:
        before = listed.reader
        fields = listed.fields(**{"text-0": "experts", "text-1": "zebrafish"})
        page = listed.save(fields | {"do": "show"}).text
        assert re.findall(r'class="volume">([^<]*)', page) == [
            "About 2 papers a week",
            "Nothing in the last 2 days",
        ]
        assert listed.reader == before

    def test_what_is_muted_is_not_among_what_a_text_would_bring(self, listed: House) -> None:
        word = PAPERS[0].title.split()[0]
        fields = listed.fields(**{"text-0": "experts", "muted_words": word})
        page = listed.save(fields | {"do": "show"}).text
        assert 'class="volume">Nothing in the last 2 days' in page
        assert f"muted: {word}" in page
        asked = urlencode({"q": "experts", "field": 0, "muted_words": word})
        typed = listed.site.get(f"/digest/answer?{asked}").text
        assert 'class="volume">Nothing in the last 2 days' in typed
        assert f"muted: {word}" in typed

    def test_what_a_mail_holds_is_told_with_the_limit_that_is_chosen(self, listed: House) -> None:
        asked = {"q": "experts", "field": 0}
        for limit, told in ((3, "holds the best 3 of"), (0, "holds them all"), ("x", "best 10 of")):
            address = f"/digest/answer?{urlencode(asked | {'limit': limit})}"
            assert told in listed.site.get(address).text

    def test_the_link_to_the_rest_goes_to_the_mailbox(self, house: House) -> None:
        page = house.site.post(house.path(Purpose.MANAGE), do="link").text
        assert "Look into your inbox" in page
        assert "/a/" not in page
        (link,) = house.app.store.deliveries.history(house.number)
        assert link.kind == "link"

    def test_a_mistake_is_shown_by_line_and_saves_nothing(self, house: House) -> None:
        before = house.reader
        page = house.save(house.fields(**{"text-0": 'experts\r\n"machine unlearning'})).text
        assert "<strong>Line 2:</strong>" in page
        assert 'aria-invalid="true"' in page
        assert "&#34;machine unlearning" in page, "what was typed is still there"
        assert house.reader == before

    def test_a_repair_mends_the_line_and_saves(self, house: House) -> None:
        fields = house.fields(**{"text-0": 'experts\r\n"machine unlearning'})
        page = house.save(fields).text
        repairs = re.findall(r'name="repair-0" value="([^"]*)"', page)
        assert repairs
        answer = house.save(fields | {"repair-0": html.unescape(repairs[0])})
        assert "Saved." in answer.text
        assert house.reader.profiles[0].text.startswith("experts\n")

    def test_an_unknown_zone_is_said(self, house: House) -> None:
        before = house.reader
        page = house.save(house.fields(zone="Mars/<b>Olympus</b>")).text
        assert "no time zone we know" in page
        assert "<b>Olympus" not in page
        assert house.reader == before

    def test_a_second_tab_notices_what_the_first_one_saved(self, house: House) -> None:
        first, second = house.fields(**{"text-0": "one"}), house.fields(**{"text-0": "two"})
        house.save(first)
        page = house.save(second)
        assert "changed in another window" in page.text
        assert house.reader.profiles[0].text == "one"
        house.save(form_fields(page.text))
        assert house.reader.profiles[0].text == "two"

    def test_nothing_is_saved_for_who_has_left(self, house: House) -> None:
        fields = house.fields(**{"text-0": "new"})
        house.put(house.reader.unsubscribe())
        page = house.site.get(house.path(Purpose.MANAGE)).text
        assert "<form" not in page
        assert house.path(Purpose.UNSUBSCRIBE) in page, "there it can be undone"
        assert house.save(fields).status == 404
        assert house.status() is Status.UNSUBSCRIBED

    def test_hostile_text_comes_back_as_text(self, house: House) -> None:
        hostile = "</textarea><script>alert(1)</script>{{ 7*7 }}"
        page = house.save(house.fields(**{"text-0": hostile, "name-0": hostile})).text
        assert "<script>" not in page
        assert "{{ 7*7 }}" in page
