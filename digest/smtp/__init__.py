"""Mail relays: reaching one, and the dialogue with it.

`Relays` is the channel of a DIGEST_SMTP_URL; smtplib connects and authenticates, the rest of the
dialogue is ours, because no client offers the moment between the text and its final dot.
"""

from digest.smtp.relay import Relay, Relays

__all__ = ["Relay", "Relays"]
