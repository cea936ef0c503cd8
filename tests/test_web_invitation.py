"""Invitations: sent once, asked on a page, begun or refused for good by a button alone."""

from __future__ import annotations

import email
import re
from email import policy
from typing import TYPE_CHECKING

import pytest
from test_web_archive import BASE, NOW, House, opened, paper

from digest.roster import Fate, Invitation, carry_out, plan
from digest.run import deliver
from subscribers.links import Purpose
from subscribers.profile import Profile
from subscribers.roster import read
from subscribers.subscriber import Status, Subscriber

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

INVITED = Invitation("Ada Lovelace", (Profile("agents\nrouting"),))
ROSTER = ("address,keywords\n", "bo@example.org,\n", "chidi@example.org,unlearning\n")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with opened(tmp_path) as house:
        house.put(paper(1, title="Agents"))
        yield house


def invite(house: House) -> int:
    planned = plan(house.app, read(ROSTER, Subscriber("", status=Status.ACTIVE)), INVITED)
    return carry_out(house.app, planned, INVITED)


def mails(house: House) -> dict[str, EmailMessage]:
    """What lies in the outbox, by address."""
    deliver(house.app)
    folder = house.app.settings.smtp_url.removeprefix("eml:")
    from pathlib import Path  # noqa: PLC0415 -- only here

    found = {}
    for file in sorted(Path(folder).rglob("*.eml")):
        message = email.message_from_bytes(file.read_bytes(), policy=policy.default)
        found[message["To"].addresses[0].addr_spec] = message
    return found


def bo(house: House) -> Subscriber:
    return house.app.store.subscribers.by_address("bo@example.org")


def path(house: House) -> str:
    return f"{BASE}/i/{house.app.links.token(Purpose.INVITATION, bo(house).public_id)}"


class TestTheMail:
    def test_it_says_who_invites_and_has_two_links(self, house: House) -> None:
        assert invite(house) == 2
        message = mails(house)["bo@example.org"]
        body = message.get_body(("plain",))
        assert body is not None
        text = " ".join(body.get_content().split())
        assert "Ada Lovelace of Trent Valley Reading Group put this address on a list" in text
        links = re.findall(r"https://uni\.example/digest/i/(\S+)", text)
        assert [link.partition("?")[2] for link in links] == ["", "never=1"]
        for link in links:
            assert house.site.get(f"{BASE}/i/{link}").status == 200
        assert bo(house).status is Status.PENDING

    def test_nobody_is_invited_twice(self, house: House) -> None:
        assert invite(house) == 2
        assert invite(house) == 0
        assert len(mails(house)) == 2
        assert len(house.app.store.deliveries.history()) == 2

    def test_an_import_that_broke_off_goes_on(self, house: House) -> None:
        planned = plan(house.app, read(ROSTER, Subscriber("")), INVITED)
        fresh = [one.reader for one in planned if one.reader]
        house.app.store.subscribers.add_all(fresh, NOW)
        assert invite(house) == 2

    def test_topics_are_the_lines_own_or_the_offered_ones(self, house: House) -> None:
        invite(house)
        chidi = house.app.store.subscribers.by_address("chidi@example.org")
        assert bo(house).profiles == INVITED.topics
        assert chidi.profiles == (Profile("unlearning"),)
        assert bo(house).came_from == "an invitation by Ada Lovelace"

    def test_who_said_never_or_left_is_not_invited(self, house: House) -> None:
        house.app.store.suppressions.add("bo@example.org", "by hand", NOW)
        left = house.app.store.subscribers.add(Subscriber("chidi@example.org"), NOW)
        house.app.store.subscribers.update(left.unsubscribe())
        planned = plan(house.app, read(ROSTER, Subscriber("")), INVITED)
        assert [one.fate for one in planned] == [Fate.NEVER, Fate.NEVER]
        assert carry_out(house.app, planned, INVITED) == 0


class TestThePage:
    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize("asked", ["", "?never=1"])
    def test_a_scanner_changes_nothing(self, house: House, method: str, asked: str) -> None:
        invite(house)
        before = bo(house)
        assert house.site.ask(method, path(house) + asked).status == 200
        assert bo(house) == before
        assert not house.app.store.suppressions.all()

    def test_yes_begins_with_a_welcome_once(self, house: House) -> None:
        invite(house)
        page = house.site.get(path(house)).text
        assert "Agents" in page, "the first digest is shown under the button"
        for _ in range(2):
            answer = house.site.post(path(house), do="yes")
            assert answer.status == 200
        assert bo(house).status is Status.ACTIVE
        kinds = [one.kind for one in house.app.store.deliveries.history(bo(house).number)]
        assert sorted(kinds) == ["invitation", "welcome"]

    def test_never_is_for_good_until_it_is_undone(self, house: House) -> None:
        invite(house)
        assert "never write to this address again" in house.site.post(path(house), do="never").text
        (never,) = house.app.store.suppressions.all()
        assert never.address == "bo@example.org"
        house.site.post(path(house), do="yes")
        assert bo(house).status is Status.PENDING, "a yes after it is not taken for an undo"
        assert "bo@example.org" not in mails(house), "not even the invitation that waited"
        house.site.post(path(house), do="undo")
        assert not house.app.store.suppressions.all()
        house.site.post(path(house), do="yes")
        assert bo(house).status is Status.ACTIVE

    def test_undo_lifts_nothing_but_this_refusal(self, house: House) -> None:
        invite(house)
        house.app.store.suppressions.add("bo@example.org", "complained", NOW)
        house.site.post(path(house), do="undo")
        assert house.app.store.suppressions.all()

    def test_never_is_no_way_to_silence_a_reader(self, house: House) -> None:
        invite(house)
        house.site.post(path(house), do="yes")
        house.site.post(path(house), do="never")
        assert not house.app.store.suppressions.all()
        assert bo(house).status is Status.ACTIVE

    def test_another_purpose_opens_nothing_and_nothing_is_kept(self, house: House) -> None:
        invite(house)
        confirm = house.app.links.token(Purpose.CONFIRM, bo(house).public_id)
        assert house.site.get(f"{BASE}/i/{confirm}").status == 404
        answer = house.site.get(path(house))
        assert answer.headers["cache-control"] == "no-store"
        assert "bo@example.org" not in answer.text
