"""Where providers tell of bounces and complaints: /hooks/ses and /hooks/mail; docs/bounces.md.

Neither is there unless its setting is. The answer is one line of plain text: 204 when it was
taken, also for the second time; 4xx when the message must change; 503 when it may come again.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import PlainTextResponse, Response

from digest.bounces import line
from digest.bounces.events import Misshapen, own_reports, ses_reports
from digest.bounces.signing import Sns, Unchecked, Unsigned, check_webhook
from digest.sources import AnswerState, Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from digest.app import App
    from digest.bounces import Report

_log = logging.getLogger(__name__)
_AMAZON: Final = Pace("amazonaws.com", gap=1.0, patience=5.0)


class _Told:
    """The body and the headers of a request."""

    def __init__(self, body: bytes, headers: dict[str, str]) -> None:
        self.body = body
        self.headers = headers


async def _read(request: Request) -> _Told:
    return _Told(await request.body(), dict(request.headers))


Told = Annotated[_Told, Depends(_read)]


def hook_routes(app: App, *, sns: Sns | None = None) -> APIRouter:
    """The routes /hooks/ses and /hooks/mail, as far as they are set up."""
    routes, settings = APIRouter(), app.settings
    if settings.ses_topic:
        checks = sns or Sns(settings.ses_topic, lambda url: _fetched(app, url))

        @routes.post("/hooks/ses", response_model=None)
        def ses(told: Told) -> Response:
            return _answer("ses", lambda: _told_by_sns(app, checks, told))

    if settings.webhook_secret:

        @routes.post("/hooks/mail", response_model=None)
        def mail(told: Told) -> Response:
            return _answer("mail", lambda: _told_by_others(app, told))

    return routes


def _answer(hook: str, work: Callable[[], None]) -> Response:
    """Do it, and say in one line what is wrong where something is."""
    try:
        work()
    except Unsigned as error:
        _log.warning("webhook refused hook=%s why=%s", hook, error)
        return _say(403, f"Refused: {error}.")
    except Unchecked as error:
        _log.warning("webhook unchecked hook=%s why=%s", hook, error)
        return _say(503, f"It cannot be checked now: {error}.")
    except Misshapen as error:
        _log.warning("webhook misshapen hook=%s why=it %s", hook, error)
        return _say(400, f"The message {error}.")
    return Response(status_code=204)


def _told_by_sns(app: App, checks: Sns, told: _Told) -> None:
    message = _parsed(told.body)
    if not isinstance(message, dict):
        raise Misshapen("is no JSON object")
    checks.check(message, app.clock())
    if message["Type"] == "Notification":
        inside = str(message.get("Message"))
        if inside.startswith(("{", "[")):
            told = _parsed(inside.encode())
            _take(app, ses_reports(told, app.tags, app.clock()))
        else:  # as "Successfully validated SNS topic for Amazon SES event publishing."
            _log.info("webhook via=ses says=%s", line(inside))
    elif message["Type"] == "SubscriptionConfirmation":
        url = str(message.get("SubscribeURL"))
        if not checks.is_amazon(url):
            raise Unsigned("its SubscribeURL does not lead to SNS")
        _fetched(app, url)
        _log.info("webhook via=ses subscription confirmed")


def _told_by_others(app: App, told: _Told) -> None:
    now = app.clock()
    name = check_webhook(told.headers, told.body, app.settings.webhook_secret, now)
    _take(app, own_reports(_parsed(told.body), app.tags, now, message=name))


def _take(app: App, reports: Iterable[Report]) -> None:
    for report in reports:
        taken = app.store.suppressions.take(report, app.clock())
        _log.info(
            "webhook via=%s kind=%s taken=%s delivery=%s",
            report.via, report.kind.value, taken.value, report.public_id or "-",
        )  # fmt: skip


def _parsed(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Misshapen("is no JSON") from error


def _fetched(app: App, url: str) -> bytes:
    """What lies at a public address; raises Unchecked when that cannot be had now."""
    with app.polite() as client:
        answer = client.get(url, pace=_AMAZON, guarded=True)
    if answer.state is not AnswerState.OK or urlsplit(answer.url).netloc != urlsplit(url).netloc:
        raise Unchecked(f"{urlsplit(url).netloc} {answer.reason or 'redirects'}")
    return answer.body


def _say(status: int, text: str) -> Response:
    return PlainTextResponse(f"{text}\n", status_code=status)
