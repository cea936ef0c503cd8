"""What commands draw: steps, tables and counts, on a terminal and in a pipe."""

from __future__ import annotations

from io import StringIO

from digest.cli.terminal import Steps, count, table


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_steps_are_lines_where_there_is_no_terminal() -> None:
    out = StringIO()
    with Steps(out) as steps:
        step = steps.step("Listing", "asking")
        step.progress(1, 2)
        step.end("60 papers from 3 sources")
        step = steps.step("Matching")
        step.progress(0, 0)
        step.end("nobody is due")
        steps.step("Sending").end("nothing")
    assert out.getvalue() == (
        "Listing    60 papers from 3 sources  1/2\nMatching   nobody is due\nSending    nothing\n"
    )


def test_steps_are_bars_on_a_terminal() -> None:
    out = Terminal()
    with Steps(out) as steps:
        step = steps.step("Listing", "asking")
        step.progress(60, 60)
        step.end("60 [papers] from 3 sources")
    assert "60 [papers] from 3 sources" in out.getvalue()
    assert "━" in out.getvalue()
    assert "60/60" in out.getvalue()


def test_a_table_in_a_pipe_is_never_folded_and_shows_what_looks_like_markup() -> None:
    out = StringIO()
    table(("reader", "sent"), [("a" * 150, "[bold]10"), ("b", "9")], right=("sent",), stream=out)
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["reader", "sent"]
    assert lines[1] == "a" * 150 + "  [bold]10"
    assert lines[2].endswith(" 9")


def test_numbers_agree_with_their_nouns() -> None:
    assert [count(n, "paper") for n in (0, 1, 1200)] == ["0 papers", "1 paper", "1,200 papers"]
