"""probe.wording: amounts, lists, times and quotations."""

from __future__ import annotations

from typing import Any

import pytest

from probe import wording
from probe.api import wording as exported


def test_plugins_reach_it_through_the_public_interface() -> None:
    assert exported is wording


@pytest.mark.parametrize(
    ("number", "arguments", "expected"),
    [
        (0, ("request",), "0 requests"),
        (1, ("request",), "1 request"),
        (2, ("request",), "2 requests"),
        (1, ("reply", "replies"), "1 reply"),
        (3, ("reply", "replies"), "3 replies"),
    ],
)
def test_an_amount_agrees_with_its_noun(number: int, arguments: tuple[str, ...], expected: str) -> None:
    assert wording.amount(number, *arguments) == expected


@pytest.mark.parametrize(("number", "expected"), [(0, "were"), (1, "was"), (2, "were")])
def test_a_verb_agrees_with_its_number(number: int, expected: str) -> None:
    assert wording.form(number, "was", "were") == expected


@pytest.mark.parametrize(
    ("items", "expected"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), (["", "b"], " and b")],
)
def test_a_listing_has_one_conjunction(items: list[str], expected: str) -> None:
    assert wording.listing(items) == expected
    assert wording.listing(iter(items), "or") == expected.replace(" and ", " or ")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0 s"), (0.254, "0.254 s"), (0.00001, "0 s"), (9.876, "9.88 s"), (12.0, "12 s"), (1234.5, "1234 s")],
)
def test_seconds_are_short_and_never_in_exponents(value: float, expected: str) -> None:
    assert wording.seconds(value) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 10, "short"),
        ("  two\r\n\tlines  ", 20, "two lines"),
        ("0123456789", 10, "0123456789"),
        ("0123456789a", 10, "012345678…"),
        ("01234567 9a", 10, "01234567…"),
        ("", 10, ""),
        (" \n", 10, ""),
    ],
)
def test_a_cut_text_is_one_line_within_its_limit(text: str, limit: int, expected: str) -> None:
    assert wording.cut(text, limit) == expected


def test_a_cut_text_that_begins_with_much_whitespace_says_that_more_follows() -> None:
    assert wording.cut(" " * 10_000_000 + "end", 20) == "…"
    assert wording.cut("a" + " " * 10_000_000 + "end", 20) == "a…"


def test_a_quotation_names_an_empty_text() -> None:
    assert wording.quote("a\nb", 80) == '"a b"'
    assert wording.quote("\n", 80) == "nothing"
    assert wording.quote("", 80, empty="no text") == "no text"
    assert wording.quote("x" * 100, 10) == '"xxxxxxxxx…"'


def test_a_value_is_shown_as_json_and_a_string_as_it_is() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert wording.shown("a\nb") == "a\nb"
    assert wording.shown({"a": [1, "é"]}) == '{"a": [1, "é"]}'
    assert wording.shown("x" * 300) == "x" * 199 + "…"
    assert wording.shown(nested, 20) == "list nested too deeply"
    while nested:
        nested = nested[0]
