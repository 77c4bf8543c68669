"""Every server style: what it does alike, and what marks it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from probe.simulator import Simulator, all_styles
from probe.simulator.registry import make_style
from tests.wire.test_simulator_client import CLOCK, COUNT, FAST, WEATHER, Client

NAMES = [style.name for style in all_styles()]


@pytest.fixture(params=NAMES)
def client(request: pytest.FixtureRequest) -> Any:
    with Simulator(request.param, **FAST) as sim, Client(sim) as made:
        yield made


def test_chat_works_whole_and_streamed(client: Client) -> None:
    assert client.said("Reply with exactly: KX-48213") == "KX-48213"
    made = client.stream(stream_options={"include_usage": True})
    assert made.text == "1\n2\n3\n4\n5"
    assert made.finish == ["stop"]
    assert made.events[-1] == "[DONE]"
    usage = [event["usage"] for event in made.events if isinstance(event, dict) and event.get("usage")]
    assert usage[-1]["completion_tokens"] == 9
    assert made.headers["content-type"].startswith("text/event-stream")
    assert not [event for event in client.stream().events if isinstance(event, dict) and event.get("usage")]


def test_blocks_reach_the_model_in_every_role(client: Client) -> None:
    def block(text: str) -> list[dict[str, str]]:
        return [{"type": "text", "text": text}]

    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'}}
    assert "AA-1111" in client.said([{"role": "user", "content": block("Reply with exactly: AA-1111")}])
    turns: list[dict[str, Any]] = [
        {"role": "system", "content": block("The first code is BB-2222.")},
        {"role": "user", "content": block("Note the codes.")},
        {"role": "assistant", "content": block("The second code is CC-3333.")},
        {"role": "user", "content": block("Repeat all the codes you were given.")},
    ]
    said = client.said(turns)
    assert "BB-2222" in said
    assert "CC-3333" in said
    turns = [
        {"role": "user", "content": "What is the weather in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": block("Sunny, station DD-4444.")},
    ]
    assert "DD-4444" in client.said(turns, tools=[WEATHER])


def test_tools_whole_and_streamed_agree(client: Client) -> None:
    question = "What is the weather in Paris and what time is it in Tokyo?"
    message = client.message(question, tools=[WEATHER, CLOCK])
    names = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message["tool_calls"]]
    assert names == [("get_weather", {"city": "Paris"}), ("get_time", {"city": "Tokyo"})]
    ids = [call["id"] for call in message["tool_calls"]]
    assert len(set(ids)) == 2
    made = client.stream(question, tools=[WEATHER, CLOCK])
    joined = [(call["name"], json.loads(call["arguments"])) for _, call in sorted(made.calls.items())]
    assert joined == names
    assert made.finish == ["tool_calls"]
    forced = client.chat("Hello there", tools=[WEATHER], tool_choice="required").json()["choices"][0]
    assert forced["message"]["tool_calls"]
    assert forced["finish_reason"] == "tool_calls"


def test_schema_and_limits(client: Client) -> None:
    schema = {"type": "object", "properties": {"code": {"enum": ["QQ-1", "RR-2"]}}, "required": ["code"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    assert json.loads(client.said("Use RR-2.", response_format=form)) == {"code": "RR-2"}
    cut = client.chat(COUNT.format(100), max_tokens=7).json()
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 7
    assert "developer" not in client.said(
        [{"role": "developer", "content": "Always end with ZZ-9."}, {"role": "user", "content": "Say hello"}]
    )


def test_errors_are_errors(client: Client) -> None:
    style = client.sim.style
    assert client.chat([{"role": "user", "content": "x " * 40000}]).status_code in (400, 422)
    wrong = client.http.post(client.base + "/chat/completions", content=b'{"model": ')
    assert 400 <= wrong.status_code < 500 or style.name == "textgen-webui"
    assert (
        400 <= client.http.post(client.base + "/chat/completions", json={"model": client.sim.model}).status_code < 500
    )
    unknown = client.chat("Say pong", model="no-such-model-xyz")
    assert (unknown.status_code >= 400) == ("models.id-not-checked" not in style.yields)


def test_keys(client: Client) -> None:
    sim = client.sim
    if sim.key is None:
        assert sim.style.name == "ollama"
        return
    for key in (None, "sk-wrong-0123456789abcdefghij"):
        with Client(sim, key=key) as other:
            for response in (other.models(), other.chat("Say pong")):
                assert response.status_code == (403 if sim.style.name == "cerebras" and key is None else 401)
                assert key is None or key not in response.text


def test_responses_where_it_is_served(client: Client) -> None:
    served = "/responses" in client.sim.style.routes
    body = {"model": client.sim.model, "input": "Say pong"}
    response = client.http.post(client.base + "/responses", json=body)
    if not served:
        assert response.status_code in (200, 404)
        assert "pong" not in response.text
        return
    assert response.json()["output"][0]["content"][0]["text"] == "pong"
    streamed = client.http.post(client.base + "/responses", json={**body, "stream": True}).text
    assert "event: response.completed" in streamed
    assert '"delta":"pong"' in streamed


# What marks them -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "path", "status", "part"),
    [
        ("openai", "/v1//chat/completions", 404, "Invalid URL (POST /v1//chat/completions)"),
        ("openai", "/chat/completions", 404, "Invalid URL"),
        ("vllm", "/chat/completions", 404, '{"detail":"Not Found"}'),
        ("vllm", "/v1/chat/completions/", 307, ""),
        ("vllm", "/v1/v1/chat/completions", 404, '{"detail":"Not Found"}'),
        ("llamacpp", "/v1/chat/completions/", 404, "File Not Found"),
        ("llamacpp", "/v1//chat/completions", 404, "File Not Found"),
        ("llamacpp", "/chat/completions", 400, "'messages' is required"),
        ("ollama", "/chat/completions", 404, "404 page not found"),
        ("ollama", "/", 405, "405 method not allowed"),
        ("lmstudio", "/chat/completions", 200, "Unexpected endpoint or method. (POST /chat/completions)"),
        ("groq", "/openai/v1/v1/chat/completions", 404, "Unknown request URL: POST /openai/v1/v1/chat/completions"),
        ("litellm", "/chat/completions", 400, "Missing required parameter: 'messages'"),
        ("fireworks", "/inference/v1/nosuchroute", 404, "Path not found: /v1/nosuchroute"),
        ("cerebras", "/nope", 404, ""),
        ("together", "/nope", 404, "<!DOCTYPE html>"),
    ],
)
def test_paths(style: str, path: str, status: int, part: str) -> None:
    with Simulator(style, **FAST) as sim, Client(sim) as client:
        response = client.http.post(sim.origin + path, json={})
        assert (response.status_code, part in response.text) == (status, True), response.text


@pytest.mark.parametrize(
    ("style", "path", "part"),
    [
        ("vllm", "/version", '"version"'),
        ("vllm", "/v1/models", '"max_model_len":16384'),
        ("llamacpp", "/props", '"build_info"'),
        ("llamacpp", "/health", '{"status":"ok"}'),
        ("llamacpp", "/v1/models", '"owned_by":"llamacpp"'),
        ("ollama", "/", "Ollama is running"),
        ("ollama", "/api/version", '"version"'),
        ("ollama", "/v1/models", '"owned_by":"library"'),
        ("lmstudio", "/api/v0/models", '"max_context_length"'),
        ("textgen-webui", "/v1/internal/model/info", '"lora_names"'),
        ("sglang", "/model_info", '"is_generation"'),
    ],
)
def test_marks(style: str, path: str, part: str) -> None:
    with Simulator(style, **FAST) as sim, Client(sim) as client:
        assert part in client.http.get(sim.origin + path).text


def test_vllm_and_llamacpp_on_the_wire() -> None:
    with Simulator("vllm", **FAST) as sim, Client(sim) as client:
        named = {"type": "function", "function": {"name": "get_weather"}}
        choice = client.chat("Weather in Oslo?", tools=[WEATHER], tool_choice=named).json()["choices"][0]
        assert choice["finish_reason"] == "stop"
        assert choice["message"]["tool_calls"][0]["id"].startswith("chatcmpl-tool-")
        assert client.models().headers["server"] == "uvicorn"
        assert client.chat("Say pong", model="").status_code == 200
        plain = client.http.post(
            client.base + "/chat/completions", content=b"{}", headers={"content-type": "text/plain"}
        )
        assert plain.status_code == 400
    with Simulator("llamacpp", **FAST) as sim, Client(sim) as client:
        answer = client.chat("Say pong", model="anything")
        assert answer.json()["model"] == sim.model
        assert "timings" in answer.json()
        assert answer.headers["server"] == "llama.cpp"
        bare = client.http.get(client.base + "/models", headers={"authorization": str(sim.key)})
        assert bare.status_code == 200
        assert client.chat("Say pong", n=2).status_code == 400


def test_styles_say_what_is_true_of_them_without_a_fault() -> None:
    assert [name for name in ("openai", "vllm", "ollama") if make_style(name).yields] == []
