"""Slimming takes bytes off a mail and nothing else."""

from __future__ import annotations

import pytest
from mjml import mjml2html

from digest.templating.slim import slim

FRAME = """<mjml lang="en" dir="ltr"><mj-head><mj-style>
  .a, .b { color: {{ colour.ink | replace(", ", "; ") }} !important; }
  .c::after { content: ", {  }"; }
</mj-style></mj-head><mj-body width="560px">%s</mj-body></mjml>"""
ONE = '<mj-section padding="0px 3px"><mj-column><mj-text>Hello</mj-text></mj-column></mj-section>'
TWO = ONE.replace("</mj-section>", "<mj-column><mj-text>you</mj-text></mj-column></mj-section>")


def slimmed(body: str) -> str:
    return slim(mjml2html(FRAME % body, fonts={}))


def test_one_column_needs_no_rule_for_wide_screens() -> None:
    html = slimmed(ONE)
    assert "mj-column" not in html
    assert "min-width" not in html
    assert "mj-outlook-group-fix" not in html
    assert len(html) < 0.7 * len(mjml2html(FRAME % ONE, fonts={}))


def test_two_columns_keep_the_rule_that_puts_them_side_by_side() -> None:
    html = slimmed(TWO)
    assert html.count('class="mj-column-per-50"') == 2
    assert ".mj-column-per-50{width:50%!important;max-width:50%}" in html


def test_texts_of_a_sheet_and_jinja_stay_as_they_are() -> None:
    html = slimmed(ONE)
    assert '.a,.b{color:{{ colour.ink | replace(", ", "; ") }}!important}' in html
    assert '.c::after{content:", {  }"}' in html


@pytest.mark.parametrize("body", [ONE, TWO])
def test_slimming_twice_takes_no_more(body: str) -> None:
    once = slimmed(body)
    assert slim(once) == once


def test_what_outlook_is_told_stays_whole() -> None:
    html = slimmed(ONE)
    assert html.count("<!--[if mso]>") == html.count("<![endif]-->") > 1
    assert "<o:PixelsPerInch>96</o:PixelsPerInch>" in html
    assert 'width="560"' in html


def test_a_background_picture_for_outlook_keeps_its_namespace() -> None:
    with_picture = ONE.replace("<mj-section ", '<mj-section background-url="https://x.example/a" ')
    assert "xmlns:v=" in slimmed(with_picture)
    assert "xmlns:v=" not in slimmed(ONE)
