"""The behaviour of one kind of server: its paths, its errors, its JSON.

A style is one class in `probe/simulator/styles/`. This base class answers as OpenAI's reference API does
(openai/openai-openapi), and every method is a place where another server differs. Styles are healthy: they contain no
fault, only differences that a client has to cope with.
"""

from __future__ import annotations

import random
import string
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import probe.simulator.completion as completion
from probe.simulator.call import JSON, Call, Chunk, Reply, Site
from probe.simulator.model.prompt import split
from probe.simulator.response import Headers, Response, Write, plain, send_json, to_json
from probe.simulator.validation import Problem, problems

DEFAULT_KEY = "sk-sim-7Qm2xVb9LtR4wKz8NfYc"
LETTERS = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
HEX = "0123456789abcdef"

CHAT_ONLY = {"/chat/completions": ("chat", "POST"), "/models": ("models", "GET")}
"""The routes of a server with chat completions only."""
RESPONSES = {"/responses": ("responses", "POST")}
DIALECTS = {**CHAT_ONLY, **RESPONSES, "/messages": ("messages", "POST")}
ALL_DIALECTS = {**DIALECTS, "/messages/count_tokens": ("count_tokens", "POST")}


def token(length: int, alphabet: str = LETTERS) -> str:
    """A random identifier of that length (not a secret)."""
    return "".join(random.choices(alphabet, k=length))


def hexes(length: int) -> str:
    """Random lower-case hexadecimal digits."""
    return token(length, HEX)


def uuid(variant: str = "a") -> str:
    """A random UUID; `variant` is the first digit of its fourth group."""
    mark = hexes(32)
    return f"{mark[:8]}-{mark[8:12]}-4{mark[13:16]}-{variant}{mark[17:20]}-{mark[20:]}"


class Route(NamedTuple):
    """An operation, the method of its requests, and the model id that the path contains."""

    operation: str
    method: str
    model: str = ""


