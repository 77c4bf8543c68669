"""Errors and how they are told: fault to exact codes."""

from __future__ import annotations

import pytest

from probe.model import Depth, Severity
from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response, send_json
from tests.scenarios.runs import codes, diagnose, errors

STANDARD = ("errors.invalid", "errors.seen")
FAST = {"rate_tokens_s": 0, "first_token_s": 0}
STYLES = ("openai", "vllm", "llamacpp", "ollama", "groq")
ODD_STYLES = ("sglang", "lmstudio", "textgen-webui")


@pytest.mark.parametrize("shape", ["detail", "flat", "string", "array"])
def test_json_of_another_shape_is_noted(shape: str) -> None:
    report = diagnose([f"errors-shape={shape}"], sim=FAST, only=STANDARD)
    assert codes(report) == {"errors.shape"}
    assert codes(report, least=Severity.WARNING) == set()


def test_web_pages_are_a_warning() -> None:
    assert codes(diagnose(["errors-html"], sim=FAST, only=STANDARD), least=Severity.WARNING) == {"errors.shape"}


@pytest.mark.parametrize("style", STYLES)
def test_a_healthy_endpoint_has_nothing_to_tell(style: str) -> None:
    report = diagnose(style=style, sim=FAST, only=STANDARD)
    assert codes(report, "errors") == set()
    assert not errors(report)
    assert [item.requests for item in report.checks if item.id == "errors.invalid"] == [1]


def test_a_gateway_that_rests_its_backend_gets_no_malformed_request() -> None:
    """Every request asks LiteLLM to keep its backend in service; where that is refused it is not said again."""
    only = (*STANDARD, "errors.malformed", "params.*")
    report = diagnose(style="litellm", sim=FAST, only=only, depth=Depth.DEEP)
    assert not errors(report)
    outcomes = {item.id: item.outcome.value for item in report.checks}
    assert [outcomes[name] for name in ("errors.invalid", "errors.malformed")] == ["skip", "skip"]
    sent = [item.request.body for item in report.exchanges if item.request.method == "POST"]
    assert [body for body in sent[1:] if body["cooldown_time"] != 0] == []
    strict = diagnose(["unknown-param-rejected=serde"], style="litellm", sim=FAST, only=(*only, "roles.*"))
    assert codes(strict, "params", "roles") == {"params.unknown-rejected"}
    added = [one.status for one in strict.exchanges if "cooldown_time" in str(one.request.body)]
    assert added
    assert 200 not in added


@pytest.mark.parametrize("style", ODD_STYLES)
def test_servers_with_a_shape_of_their_own_are_not_warned_of(style: str) -> None:
    report = diagnose(style=style, sim=FAST, only=STANDARD)
    assert codes(report, "errors") == {"errors.shape"}
    assert codes(report, "errors", least=Severity.WARNING) == set()


@pytest.mark.parametrize("style", ["openai", "llamacpp", "ollama", "vllm"])
def test_malformed_requests_stay_within_their_number(style: str) -> None:
    report = diagnose(style=style, sim=FAST, only=("errors.malformed",), depth=Depth.DEEP)
    assert not errors(report)
    assert codes(report, "errors", least=Severity.WARNING) == set()
    (record,) = [item for item in report.checks if item.id == "errors.malformed"]
    assert 8 <= record.requests <= 12


def test_the_sample_notes_server_errors() -> None:
    report = diagnose(["errors-server-error"], sim=FAST, only=("errors.malformed",), depth=Depth.DEEP)
    assert codes(report) == {"errors.server-error"}
    assert codes(report, least=Severity.WARNING) == set()


class _Hiccup(Fault):
    """The first request with the wrong key meets an accident."""

    name = "auth-hiccup"
    summary = "a wrong key is answered 500 once, then 401"

    def on_request(self, call: Call) -> Response | None:
        if call.request.method != "POST" or "sk-invalid" not in str(call.request.headers):
            return None
        self.count += 1
        return send_json(500, {"error": {"message": "it failed"}}) if self.count == 1 else None


def test_one_accident_of_the_wrong_key_is_no_finding() -> None:
    fault = _Hiccup()
    report = diagnose([fault], sim=FAST, only=("auth.enforced",))
    assert fault.count == 2
    assert codes(report) == set()
