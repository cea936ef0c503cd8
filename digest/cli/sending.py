"""Sending as a person sees it: how far it is, what was not taken, and what still waits, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from digest.advice import advise
from digest.channels import Outcome, urls
from digest.cli.stages import Trouble
from digest.cli.terminal import count, waits
from digest.errors import RelayError
from digest.settings import mask_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from digest.app import App
    from digest.cli.terminal import Steps
    from digest.delivery import Sent
    from digest.store.outbox import Issue, Recovered

_ANSWERS: Final = 10
"""Different answers of a relay that are told one by one."""
_LONGEST: Final = 200
"""Characters of an answer that are told; the log has all of it."""
_NAMED: Final = 3
"""Readers who are named of those that got the same answer."""
_BECAME: Final = {"hold": "unknown", "resend": "ready", "drop": "dropped"}
_UNKNOWN: Final = {
    "hold": "nobody knows whether it arrived. `paper-digest deliveries --state unknown` shows it; "
    "`resolve` or `resend` decides",
    "resend": "it may have arrived and is sent again, as DIGEST_ON_UNKNOWN has it",
    "drop": "it may have arrived; its papers are offered again, as DIGEST_ON_UNKNOWN has it",
}


def send_stage(
    house: App, steps: Steps, to: str = "", *, ending: Callable[[], bool] = lambda: False
) -> list[Trouble]:
    """Send everything that waits, or until `ending` says so; `to` says where in words."""
    from digest.run import deliver

    outbox = house.store.outbox
    step = steps.step("Sending", "mails to the relay")
    waiting = outbox.waiting(house.clock())
    running = outbox.running()
    done, relays, unsent, left = 0, dict[str, None](), _Unsent(), list[Trouble]()

    def show(sent: Sent) -> None:
        nonlocal done
        done += 1
        step.progress(done, max(waiting, done))
        relays[sent.reply.relay] = None
        unsent.add(sent)

    def recover(what: Recovered) -> None:
        left.extend(_left_behind(what, house.settings.on_unknown))

    try:
        report = deliver(house, on_sent=show, on_recovered=recover, ending=ending)
    except RelayError as error:
        step.end(f"{waiting - done:,} of {count(waiting, 'mail')} left for the next run")
        told = unsent.told(house.settings.on_unknown)
        return [*left, *told, Trouble(f"{error}\n{advise(str(error))}")]
    stopped = _stopped(outbox.issue(number) for number in running)
    if done:
        step.end(to or f"to {_where(house, relays)}")
    else:
        waits = report.held or stopped or ending()
        step.end("nothing yet" if waits else "nothing to send")
    troubles = [*left, *unsent.told(house.settings.on_unknown)]
    troubles += [_paused(outbox.issue(number)) for number in report.paused]
    troubles += [stopped[number] for number in stopped if number not in report.paused]
    if ending():
        mails = count(outbox.waiting(house.clock()), "mail")
        troubles.append(Trouble(f"Ended early: {mails} left for the next run.", failed=False))
    if report.held:
        troubles.append(Trouble(f"The rest waits: {report.held}.", failed=False))
    return troubles


def _where(house: App, relays: Iterable[str]) -> str:
    """Where the mails went: of several relays, the one that took them."""
    url = house.settings.smtp_url
    return ", ".join(relays) if len(urls(url)) > 1 else mask_url(url)


def _paused(issue: Issue) -> Trouble:
    """An issue that was paused because nothing of it was taken; nothing of it may be left."""
    number, why, ways = issue.number, issue.reason, []
    if issue.waiting:
        ways.append(f"`paper-digest issues resume {number}` sends the rest of it")
    if refused := issue.states.get("rejected", 0):
        again = f"`paper-digest deliveries retry --issue {number} --state rejected`"
        sends = "" if ways else " sends"
        ways.append(f"{again}{sends} the {count(refused, 'mail')} that it refused")
    what = f"Issue {number} is paused" if issue.waiting else f"Issue {number} went wrong"
    said = [f"{what}: {why}", advise(why), f"{', '.join(ways)}." if ways else ""]
    return Trouble("\n".join(filter(None, said)))


def _stopped(issues: Iterable[Issue]) -> dict[int, Trouble]:
    """What was paused or cancelled by hand, and so is not sent."""
    stopped = {}
    for one in issues:
        if one.state == "paused" and one.waiting:
            said = (
                f"Issue {one.number} is paused ({one.reason}): {waits(one.waiting, 'digest')}. "
                f"`paper-digest issues resume {one.number}` sends them."
            )
            stopped[one.number] = Trouble(said, failed=False)
        if one.state == "cancelled":
            said = f"Issue {one.number} was cancelled while it was being sent ({one.reason})."
            stopped[one.number] = Trouble(said, failed=False)
    return stopped


def _left_behind(what: Recovered, on_unknown: str) -> list[Trouble]:
    """What a sender that died had handed over when it died."""
    if not what.unknown:
        return []
    said = f"The sender before this one ended with {count(what.unknown, 'mail')} unanswered"
    return [Trouble(f"{said}. Of what is unknown, {_UNKNOWN[on_unknown]}.")]


class _Unsent:
    """What a relay did not take, by what it said of it: a thousand mails may get one answer."""

    def __init__(self) -> None:
        self._said: dict[tuple[Outcome, str], list[str]] = {}
        self._first: dict[tuple[Outcome, str], str] = {}

    def add(self, sent: Sent) -> None:
        """Take note of an attempt."""
        reply, address = sent.reply, sent.delivery.address
        if reply.outcome is Outcome.ACCEPTED:
            return
        words = " ".join(filter(None, (str(reply.code or ""), reply.enhanced, reply.text)))
        words = words if len(words) <= _LONGEST else f"{words[: _LONGEST - 3]}..."
        key = (reply.outcome, words.replace(address, "...") if address else words)
        self._first.setdefault(key, words)
        self._said.setdefault(key, []).append(address)

    def told(self, on_unknown: str) -> list[Trouble]:
        """Each answer in a line, with whom it was about; what was put off is no failure."""
        by_size = sorted(self._said, key=lambda key: -len(self._said[key]))
        troubles = [self._line(key) for key in by_size[:_ANSWERS]]
        # What becomes of an unknown is told by its state, unless it is held.
        became = {Outcome.UNKNOWN: _BECAME[on_unknown]}
        states = ",".join(sorted({became.get(outcome, outcome.value) for outcome, _ in by_size}))
        others = sum(len(self._said[key]) for key in by_size[_ANSWERS:])
        if others or any(len(whom) > _NAMED for whom in self._said.values()):
            more = f"And {count(others, 'mail')} with other answers. " if others else ""
            look = f"{more}`paper-digest deliveries --state {states}` shows each."
            failed = any(outcome is not Outcome.DEFERRED for outcome, _ in by_size)
            troubles.append(Trouble(look, failed=failed))
        if any(outcome is Outcome.UNKNOWN for outcome, _ in by_size):
            troubles.append(Trouble(f"Of what is unknown, {_UNKNOWN[on_unknown]}."))
        return troubles

    def _line(self, key: tuple[Outcome, str]) -> Trouble:
        outcome, words = key
        whom = self._said[key]
        failed = outcome is not Outcome.DEFERRED
        if len(whom) == 1:
            return Trouble(f"{whom[0]}: {outcome.value}, {self._first[key]}", failed=failed)
        named = ", ".join(whom[:_NAMED])
        more = f" and {len(whom) - _NAMED:,} more" if len(whom) > _NAMED else ""
        mails = count(len(whom), "mail")
        return Trouble(f"{mails} {outcome.value}, {words}: {named}{more}", failed=failed)