class Style:
    """OpenAI's behaviour, to be overridden where a server differs.

    name, summary        as in `simulate --list`
    yields               findings that are true of such a server without any fault
    default_key          the key that is required; None for none
    prefixes             the paths under which the API answers
    routes               operation and method by path
    auth_before_routing  whether the key is checked before the path
    checks_model         whether an unknown model id is refused; needs_model: whether a missing one is
    vision               whether pictures are accepted
    reasoning_field      the field of the message that holds the reasoning
    whole_calls          whether a streamed tool call comes in one delta
    usage_on_finish      whether a stream's token counts are on the chunk with the finish reason
    null_usage           whether the other chunks then have `"usage": null`
    named_choice_finish  the finish reason of a call that was forced by name
    lower_case           whether field names are sent in lower case
    stores               whether a response can be continued with `previous_response_id`
    x_api_key            whether the key may be in `x-api-key` for the Messages API
    fingerprint          the system_fingerprint of every answer
    role_delta           the first delta of a stream
    id_form              the id of a completion: its beginning, and how many of which characters follow
    call_id_form         the same of a tool call
    messages_errors      whether errors of the Messages API have its own form
    """

    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    yields: ClassVar[tuple[str, ...]] = ()
    default_key: ClassVar[str | None] = DEFAULT_KEY
    default_models: ClassVar[tuple[str, ...]] = ("sim-small",)
    prefixes: ClassVar[tuple[str, ...]] = ("/v1",)
    routes: ClassVar[dict[str, tuple[str, str]]] = {**CHAT_ONLY, **RESPONSES}
    auth_before_routing: ClassVar[bool] = False
    checks_model: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True
    vision: ClassVar[bool] = True
    reasoning_field: ClassVar[str] = "reasoning_content"
    whole_calls: ClassVar[bool] = False
    usage_on_finish: ClassVar[bool] = False
    null_usage: ClassVar[bool] = True
    named_choice_finish: ClassVar[str] = "stop"
    json_type: ClassVar[str] = "application/json"
    stream_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    lower_case: ClassVar[bool] = False
    stores: ClassVar[bool] = True
    x_api_key: ClassVar[bool] = False
    fingerprint: ClassVar[str | None] = "fp_5b2e07c9d4"
    role_delta: ClassVar[JSON] = {"role": "assistant", "content": "", "refusal": None}
    id_form: ClassVar[tuple[str, int, str]] = ("chatcmpl-", 29, LETTERS)
    call_id_form: ClassVar[tuple[str, int, str]] = ("call_", 24, LETTERS)
    messages_errors: ClassVar[bool] = True

    # Paths ---------------------------------------------------------------------------------------------

    def find(self, call: Call) -> Route | None:
        """The route of the request's path, or None for an unknown path."""
        for prefix in call.site.prefixes:
            if not call.path.startswith(prefix):
                continue
            rest = call.path[len(prefix) :]
            if rest in self.routes:
                return Route(*self.routes[rest])
            if rest.startswith("/models/") and "/models" in self.routes:
                return Route("model", "GET", rest.removeprefix("/models/"))
        return None

    def operation(self, call: Call) -> str:
        """The operation of the request's path and method, empty for none."""
        found = self.find(call)
        method = "GET" if call.request.method == "HEAD" else call.request.method
        return found.operation if found and found.method == method else ""

    def extra(self, call: Call) -> Response | None:
        """Answers of this server outside the OpenAI API (`/health`, `/version` …), or None."""
        return None

    def not_found(self, call: Call) -> Response:
        """The answer to a path that this server does not know."""
        return self.error(404, f"Invalid URL ({call.request.method} {call.path})", "invalid_request_error")

    def wrong_method(self, call: Call, allowed: str) -> Response:
        """The answer to a known path with another method."""
        message = (
            f"Not allowed to {call.request.method} on {call.path}. (HINT: Perhaps you meant to use a "
            f"different HTTP method?)"
        )
        return self.error(405, message, "invalid_request_error").with_header("Allow", allowed)

    # Keys ----------------------------------------------------------------------------------------------

    def guarded(self, call: Call) -> bool:
        """Whether this path needs the key."""
        return True

    def presented_key(self, call: Call) -> str | None:
        """The key the client sent in a place that this server reads, or None."""
        scheme, _, key = (call.request.header("authorization") or "").partition(" ")
        if self.x_api_key and call.operation in ("messages", "count_tokens") and not key:
            return call.request.header("x-api-key")
        return key.strip() if scheme.lower() == "bearer" and key.strip() else None

    def preflight(self, call: Call) -> Response | None:
        """The answer to OPTIONS, which a browser sends without the key: pages of any origin may call the API."""
        asked = call.request.header("access-control-request-headers")
        origin = [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Methods", "GET, POST, OPTIONS")]
        return plain(200, b"", None, [*origin, ("Access-Control-Allow-Headers", asked)]) if asked else None

    def authenticate(self, call: Call) -> Response | None:
        """The answer to a missing or wrong key; None lets the request pass."""
        key = call.site.key
        if key is None or not self.guarded(call):
            return None
        given = self.presented_key(call)
        return None if given == key else self.refuse_key(given)

    def refuse_key(self, given: str | None) -> Response:
        """The answer to a missing (None) or wrong key, which is only ever shown masked."""
        if given is None:
            message = (
                "You didn't provide an API key. You need to provide your API key in an Authorization header "
                "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
            return self.error(401, message, "invalid_request_error")
        masked = f"{given[:4]}{'*' * 8}{given[-4:]}" if len(given) > 16 else "*" * len(given)
        message = f"Incorrect API key provided: {masked}. You can find your API key in the account settings."
        return self.error(401, message, "invalid_request_error", code="invalid_api_key")

    # Errors --------------------------------------------------------------------------------------------

    def error(self, status: int, message: str, kind: str, param: str | None = None, code: Any = None) -> Response:
        """An error in this server's shape."""
        return send_json(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})

    def bad_json(self, call: Call) -> Response:
        """The answer to a body that is not JSON."""
        message = (
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
            "your HTTP library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)"
        )
        return self.error(400, message, "invalid_request_error")

    def invalid(self, call: Call, problem: Problem) -> Response | None:
        """The answer to a missing, mistyped or unusable field; None where this server accepts it."""
        return self.error(400, problem.message, "invalid_request_error", problem.param, problem.code)

    def validate(self, call: Call) -> Response | None:
        """The answer to a request that this server finds invalid; None for a valid one."""
        refusals = (self.invalid(call, problem) for problem in problems(call.body, vision=self.vision))
        return next((refusal for refusal in refusals if refusal is not None), None)

    def unknown_model(self, call: Call, name: str) -> Response:
        """The answer to a model id that is not served."""
        message = f"The model `{name}` does not exist or you do not have access to it."
        return self.error(404, message, "invalid_request_error", code="model_not_found")

    def missing_model(self) -> Response:
        """The answer to a request that names no model."""
        return self.error(400, "you must provide a model parameter", "invalid_request_error")

    def overflow(self, call: Call, tokens: int) -> Response:
        """The answer to a prompt that is longer than the context."""
        message = (
            f"This model's maximum context length is {call.site.context_length} tokens. However, your messages "
            f"resulted in {tokens} tokens. Please reduce the length of the messages."
        )
        return self.error(400, message, "invalid_request_error", "messages", code="context_length_exceeded")

    # The model list ------------------------------------------------------------------------------------

    def model_card(self, site: Site, name: str) -> JSON:
        """One entry of the model list."""
        return {"id": name, "object": "model", "created": site.started, "owned_by": "system"}

    def models(self, call: Call) -> Any:
        """The body of GET /models."""
        return {"object": "list", "data": [self.model_card(call.site, name) for name in call.site.models]}

    def show_model(self, call: Call, name: str) -> Response:
        """The answer to GET /models/{id}."""
        if name in call.site.models:
            return send_json(200, self.model_card(call.site, name))
        message = f"The model '{name}' does not exist"
        return self.error(404, message, "invalid_request_error", "model", code="model_not_found")

    # Chat completions ----------------------------------------------------------------------------------

    def new_id(self) -> str:
        """An id for a completion, in this server's form."""
        prefix, length, alphabet = self.id_form
        return prefix + token(length, alphabet)

    def tool_call_id(self) -> str:
        """An id for a tool call, in this server's form."""
        prefix, length, alphabet = self.call_id_form
        return prefix + token(length, alphabet)

    def with_ids(self, call: Call, reply: Reply) -> Reply:
        """The reply with an id on every tool call, and with this server's finish reason for a forced one."""
        if not reply.tool_calls:
            return reply
        calls = tuple(replace(made, id=self.tool_call_id()) for made in reply.tool_calls)
        named = isinstance(call.body.get("tool_choice"), dict)
        return replace(
            reply, tool_calls=calls, finish_reason=self.named_choice_finish if named else reply.finish_reason
        )

    def envelope(self, call: Call, kind: str) -> JSON:
        """The fields around `choices` that chunks and whole answers share."""
        return {"id": call.id, "object": kind, "created": call.created, "model": call.model}

    def bare_message(self, reply: Reply) -> JSON:
        """The assistant message with the fields that every server gives it."""
        return completion.message(reply, self.reasoning_field)

    def message(self, reply: Reply) -> JSON:
        """The assistant message of a whole answer."""
        return {**self.bare_message(reply), "refusal": None, "annotations": []}

    def choice_extras(self) -> JSON:
        """Further fields of a choice."""
        return {}

    def choices(self, call: Call, replies: Sequence[Reply]) -> list[JSON]:
        """The choices of a whole answer."""
        return [
            {
                "index": index,
                "message": self.message(reply),
                "logprobs": completion.logprobs(call, split(reply.text)),
                "finish_reason": reply.finish_reason,
                **self.choice_extras(),
            }
            for index, reply in enumerate(replies)
        ]

    def usage(self, replies: Sequence[Reply]) -> JSON:
        """Token counts of the whole answer."""
        return {
            **completion.usage(replies),
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": replies[0].reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        """The body of an answer that is not streamed."""
        return {
            **self.envelope(call, "chat.completion"),
            "choices": self.choices(call, replies),
            "usage": self.usage(replies),
            "service_tier": "default",
            "system_fingerprint": self.fingerprint,
        }

    # Responses and Messages ------------------------------------------------------------------------------

    def unknown_response(self, call: Call, name: str) -> Response:
        """The answer to a `previous_response_id` that is not stored."""
        message = f"Previous response with id '{name}' not found."
        return self.error(400, message, "invalid_request_error", "previous_response_id", "previous_response_not_found")

    def events(self, call: Call, events: list[Chunk]) -> list[Chunk]:
        """The events of a streamed answer in another dialect than chat completions."""
        return events

    # Streams -------------------------------------------------------------------------------------------

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        """One chunk of a stream around the given choices."""
        return {
            **self.envelope(call, "chat.completion.chunk"),
            "service_tier": "default",
            "system_fingerprint": self.fingerprint,
            "choices": choices,
        }

    def chunk_choice(self, index: int, delta: JSON, finish: str | None, logprobs: Any) -> JSON:
        """One choice of a chunk."""
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}

    def chunks(self, call: Call, replies: Sequence[Reply]) -> list[Chunk]:
        """All data events of a streamed answer, one token an event, at the times of the generation."""
        start, step = completion.started_at(call.site), completion.pace(call.site)
        made: list[Chunk] = []

        def add(at: float, choices: list[JSON], usage: JSON | None = None) -> None:
            body = self.chunk(call, choices)
            if usage is not None or (call.include_usage and self.null_usage):
                body["usage"] = usage
            made.append(Chunk(at, body))

        last = start
        counts = self.usage(replies) if call.include_usage else None
        for index, reply in enumerate(replies):
            add(start, [self.chunk_choice(index, dict(self.role_delta), None, None)])
            place = 0
            for place, delta, texts in completion.deltas(reply, self.reasoning_field, whole_calls=self.whole_calls):
                probabilities = completion.logprobs(call, texts) if texts else None
                add(start + place * step, [self.chunk_choice(index, delta, None, probabilities)])
            last = max(last, start + step * max(place + 1, reply.completion_tokens))
            finish = self.chunk_choice(index, {}, reply.finish_reason, None)
            add(last, [{**finish, **self.choice_extras()}], counts if self.usage_on_finish else None)
        if counts is not None and not self.usage_on_finish:
            add(last, [], counts)
        made.sort(key=lambda chunk: chunk.at)
        return [*made, Chunk(last, "[DONE]")]

    def frame(self, chunk: Chunk) -> bytes:
        """One event on the wire."""
        data = chunk.data if isinstance(chunk.data, str) else to_json(chunk.data).decode("utf-8", "replace")
        name = f"event: {chunk.event}\n" if chunk.event else ""
        return f"{name}data: {data}\n\n".encode()

    # Responses -----------------------------------------------------------------------------------------

    def fixed_headers(self, call: Call, response: Response) -> Headers:
        """Fields of every answer, before those of the answer itself."""
        date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        return [("Date", date), *self.own_headers(call)]

    def own_headers(self, call: Call) -> Headers:
        """Fields of every answer by which this server is recognised."""
        return [("openai-version", "2020-10-01"), ("x-request-id", "req_" + hexes(32))]

    def stream_headers(self) -> Headers:
        """Fields of a streamed answer."""
        return [("Content-Type", self.stream_type), ("Cache-Control", "no-cache")]

    def streamed(self, chunks: list[Chunk]) -> Response:
        """A server-sent event stream at the times of its chunks."""
        writes = [Write(chunk.at, self.frame(chunk), place) for place, chunk in enumerate(chunks)]
        start, end = (writes[0].at, writes[-1].at) if writes else (0.0, 0.0)
        return Response(200, self.stream_headers(), writes, head_at=start, end_at=end, framing="chunked")

    def completed(self, payload: Any, at: float) -> Response:
        """A whole answer, sent `at` seconds after the request."""
        return plain(200, to_json(payload), self.json_type).delayed(at)
