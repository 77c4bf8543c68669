"""Strangers' text: nothing a terminal obeys, nothing that hides."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.text import clip, fit, printable, visible
from tests.reports_fixtures import ANSI, BIDI, NULLS


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07after", "after"),
        ("\x9b2Jcleared", "cleared"),
        ("\x1bcreset", "reset"),
        ("a\r\nb\tc", "a b c"),
        ("user\u202enimda", "usernimda"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("nul\x00bell\x07", "nulbell"),
        ("\ud800", "\ufffd"),
        ("żółć 漢字 🙂", "żółć 漢字 🙂"),
        ("e" + "\u0301" * 40, "e" + "\u0301" * 4),
    ],
)
def test_printable_drops_what_a_terminal_would_obey(raw: str, shown: str) -> None:
    assert printable(raw) == shown


def test_printable_cuts_with_an_ellipsis() -> None:
    assert printable("abcdefgh", 5) == "abcd…"
    assert printable("abcde", 5) == "abcde"


def test_an_unfinished_sequence_hides_nothing_but_itself() -> None:
    assert printable("before \x1b[") == "before "
    assert printable("\x1b]0;never ended, and this is read") == "0;never ended, and this is read"
    assert "\x1b" not in printable("x\x1b")


@given(st.text(max_size=200))
def test_printable_is_one_line_of_seen_characters(text: str) -> None:
    shown = printable(text)
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for c in shown)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\x00b\x1b", "a\\x00b\\x1b"),
        ("line\n\ttab", "line\n\ttab"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_visible_writes_out_what_cannot_be_seen(raw: str, shown: str) -> None:
    assert visible(raw) == shown


@pytest.mark.parametrize("attack", [ANSI, BIDI, NULLS])
def test_visible_hides_no_word(attack: str) -> None:
    shown = visible(attack)
    assert all(word in shown for word in ("red", "title", "user", "nimda", "nul", "bell") if word in attack)
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") or c in "\n\t" for c in shown)


def test_fit_counts_escaped_characters() -> None:
    kept = fit("<" * 10_000, 1_000)
    assert kept.startswith("<" * 200)
    assert kept.count("<") <= 250
    assert "more characters" in kept
    assert fit("short", 1_000) == "short"


def test_clip_says_how_much_is_missing() -> None:
    assert clip("abcdef", 4) == "abcd\n… 2 more characters"
