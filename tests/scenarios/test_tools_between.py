"""Tools through gateways that change one thing, and at endpoints that are nothing like the built-in one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from probe.model import Report, Severity, State
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.simulator import Simulator
from tests.live.proxies import Answer, Request, drop_fields, http_server, strip_tools
from tests.scenarios.runs import codes, errors

FAST: dict[str, Any] = {"rate_tokens_s": 0, "first_token_s": 0}
JSON = {"Content-Type": "application/json"}
HERMES = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'


def probe(base_url: str, key: str | None = None, **options: Any) -> Report:
    """The family's verdict on an endpoint."""
    settings = Options(
        parse(base_url),
        Auth(key=key, source="test"),
        only=("tools.*",),
        skip=("tools.none", "tools.cut"),
        timeout_s=15.0,
        **options,
    )
    report = anyio.run(lambda: run(settings))
    assert not errors(report)
    return report


def verdicts(report: Report) -> dict[str, State]:
    return {name: verdict.verdict for name, verdict in report.capabilities.items()}


@contextlib.contextmanager
def gateway(
    base_url: str,
    ask: Callable[[dict[str, Any]], None] = lambda body: None,
    answer: Callable[[dict[str, Any], dict[str, Any]], None] = lambda body, reply: None,
) -> Iterator[str]:
    """A gateway that may change a chat request's body, and the whole answer (streams pass unchanged)."""
    at = urlsplit(base_url)

    async def handle(request: Request) -> Answer:
        body = json.loads(request.body or b"{}")
        sent = dict(body)
        ask(sent)
        headers = {name: request.headers[name] for name in ("authorization",) if name in request.headers}
        async with httpx.AsyncClient(timeout=15, trust_env=False) as client:
            url = f"{at.scheme}://{at.netloc}{request.target}"
            got = await client.request(request.method, url, json=sent if request.body else None, headers=headers)
        kind = got.headers.get("content-type", "")
        content = got.content
        if "json" in kind and got.status_code == 200 and request.body:
            reply = got.json()
            answer(body, reply)
            content = json.dumps(reply).encode()
        return Answer(got.status_code, {"Content-Type": kind}, content)

    with http_server(handle) as origin:
        yield f"{origin}{at.path}"


def no_usage(body: dict[str, Any], reply: dict[str, Any]) -> None:
    reply.pop("usage", None)


# Tools that are taken out on the way ---------------------------------------------------------------


@pytest.mark.parametrize("personality", ["plain", "declines", "refuses", "chatty", "reasoning"])
def test_stripped_tools_are_ignored_tools_whatever_the_model(personality: str) -> None:
    with Simulator(personality=personality, **FAST) as sim, strip_tools(sim.base_url) as url:
        report = probe(url, sim.key)
    assert codes(report, "tools") == {"tools.ignored"}
    assert verdicts(report)["tools"] is State.IGNORED


def test_stripped_and_declined_part_ways() -> None:
    with Simulator(personality="declines", **FAST) as sim:
        assert codes(probe(sim.base_url, sim.key), "tools") == {"tools.not-called"}
        with drop_fields(sim.base_url, "tools") as url:
            assert codes(probe(url, sim.key), "tools") == {"tools.ignored"}


def test_they_part_ways_without_token_counts() -> None:
    with Simulator(personality="declines", **FAST) as sim, gateway(sim.base_url, answer=no_usage) as silent:
        assert codes(probe(silent, sim.key), "tools") == {"tools.not-called"}
        with strip_tools(silent) as url:
            assert codes(probe(url, sim.key), "tools") == {"tools.ignored"}


def test_a_backend_that_misses_the_tools_gives_it_away() -> None:
    with (
        Simulator(personality="weak", **FAST) as sim,
        gateway(sim.base_url, answer=no_usage) as silent,
        drop_fields(silent, "tools") as url,
    ):
        report = probe(url, sim.key)
    assert codes(report, "tools") == {"tools.ignored"}
    assert "'tool_choice' is only allowed when 'tools' are specified" in report.findings[0].detail


def test_a_call_invented_by_the_model_is_not_a_missing_parser() -> None:
    def invent(body: dict[str, Any], reply: dict[str, Any]) -> None:
        if "weather in Paris" in str(body["messages"][-1]["content"]):
            reply["choices"][0]["message"] = {"role": "assistant", "content": HERMES}

    with Simulator(**FAST) as sim, gateway(sim.base_url, answer=invent) as inventive, strip_tools(inventive) as url:
        assert codes(probe(url, sim.key), "tools") == {"tools.ignored"}


def test_tools_left_out_of_streams_only() -> None:
    def drop(body: dict[str, Any]) -> None:
        if body.get("stream"):
            body.pop("tools", None)

    with Simulator(**FAST) as sim, gateway(sim.base_url, ask=drop) as url:
        report = probe(url, sim.key)
    assert codes(report, "tools") == {"tools.ignored"}
    assert verdicts(report)["tools"] is State.WORKS
    assert verdicts(report)["streaming_tools"] is State.IGNORED


