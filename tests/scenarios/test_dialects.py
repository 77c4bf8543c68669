"""The Responses and Messages APIs in whole runs: which exist, what they cost, where they are."""

from __future__ import annotations

import json

import pytest

from checks.dialects.questions import MOST
from probe.model import Depth, Report, State
from probe.simulator import Simulator, all_styles
from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.registry import make_style
from probe.simulator.response import Response
from tests.scenarios.runs import against, codes, diagnose, errors

ONLY = ("responses.create", "messages.create", "apis.present")
FAST = {"rate_tokens_s": 0, "first_token_s": 0.0}


def sent(report: Report, check: str) -> int:
    return sum(item.requests for item in report.checks if item.id == check)


@pytest.mark.parametrize("style", [item.name for item in all_styles()])
@pytest.mark.parametrize("personality", ["plain", "weak", "reasoning"])
def test_every_style_is_judged(style: str, personality: str) -> None:
    report = diagnose(style=style, sim={**FAST, "personality": personality}, only=ONLY)
    served = make_style(style).routes
    for path, name in (("/responses", "responses"), ("/messages", "messages")):
        verdict = report.capabilities[f"{name}_api"].verdict
        assert verdict is (State.WORKS if path in served else State.REJECTED)
        assert (name in report.facts["apis"]) is (path in served)
        # A chat-only endpoint costs no more than one request for each place where the API may be.
        assert sent(report, f"{name}.create") <= (MOST if path in served else 2)
    assert codes(report, "responses", "messages") <= {"responses.history"}
    assert not errors(report)


def test_a_server_with_chat_completions_only() -> None:
    report = diagnose(["no-responses"], sim=FAST, only=ONLY)
    assert report.capabilities["responses_api"].verdict is State.REJECTED
    assert report.facts["apis"] == ["chat_completions"]
    assert sent(report, "responses.create") == 1 and sent(report, "messages.create") == 2
    assert codes(report) == set()


@pytest.mark.parametrize(
    ("fault", "name"), [("responses-unasked-stream", "responses"), ("messages-unasked-stream", "messages")]
)
def test_a_stream_that_was_not_asked_for_is_no_broken_api(fault: str, name: str) -> None:
    report = diagnose([fault], style="litellm", sim=FAST, only=ONLY)
    assert codes(report) == {"stream.not-asked"}
    assert report.capabilities[f"{name}_api"].verdict is State.WORKS
    assert report.capabilities[f"{name}_tools"].verdict is State.WORKS
    assert f"/{name}" in report.findings[0].detail


class OnlyXApiKey(Fault):
    """A Messages API that reads the key where Anthropic's does, and in no other header."""

    name = "test-only-x-api-key"
    summary = "for this test"

    def on_auth(self, call: Call, refusal: Response | None) -> Response | None:
        if call.operation not in ("messages", "count_tokens"):
            return refusal
        given = call.request.header("x-api-key")
        return None if given == call.site.key else self.error(401, "x-api-key header is required")


class BesideV1(Fault):
    """As at DeepSeek and Z.ai: the Messages API under /anthropic."""

    name = "test-beside-v1"
    summary = "for this test"

    def on_request(self, call: Call) -> Response | None:
        if call.path.startswith("/anthropic/v1/messages"):
            call.path = call.path.removeprefix("/anthropic")
            call.operation = self.style.operation(call)
            return None
        return self.error(404, "no such path") if "/messages" in call.path else None


def test_the_key_in_the_other_header() -> None:
    with Simulator("litellm", [OnlyXApiKey()], **FAST) as sim:
        report = against(sim, only=ONLY)
    assert report.capabilities["messages_tools"].verdict is State.WORKS
    assert report.facts["messages_access"]["auth"] == ["x-api-key"]
    assert report.facts["responses_access"]["auth"] == ["bearer"]
    assert codes(report) == set()


def test_the_messages_api_beside_the_base_url() -> None:
    with Simulator("litellm", [BesideV1()], **FAST) as sim:
        report = against(sim, only=ONLY)
        assert report.facts["messages_access"]["base_url"] == f"{sim.origin}/anthropic"
    assert report.capabilities["messages_tools"].verdict is State.WORKS
    assert codes(report) == set()


@pytest.mark.parametrize(
    ("apis", "asked"),
    [("auto", {"responses", "messages"}), ("chat", set()), ("responses", {"responses"}), ("messages", {"messages"})],
)
def test_which_apis_are_asked(apis: str, asked: set[str]) -> None:
    from probe.run.typed_options import Given, Known, options_for

    with Simulator("litellm", **FAST) as sim:
        given = options_for(sim.base_url, Given(apis=apis), Known())
        report = against(sim, skip=given.skip, also=given.also, depth=Depth.QUICK if apis != "auto" else Depth.STANDARD)
    assert {name for name in ("responses", "messages") if sent(report, f"{name}.create")} == asked


class NoStore(Fault):
    """A Responses API without storage."""

    name = "test-no-store"
    summary = "for this test"

    def on_request(self, call: Call) -> Response | None:
        refused = call.path.endswith("/responses") and json.loads(call.request.body or b"{}").get("store") is not False
        return self.error(400, "`store` must be false") if refused else None


def test_an_api_that_stores_nothing_works() -> None:
    with Simulator("litellm", [NoStore()], **FAST) as sim:
        report = against(sim, only=ONLY)
    assert report.capabilities["responses_api"].verdict is State.WORKS
    assert report.capabilities["responses_tools"].verdict is State.WORKS
    assert codes(report) == set()
