"""`provider verify`: the openai SDK against simulated endpoints, sound and faulty."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from probe.provider.verify import Held, SdkMissing, Session, Step, holds, red_square, verify
from probe.redaction.redactor import Redactor
from probe.simulator import Simulator

ALL_ON = dict.fromkeys(
    (
        "streaming",
        "stream_usage",
        "tools",
        "tool_results",
        "streaming_tools",
        "tool_choice_required",
        "vision",
    ),
    True,
)


def session(sim: Simulator, on: dict[str, bool | None] | None = None, **more: Any) -> Session:
    key = more.pop("key", sim.key)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    redactor = Redactor([("API_KEY", key or "")])
    known = {"base_url": sim.base_url, "model": sim.model, "headers": headers, "on": on or ALL_ON, "redactor": redactor}
    return Session(**{**known, **more})


def outcome(faults: list[str], on: dict[str, bool | None] | None = None, **more: Any) -> dict[str, Step]:
    with Simulator("openai", faults) as sim:
        return {step.name: step for step in verify(session(sim, on, **more))}


def test_a_sound_endpoint_holds_in_every_step() -> None:
    steps = outcome([])
    assert {step.held for step in steps.values()} == {Held.HELD}, steps
    assert list(steps) == ["chat", "streamed chat", "tool round trip", "picture"]
    assert steps["picture"].note == "the model named the colour"
    assert "streamed call read, result accepted" in steps["tool round trip"].note


def test_only_what_the_toggles_allow_is_asked_for() -> None:
    with Simulator("openai", ["tools-rejected", "vision-rejected", "stream-rejected"]) as sim:
        steps = verify(session(sim, {"tools": False, "vision": False, "streaming": None}))
    assert [step.held for step in steps] == [Held.HELD, Held.LEFT_OUT, Held.LEFT_OUT, Held.LEFT_OUT]
    assert holds(steps)
    assert steps[1].note == "the toggle was not determined"


@pytest.mark.parametrize(
    ("fault", "step", "said"),
    [
        ("tools-rejected", "tool round trip", "refused with status 400"),
        ("tools-as-hermes", "tool round trip", "no tool call, although one was forced"),
        ("arguments-not-json=python", "tool round trip", "not JSON text"),
        ("arguments-object", "tool round trip", "not JSON text"),
        ("tool-id-missing=absent", "tool round trip", "no id"),
        ("tool-result-rejected", "tool round trip", "refused with status"),
        ("tool-stream-leak", "tool round trip", "no tool call"),
        ("stream-no-usage", "streamed chat", "no chunk has the token counts"),
        ("stream-rejected", "streamed chat", "refused with status"),
        ("stream-error-in-band=0", "streamed chat", "the answer is an error"),
        ("vision-rejected=vllm", "picture", "refused with status"),
    ],
)
def test_a_broken_promise_fails_its_step_only(fault: str, step: str, said: str) -> None:
    steps = outcome([fault])
    assert steps[step].held is Held.FAILED, steps
    assert said in steps[step].note
    assert not holds(list(steps.values()))
    assert steps["chat"].held is Held.HELD


def test_a_model_that_does_not_obey_is_no_failure() -> None:
    on = {**ALL_ON, "tool_choice_required": False}
    assert outcome(["tools-not-called"], on)["tool round trip"].held is Held.UNSURE
    assert outcome(["vision-ignored"])["picture"].held in (Held.UNSURE, Held.HELD)
    assert holds(list(outcome(["tools-not-called"], on).values()))


@pytest.mark.parametrize("fault", ["connect-reset", "no-chat", "web-page", "empty-200", "catch-all-200"])
def test_without_a_chat_the_rest_is_left_out(fault: str) -> None:
    steps = outcome([fault], timeout_s=5.0)
    assert steps["chat"].held is Held.FAILED
    assert "\n" not in steps["chat"].note and steps["chat"].note
    assert {step.held for name, step in steps.items() if name != "chat"} == {Held.LEFT_OUT}


def test_a_wrong_key_is_told_without_repeating_it() -> None:
    steps = outcome([], key="sk-wrong-0123456789abcdef")
    assert "refused with status 401" in steps["chat"].note
    steps = outcome(["auth-key-reflected"], key="sk-wrong-0123456789abcdef")
    assert "sk-wrong-0123456789abcdef" not in steps["chat"].note


def test_a_key_in_a_header_of_its_own_is_sent_alone() -> None:
    with Simulator("openai", ["auth-wrong-scheme=x-api-key"]) as sim:
        assert sim.key
        steps = verify(session(sim, key=None, headers={"X-API-Key": sim.key}))
    assert steps[0].held is Held.HELD


def test_the_limit_goes_out_under_its_own_name() -> None:
    assert outcome(["max-tokens-rejected"])["chat"].held is Held.FAILED
    assert outcome(["max-tokens-rejected"], limit_param="max_completion_tokens")["chat"].held is Held.HELD


def test_without_the_sdk_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(SdkMissing, match=r"pip install '\.\[verify\]'"):
        verify(Session("http://127.0.0.1:9/v1", "m"))


def test_the_picture_is_a_png_of_that_size() -> None:
    import base64
    import struct

    content = base64.b64decode(red_square(16).partition(",")[2])
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (16, 16)
