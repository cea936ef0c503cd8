"""Mails that come back, as the mail systems of this world write them."""

from __future__ import annotations

from typing import Final

TAG: Final = "@TAG@"
"""Stands for the tag of the delivery; `made` puts it in."""

POSTFIX: Final = """\
Return-Path: <>
Delivered-To: bounces+@TAG@@digest.example.org
Received: by mx.example.org (Postfix) id 4A1B2; Fri, 20 Nov 2026 06:01:12 +0000 (UTC)
Date: Fri, 20 Nov 2026 06:01:12 +0000 (UTC)
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: bounces+@TAG@@digest.example.org
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="9F3A.1763618472/mx.example.org"
Message-Id: <20261120060112.4A1B2@mx.example.org>

This is a MIME-encapsulated message.

--9F3A.1763618472/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.org.

<ada@example.net>: host mx.example.net[192.0.2.7] said: 550 5.1.1
    <ada@example.net>: Recipient address rejected: User unknown (in reply to RCPT TO command)

--9F3A.1763618472/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 9F3A
X-Postfix-Sender: rfc822; bounces+@TAG@@digest.example.org
Original-Envelope-Id: @TAG@
Arrival-Date: Fri, 20 Nov 2026 06:01:11 +0000 (UTC)

Final-Recipient: rfc822; ada@example.net
Original-Recipient: rfc822;ada@example.net
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.net
Diagnostic-Code: smtp; 550 5.1.1 <ada@example.net>: Recipient address rejected:
    User unknown

--9F3A.1763618472/mx.example.org
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

From: Paper digest <digest@example.org>
To: ada@example.net
X-Digest-Tag: @TAG@
Subject: 12 new papers

--9F3A.1763618472/mx.example.org--
"""

OPENSMTPD: Final = """\
Received: from relay.example.org (relay.example.org [local])
\tby relay.example.org (OpenSMTPD) with ESMTPA id 04a51aba
\tfor <bounces@digest.example.org>; Fri, 20 Nov 2026 06:01:12 +0000 (UTC)
Subject: Delivery status notification: failed
From: Mailer Daemon <MAILER-DAEMON@relay.example.org>
To: bounces@digest.example.org
Date: Fri, 20 Nov 2026 06:01:12 +0000 (UTC)
MIME-Version: 1.0
Content-Type: multipart/mixed;boundary="4847901007434196157/relay.example.org"
Message-ID: <9492c14dfa207d07@relay.example.org>

This is a MIME-encapsulated message.

--4847901007434196157/relay.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

    Hi!

    This is the MAILER-DAEMON, please DO NOT REPLY to this email.

    An error has occurred while attempting to deliver a message for
    the following list of recipients:

ada@example.net: 550 5.1.1 <ada@example.net> User unknown

    Below is a copy of the original message:

--4847901007434196157/relay.example.org
Content-Description: Delivery Report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.org

Final-Recipient: rfc822; ada@example.net
Action: failed
Status: 5.0.0

--4847901007434196157/relay.example.org
Content-Description: Message headers
Content-Type: text/rfc822-headers

From: Paper digest <digest@example.org>
To: ada@example.net
X-Digest-Tag: @TAG@
Subject: 12 new papers

--4847901007434196157/relay.example.org--
"""

EXIM_OLD: Final = """\
Return-path: <>
Envelope-to: bounces@digest.example.org
Date: Fri, 20 Nov 2026 06:01:12 +0000
X-Failed-Recipients: ada@example.net
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@relay.example.com>
To: bounces@digest.example.org
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1abcde-000123-AB@relay.example.com>

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ada@example.net
    SMTP error from remote mail server after RCPT TO:<ada@example.net>:
    host mx.example.net [192.0.2.7]: 550 No such user here

------ This is a copy of the message's headers. ------

Return-path: <digest@example.org>
X-Digest-Tag: @TAG@
Subject: 12 new papers
"""

QMAIL: Final = """\
Return-Path: <>
Delivered-To: digest-bounces@example.org
Date: 20 Nov 2026 06:01:12 -0000
From: MAILER-DAEMON@mail.example.net
To: bounces+@TAG@@example.org
Subject: failure notice

Hi. This is the qmail-send program at mail.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ada@example.net>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <bounces+@TAG@@example.org>
Subject: 12 new papers
"""

