"""Faults of structured output, pictures, parameters, errors and limits, as seen on the wire."""

from __future__ import annotations

import json

import pytest

from tests.wire.test_simulator_client import COUNT, WEATHER, Client
from tests.wire.test_simulator_effects import (
    AS_OBJECT,
    AS_SCHEMA,
    CODE,
    OSLO,
    SEEN,
    Effects,
    pictured,
    refused,
    turn,
    works,
)

effect = Effects()


# Output ---------------------------------------------------------------------------------------------------


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


@effect("json-object-fenced", "schema-loose", "schema-not-strict")
def _form_half_kept(client: Client) -> None:
    name = client.sim.faults[0].name
    if name == "json-object-fenced":
        assert client.said("Answer as JSON.", response_format=AS_OBJECT).startswith("```json")
        return
    form = json.loads(json.dumps(AS_SCHEMA))
    answer = client.said("Use RR-2.", response_format=form)
    assert json.loads(answer) == ({} if name == "schema-loose" else {"code": "RR-2"})
    form["json_schema"]["schema"]["additionalProperties"] = False
    assert client.chat("Use RR-2.", response_format=form).status_code == (400 if name == "schema-not-strict" else 200)


@effect("no-responses", "responses-unstreamed")
def _responses_in_part(client: Client) -> None:
    body = {"model": client.sim.model, "input": "Say pong", "stream": True}
    response = client.http.post(client.base + "/responses", json=body)
    if client.sim.faults[0].name == "no-responses":
        assert response.status_code == 404
    else:
        assert response.headers["content-type"] == "application/json"


# Pictures -------------------------------------------------------------------------------------------------


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


@effect("vision-url-as-text", "vision-placeholder", "vision-guessed", "vision-guessed=random")
def _blind(client: Client) -> None:
    answer = client.chat(pictured()).json()
    said = answer["choices"][0]["message"]["content"]
    name = client.sim.faults[0].name
    if name == "vision-guessed":
        assert len(said.split(", ")) == 4
    else:
        assert SEEN not in said
    alone = client.chat(pictured()[0]["content"][0]["text"]).json()["usage"]["prompt_tokens"]
    assert (answer["usage"]["prompt_tokens"] > alone + 20) == (name == "vision-url-as-text")


@effect("vision-least-size")
def _small_picture_refused(client: Client) -> None:
    refused(client.chat(pictured()))
    assert client.said(pictured(128)) == SEEN


# Parameters -----------------------------------------------------------------------------------------------


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


# Errors and limits ----------------------------------------------------------------------------------------


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


test_effect = effect.test()
