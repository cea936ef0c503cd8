"""The dialogue without a line: whatever pieces an answer comes in, the same is said and noted."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.channels import Outcome, Outgoing, Pause, Progress, Reply, Stage
from digest.smtp.dialogue import Dialogue, Extensions, Timing

MESSAGES = [
    Outgoing("digest@example.org", f"r{number}@example.org", b"Hi\r\n.dot\r\n", "")
    for number in range(3)
]
ENVELOPES = [
    f"MAIL FROM:<digest@example.org>\r\nRCPT TO:<{one.to}>\r\nDATA\r\n".encode() for one in MESSAGES
]
YES = b"250-2.1.0 ok\r\n250 2.1.0 go on\r\n250 2.1.5 ok\r\n354 go\r\n"
TAKEN = b"250 2.0.0 queued\r\n"
TIMING = Timing(reply=5, dot=7)


def written(dialogue: Dialogue) -> bytes:
    """What the dialogue wants written, and nothing of it is left."""
    data = bytes(dialogue.unsent)
    dialogue.sent(len(data))
    return data


def hear(dialogue: Dialogue, data: bytes, cuts: list[int]) -> Progress:
    """Let it hear what comes in pieces; only the last of them can be the end of an answer."""
    edges = [0, *sorted({cut % len(data) for cut in cuts} - {0}), len(data)]
    progress: Progress = Pause.LINE
    for start, end in pairwise(edges):
        assert progress is Pause.LINE
        progress = dialogue.hear(data[start:end], 0)
    return progress


def lines() -> Dialogue:
    return Dialogue(Extensions(pipelining=True), "relay", TIMING, 0)


def test_what_is_said_to_be_dotless_goes_as_it_is_and_all_else_is_looked_through() -> None:
    said = b"Hi\r\n.dot\r\n"
    for dotless, goes in ((True, said), (False, b"Hi\r\n..dot\r\n")):
        dialogue = lines()
        dialogue.begin(Outgoing("d@example.org", "r@example.org", said, dotless=dotless), 0)
        written(dialogue)
        assert dialogue.hear(YES, 0) is Pause.INTENT
        assert written(dialogue) == goes


@given(st.lists(st.lists(st.integers(0, 1000)), min_size=3, max_size=3))
def test_an_answer_in_any_pieces_is_the_same_answer(cuts: list[list[int]]) -> None:
    dialogue = lines()
    assert dialogue.begin(MESSAGES[0], 0) is Pause.LINE
    assert written(dialogue) == ENVELOPES[0]
    assert hear(dialogue, YES, cuts[0]) is Pause.INTENT
    for number, following in enumerate([*MESSAGES[1:], None]):
        assert written(dialogue) == b"Hi\r\n..dot\r\n"
        dialogue.finish(following, 0)
        assert written(dialogue) == b".\r\n" + (ENVELOPES[number + 1] if following else b"")
        reply = hear(dialogue, TAKEN, cuts[number])
        assert isinstance(reply, Reply)
        assert (reply.outcome, reply.code, reply.text) == (Outcome.ACCEPTED, 250, "queued")
        if following is not None:
            assert dialogue.begin(following, 0) is Pause.LINE
            assert written(dialogue) == b"", "it was announced"
            assert hear(dialogue, YES, cuts[number]) is Pause.INTENT
    assert dialogue.taken == 3
    assert dialogue.is_usable(0)


def test_answers_that_come_together_are_taken_one_by_one() -> None:
    dialogue = lines()
    dialogue.begin(MESSAGES[0], 0)
    dialogue.hear(YES, 0)
    dialogue.finish(MESSAGES[1], 0)
    assert isinstance(dialogue.hear(TAKEN + YES, 0), Reply)
    assert dialogue.begin(MESSAGES[1], 0) is Pause.INTENT


@pytest.mark.parametrize("said", [b"2", b"250 ok\r\n", b"421 bye\r\n"])
def test_what_is_said_before_the_dot_ends_it_without_one(said: bytes) -> None:
    dialogue = lines()
    dialogue.begin(MESSAGES[0], 0)
    dialogue.hear(YES, 0)
    written(dialogue)
    reply = dialogue.hear(said, 0)
    assert isinstance(reply, Reply)
    assert (reply.outcome, reply.stage) == (Outcome.DEFERRED, Stage.DATA)
    assert dialogue.is_over
    assert written(dialogue) == b""


@pytest.mark.parametrize(
    ("heard", "outcome", "stage", "seconds"),
    [
        (b"", Outcome.DEFERRED, Stage.MAIL, 5),
        (b"250 ok\r\n250 o", Outcome.DEFERRED, Stage.MAIL, 5),
        (YES, Outcome.DEFERRED, Stage.DATA, 5),
        (YES + b"dot", Outcome.UNKNOWN, Stage.DOT, 7),
    ],
)
def test_a_line_that_is_lost_is_judged_by_whether_the_dot_was_given(
    heard: bytes, outcome: Outcome, stage: Stage, seconds: float
) -> None:
    dialogue = lines()
    dialogue.begin(MESSAGES[0], 10)
    envelope, dot, _ = heard.partition(b"dot")
    if envelope:
        dialogue.hear(envelope, 10)
    if dot:
        dialogue.finish(None, 10)
    assert dialogue.deadline == 10 + seconds
    reply = dialogue.lost(TimeoutError("timed out"), 10 + seconds)
    assert isinstance(reply, Reply)
    assert (reply.outcome, reply.stage) == (outcome, stage)
    assert dialogue.is_over


def test_single_bytes_do_not_put_the_deadline_off() -> None:
    dialogue = lines()
    dialogue.begin(MESSAGES[0], 0)
    dialogue.hear(b"250 o", 4)
    assert dialogue.deadline == 5
    dialogue.hear(b"k\r\n", 4)
    assert dialogue.deadline == 9


def test_an_idle_line_has_no_deadline_and_notices_a_good_bye() -> None:
    dialogue = lines()
    dialogue.begin(MESSAGES[0], 0)
    dialogue.hear(YES, 0)
    dialogue.finish(None, 0)
    dialogue.hear(TAKEN, 0)
    assert dialogue.deadline == inf
    assert dialogue.hear(b"421 4.4.2 id", 9) is Pause.LINE
    reply = dialogue.hear(b"le\r\n", 9)
    assert isinstance(reply, Reply)
    assert (reply.code, reply.enhanced, reply.text) == (421, "4.4.2", "idle")
    assert dialogue.is_over
