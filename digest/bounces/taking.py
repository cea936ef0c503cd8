"""Taking what comes back: from one mail, or from everything in the mailbox of bounces."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from digest.bounces import Ignored, Report
from digest.bounces.mailboxes import open_mailbox
from digest.bounces.reading import report_in
from digest.errors import Problem, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from digest.app import App
    from digest.store.suppressions import Taken


@dataclass(frozen=True, slots=True)
class Back:
    """One mail that came back: what it reports (or why it is ignored), and what that led to."""

    report: Report | Ignored
    taken: Taken | None = None


@dataclass(slots=True)
class Tally:
    """What a visit to the mailbox came to: how many led to what, how many were ignored and why."""

    taken: Counter[Taken] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def add(self, back: Back) -> None:
        """Count one mail."""
        if isinstance(back.report, Ignored):
            self.ignored[back.report.why] += 1
        elif back.taken:
            self.taken[back.taken] += 1


def take_mail(app: App, raw: bytes, *, recipient: str = "") -> Back:
    """Read a mail and do what follows from it; told twice it is done once.

    Raises SettingsError where there is no key that tags could be checked with.
    """
    if not app.tags:
        wanted = "set it to the key that signed the tags in the mails, or no bounce can be believed"
        raise SettingsError([Problem("DIGEST_SECRET_KEY", None, wanted)])
    now = app.clock()
    report = report_in(raw, app.tags, now=now, recipient=recipient)
    if isinstance(report, Ignored):
        return Back(report)
    return Back(report, app.store.suppressions.take(report, now))


def take_mailbox(app: App, *, on_mail: Callable[[Back], None] = lambda _: None) -> Tally:
    """Read the mailbox of DIGEST_BOUNCES_URL; what was understood is deleted once committed.

    Raises MailboxError when it cannot be read; what was taken until then stays taken.
    """
    tally = Tally()
    app.store.suppressions.forget_old(app.clock())
    with open_mailbox(app.settings) as mailbox:
        for mail in mailbox.mails():
            back = take_mail(app, mail.raw)
            tally.add(back)
            on_mail(back)
            if isinstance(back.report, Ignored):
                mail.leave()
            else:
                mail.delete()
    return tally
