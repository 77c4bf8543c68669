"""Every fault is seen on the wire: what a client gets that it would not get without it."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from probe.simulator import Simulator, faults
from probe.simulator.markup import FORMATS

from .test_simulator_client import CITY, CLOCK, COUNT, FAST, WEATHER, Client, request_bytes

Effect = Callable[[Client], None]
EFFECTS: list[tuple[str, dict[str, Any], Effect]] = []
CODE = "Reply with exactly: KX-48213"
OSLO = "What is the weather in Oslo?"
BOTH = "What is the weather in Paris and what time is it in Tokyo?"


def effect(*given: str, **settings: Any) -> Callable[[Effect], Effect]:
    """Registers what is to be seen with each of the given faults."""

    def register(check: Effect) -> Effect:
        EFFECTS.extend((fault, {**FAST, **settings}, check) for fault in given)
        return check

    return register


def turn(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def block(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def made_call(content: Any = None) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    return turn("assistant", content, tool_calls=[{"id": "call_1", "type": "function", "function": function}])


def with_result(content: Any = "Sunny, station VX-9912.") -> list[dict[str, Any]]:
    return [turn("user", OSLO), made_call(), turn("tool", content, tool_call_id="call_1")]


def refused(response: httpx.Response, *statuses: int) -> str:
    assert response.status_code in (statuses or (400,)), response.text
    return response.text


def works(client: Client) -> None:
    assert client.said(CODE) == "KX-48213"


def typed_chat(client: Client) -> httpx.Response:
    """A request to the URL as typed, joined as a simple client joins it."""
    return client.http.post(client.sim.typed_url + "/chat/completions", json=client.body(CODE, {}))


# URL -------------------------------------------------------------------------------------------------------


@effect("missing-v1", "api-under-openai-v1", "api-under-api-v1", "api-under-inference-v1")
@effect("trailing-slash", "operation-path", "models-path", "duplicate-path")
def _typed_url_is_wrong(client: Client) -> None:
    works(client)
    assert client.sim.typed_url != client.sim.base_url
    assert typed_chat(client).status_code == 404


@effect("web-ui")
def _web_page_beside_the_api(client: Client) -> None:
    works(client)
    assert "<html" in typed_chat(client).text


@effect("redirect-post", "redirect-post=302")
def _redirect_loses_the_method(client: Client) -> None:
    works(client)
    assert typed_chat(client).status_code in (301, 302)
    moved = client.http.post(
        client.sim.typed_url + "/chat/completions", json=client.body(CODE, {}), follow_redirects=True
    )
    assert (moved.request.method, moved.status_code) == ("GET", 405)


@effect("redirect-307")
def _redirect_keeps_the_method(client: Client) -> None:
    assert typed_chat(client).status_code == 307
    moved = client.http.post(
        client.sim.typed_url + "/chat/completions", json=client.body(CODE, {}), follow_redirects=True
    )
    assert "KX-48213" in moved.text


@effect("redirect-other-origin")
def _redirect_to_another_origin(client: Client) -> None:
    place = typed_chat(client).headers["location"]
    assert place.startswith("http://localhost:")
    assert "KX-48213" in client.http.post(place, json=client.body(CODE, {})).text


@effect("web-page", "catch-all-200", "empty-200")
def _success_for_everything(client: Client) -> None:
    for path in ("/v1/chat/completions", "/no/such/path"):
        response = client.http.post(client.sim.origin + path, json=client.body(CODE, {}))
        assert response.status_code == 200
        assert "KX-48213" not in response.text


@effect("no-chat")
def _nothing_anywhere(client: Client) -> None:
    assert {client.http.post(client.sim.origin + path, json={}).status_code for path in ("/", "/v1/models")} == {404}
    assert client.chat(CODE).status_code == 404


# Connection ------------------------------------------------------------------------------------------------


@effect("connect-reset")
def _reset_at_once(client: Client) -> None:
    with pytest.raises(httpx.ReadError):
        client.models()


@effect("connect-silent")
def _never_answers(client: Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        client.http.get(client.base + "/models", timeout=0.4)


@effect("tls", "tls-expiring")
def _good_certificate(client: Client) -> None:
    assert client.base.startswith("https://localhost:")
    works(client)


@effect("tls-untrusted", "tls-expired", "tls-hostname")
def _bad_certificate(client: Client) -> None:
    with pytest.raises(httpx.ConnectError) as caught:
        client.models()
    texts = {
        "tls-untrusted": "self-signed|unable to get local issuer",
        "tls-expired": "expired",
        "tls-hostname": "mismatch",
    }
    wanted = texts[client.sim.faults[0].name]
    assert any(part in str(caught.value) for part in wanted.split("|"))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    assert httpx.get(client.base + "/models", verify=context, trust_env=False).status_code == 401


# Keys ------------------------------------------------------------------------------------------------------


@effect("auth-required", "auth-rejected")
def _user_has_no_good_key(client: Client) -> None:
    assert client.chat(CODE).status_code == 401
    with Client(client.sim, key=client.sim.site.key) as good:
        works(good)


@effect("auth-wrong-scheme", "auth-wrong-scheme=api-key")
def _key_in_another_header(client: Client) -> None:
    assert client.chat(CODE).status_code == 401
    name = client.sim.faults[0].given or ""
    client.http.headers[name] = str(client.sim.key)
    works(client)


@effect("auth-not-checked")
def _any_key(client: Client) -> None:
    for key in (None, "sk-wrong"):
        with Client(client.sim, key=key) as other:
            works(other)


@effect("auth-models-exempt")
def _list_is_open(client: Client) -> None:
    with Client(client.sim, key=None) as other:
        assert other.models().status_code == 200
        assert other.chat(CODE).status_code == 401


@effect("auth-wrong-status", "auth-wrong-status=403", "auth-wrong-status=404", "auth-wrong-status=500")
def _another_status(client: Client) -> None:
    works(client)
    with Client(client.sim, key="sk-wrong") as other:
        assert str(other.chat(CODE).status_code) == client.sim.faults[0].given


@effect("auth-key-reflected")
def _key_in_the_error(client: Client) -> None:
    with Client(client.sim, key="sk-wrong-0123456789") as other:
        assert "sk-wrong-0123456789" in refused(other.chat(CODE), 401)


# Models ----------------------------------------------------------------------------------------------------


@effect("models-no-list")
def _no_list(client: Client) -> None:
    works(client)
    refused(client.models(), 404)


@effect("models-bare-array")
def _array(client: Client) -> None:
    assert [card["id"] for card in client.models().json()] == [client.sim.model]


@effect("models-empty-list", "models-not-listed")
def _not_in_the_list(client: Client) -> None:
    works(client)
    assert client.sim.model not in [card["id"] for card in client.models().json()["data"]]


@effect("models-id-unknown")
def _misspelt(client: Client) -> None:
    assert client.sim.model not in client.sim.site.models
    refused(client.chat(CODE), 404)
    assert client.chat(CODE, model=client.sim.site.model).status_code == 200


@effect("models-id-not-checked")
def _invented(client: Client) -> None:
    assert client.chat(CODE, model="no-such-model-xyz").json()["model"] == "no-such-model-xyz"


@effect("models-id-differs")
def _another_model(client: Client) -> None:
    assert client.chat(CODE).json()["model"] != client.sim.model
    assert client.stream().events[0]["model"] != client.sim.model


# Content and roles -----------------------------------------------------------------------------------------


@effect("blocks-rejected", "blocks-rejected=422", "blocks-rejected=500")
def _blocks_refused(client: Client) -> None:
    works(client)
    assert str(client.chat([turn("user", block(CODE))]).status_code) == client.sim.faults[0].given


@effect("blocks-rejected-system", "blocks-rejected-assistant", "blocks-rejected-tool")
def _blocks_refused_in_one_role(client: Client) -> None:
    role = client.sim.faults[0].name.rpartition("-")[2]
    turns = [*with_result(), turn("assistant", "Noted."), turn("system", "Be brief."), turn("user", CODE)]
    assert client.chat(turns).status_code == 200
    for place, one in enumerate(turns):
        if one["content"] is not None:
            changed = [*turns[:place], {**one, "content": block(one["content"])}, *turns[place + 1 :]]
            assert client.chat(changed).status_code == (400 if one["role"] == role else 200), one


@effect("blocks-ignored")
def _blocks_dropped(client: Client) -> None:
    works(client)
    assert "KX-48213" not in client.said([turn("user", block(CODE))])


@effect("blocks-truncated")
def _second_block_dropped(client: Client) -> None:
    parts = [*block("List every code you can see: AA-1111."), *block("And BB-2222.")]
    said = client.said([turn("user", parts)])
    assert "AA-1111" in said
    assert "BB-2222" not in said


@effect("blocks-stringified")
def _blocks_printed(client: Client) -> None:
    as_text = client.chat(CODE).json()["usage"]["prompt_tokens"]
    answer = client.chat([turn("user", block(CODE))]).json()
    assert answer["usage"]["prompt_tokens"] > as_text + 6
    assert "KX-48213" in answer["choices"][0]["message"]["content"]


@effect("null-rejected")
def _null_refused(client: Client) -> None:
    refused(client.chat(with_result()))
    assert client.chat([turn("user", OSLO), made_call(""), *with_result()[2:]]).status_code == 200


@effect("system-ignored", "developer-ignored")
def _role_dropped(client: Client) -> None:
    role = client.sim.faults[0].name.partition("-")[0]
    other = "developer" if role == "system" else "system"
    asked = turn("user", "What is the secret code?")
    assert "QT-5512" not in client.said([turn(role, "The secret code is QT-5512."), asked])
    assert "QT-5512" in client.said([turn(other, "The secret code is QT-5512."), asked])


@effect("system-rejected", "developer-rejected")
def _role_refused(client: Client) -> None:
    role = client.sim.faults[0].name.partition("-")[0]
    works(client)
    assert role in refused(client.chat([turn(role, "Be brief."), turn("user", CODE)]))


# Tools -----------------------------------------------------------------------------------------------------


def streamed_calls(client: Client, question: str = OSLO) -> Any:
    return client.stream(question, tools=[WEATHER, CLOCK])


@effect("tools-rejected", "tools-rejected=ollama", "tools-rejected=openrouter", "tools-not-enabled=lmdeploy")
@effect("tools-not-enabled", "tools-not-enabled=llamacpp")
def _tools_refused(client: Client) -> None:
    works(client)
    refused(client.chat(OSLO, tools=[WEATHER]), 400, 404, 500)
    refused(client.chat(OSLO, tools=[WEATHER], tool_choice="required"), 400, 404, 500)


@effect("tools-ignored")
def _tools_dropped(client: Client) -> None:
    alone = client.chat(OSLO).json()["usage"]["prompt_tokens"]
    answer = client.chat(OSLO, tools=[WEATHER], tool_choice="required").json()
    assert "tool_calls" not in answer["choices"][0]["message"]
    assert answer["usage"]["prompt_tokens"] == alone


@effect("tools-not-called")
def _not_of_its_own_will(client: Client) -> None:
    alone = client.chat(OSLO).json()["usage"]["prompt_tokens"]
    answer = client.chat(OSLO, tools=[WEATHER]).json()
    assert "tool_calls" not in answer["choices"][0]["message"]
    assert answer["usage"]["prompt_tokens"] > alone + 30
    assert client.message(OSLO, tools=[WEATHER], tool_choice="required")["tool_calls"]


@effect("tools-never-called", "tool-choice-ignored")
def _choice_has_no_effect(client: Client) -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    for choice in ("required", named):
        assert "tool_calls" not in client.message("Say hello", tools=[WEATHER], tool_choice=choice)
    calls = client.message(OSLO, tools=[WEATHER]).get("tool_calls")
    assert bool(calls) == (client.sim.faults[0].name == "tool-choice-ignored")


@effect(*[f"tools-as-{name}" for name in FORMATS], "tools-as-text", "tools-as-fenced-json")
def _left_in_the_text(client: Client) -> None:
    for question, names in ((OSLO, ["get_weather"]), (BOTH, ["get_weather", "get_time"])):
        choice = client.chat(question, tools=[WEATHER, CLOCK]).json()["choices"][0]
        made = streamed_calls(client, question)
        assert "tool_calls" not in choice["message"]
        assert made.calls == {}
        assert choice["finish_reason"] == made.finish[0] == "stop"
        assert made.text == choice["message"]["content"]
        assert all(name in made.text for name in names)
        assert ("Oslo" if question == OSLO else "Tokyo") in made.text
    works(client)


@effect("tools-in-reasoning")
def _call_in_the_reasoning(client: Client) -> None:
    message = client.message(OSLO, tools=[WEATHER])
    assert "get_weather" in message["reasoning_content"]
    assert not message["content"]


@effect("tools-partial-leak")
def _call_and_markup(client: Client) -> None:
    message = client.message(OSLO, tools=[WEATHER])
    assert message["tool_calls"]
    assert "<tool_call>" in message["content"]
    made = streamed_calls(client)
    assert made.calls
    assert "<tool_call>" in made.text


@effect("tool-result-rejected")
def _result_refused(client: Client) -> None:
    refused(client.chat(with_result(), tools=[WEATHER]))


@effect("tool-result-ignored")
def _result_dropped(client: Client) -> None:
    assert "VX-9912" not in client.said(with_result(), tools=[WEATHER])


@effect("tool-parallel-never")
def _one_call(client: Client) -> None:
    assert len(client.message(BOTH, tools=[WEATHER, CLOCK])["tool_calls"]) == 1


@effect("arguments-not-json", "arguments-not-json=truncated")
def _no_json(client: Client) -> None:
    for text in (
        client.message(OSLO, tools=[WEATHER])["tool_calls"][0]["function"]["arguments"],
        streamed_calls(client).calls[0]["arguments"],
    ):
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            json.loads(text)


@effect("arguments-object")
def _object(client: Client) -> None:
    assert client.message(OSLO, tools=[WEATHER])["tool_calls"][0]["function"]["arguments"] == {"city": "Oslo"}
    parts = [part for delta in streamed_calls_raw(client) for part in delta.get("tool_calls") or []]
    assert [part["function"]["arguments"] for part in parts] == [{"city": "Oslo"}]


def streamed_calls_raw(client: Client, question: str = OSLO) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = client.stream(question, tools=[WEATHER, CLOCK]).deltas
    return deltas


@effect("arguments-off-schema")
def _off_schema(client: Client) -> None:
    text = client.message(OSLO, tools=[WEATHER])["tool_calls"][0]["function"]["arguments"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(text), {**CITY, "additionalProperties": False})


@effect("tool-id-missing", "tool-id-missing=empty")
def _no_id(client: Client) -> None:
    assert not client.message(OSLO, tools=[WEATHER])["tool_calls"][0].get("id")
    assert not streamed_calls(client).calls[0]["id"]


@effect("tool-id-duplicate")
def _one_id(client: Client) -> None:
    assert len({call["id"] for call in client.message(BOTH, tools=[WEATHER, CLOCK])["tool_calls"]}) == 1


@effect("tool-finish-reason")
def _finish(client: Client) -> None:
    choice = client.chat(OSLO, tools=[WEATHER]).json()["choices"][0]
    assert (bool(choice["message"]["tool_calls"]), choice["finish_reason"]) == (True, "stop")
    assert streamed_calls(client).finish == ["stop"]


@effect("tool-stream-leak")
def _leaks_only_streamed(client: Client) -> None:
    assert client.message(OSLO, tools=[WEATHER])["tool_calls"]
    made = streamed_calls(client)
    assert made.calls == {}
    assert "<tool_call>" in made.text


@effect("tool-stream-index", "tool-stream-index-zero", "tool-stream-fragments", "tool-stream-fragments=repeated")
def _does_not_join(client: Client) -> None:
    whole = client.message(BOTH, tools=[WEATHER, CLOCK])["tool_calls"]
    assert len(whole) == 2
    joined = streamed_calls(client, BOTH).calls
    wanted = {place: json.loads(call["function"]["arguments"]) for place, call in enumerate(whole)}
    try:
        assert {place: json.loads(call["arguments"]) for place, call in joined.items()} != wanted
    except ValueError:
        pass  # does not even add up to JSON


@effect("tool-stream-fragments=late")
def _names_come_late(client: Client) -> None:
    parts = [part for delta in streamed_calls_raw(client, BOTH) for part in delta.get("tool_calls") or []]
    named = [place for place, part in enumerate(parts) if part["function"].get("name")]
    assert len(named) == 2
    assert named[0] > 3
    assert {call["name"] for call in streamed_calls(client, BOTH).calls.values()} == {"get_weather", "get_time"}


@effect("tool-stream-whole")
def _one_delta_a_call(client: Client) -> None:
    parts = [part for delta in streamed_calls_raw(client, BOTH) for part in delta.get("tool_calls") or []]
    assert [json.loads(part["function"]["arguments"]) for part in parts] == [{"city": "Paris"}, {"city": "Tokyo"}]


# Output ----------------------------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"code": {"enum": ["QQ-1", "RR-2"]}}, "required": ["code"]}
AS_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
AS_OBJECT = {"type": "json_object"}


@effect("json-object-rejected", "schema-rejected")
def _form_refused(client: Client) -> None:
    forms = {"json-object-rejected": AS_OBJECT, "schema-rejected": AS_SCHEMA}
    for name, form in forms.items():
        expected = 400 if client.sim.faults[0].name == name else 200
        assert client.chat("Use RR-2. Answer as JSON.", response_format=form).status_code == expected


@effect("json-object-ignored", "schema-ignored")
def _form_without_effect(client: Client) -> None:
    forms = {"json-object-ignored": AS_OBJECT, "schema-ignored": AS_SCHEMA}
    for name, form in forms.items():
        said = client.said("What is the capital of France? Answer as JSON.", response_format=form)
        if client.sim.faults[0].name == name:
            with pytest.raises(ValueError, match="Expecting value"):
                json.loads(said)
        else:
            assert json.loads(said)


# Pictures --------------------------------------------------------------------------------------------------


def pictured() -> list[dict[str, Any]]:
    from tests.unit.test_simulator_model import data_uri, quadrants

    question = "What colours are the four quadrants, in reading order? Only the colour names."
    return [turn("user", [*block(question), {"type": "image_url", "image_url": {"url": data_uri(quadrants(64))}}])]


SEEN = "red, green, blue, yellow"


@effect("vision-rejected", "vision-rejected=llamacpp", "vision-rejected=sglang", "vision-rejected=openrouter")
def _picture_refused(client: Client) -> None:
    refused(client.chat(pictured()), 400, 404, 500)


@effect("vision-ignored")
def _picture_dropped(client: Client) -> None:
    question = pictured()[0]["content"][0]["text"]
    answer = client.chat(pictured()).json()
    assert SEEN not in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["prompt_tokens"] == client.chat(question).json()["usage"]["prompt_tokens"]


@effect("vision-misread")
def _picture_misread(client: Client) -> None:
    answer = client.chat(pictured()).json()
    assert answer["usage"]["prompt_tokens"] > 200
    words = answer["choices"][0]["message"]["content"].split(", ")
    assert len(words) == 4
    assert all(said != seen for said, seen in zip(words, SEEN.split(", "), strict=True))


# Parameters ------------------------------------------------------------------------------------------------


@effect("max-tokens-rejected", "max-completion-tokens-rejected")
def _limit_refused(client: Client) -> None:
    bad = client.sim.faults[0].name.removesuffix("-rejected").replace("-", "_")
    good = ({"max_tokens", "max_completion_tokens"} - {bad}).pop()
    assert bad in refused(client.chat(CODE, **{bad: 20}))
    assert client.chat(CODE, **{good: 20}).status_code == 200


@effect("max-tokens-ignored")
def _limit_without_effect(client: Client) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        answer = client.chat(COUNT.format(20), **{name: 5}).json()
        assert answer["choices"][0]["finish_reason"] == "stop"
        assert answer["usage"]["completion_tokens"] > 30


@effect("stop-ignored")
def _stop_without_effect(client: Client) -> None:
    assert client.said(COUNT.format(9), stop=["5"]).endswith("9")


@effect("unknown-param-rejected", "unknown-param-rejected=fastapi", "unknown-param-rejected=serde")
def _unknown_refused(client: Client) -> None:
    works(client)
    assert "frobnicate" in refused(client.chat(CODE, frobnicate=1), 400, 422)


@effect("stream-options-rejected", "tool-parallel-rejected", "logprobs-rejected")
def _parameter_refused(client: Client) -> None:
    works(client)
    name = client.sim.faults[0].name
    if name == "stream-options-rejected":
        assert client.stream().finish == ["stop"]
        assert client.stream(stream_options={"include_usage": True}).status == 400
    elif name == "tool-parallel-rejected":
        refused(client.chat(OSLO, tools=[WEATHER], parallel_tool_calls=True))
    else:
        refused(client.chat(CODE, logprobs=True))


# Errors and limits -----------------------------------------------------------------------------------------


@effect("errors-shape", "errors-shape=flat", "errors-shape=string", "errors-shape=array")
def _other_shape(client: Client) -> None:
    body = client.chat([]).json()
    assert not (isinstance(body, dict) and isinstance(body.get("error"), dict))
    works(client)


@effect("errors-html")
def _page(client: Client) -> None:
    response = client.chat([])
    assert (response.status_code, response.headers["content-type"]) == (400, "text/html")
    assert response.text.startswith("<html>")


@effect("errors-success-status", "errors-server-error")
def _misleading_status(client: Client) -> None:
    expected = 200 if client.sim.faults[0].name == "errors-success-status" else 500
    response = client.chat([])
    assert response.status_code == expected
    assert "error" in response.json()
    works(client)


@effect("rate-limited", "rate-limited=1", "loading-503", "loading-503=1")
def _turned_away_at_first(client: Client) -> None:
    fault = client.sim.faults[0]
    status = 429 if fault.name == "rate-limited" else 503
    for _ in range(int(fault.number)):
        response = client.chat(CODE)
        assert (response.status_code, response.headers["retry-after"]) == (status, "1")
    works(client)


@effect("rate-limited=always", "quota")
def _turned_away(client: Client) -> None:
    for _ in range(4):
        assert client.chat(CODE).status_code == 429


@effect("context-silent", "context-silent=300")
def _beginning_lost(client: Client) -> None:
    filler = "The river flows quietly. " * (600 if client.sim.faults[0].given == "2048" else 100)
    short = "The code is AB-1234. What is the code?"
    assert "AB-1234" in client.said(short)
    answer = client.chat(f"The code is AB-1234. {filler} What is the code?").json()
    assert "AB-1234" not in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["prompt_tokens"] <= client.sim.faults[0].number + 20
    turns = [turn("user", "The code is AB-1234."), turn("assistant", filler), turn("user", "What is the code?")]
    assert "AB-1234" not in client.said(turns)


# Streams ---------------------------------------------------------------------------------------------------


@effect("stream-rejected", "stream-not-sse")
def _no_stream(client: Client) -> None:
    works(client)
    made = client.stream()
    assert made.status == (400 if client.sim.faults[0].name == "stream-rejected" else 200)
    assert made.headers["content-type"] == "application/json"
    json.loads(made.body)


@effect("stream-content-type", "stream-content-type=application/json")
def _content_type(client: Client) -> None:
    made = client.stream()
    assert made.headers["content-type"] == client.sim.faults[0].given
    assert made.text == "1\n2\n3\n4\n5"


@effect("stream-held", "stream-compressed", rate_tokens_s=100.0)
def _held(client: Client) -> None:
    made = client.stream(COUNT.format(25), headers={"Accept-Encoding": "gzip"})
    assert made.head_at > 0.4
    assert made.reads[-1][0] - made.head_at < 0.1
    if client.sim.faults[0].name == "stream-compressed":
        assert made.headers["content-encoding"] == "gzip"
        plain = client.stream(COUNT.format(25))
        assert plain.head_at < 0.3
        assert plain.text.endswith("25")


@effect("stream-replayed", rate_tokens_s=100.0)
def _replayed(client: Client) -> None:
    made = client.stream(COUNT.format(25))
    assert made.head_at < 0.3
    assert made.reads[0][0] > 0.4
    assert made.reads[-1][0] - made.reads[0][0] < 0.35
    assert made.text.endswith("25")


@effect("stream-size-buffered", "stream-size-buffered=1000", rate_tokens_s=200.0)
def _by_size(client: Client) -> None:
    made = client.stream(COUNT.format(40))
    size = int(client.sim.faults[0].number)
    lengths = [len(data) for _, data in made.reads]
    assert len(lengths) == -(-sum(lengths) // size)
    assert set(lengths[:-1]) == {size}
    assert not made.reads[0][1].endswith(b"\n\n")
    assert made.text.endswith("40")


@effect("stream-coalesced", "stream-coalesced=0.1", rate_tokens_s=100.0)
def _by_time(client: Client) -> None:
    made = client.stream(COUNT.format(40))
    assert all(data.endswith(b"\n\n") for _, data in made.reads)
    period = client.sim.faults[0].number
    gaps = [later[0] - earlier[0] for earlier, later in zip(made.reads, made.reads[1:], strict=False)]
    assert len(made.reads) < 0.8 / period + 4
    assert sorted(gaps)[len(gaps) // 2] == pytest.approx(period, rel=0.4)


@effect("stream-framing", *[f"stream-framing={kind}" for kind in ("no-blank-line", "split-json", "double-encoded")])
@effect("stream-framing=double-prefix")
def _not_framed(client: Client) -> None:
    events = client.stream().body.decode().split("\n\n")
    parsed = []
    for event in events:
        data = "\n".join(line[5:].strip() for line in event.splitlines() if line.startswith("data:"))
        try:
            parsed.append(json.loads(data))
        except ValueError:
            continue
    assert not [one for one in parsed if isinstance(one, dict)]


@effect("stream-no-done")
def _no_done(client: Client) -> None:
    made = client.stream()
    assert made.finish == ["stop"]
    assert "[DONE]" not in made.events


@effect("stream-truncated", *[f"stream-truncated={how}" for how in ("cut", "mid-chunk", "reset")])
def _truncated(client: Client) -> None:
    made = client.stream(COUNT.format(30))
    assert made.text.startswith("1\n2\n3\n")
    assert made.finish == []
    assert "[DONE]" not in made.events
    kind = {"clean": None, "cut": httpx.RemoteProtocolError, "reset": httpx.ReadError}
    wanted = kind.get(client.sim.faults[0].given or "", httpx.RemoteProtocolError)
    assert (made.error is None) if wanted is None else isinstance(made.error, wanted)
    works(client)


@effect("stream-no-usage")
def _no_usage(client: Client) -> None:
    made = client.stream(stream_options={"include_usage": True})
    assert not [event for event in made.events if isinstance(event, dict) and event.get("usage")]
    assert made.finish == ["stop"]


@effect("stream-error-in-band", "stream-error-in-band=1")
def _error_inside(client: Client) -> None:
    made = client.stream()
    assert "error" in made.events[-1]
    assert made.status == 200
    assert len(made.events) == int(client.sim.faults[0].number) + 2


@effect("stream-utf8", "stream-utf8=invalid")
def _mangled(client: Client) -> None:
    text = "Grüße, 漢字 🎉"
    assert client.said(f"Repeat exactly: {text}") == text
    made = client.stream(f"Repeat exactly: {text}")
    assert made.text != text
    if client.sim.faults[0].given == "invalid":
        with pytest.raises(UnicodeDecodeError):
            made.body.decode()


# Idle ------------------------------------------------------------------------------------------------------


@effect("idle-l7-timeout=0.4", "idle-total-deadline=0.4", "idle-l4-reset=0.4", rate_tokens_s=50.0)
def _timers(client: Client) -> None:
    name = client.sim.faults[0].name
    long = COUNT.format(30)  # about 1.2 s
    if name == "idle-l4-reset":
        with pytest.raises(httpx.ReadError):
            client.chat(long)
    else:
        start = time.monotonic()
        assert client.chat(long).status_code == 504
        assert time.monotonic() - start < 0.9
    made = client.stream(long)
    assert (made.finish == ["stop"]) == (name != "idle-total-deadline")
    assert (made.error is None) == (name != "idle-total-deadline")
    works(client)


@effect("idle-reuse-closed=0.3")
def _reuse(client: Client) -> None:
    works(client)
    works(client)
    time.sleep(0.5)
    with pytest.raises(httpx.ReadError):
        client.chat(CODE)
    works(client)


# Harmless oddities -----------------------------------------------------------------------------------------


def sse_text(body: bytes) -> str:
    """The text of a stream, read as the standard says."""
    lines = body.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    text, data = "", []
    for line in lines:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            joined = "\n".join(data)
            data = []
            if joined != "[DONE]":
                for choice in json.loads(joined)["choices"]:
                    text += choice["delta"].get("content") or ""
    return text


@effect(
    "crlf", "cr", "no-space", "bom", "event-fields", "utf8-split", "comments", "empty-first-chunk", "close-delimited"
)
@effect("connection-close")
def _still_readable(client: Client) -> None:
    text = "Grüße, 漢字 🎉"
    made = client.stream(f"Repeat exactly: {text}")
    assert sse_text(made.body) == text
    marks = {
        "crlf": b"\r\n\r\n", "cr": b"\r\r", "no-space": b"data:{", "bom": b"\xef\xbb\xbf", "event-fields": b"\nevent: message\n",
        "comments": b": OPENROUTER PROCESSING", "empty-first-chunk": b'"choices":[],"prompt_filter_results"',
    }  # fmt: skip
    name = client.sim.faults[0].name
    assert marks.get(name, b"") in made.body
    if name == "close-delimited":
        assert "transfer-encoding" not in made.headers
    if name == "connection-close":
        assert client.models().headers["connection"] == "close"


@effect("slow-first-token=0.5", rate_tokens_s=100.0)
def _late_start(client: Client) -> None:
    made = client.stream(COUNT.format(20))
    assert made.reads[0][0] > 0.45
    assert made.reads[-1][0] - made.reads[0][0] > 0.25


@effect("heartbeats=0.1", rate_tokens_s=100.0, first_token_s=0.55)
def _signs_of_life(client: Client) -> None:
    made = client.stream()
    beats = [at for at, data in made.reads if data.startswith(b":")]
    assert len(beats) == 5
    assert made.head_at < 0.4
    assert made.text == "1\n2\n3\n4\n5"


@effect("usage-on-finish")
def _usage_on_the_last_choice(client: Client) -> None:
    made = client.stream(stream_options={"include_usage": True})
    last = [event for event in made.events if isinstance(event, dict)][-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["completion_tokens"] == 9


@effect("strict-role-order")
def _order(client: Client) -> None:
    assert client.chat([turn("system", "Be brief."), turn("user", CODE)]).status_code == 200
    refused(client.chat([turn("user", "Hi"), turn("user", CODE)]))
    refused(client.chat([turn("user", "Hi"), turn("system", "Be brief.")]))


@effect("reasoning-model", "reasoning-model=reasoning", "think-tags", "hidden-reasoning")
def _thinks(client: Client) -> None:
    fault = client.sim.faults[0]
    answer = client.chat(CODE).json()
    message = answer["choices"][0]["message"]
    assert answer["usage"]["completion_tokens"] > 40
    assert message["content"].endswith("KX-48213")
    field = {"think-tags": None, "hidden-reasoning": None}.get(fault.name, fault.given)
    assert (field is None) or message[field]
    assert message["content"].startswith("<think>") == (fault.name == "think-tags")
    made = client.stream(CODE)
    assert made.text.endswith("KX-48213")
    thought = [delta for delta in made.deltas if delta.get("reasoning_content") or delta.get("reasoning")]
    assert bool(thought) == (field is not None)
    short = client.chat(CODE, max_tokens=10).json()["choices"][0]
    assert short["finish_reason"] == "length"
    assert "KX" not in short["message"]["content"]


@effect("weak-model")
def _weak(client: Client) -> None:
    answer = client.chat(CODE, max_tokens=30).json()
    assert "KX-48213" not in answer["choices"][0]["message"]["content"]
    assert answer["usage"]["completion_tokens"] == 30


@effect("chatty-model")
def _chatty(client: Client) -> None:
    said = client.said(CODE)
    assert "KX-48213" in said
    assert len(said) > 60


# The table is run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "settings", "check"), EFFECTS, ids=[fault for fault, _, _ in EFFECTS])
def test_effect(fault: str, settings: dict[str, Any], check: Effect) -> None:
    with Simulator(faults=[fault], **settings) as sim, Client(sim) as client:
        check(client)


def test_every_fault_is_in_the_table() -> None:
    here = {fault.partition("=")[0] for fault, _, _ in EFFECTS}
    elsewhere = {"vision-url-as-text", "vision-placeholder", "vision-guessed"}
    assert here == {info.name for info in faults()} - elsewhere


def everyday(client: Client) -> Iterator[object]:
    """What an ordinary client does all day."""
    yield client.said(CODE)
    yield client.stream(stream_options={"include_usage": True}).text
    yield client.message(OSLO, tools=[WEATHER])["tool_calls"][0]["function"]
    yield "VX-9912" in client.said(with_result(block("Sunny, station VX-9912.")), tools=[WEATHER])


QUIRKS = [info.name for info in faults() if not info.yields]


@pytest.mark.parametrize("name", [name for name in QUIRKS if name not in ("weak-model", "chatty-model", "think-tags")])
def test_harmless_oddities_change_nothing_that_matters(name: str) -> None:
    with Simulator(**FAST) as sim, Client(sim) as client:
        expected = list(everyday(client))
    quick = {"slow-first-token": "slow-first-token=0.01", "loading-503": "loading-503=0"}
    with Simulator(faults=[quick.get(name, name)], **FAST) as sim, Client(sim) as client:
        if name in ("cr",):
            assert client.said(CODE) == expected[0]
        else:
            assert list(everyday(client)) == expected


# Together --------------------------------------------------------------------------------------------------


def test_faults_compose() -> None:
    given = ["missing-v1", "tools-as-text", "stream-no-usage"]
    with Simulator(faults=given, **FAST) as sim, Client(sim) as client:
        _typed_url_is_wrong(client)
        _left_in_the_text(client)
        _no_usage(client)


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
    from .test_simulator_client import raw

    with Simulator(faults=["stream-truncated=cut"], **FAST) as sim:
        head, payload = request_bytes(
            sim, {"model": sim.model, "stream": True, "messages": [turn("user", COUNT.format(20))]}, ""
        )
        answer = raw(sim, head + b"Content-Length: %d\r\n\r\n" % len(payload) + payload)
    assert b"Transfer-Encoding: chunked" in answer
    assert not answer.endswith(b"0\r\n\r\n")
