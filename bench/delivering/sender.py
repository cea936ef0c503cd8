"""One sender, as `paper-digest send` is one: `python -m bench.delivering.sender`.

Everything is in it: lease, build, intent, SMTP, settle, both commits durable. Prints one JSON
line: seconds from the first lease to the last commit, attempts, and the processor's time of the
sender and its presses.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any


def send(order: dict[str, Any]) -> dict[str, float]:
    from digest.app import open_app  # noqa: PLC0415 -- counted as the start of a sender
    from digest.channels import Outcome  # noqa: PLC0415 -- counted as the start of a sender
    from digest.run import deliver  # noqa: PLC0415 -- counted as the start of a sender
    from digest.settings import load  # noqa: PLC0415 -- counted as the start of a sender

    environment = {
        "DIGEST_DATABASE_URL": order["database"],
        "DIGEST_SMTP_URL": order["relay"],
        "DIGEST_SMTP_CONNECTIONS": str(order["connections"]),
        "DIGEST_FROM": "Paper Digest <digest@example.org>",
        "DIGEST_PUBLIC_URL": "https://digest.example.org",
        "DIGEST_SECRET_KEY": "0123456789abcdef0123456789abcdef",
        **({"DIGEST_DKIM_KEY_FILE": order["key"]} if order.get("key") else {}),
    }
    with open_app(load(environment)) as app:
        _ = app.renderer, app.channel  # a sender that follows has them
        before = _processor(resource.RUSAGE_SELF)
        began = time.perf_counter()
        report = deliver(app)
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "sent": report.outcomes[Outcome.ACCEPTED],
        "sender": _processor(resource.RUSAGE_SELF) - before,
        "presses": _processor(resource.RUSAGE_CHILDREN),
    }


def _processor(whose: int) -> float:
    """Seconds of the processor so far."""
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    print(json.dumps(send(json.loads(sys.argv[1]))))