EXCHANGE: Final = """\
From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.net>
To: <bounces+@TAG@@example.org>
Date: Fri, 20 Nov 2026 06:01:12 +0000
Content-Type: multipart/report; report-type=delivery-status;
 boundary="f2c9a0e5-8d1b-4c11"
Subject: Undeliverable: 12 new papers
Auto-Submitted: auto-replied
MIME-Version: 1.0

--f2c9a0e5-8d1b-4c11
Content-Type: multipart/alternative; differences=Content-Type;
 boundary="b7a1"

--b7a1
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Your message to ada@example.net couldn't be delivered.

--b7a1--

--f2c9a0e5-8d1b-4c11
Content-Type: message/delivery-status

Reporting-MTA: dns;DB9PR01MB1234.eurprd01.prod.exchangelabs.com
Received-From-MTA: dns;relay.example.org
Arrival-Date: Fri, 20 Nov 2026 06:01:10 +0000

Final-Recipient: rfc822;ada@example.net
Action: failed
Status: 5.4.1
Diagnostic-Code: smtp;550 5.4.1 Recipient address rejected: Access denied. [DB9PR01.eurprd01]

--f2c9a0e5-8d1b-4c11
Content-Type: message/rfc822

From: Paper digest <digest@example.org>
X-Digest-Tag: @TAG@
Subject: 12 new papers
Content-Type: text/plain

Hello.

--f2c9a0e5-8d1b-4c11--
"""

DELAYED: Final = POSTFIX.replace("Action: failed", "Action: delayed").replace(
    "Status: 5.1.1", "Status: 4.4.1"
)

FULL: Final = POSTFIX.replace("Status: 5.1.1", "Status: 5.2.2").replace(
    "550 5.1.1 <ada@example.net>: Recipient address rejected:\n    User unknown",
    "552 5.2.2 <ada@example.net>: The mailbox is over its quota",
)

SPAM: Final = POSTFIX.replace("Status: 5.1.1", "Status: 5.7.1").replace(
    "550 5.1.1 <ada@example.net>: Recipient address rejected:\n    User unknown",
    "554 5.7.1 Service unavailable; client host blocked using a block list",
)

DELIVERED: Final = POSTFIX.replace("Action: failed", "Action: delivered").replace(
    "Status: 5.1.1", "Status: 2.0.0"
)

COMPLAINT: Final = """\
From: <fbl@mail.example.net>
Date: Fri, 20 Nov 2026 09:00:00 +0000
Subject: FW: 12 new papers
To: <abuse@example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
     boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP 192.0.2.1.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <bounces+redacted@example.org>
Original-Rcpt-To: <redacted@example.net>
Arrival-Date: Fri, 20 Nov 2026 06:01:10 +0000

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

From: Paper digest <digest@example.org>
To: redacted@example.net
X-Digest-Tag: @TAG@
Subject: 12 new papers

Hello.
--part1_13d.2e68ed54_boundary--
"""

OPT_OUT: Final = COMPLAINT.replace("Feedback-Type: abuse", "Feedback-Type: opt-out")
NOT_SPAM: Final = COMPLAINT.replace("Feedback-Type: abuse", "Feedback-Type: not-spam")

VACATION: Final = """\
From: ada@example.net
To: bounces+@TAG@@digest.example.org
Date: Fri, 20 Nov 2026 06:02:00 +0000
Auto-Submitted: auto-replied (vacation)
Subject: Out of office: 12 new papers

I am away until Monday. For 550 5.1.1 matters ask my deputy.
"""

PERSON: Final = """\
From: Ada <ada@example.net>
To: bounces+@TAG@@digest.example.org
Date: Fri, 20 Nov 2026 06:02:00 +0000
Subject: Re: 12 new papers

Lovely, thank you! One link said 550 5.1.1 user unknown, though.
"""


def made(text: str, tag: str) -> bytes:
    """The mail with that tag, as it goes over a wire."""
    return text.replace(TAG, tag).replace("\n", "\r\n").encode()
