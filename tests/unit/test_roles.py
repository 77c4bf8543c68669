"""Diagnosis of roles, from exchanges made by hand."""

from __future__ import annotations

import pytest

from checks.roles import Asked, Round, continues, diagnose_order, diagnose_role
from probe.api import Inconclusive, Severity, State
from tests.unit.answers import chat, lost, refusal

CODE = "ZEBRA-48213"
ROLES = ("system", "developer")


def state(role: str, asked: Asked, live: bool = True) -> tuple[State, list[str]]:
    result = diagnose_role(role, asked, CODE, live)
    return result.verdicts[f"{role}_role"].verdict, [finding.code for finding in result.findings]


@pytest.mark.parametrize("role", ROLES)
def test_a_code_that_comes_back_proves_the_role(role: str) -> None:
    assert state(role, Asked([chat("It is ZEBRA-48213.", prompt=30)])) == (State.WORKS, [])
    longer = Asked([chat("What code?", prompt=30)], chat("zebra-48213", prompt=70))
    assert state(role, longer) == (State.WORKS, [])


@pytest.mark.parametrize("role", ROLES)
def test_a_prompt_that_grows_is_a_weak_model(role: str) -> None:
    asked = Asked([chat("Turtles!", prompt=30)], chat("Turtles!", prompt=68))
    assert state(role, asked) == (State.UNKNOWN, [])


@pytest.mark.parametrize("role", ROLES)
def test_a_prompt_that_stays_is_a_dropped_turn(role: str) -> None:
    asked = Asked([chat("What code?", prompt=13)], chat("What word?", prompt=15))
    assert state(role, asked) == (State.IGNORED, [f"roles.{role}-ignored"])


def rounds(*told: tuple[str, str]) -> list[Round]:
    """What the model said to the code in a turn of the role, and in one of another role."""
    return [Round(CODE, chat(turned), chat(control)) for turned, control in told]


@pytest.mark.parametrize("role", ROLES)
def test_without_counts_another_role_decides(role: str) -> None:
    def said(*told: tuple[str, str]) -> tuple[State, list[str]]:
        return state(role, Asked([chat("What code?")], chat("What word?"), rounds(*told)), live=False)

    only_elsewhere = ("What code?", "ZEBRA-48213")
    assert said(*[only_elsewhere] * 3) == (State.IGNORED, [f"roles.{role}-ignored"])
    assert said(("What code?", "Turtles!")) == (State.UNKNOWN, [])
    # Now so, now so is a small model.
    assert said(only_elsewhere, only_elsewhere, ("What code?", "Turtles!")) == (State.UNKNOWN, [])
    assert said(only_elsewhere, ("It is ZEBRA-48213.", "")) == (State.WORKS, [])


def test_a_refusal_is_worse_for_the_system_role() -> None:
    asked = Asked([refusal(400, "System role not supported")])
    system = diagnose_role("system", asked, CODE, True)
    developer = diagnose_role("developer", asked, CODE, True)
    assert system.findings[0].severity is Severity.ERROR
    assert developer.findings[0].severity is Severity.INFO
    assert system.verdicts["system_role"].verdict is State.REJECTED


def test_trouble_on_the_way_is_no_refusal() -> None:
    for trouble in (lost(), refusal(502, "bad gateway"), refusal(429, "slow down"), refusal(500, "oops")):
        with pytest.raises(Inconclusive):
            diagnose_role("system", Asked([trouble]), CODE, True)
    twice = Asked([refusal(500, "oops"), refusal(500, "oops")])
    assert state("system", twice) == (State.REJECTED, ["roles.system-rejected"])


def test_known_roles_are_kept() -> None:
    result = diagnose_role("developer", Asked([chat(CODE)]), CODE, True, ["system"])
    assert result.facts["roles"] == ["system", "developer"]


@pytest.mark.parametrize(
    ("answer", "goes_on"),
    [
        ("48213", True),
        ("KUMQUAT-48213", True),  # llama.cpp returns the start as well
        ("ZEBRA-48213", False),
        ("Sure: ZEBRA-48213", False),
        ("I cannot go on with that.", False),
        ("", False),
    ],
)
def test_a_started_answer_is_gone_on_with(answer: str, goes_on: bool) -> None:
    assert continues(answer, CODE) is goes_on


def test_the_rarer_forms() -> None:
    told = {
        "multi_system": chat("KOALA-10475 and TULIP-77231"),
        "mid_system": refusal(400, "System message must be at the beginning."),
        "assistant_prefill": chat("48213"),
    }
    result = diagnose_order(told, ("KOALA-10475", "TULIP-77231"), "RAVEN-90132", CODE, ["system"])
    assert result.facts["roles"] == ["system", "multi_system", "assistant_prefill"]
    assert not result.findings
