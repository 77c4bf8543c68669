"""Answers about access, limits or transport never change a verdict on a feature to anything but unknown.

A healthy endpoint is diagnosed through a gateway that answers some requests itself: those with a certain feature,
always, or any, at random.  What it answers is refused access, a limit, a timeout, a dead backend, with its status or
with 200.
"""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from probe.model import Depth, State
from probe.simulator import Simulator
from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.response import Response, send_html, send_json, send_text
from tests.scenarios.runs import against, errors

AT_ONCE = [("Retry-After", "0")]
ANSWERS = {
    "401": send_json(401, {"error": {"message": "session expired"}}, AT_ONCE),
    "402": send_json(402, {"error": {"message": "no funds"}}, AT_ONCE),
    "403": send_html(403, "<html><h1>Blocked</h1></html>", AT_ONCE),
    "408": send_text(408, "Request Time-out", AT_ONCE),
    "413": send_html(413, "<html><h1>Too Large</h1></html>", AT_ONCE),
    "429": send_json(429, {"message": "API rate limit exceeded"}, AT_ONCE),
    "499": send_text(499, "", AT_ONCE),
    "500": send_json(500, {"error": "proxy: dial tcp: connection refused"}, AT_ONCE),
    "502": send_html(502, "<html><h1>Bad Gateway</h1></html>", AT_ONCE),
    "503": send_json(503, {"error": {"message": "tools are unsupported while we are busy"}}, AT_ONCE),
    "504": send_html(504, "<html><h1>Gateway Time-out</h1></html>", AT_ONCE),
    "524": send_html(524, "<html><h1>A timeout occurred</h1></html>", AT_ONCE),
    "529": send_json(529, {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, AT_ONCE),
    "200 of code 429": send_json(200, {"choices": None, "error": {"code": 429}}, AT_ONCE),
    "200 of code 502": send_json(200, {"error": {"code": 502, "message": "Provider returned error"}}, AT_ONCE),
    "200 without choices": send_json(200, {"id": "gen-1", "choices": []}, AT_ONCE),
}
#: Words of a request by which a gateway chooses; the empty one is in all.
FEATURES = ("tools", "tool_choice", "response_format", "stream", "stop", "image_url", "system", "tool", "", "any")
#: The first chat completions are left alone: without them nothing is asked at all.
SPARED = 2


class Gateway(Fault):
    """Answers chat requests in place of the endpoint: those with the feature, or of any those that `at` says."""

    name = "test-gateway"
    summary = "for tests"

    def __init__(self, answer: Response, feature: str, at: list[bool]) -> None:
        super().__init__()
        self.answer, self.feature, self.at = answer, feature, at
        self.seen = self.answered = 0

    def on_request(self, call: Call) -> Response | None:
        if call.request.method != "POST" or not call.path.endswith("/chat/completions"):
            return None
        self.seen += 1
        if self.seen <= SPARED:
            return None
        if self.feature == "any":
            answers = self.at[self.seen % len(self.at)]
        else:
            answers = not self.feature or f'"{self.feature}"' in json.dumps(json.loads(call.request.body))
        self.answered += answers
        return self.answer if answers else None


def verdicts(fault: Fault | None) -> dict[str, State]:
    with Simulator(faults=[fault] if fault else [], rate_tokens_s=0, first_token_s=0) as sim:
        report = against(sim, depth=Depth.STANDARD, skip=("stream.delivery", "idle.*", "fingerprint.*"))
    assert not errors(report)
    return {name: item.verdict for name, item in report.capabilities.items()}


@cache
def healthy() -> dict[str, State]:
    return verdicts(None)


def only_unknown_is_new(fault: Fault) -> None:
    changed = {
        name: str(state)
        for name, state in verdicts(fault).items()
        if state is not healthy()[name] and state is not State.UNKNOWN
    }
    assert changed == {}


@pytest.mark.parametrize("feature", FEATURES[:-2])
def test_a_feature_that_only_a_gateway_refuses_is_unknown(feature: str) -> None:
    gateway = Gateway(ANSWERS["403"], feature, [])
    only_unknown_is_new(gateway)
    assert gateway.answered


# A failing example is not made smaller: each is a whole run, and says enough as it is.
@pytest.mark.parametrize("answer", sorted(ANSWERS))
@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
)
@given(feature=st.sampled_from(FEATURES), at=st.lists(st.booleans(), min_size=7, max_size=23))
@example(feature="stream", at=[])
def test_no_answer_of_a_gateway_is_taken_for_a_refusal_of_a_feature(answer: str, feature: str, at: list[bool]) -> None:
    only_unknown_is_new(Gateway(ANSWERS[answer], feature, at))
