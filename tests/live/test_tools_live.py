"""The tools family on real servers: neither side is blamed for the faults of the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest

from probe.model import Report, Severity, State
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.simulator.llamacpp_demo import RealServer
from tests.live import servers
from tests.live.processes import Running
from tests.live.proxies import drop_fields, strip_tools
from tests.scenarios.runs import codes, errors

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(420)]

NAMES = ("tools", "tool_results", "tool_choice_required", "tool_choice_named", "parallel_tools", "streaming_tools")
CALL = {"toolCalls": [{"name": "get_weather", "arguments": {"city": "Paris", "unit": "celsius"}}]}
TWO = {"toolCalls": [{"name": "get_weather", "arguments": {"city": city}} for city in ("Paris", "Rome")]}
NOTE = {"title": "Zoë", "stars": 4, "tags": ["café"], "place": {"city": "Paris"}}
FIXTURES: list[Mapping[str, object]] = [
    {"match": {"hasToolResult": True}, "response": {"content": "The tool has answered."}},
    {"match": {"toolName": "save_note"}, "response": {"toolCalls": [{"name": "save_note", "arguments": NOTE}]}},
    {"match": {"toolName": "get_weather", "userMessage": "Rome"}, "response": TWO},
    {"match": {"toolName": "get_weather"}, "response": CALL},
    {"match": {}, "response": {"content": "Hello."}},
]


def probe(base_url: str, key: str | None = None, **options: Any) -> Report:
    """The family's verdict on a real endpoint."""
    settings = Options(
        parse(base_url), Auth(key=key, source="test"), **{"only": ("tools.*",), "timeout_s": 90.0, **options}
    )
    report = anyio.run(lambda: run(settings))
    assert not errors(report)
    return report


def verdicts(report: Report) -> dict[str, State]:
    return {name: report.capabilities[name].verdict for name in NAMES}


# llama.cpp with a very small model -----------------------------------------------------------------


def test_a_template_without_tools_never_shows_them(llamacpp: Callable[..., RealServer]) -> None:
    report = probe(llamacpp().base_url)
    assert codes(report, "tools") == {"tools.ignored"}
    found = verdicts(report)
    assert found["tools"] is State.IGNORED
    assert found["tool_choice_required"] is State.IGNORED
    assert found["tool_results"] in (State.WORKS, State.UNKNOWN)


def test_a_template_with_tools_shows_them_to_a_model_that_declines(
    llamacpp: Callable[..., RealServer], hermes_template: str
) -> None:
    report = probe(llamacpp(template=hermes_template).base_url)
    # Cut off by the limit a forced choice settles nothing; ended in prose it had no effect.
    assert {"tools.not-called"} <= codes(report, "tools") <= {"tools.not-called", "tools.choice-ignored"}
    assert codes(report, "tools", least=Severity.ERROR) == set()
    found = verdicts(report)
    assert found["tools"] is State.UNKNOWN
    for name in ("tool_choice_required", "tool_choice_named"):
        assert found[name] in (State.UNKNOWN, State.IGNORED)
    for exchange in report.exchanges:
        body = exchange.request.body if isinstance(exchange.request.body, dict) else {}
        if body.get("tool_choice") == "required" and exchange.response is not None:
            cut = exchange.response.json["choices"][0]["finish_reason"] == "length"
            assert (found["tool_choice_required"] is State.UNKNOWN) is cut


def test_stripped_on_the_way_is_told_from_declined(llamacpp: Callable[..., RealServer], hermes_template: str) -> None:
    server = llamacpp(template=hermes_template)
    with strip_tools(server.base_url) as url:
        assert codes(probe(url), "tools") == {"tools.ignored"}


def test_a_server_started_without_jinja_says_so(llamacpp: Callable[..., RealServer]) -> None:
    report = probe(llamacpp(jinja=False).base_url)
    assert codes(report, "tools") == {"tools.not-enabled"}
    assert "--jinja" in report.findings[0].detail
    assert set(verdicts(report).values()) == {State.REJECTED}


def test_real_calls_come_back_where_the_server_forces_them(llamacpp: Callable[..., RealServer]) -> None:
    template = (servers.CONFIGS / "arrow-tools.jinja").read_text(encoding="utf-8")
    report = probe(llamacpp(template=template).base_url, only=("tools.call", "tools.choice", "tools.stream"))
    assert verdicts(report)["tool_choice_required"] is State.WORKS
    assert verdicts(report)["streaming_tools"] in (State.WORKS, State.UNKNOWN)
    # What the model writes of its own accord is no call the server can read: the model's doing, not a fault.
    assert codes(report, "tools", least=Severity.WARNING) == set()
    assert codes(report, "tools") <= {"tools.not-called"}


# An independent mock with sound calls, and LiteLLM in between ------------------------------------------


def check_mock(report: Report) -> None:
    """Sound calls whole and streamed; its fixed answer to a result proves nothing.

    It calls by the text of the request whatever `tool_choice` says, so it calls in spite of `none`.
    """
    assert codes(report, "tools", least=Severity.WARNING) == {"tools.none-ignored"}
    found = verdicts(report)
    assert found.pop("tool_results") is State.UNKNOWN
    assert set(found.values()) == {State.WORKS}, found


def test_sound_calls_of_a_mock(aimock: Callable[..., Running]) -> None:
    mock = aimock(FIXTURES, keys=["sk-mock-0001"])
    check_mock(probe(mock.base_url, "sk-mock-0001"))


def test_a_mock_that_knows_no_forced_choice_is_not_accused(aimock: Callable[..., Running]) -> None:
    weather = [{"match": {"userMessage": "weather"}, "response": CALL}]
    report = probe(aimock([{"match": {"userMessage": "Repeat"}, "response": {"content": "Hi."}}, *weather]).base_url)
    assert codes(report, "tools") - {"tools.choice-ignored"} == {"tools.none-ignored"}
    assert verdicts(report)["tools"] is State.WORKS
    assert verdicts(report)["streaming_tools"] is State.WORKS


@pytest.mark.parametrize("drop", [False, True], ids=["params-kept", "drop_params"])
def test_litellm_passes_calls_on(
    drop: bool, aimock: Callable[..., Running], litellm_proxy: Callable[..., Running]
) -> None:
    mock = aimock(FIXTURES)
    proxy = litellm_proxy(upstream=mock.base_url, upstream_model="mock", settings={"drop_params": drop})
    check_mock(probe(proxy.base_url, "sk-local-master-0001"))


def test_litellm_before_a_template_without_tools(
    llamacpp: Callable[..., RealServer], litellm_proxy: Callable[..., Running]
) -> None:
    proxy = litellm_proxy(upstream=llamacpp().base_url)
    report = probe(proxy.base_url, "sk-local-master-0001")
    assert codes(report, "tools") == {"tools.ignored"}


def test_a_gateway_that_drops_the_choice_alone(aimock: Callable[..., Running]) -> None:
    mock = aimock([*FIXTURES[:2], {"match": {"userMessage": "weather"}, "response": CALL}, FIXTURES[-1]])
    with drop_fields(mock.base_url, "tool_choice") as url:
        report = probe(url)
    assert codes(report, "tools") == {"tools.choice-ignored", "tools.none-ignored"}
    assert verdicts(report)["tools"] is State.WORKS
