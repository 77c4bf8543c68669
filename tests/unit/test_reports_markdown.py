"""Markdown: what an endpoint sends stays text wherever a forge renders it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reports import markdown
from tests.reports_fixtures import ATTACKS, faulty, healthy, hostile

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
OWN_HTML = {"<details><summary>", "</details>"}


def rendered(text: str) -> str:
    made: str = PARSER.render(text)
    return made


def plain_texts(text: str) -> list[str]:
    """The text that is not in code: what a forge looks through for links and mentions."""
    return [child.content for token in PARSER.parse(text) for child in token.children or () if child.type == "text"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_inline_text_is_inert(attack: str) -> None:
    shown = rendered(markdown.paragraph(attack))
    for tag in ("<script", "<img", "<a ", "<h1", "<ul", "<ol", "<blockquote", "<table", "<em", "<strong", "<!--"):
        assert tag not in shown, shown


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_left_for_a_forge_to_link(attack: str) -> None:
    for text in plain_texts(markdown.paragraph(attack)):
        assert "://" not in text
        assert "www." not in text
        assert "@" not in text


@given(st.text(alphabet=st.sampled_from("ab`|\\*_[]()<>#!&~-+=1. \n$@:/\t{}"), max_size=60))
def test_inline_text_makes_one_plain_paragraph(text: str) -> None:
    shown = rendered(f"x {markdown.inline(text)}")
    assert shown.startswith("<p>x")
    without_code = shown.replace("<code>", "").replace("</code>", "").replace("<p>", "").replace("</p>", "")
    assert "<" not in without_code, shown


@given(st.text(alphabet=st.sampled_from("ab`|\\ x"), max_size=40))
def test_a_cell_stays_one_cell(text: str) -> None:
    shown = rendered(markdown.table(("a", "b"), [(markdown.code(text), markdown.inline(text))]))
    assert shown.count("<td>") == 2, shown
    assert shown.count("<tr>") == 2


@given(st.text(alphabet=st.sampled_from("ab` \n"), max_size=40))
def test_a_code_span_is_one_code_span(text: str) -> None:
    shown = rendered(f"x {markdown.code(text)} y")
    assert shown.count("<code>") == 1
    assert shown.rstrip().endswith("</code> y</p>")


def test_a_block_cannot_be_ended_from_inside() -> None:
    shown = rendered(markdown.block("```\n# out\n````\n<script>"))
    assert "<h1" not in shown
    assert "<script" not in shown


def test_a_hostile_report_has_only_our_own_structure() -> None:
    text = markdown.render(hostile()).decode()
    shown = rendered(text)
    for tag in ("<script", "<img", "<a ", "<h1", "<blockquote", "<ul>\n<li>list"):
        assert tag not in shown
    assert shown.count("<h2>") == 1
    assert shown.count("<h4>") == 1
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_findings_stand_with_remedy_owner_and_evidence() -> None:
    text = markdown.render(faulty()).decode()
    for part in ("#### Error: The whole answer comes at once", "`stream.replayed`", "`proxy_buffering off;`",
                 "**Who can fix it:** gateway", "`/response/status`: expected `200`, got `400`"):  # fmt: skip
        assert part in text, part


def test_a_healthy_report_says_so() -> None:
    text = markdown.render(healthy()).decode()
    assert "nothing wrong was found" in text
    assert "### Findings\n\nNone." in text


@pytest.mark.parametrize("word", ["a" * 400_000, "`" * 400_000, "a`" * 200_000, "@" * 400_000, "a:" * 200_000 + "//"])
def test_a_word_of_any_length_is_shown_in_time(word: str) -> None:
    begin = time.process_time()
    assert markdown.inline(word)
    assert time.process_time() - begin < 5
