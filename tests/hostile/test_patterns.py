"""Every regular expression of the program takes time in proportion to the text, whatever the text is."""

from __future__ import annotations

import re

import pytest

from tests.hostile.patterns import FULL, Found, every_pattern, flaw, made

#: The rules by which the simulated model understands a prompt.  It is served on the user's machine, by loopback, to
#: the user's own clients: nobody else writes its prompts.  The rest of the simulated endpoint is walked like all else.
_OWN_CLIENTS = "probe.simulator.model."


@pytest.fixture(scope="module")
def patterns() -> list[Found]:
    return [found for found in every_pattern() if not found.where.startswith(_OWN_CLIENTS)]


def test_no_text_keeps_a_pattern_busy(patterns: list[Found]) -> None:
    bad = {f"{found.where}: {found.pattern.pattern!r}": slow for found in patterns if (slow := flaw(found))}
    assert bad == {}


def test_the_walk_finds_patterns_wherever_they_are_kept(patterns: list[Found]) -> None:
    places = {found.where for found in patterns}
    assert len(patterns) > 450
    assert {"reports.text._ANSI", "checks.shared.refusal._CHALLENGE", "vllm.toml"} <= places
    assert any(place.startswith("checks.fingerprint.reading:") for place in places), "a literal given to re.sub"
    assert any(place.endswith(".FAMILIES") for place in places), "one kept in a closure"


@pytest.mark.parametrize(
    "pattern",
    [
        r"```[\w-]*\s*(.*?)\s*```",
        r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*",
        r"[\x9d\x90][^\x07\x1b\x9c]*(?:\x07|\x9c)",
        r"(a|a)*b",
        r"^(?P<version>\d+\.\d+[\w.+]*)$",
    ],
)
def test_the_attacks_find_what_is_slow(pattern: str) -> None:
    methods = frozenset({"search", "fullmatch"})
    assert flaw(Found("here", re.compile(pattern, re.DOTALL), methods)) is not None


def test_an_attack_is_as_long_as_asked_for() -> None:
    assert len(made(("<", "ab", "!"), FULL)) in (FULL - 1, FULL)
