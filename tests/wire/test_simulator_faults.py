"""Faults together, on every style, and those that no table of effects names."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import httpx
import pytest

from checks.dialects.dialect import Called
from checks.dialects.messages import Messages
from checks.dialects.responses import Responses
from checks.tools.agent_values import agent_question, agent_tools
from checks.tools.call_limits import text_tool
from checks.tools.long_arguments import long_text
from checks.vision.reading import quadrants
from probe.simulator import Simulator, all_faults
from tests.wire.test_simulator_access import effect as access
from tests.wire.test_simulator_access import typed_url_is_wrong
from tests.wire.test_simulator_answers import effect as answers
from tests.wire.test_simulator_client import CLOCK, COUNT, FAST, WEATHER, Client, raw, request_bytes
from tests.wire.test_simulator_effects import (
    AS_OBJECT,
    AS_SCHEMA,
    BOTH,
    CODE,
    OSLO,
    block,
    pictured,
    turn,
    typed_chat,
    with_result,
)
from tests.wire.test_simulator_streams import effect as streams
from tests.wire.test_simulator_streams import no_usage
from tests.wire.test_simulator_tools import effect as tools
from tests.wire.test_simulator_tools import left_in_the_text

EFFECTS = [*access.table, *answers.table, *streams.table, *tools.table]


def known_faults() -> set[str]:
    return {fault.partition("=")[0] for fault, _, _ in EFFECTS}


def test_the_table_names_only_faults_that_exist() -> None:
    assert known_faults() <= {info.name for info in all_faults()}
    assert len(known_faults()) > 170


def agent_bodies(client: Client) -> list[dict[str, Any]]:
    """Requests as agents send them: rich tools, unusual orders of messages, cut and forbidden calls."""
    tools = agent_tools()
    asked = agent_question(tools)
    rules, question = turn("system", "Be brief."), turn("user", CODE)
    return [
        client.body(asked, {"tools": tools}),
        client.body(asked, {"tools": tools, "stream": True}),
        client.body(OSLO, {"tools": [WEATHER], "stream": True}),
        client.body(OSLO, {"tools": [WEATHER], "tool_choice": "none"}),
        client.body(OSLO, {"tools": [WEATHER], "tool_choice": "none", "stream": True}),
        client.body(OSLO, {"tools": [WEATHER], "max_tokens": 10}),
        client.body(OSLO, {"tools": [WEATHER], "max_tokens": 10, "stream": True}),
        client.body(with_result(), {"tools": [WEATHER], "stream": True}),
        client.body(f"Call save_text with text `{long_text()}`", {"tools": [text_tool()], "stream": True}),
        client.body([rules, rules, question], {}),
        client.body([question, rules, question], {}),
        client.body([question, question], {}),
        client.body([*with_result(), question], {"tools": [WEATHER]}),
        client.body(with_result(), {}),
        client.body(
            [{key: item for key, item in one.items() if key != "content" or item} for one in with_result()], {}
        ),
        client.body([question, turn("assistant", "It is")], {"store": False}),
        client.body([question], {"reasoning_effort": "low"}),
    ]


def text_within(response: httpx.Response, seconds: float) -> str:
    """The body of a response, or as much of it as comes within that time."""
    ends = time.monotonic() + seconds
    return "".join(takewhile(lambda _: time.monotonic() < ends, response.iter_text()))


def battery(client: Client) -> list[tuple[int, str]]:
    """Statuses and bodies of many different requests, without what is random in them."""
    url, http = client.base + "/chat/completions", client.http
    bodies: list[dict[str, Any]] = [
        client.body(CODE, {}),
        client.body(CODE, {"max_tokens": 3, "stop": ["8"]}),
        client.body(CODE, {"frobnicate": 1}),
        client.body(CODE, {"temperature": 0.5, "top_p": 0.9}),
        client.body(CODE, {"temperature": 0}),
        client.body(CODE + " " * 40_000, {}),
        client.body(CODE, {"max_completion_tokens": 3, "n": 2, "seed": 1, "logprobs": True}),
        client.body([], {}),
        client.body([turn("system", "The code is QT-5512."), turn("user", "What is the code?")], {"user": "x"}),
        client.body([turn("user", block(CODE))], {}),
        client.body(pictured(), {}),
        client.body("Hi", {"model": "no-such"}),
        client.body(with_result(), {"tools": [WEATHER]}),
        client.body(BOTH, {"tools": [WEATHER, CLOCK]}),
        client.body("Say hello", {"tools": [WEATHER], "tool_choice": "required"}),
        client.body("x " * 3000, {}),
        client.body("Use RR-2.", {"response_format": AS_SCHEMA}),
        client.body("Use it.", {"response_format": AS_OBJECT}),
        client.body(CODE, {"stream": True, "stream_options": {"include_usage": True}}),
        client.body(BOTH, {"stream": True, "tools": [WEATHER, CLOCK]}),
        client.body("Repeat exactly: Grüße", {}),
        client.body("Count from 1 to 12.", {"stream": True}),
    ]
    bodies += agent_bodies(client)
    requests = [("POST", url, body) for body in bodies]
    requests += [
        ("GET", client.base + "/models", None),
        ("POST", client.sim.typed_url + "/chat/completions", bodies[0]),
    ]
    requests += [("POST", client.base + "/responses", {"model": client.sim.model, "input": CODE, "stream": True})]
    made = []
    for method, place, body, headers in [*((*one, {}) for one in requests), *asked_otherwise(url, bodies[0])]:
        given = {"json": body} if body is not None else {}
        with http.stream(method, place, headers=headers, **given) as response:
            text = f"{response.headers.get('content-type')} {text_within(response, 2.0)}"
        if method == "POST":
            text = re.sub(r'"(?:id|call_id|item_id|request_id)":"(?!call_\d+"|chat\.id)[^"]*"', "", text)
        text = re.sub(r'"created(?:_at)?":\d{10}\b', "", text)
        made.append((response.status_code, text))
    return made


def asked_otherwise(url: str, body: dict[str, Any]) -> list[tuple[str, str, Any, dict[str, str]]]:
    """The same question by an SDK, and what a browser sends before it."""
    sdk = {"User-Agent": "AsyncOpenAI/Python 1.99.0", "x-stainless-lang": "python"}
    preflight = {"Origin": "https://page.example", "Access-Control-Request-Headers": "content-type"}
    return [("POST", url, body, sdk), ("OPTIONS", url, None, preflight)]


def other_apis(client: Client) -> list[tuple[int, str]]:
    """The same of the Responses and Messages APIs, whole and streamed, with a tool and its result."""
    tool = WEATHER["function"]
    bodies: list[tuple[str, dict[str, Any]]] = []
    call = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"city": "Oslo"}'}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "Sunny, station VX-9912."}
    asked = {"input": OSLO, "tools": [{"type": "function", **tool}]}
    told = {"input": CODE, "instructions": "The code is QT-5512.", "include": ["reasoning.encrypted_content"]}
    used = {"input": [turn("user", OSLO), call, result]}
    first = client.http.post(client.base + "/responses", json={"model": client.sim.model, "input": CODE})
    found = re.search(r'"id":"(resp_[^"]*)"', first.text)
    continued = {"input": "Again.", "previous_response_id": found[1] if found else ""}
    bodies += [("/responses", body) for body in ({"input": CODE}, asked, told, used, continued)]
    use = {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {"city": "Oslo"}}
    hidden = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    taken = {"type": "tool_result", "tool_use_id": "call_1", "content": "Sunny, station VX-9912."}
    turns = [turn("user", OSLO), turn("assistant", [hidden, use]), turn("user", [taken])]
    offered = [{"name": tool["name"], "description": "Weather", "input_schema": tool["parameters"]}]
    system = [{"type": "text", "text": "The code is QT-5512."}]
    told = {"messages": [turn("user", CODE)], "system": system, "metadata": {"user_id": "x"}}
    said: list[dict[str, Any]] = [
        {"messages": [turn("user", CODE)]},
        {"messages": [turn("user", OSLO)], "tools": offered},
    ]
    bodies += [("/messages", {"max_tokens": 300, **body}) for body in (*said, told, {"messages": turns})]
    bodies += [("/messages/count_tokens", said[0])]
    bodies += by_agents(client)
    made = []
    for path, body in bodies:
        for stream in ({}, {"stream": True}):
            answer = client.http.post(client.base + path, json={"model": client.sim.model, **body, **stream})
            text = re.sub(
                r'"(?:id|call_id|item_id|tool_use_id|signature|previous_response_id)":"[^"]*"', '"id"', answer.text
            )
            made.append((answer.status_code, re.sub(r'"created(?:_at)?":\d{10}\b', "", text)))
    return made


def by_agents(client: Client) -> list[tuple[str, dict[str, Any]]]:
    """Requests as agents of the other APIs send them, two calls and their results, a picture and a schema."""
    made: list[tuple[str, dict[str, Any]]] = []
    numbers = ["VX-9912", "VX-1234"]
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    for api in (Responses(), Messages()):
        called = [Called(f"call_{place}", "get_weather", {"city": "Oslo"}) for place in (0, 1)]
        plain = {"type": "function_call", "name": "get_weather", "arguments": "{}"}
        made_calls = [{**plain, "call_id": call.id} for call in called]
        turns: dict[str, list[Any]] = {
            "responses": [
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"},
                *made_calls,
            ],
            "messages": [
                turn("assistant", [
                    {"type": "thinking", "thinking": "Hm.", "signature": ""},
                    *({"type": "tool_use", "id": call.id, "name": call.name, "input": {}} for call in called),
                ]),
            ],
        }  # fmt: skip
        results = api.results(list(zip(called, numbers, strict=True)))
        asked = api.user("What is the weather in Paris and in Rome? Use the get_weather tool for each.", parts=True)
        lists: list[list[Any]] = [[asked], [asked, *turns[api.name], *results]]
        # Without what was thought before the calls.
        lists.append([asked, *turns["responses"][1:], *results] if api.name == "responses" else [asked, turn(
            "assistant", turns["messages"][0]["content"][1:]), *results])  # fmt: skip
        for turns_sent in lists:
            body = api.request(client.sim.model, turns_sent, 300, tools=[WEATHER])
            made += [(api.operation, body), (api.operation, dict(api.as_agent(body, "Be QT-5512.", "Be QT-1111.")))]
        shown = api.user("Name the colour of each quadrant of this picture.", picture=quadrants(("red",) * 4, 64))
        made.append((api.operation, api.request(client.sim.model, [shown], 300)))
        made.append((api.operation, {**api.request(client.sim.model, [api.user("In Oslo.")], 300), **api.form(schema)}))
    counted = Messages().request(client.sim.model, [turn("user", CODE)], 300, tools=[WEATHER])
    first = client.http.post(client.base + "/responses", json={"model": client.sim.model, "input": CODE})
    found = re.search(r'"id":"(resp_[^"]*)"', first.text)
    output = Responses().results([(Called("call_1", "get_weather", {}), "Sunny")])
    continued = {"input": output, "previous_response_id": found[1] if found else ""}
    return [*made, ("/messages/count_tokens", counted), ("/responses", continued)]


#: Heartbeats show in time alone, and one failure is gone when it is compared.
_IN_TIME = ("responses-no-heartbeat", "messages-no-heartbeat", "responses-server-error-once")
OTHER_APIS = [
    info
    for info in all_faults()
    if info.name.startswith(("responses-", "messages-", "no-messages")) and info.name not in _IN_TIME
]


@pytest.fixture(scope="module")
def healthy_apis() -> dict[str, list[tuple[int, str]]]:
    found = {}
    for style in ("openai", "litellm"):
        with Simulator(style, **FAST) as sim, Client(sim) as client:
            found[style] = other_apis(client)
            assert other_apis(client) == found[style]
    return found


@pytest.mark.parametrize("info", OTHER_APIS, ids=[info.name for info in OTHER_APIS])
def test_every_fault_of_another_api_changes_it(info: Any, healthy_apis: dict[str, list[tuple[int, str]]]) -> None:
    with Simulator(info.home, faults=[info.name], **FAST) as sim, Client(sim) as client:
        if info.name == "responses-item-id-changes":  # random in themselves
            assert '_0","output_index"' in client.http.post(
                client.base + "/responses", json={"model": client.sim.model, "input": CODE, "stream": True}
            ).text.replace(" ", "")
        elif info.name.endswith("same-id"):
            sent = next(body for path, body in by_agents(client) if path == f"/{info.name.partition('-')[0]}")
            answer = client.http.post(client.base + f"/{info.name.partition('-')[0]}", json=sent)
            assert len(re.findall(r'"(?:id|call_id)": ?"call_0"', answer.text)) == 2
        else:
            assert other_apis(client) != healthy_apis[info.home]


# Timers show only in slow answers: theirs must be in a table.
UNLISTED = sorted(
    info.name
    for info in all_faults()
    if info.name not in known_faults() and info not in OTHER_APIS and not info.name.startswith("idle-")
)


@pytest.mark.parametrize("name", UNLISTED)
def test_every_other_fault_changes_something(name: str) -> None:
    with Simulator(**FAST) as sim, Client(sim) as client:
        healthy = battery(client)
    with Simulator(faults=[name], **FAST) as sim, Client(sim) as client:
        assert battery(client) != healthy


def test_the_battery_itself_is_steady() -> None:
    with Simulator(**FAST) as sim, Client(sim) as client:
        assert battery(client) == battery(client)


def everyday(client: Client) -> Iterator[object]:
    """What an ordinary client does all day."""
    yield client.said(CODE)
    yield client.stream(stream_options={"include_usage": True}).text
    yield client.message(OSLO, tools=[WEATHER])["tool_calls"][0]["function"]
    yield "VX-9912" in client.said(with_result(block("Sunny, station VX-9912.")), tools=[WEATHER])


QUIRKS = [info.name for info in all_faults() if not info.yields]
#: Those that change what the model says.
MODELS = ("weak-model", "chatty-model", "think-tags", "tool-arguments-invented")


@pytest.mark.parametrize("name", [name for name in QUIRKS if name not in MODELS])
def test_harmless_oddities_change_nothing_that_matters(name: str) -> None:
    with Simulator(**FAST) as sim, Client(sim) as client:
        expected = list(everyday(client))
    quick = {"slow-first-token": "slow-first-token=0.01", "loading-503": "loading-503=0"}
    with Simulator(faults=[quick.get(name, name)], **FAST) as sim, Client(sim) as client:
        if name in ("cr",):
            assert client.said(CODE) == expected[0]
        else:
            assert list(everyday(client)) == expected


@pytest.mark.parametrize(("name", "reads_system"), [("small-model", True), ("copying-model", False)])
def test_a_small_model_uses_the_newest_question_and_little_else(name: str, reads_system: bool) -> None:
    with Simulator(faults=[name], **FAST) as sim, Client(sim) as client:
        assert "48213" in client.said("The code is ZEBRA-48213. What is the code?")
        asked = [turn("system", "The code is ZEBRA-48213."), turn("user", "What is the code?")]
        assert ("48213" in client.said(asked)) is reads_system
        earlier = [
            turn("user", "The code is ZEBRA-48213."),
            turn("assistant", "Hello!"),
            turn("user", "What is the code?"),
        ]
        assert "48213" not in client.said(earlier)
        assert not client.message(OSLO, tools=[WEATHER]).get("tool_calls")
        assert "VX-9912" not in client.said(with_result(block("Sunny, station VX-9912.")), tools=[WEATHER])


def test_faults_compose() -> None:
    given = ["missing-v1", "tools-as-text", "stream-no-usage"]
    with Simulator(faults=given, **FAST) as sim, Client(sim) as client:
        typed_url_is_wrong(client)
        left_in_the_text(client)
        no_usage(client)


@pytest.mark.parametrize("style", ["openai", "vllm", "llamacpp", "ollama"])
def test_faults_work_on_every_style(style: str) -> None:
    given = ["missing-v1", "tools-as-hermes", "system-ignored", "max-tokens-ignored", "stream-no-done"]
    with Simulator(style, given, **FAST) as sim, Client(sim) as client:
        assert sim.typed_url == sim.origin
        assert typed_chat(client).status_code in (401, 404)
        assert "<tool_call>" in client.said(OSLO, tools=[WEATHER])
        assert "QT-5512" not in client.said([turn("system", "The code is QT-5512."), turn("user", "What is the code?")])
        assert client.stream(max_tokens=3).text == "1\n2\n3\n4\n5"
        assert "[DONE]" not in client.stream().events


def test_buffers_and_timers_compose() -> None:
    given = ["stream-held", "idle-l7-timeout=0.3", "crlf"]
    with Simulator(faults=given, rate_tokens_s=50.0) as sim, Client(sim) as client:
        made = client.stream(COUNT.format(30))
        assert made.status == 504
        assert client.stream(COUNT.format(3)).body.count(b"\r\n\r\n") == 8


def test_heartbeats_survive_an_idle_timer_but_no_deadline() -> None:
    slow = {"rate_tokens_s": 100.0, "first_token_s": 0.8}
    with Simulator(faults=["idle-l7-timeout=0.4"], **slow) as sim, Client(sim) as client:
        assert client.stream().status == 504
    with Simulator(faults=["heartbeats=0.1", "idle-l7-timeout=0.4"], **slow) as sim, Client(sim) as client:
        assert client.stream().text == "1\n2\n3\n4\n5"
    with Simulator(faults=["heartbeats=0.1", "idle-total-deadline=0.4"], **slow) as sim, Client(sim) as client:
        assert client.stream().error is not None


def test_raw_cut_leaves_out_the_last_chunk() -> None:
    with Simulator(faults=["stream-truncated=cut"], **FAST) as sim:
        head, payload = request_bytes(
            sim, {"model": sim.model, "stream": True, "messages": [turn("user", COUNT.format(20))]}, ""
        )
        answer = raw(sim, head + b"Content-Length: %d\r\n\r\n" % len(payload) + payload)
    assert b"Transfer-Encoding: chunked" in answer
    assert not answer.endswith(b"0\r\n\r\n")