def words(body: dict[str, Any], reply: dict[str, Any]) -> None:
    """Count the words of the messages and nothing else, as some mocks and gateways do."""
    said = sum(len(str(message.get("content")).split()) for message in body["messages"])
    reply["usage"] = {"prompt_tokens": said, "completion_tokens": 5, "total_tokens": said + 5}


def always_ten(body: dict[str, Any], reply: dict[str, Any]) -> None:
    reply["usage"] = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@pytest.mark.parametrize("usage", [words, always_ten])
@pytest.mark.parametrize(
    ("personality", "expected"), [("plain", set()), ("declines", {"tools.not-called"}), ("weak", set())]
)
def test_counts_without_the_tools_give_no_false_finding(usage: Any, personality: str, expected: set[str]) -> None:
    with Simulator(personality=personality, **FAST) as sim, gateway(sim.base_url, answer=usage) as url:
        report = probe(url, sim.key)
    assert codes(report, "tools") == expected


# Chance --------------------------------------------------------------------------------------------


def every(number: int) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Leak every so-many-th whole call, the first one too."""
    seen = {"calls": -1}

    def leak(body: dict[str, Any], reply: dict[str, Any]) -> None:
        message = reply["choices"][0]["message"]
        if message.get("tool_calls"):
            seen["calls"] += 1
            if seen["calls"] % number == 0:
                reply["choices"][0] |= {"message": {"role": "assistant", "content": HERMES}, "finish_reason": "stop"}

    return leak


def test_a_call_that_leaks_now_and_then_is_counted() -> None:
    with Simulator(**FAST) as sim, gateway(sim.base_url, answer=every(5)) as url:
        report = probe(url, sim.key)
    (finding,) = [item for item in report.findings if item.code == "tools.parser-missing"]
    assert "1 of 5 calls" in finding.detail
    assert finding.severity is Severity.WARNING
    assert verdicts(report)["tools"] is State.WORKS


def test_a_call_that_leaks_every_other_time_cannot_be_relied_on() -> None:
    with Simulator(**FAST) as sim, gateway(sim.base_url, answer=every(2)) as url:
        report = probe(url, sim.key)
    assert verdicts(report)["tools"] is State.BROKEN
    assert "3 of 5 calls" in next(item.detail for item in report.findings if item.code == "tools.parser-missing")


def test_fixed_trials_are_all_made() -> None:
    with Simulator(**FAST) as sim, gateway(sim.base_url, answer=every(4)) as url:
        report = probe(url, sim.key, trials=8)
    assert "2 of 8 calls" in next(item.detail for item in report.findings if item.code == "tools.parser-missing")


# Endpoints that are nothing like the built-in one --------------------------------------------------


def completion(message: dict[str, Any], finish: str = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return json.dumps({"id": "1", "object": "chat.completion", "choices": [choice], **more}).encode()


def stream(*deltas: dict[str, Any], finish: str = "stop") -> bytes:
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


@contextlib.contextmanager
def endpoint(reply: Callable[[dict[str, Any]], tuple[int, bytes]]) -> Iterator[str]:
    """An endpoint whose chat route answers with what `reply` makes of the body. Gives its base URL."""

    async def handle(request: Request) -> Answer:
        if not request.target.endswith("/v1/chat/completions") or request.method != "POST":
            return Answer(404, JSON, b'{"error": {"message": "not found"}}')
        body = json.loads(request.body)
        status, content = reply(body)
        kind = "text/event-stream" if content.startswith(b"data:") else "application/json"
        return Answer(status, {"Content-Type": kind}, content)

    with http_server(handle) as origin:
        yield f"{origin}/v1"


def last_text(body: dict[str, Any]) -> str:
    return str(body["messages"][-1].get("content"))


def test_an_echo_is_not_accused() -> None:
    def echo(body: dict[str, Any]) -> tuple[int, bytes]:
        if body.get("stream"):
            return 200, stream({"role": "assistant", "content": last_text(body)})
        return 200, completion({"content": last_text(body)})

    with endpoint(echo) as url:
        report = probe(url)
    assert codes(report, "tools", least=Severity.WARNING) <= {"tools.choice-ignored"}
    assert verdicts(report)["tools"] is State.UNKNOWN


def test_a_mock_with_one_call_for_everything_works() -> None:
    number = iter(range(1000))

    def mock(body: dict[str, Any]) -> tuple[int, bytes]:
        result = body["messages"][-1]["role"] == "tool"
        if not body.get("tools") or result:
            text = f"I see {last_text(body)}"
            return 200, stream({"content": text}) if body.get("stream") else completion({"content": text})
        call = {"id": f"call_{next(number)}", "type": "function"}
        function = {"name": body["tools"][0]["function"]["name"], "arguments": '{"city": "Paris"}'}
        if body.get("stream"):
            return 200, stream({"tool_calls": [{"index": 0, **call, "function": function}]}, finish="tool_calls")
        return 200, completion({"content": None, "tool_calls": [{**call, "function": function}]}, "tool_calls")

    with endpoint(mock) as url:
        report = probe(url)
    assert codes(report, "tools", least=Severity.WARNING) == set()
    found = verdicts(report)
    for name in ("tools", "tool_results", "tool_choice_required", "streaming_tools"):
        assert found[name] is State.WORKS, name


def test_a_mock_that_knows_one_question_is_not_accused() -> None:
    def mock(body: dict[str, Any]) -> tuple[int, bytes]:
        text = last_text(body)
        if text.startswith("Repeat exactly: "):
            return 200, completion({"content": text.removeprefix("Repeat exactly: ")})
        return 404, b'{"error": {"message": "No fixture matched", "code": "no_fixture_match"}}'

    with endpoint(mock) as url:
        report = probe(url)
    assert codes(report, "tools") == set()
    assert set(verdicts(report).values()) <= {State.UNKNOWN, State.WORKS}
    assert verdicts(report)["tools"] is State.UNKNOWN


def test_forced_calls_where_auto_breaks_the_server() -> None:
    def mismatch(body: dict[str, Any]) -> tuple[int, bytes]:
        if body.get("tool_choice") == "required":
            function = {"name": "get_weather", "arguments": '{\n\n"city": "Paris"\n}'}
            call = {"id": "wHLvisUehnkeIjfY", "type": "function", "function": function}
            if body.get("stream"):
                return 200, stream({"tool_calls": [{"index": 0, **call}]}, finish="tool_calls")
            return 200, completion({"content": "", "tool_calls": [call]}, "tool_calls")
        if body.get("tools"):
            message = "The model produced output that does not match the expected peg-native format"
            return 500, json.dumps({"error": {"code": 500, "message": message, "type": "server_error"}}).encode()
        return 200, completion({"content": last_text(body)})

    with endpoint(mismatch) as url:
        report = probe(url)
    assert codes(report, "tools") == {"tools.not-called"}
    found = verdicts(report)
    assert found["tool_choice_required"] is State.WORKS
    assert found["tools"] is State.UNKNOWN
    assert found["streaming_tools"] is State.WORKS


def test_a_call_that_only_a_grammar_makes() -> None:
    """llama-cpp-python's generic handler: the template drops the tools, and a named choice is forced all the same."""

    def generic(body: dict[str, Any]) -> tuple[int, bytes]:
        usage = {"prompt_tokens": 30 + sum(len(str(m.get("content"))) // 4 for m in body["messages"])}
        choice = body.get("tool_choice")
        if isinstance(choice, dict):
            name = choice["function"]["name"]
            arguments = {"city": "Paris"}
            if name == "save_note":
                arguments = {"title": "x", "stars": 3, "tags": ["y"], "place": {"city": "Paris"}}
            call = {"id": "call__0_x", "type": "function"}
            call["function"] = {"name": name, "arguments": json.dumps(arguments)}  # type: ignore[assignment]
            return 200, completion({"content": None, "tool_calls": [call]}, "tool_calls", usage=usage)
        system = next((m["content"] for m in body["messages"] if m["role"] == "system"), "")
        return 200, completion({"content": system or last_text(body)[-12:]}, usage=usage)

    with endpoint(generic) as url:
        report = probe(url)
    assert "tools.ignored" in codes(report, "tools")
    assert verdicts(report)["tool_choice_named"] is State.WORKS


def test_mistral_and_gemini_streams_without_an_index() -> None:
    number = iter(range(1000))

    def whole(body: dict[str, Any]) -> tuple[int, bytes]:
        cities = ["Paris", "Rome"] if "Rome" in last_text(body) else ["Paris"]
        if body["messages"][-1]["role"] == "tool":
            told = " ".join(str(m["content"]) for m in body["messages"] if m["role"] == "tool")
            return 200, completion({"content": told})
        if not body.get("tools"):
            return 200, completion({"content": last_text(body)})
        name = body["tools"][-1]["function"]["name"]
        arguments = {"title": "x", "stars": 3, "tags": ["y"], "place": {"city": "Paris"}} if name == "save_note" else {}
        calls = [
            {
                "id": f"gSIMJi{next(number):03}",
                "function": {"name": name, "arguments": json.dumps(arguments or {"city": city})},
            }
            for city in cities
        ]
        if body.get("stream"):
            return 200, stream({"tool_calls": calls}, finish="tool_calls")
        return 200, completion({"content": "", "tool_calls": calls}, "tool_calls")

    with endpoint(whole) as url:
        report = probe(url)
    assert codes(report, "tools") == {"tools.stream-index"}
    (finding,) = [item for item in report.findings if item.code == "tools.stream-index"]
    assert finding.severity is Severity.ERROR
    assert "joins by index gets 1 call" in finding.detail
    assert verdicts(report)["tools"] is State.WORKS
    assert verdicts(report)["parallel_tools"] is State.BROKEN
