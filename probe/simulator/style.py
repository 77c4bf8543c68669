"""The shape of one kind of server: its paths, its errors, its JSON.

A style is one class in `probe/simulator/styles/`; this base class answers in the manner of OpenAI's reference API
(openai/openai-openapi) and every method is a place where another server differs. Styles are healthy: they hold
no fault, only the differences that a client must live with.
"""

from __future__ import annotations

import random
import string
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from probe.simulator import completion
from probe.simulator.script import Headers, Script, Write, delayed, plain, send_json, to_json
from probe.simulator.validation import Problem, problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from probe.simulator.call import JSON, Call, Chunk, Reply, Site

ALNUM = string.ascii_letters + string.digits
DEFAULT_KEY = "sk-sim-7Qm2xVb9LtR4wKz8NfYc"


def token(length: int, alphabet: str = ALNUM) -> str:
    """A random identifier of that length (no secret)."""
    return "".join(random.choices(alphabet, k=length))


def hexes(length: int) -> str:
    """Random lower-case hexadecimal digits."""
    return token(length, "0123456789abcdef")


class Style:
    """OpenAI-like behaviour, to be overridden where a server differs."""

    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    yields: ClassVar[tuple[str, ...]] = ()
    default_key: ClassVar[str | None] = DEFAULT_KEY
    default_models: ClassVar[tuple[str, ...]] = ("sim-small",)
    prefixes: ClassVar[tuple[str, ...]] = ("/v1",)
    routes: ClassVar[dict[str, tuple[str, str]]] = {
        "/chat/completions": ("chat", "POST"),
        "/models": ("models", "GET"),
        "/responses": ("responses", "POST"),
    }
    auth_before_routing: ClassVar[bool] = False
    checks_model: ClassVar[bool] = True
    vision: ClassVar[bool] = True
    reasoning_field: ClassVar[str] = "reasoning_content"
    tool_deltas: ClassVar[str] = "fragments"  # or "whole": one delta a call
    usage_place: ClassVar[str] = "extra"  # or "finish": on the chunk with the finish reason
    null_usage: ClassVar[bool] = True  # "usage": null on the other chunks when usage was asked for
    named_choice_finish: ClassVar[str] = "stop"  # finish reason of a call forced by name
    json_type: ClassVar[str] = "application/json"
    lower_case: ClassVar[bool] = False  # whether field names are sent in lower case
    stream_type: ClassVar[str] = "text/event-stream; charset=utf-8"

    # Paths ---------------------------------------------------------------------------------------------

    def route(self, call: Call) -> str | Script:
        """The operation a path stands for, or the answer to a path or method that has none."""
        extra = self.extra(call)
        if extra is not None:
            return extra
        for prefix in call.site.prefixes:
            if not call.path.startswith(prefix):
                continue
            rest = call.path[len(prefix) :]
            found = self.routes.get(rest)
            if found is None and rest.startswith("/models/") and "/models" in self.routes:
                found = ("model", "GET")
                call.notes["model"] = rest.removeprefix("/models/")
            if found is not None:
                operation, method = found
                if call.request.method == method or (method == "GET" and call.request.method == "HEAD"):
                    return operation
                return self.wrong_method(call, method)
        return self.not_found(call)

    def extra(self, call: Call) -> Script | None:
        """Answers of this server outside the OpenAI API (`/health`, `/version` …), or None."""
        return None

    def not_found(self, call: Call) -> Script:
        """The answer to a path this server does not know."""
        message = f"Invalid URL ({call.request.method} {call.path})"
        return self.error(call, 404, message, "invalid_request_error")

    def wrong_method(self, call: Call, allowed: str) -> Script:
        """The answer to a known path with another method."""
        message = (
            f"Not allowed to {call.request.method} on {call.path}. (HINT: Perhaps you meant to use a "
            f"different HTTP method?)"
        )
        return self.error(call, 405, message, "invalid_request_error").with_header("Allow", allowed)

    # Keys ----------------------------------------------------------------------------------------------

    def guarded(self, call: Call) -> bool:
        """Whether this path needs the key."""
        return True

    def presented_key(self, call: Call) -> str | None:
        """The key the client sent in a place this server looks at, or None."""
        value = call.authorization()
        if value is None:
            return None
        scheme, _, key = value.partition(" ")
        return key.strip() if scheme.lower() == "bearer" and key.strip() else None

    def authenticate(self, call: Call) -> Script | None:
        """What a missing or wrong key is answered with; None lets the request through."""
        key = call.site.key
        if key is None or not self.guarded(call):
            return None
        given = self.presented_key(call)
        return None if given == key else self.refuse_key(call, given)

    def refuse_key(self, call: Call, given: str | None) -> Script:
        """401 in the manner of OpenAI; the key is only ever shown masked."""
        if given is None:
            message = (
                "You didn't provide an API key. You need to provide your API key in an Authorization header "
                "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
            return self.error(call, 401, message, "invalid_request_error")
        masked = f"{given[:4]}{'*' * 8}{given[-4:]}" if len(given) > 16 else "*" * len(given)
        message = f"Incorrect API key provided: {masked}. You can find your API key in the account settings."
        return self.error(call, 401, message, "invalid_request_error", code="invalid_api_key")

    # Errors --------------------------------------------------------------------------------------------

    def error(
        self, call: Call, status: int, message: str, kind: str, param: str | None = None, code: Any = None
    ) -> Script:
        """An error in this server's shape."""
        body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
        return send_json(status, body)

    def bad_json(self, call: Call, wrong: ValueError) -> Script:
        """The answer to a body that is not JSON."""
        message = (
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
            "your HTTP library correctly. The API expects a JSON payload, but what was sent was not valid JSON.)"
        )
        return self.error(call, 400, message, "invalid_request_error")

    def invalid(self, call: Call, problem: Problem) -> Script | None:
        """The answer to a request that has a missing, mistyped or unusable field; None overlooks it."""
        return self.error(call, 400, problem.message, "invalid_request_error", problem.param, problem.code)

    def validate(self, call: Call) -> Script | None:
        """Checks the request as this server does; None when there is nothing to object to."""
        refusals = (self.invalid(call, problem) for problem in problems(call, vision=self.vision))
        return next((refusal for refusal in refusals if refusal is not None), None)

    def unknown_model(self, call: Call, name: str) -> Script | None:
        """The answer to a model id that is not served; None where the id is not looked at."""
        message = f"The model `{name}` does not exist or you do not have access to it."
        return self.error(call, 404, message, "invalid_request_error", code="model_not_found")

    def missing_model(self, call: Call) -> Script | None:
        """The answer to a request that names no model; None where one is then chosen."""
        return self.error(call, 400, "you must provide a model parameter", "invalid_request_error")

    def overflow(self, call: Call, tokens: int) -> Script:
        """The answer to a prompt that does not fit."""
        message = (
            f"This model's maximum context length is {call.site.context_length} tokens. However, your messages "
            f"resulted in {tokens} tokens. Please reduce the length of the messages."
        )
        return self.error(call, 400, message, "invalid_request_error", "messages", code="context_length_exceeded")

    # Answers -------------------------------------------------------------------------------------------

    def new_id(self) -> str:
        """An id for a completion, in this server's form."""
        return "chatcmpl-" + token(29)

    def tool_call_id(self, call: Call, index: int, name: str) -> str:
        """An id for a tool call, in this server's form."""
        return "call_" + token(24)

    def with_ids(self, call: Call, reply: Reply) -> Reply:
        """The reply with an id on every tool call, and the finish reason this server gives to a forced one."""
        if not reply.tool_calls:
            return reply
        calls = tuple(
            replace(made, id=self.tool_call_id(call, place, made.name)) for place, made in enumerate(reply.tool_calls)
        )
        named = isinstance(call.body.get("tool_choice"), dict)
        finish = self.named_choice_finish if named else reply.finish_reason
        return replace(reply, tool_calls=calls, finish_reason=finish)

    def model_card(self, site: Site, name: str) -> JSON:
        """One entry of the model list."""
        return {"id": name, "object": "model", "created": site.started, "owned_by": "system"}

    def models(self, call: Call) -> Any:
        """The body of GET /models."""
        return {"object": "list", "data": [self.model_card(call.site, name) for name in call.site.models]}

    def fingerprint(self) -> str | None:
        """The system_fingerprint of every answer."""
        return "fp_5b2e07c9d4"

    def envelope(self, call: Call, kind: str) -> JSON:
        """The fields around `choices` that chunks and whole answers share."""
        return {"id": call.id, "object": kind, "created": call.created, "model": call.notes["model"]}

    def message(self, call: Call, reply: Reply) -> JSON:
        """The assistant message of a whole answer."""
        return {**completion.message(self, reply), "refusal": None, "annotations": []}

    def choice_extras(self, call: Call) -> JSON:
        """Further fields of a choice."""
        return {}

    def usage(self, call: Call, replies: Sequence[Reply]) -> JSON:
        """Token counts of the whole answer."""
        counts = completion.usage(replies)
        return {
            **counts,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": replies[0].notes.get("reasoning_tokens", 0),
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def whole(self, call: Call, replies: Sequence[Reply]) -> JSON:
        """The body of an answer that is not streamed."""
        return {
            **self.envelope(call, "chat.completion"),
            "choices": completion.choices(self, call, replies),
            "usage": self.usage(call, replies),
            "service_tier": "default",
            "system_fingerprint": self.fingerprint(),
        }

    def chunk(self, call: Call, choices: list[JSON]) -> JSON:
        """One chunk of a stream around the given choices."""
        return {
            **self.envelope(call, "chat.completion.chunk"),
            "service_tier": "default",
            "system_fingerprint": self.fingerprint(),
            "choices": choices,
        }

    def role_delta(self) -> JSON:
        """The first delta of a stream."""
        return {"role": "assistant", "content": "", "refusal": None}

    def chunk_choice(self, index: int, delta: JSON, finish: str | None, logprobs: Any) -> JSON:
        """One choice of a chunk."""
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}

    def chunks(self, call: Call, replies: Sequence[Reply]) -> list[Chunk]:
        """All data events of a streamed answer."""
        return completion.chunks(self, call, replies)

    def frame(self, chunk: Chunk) -> bytes:
        """One event on the wire."""
        data = chunk.data if isinstance(chunk.data, str) else to_json(chunk.data).decode("utf-8", "replace")
        return f"data: {data}\n\n".encode()

    # The wire ------------------------------------------------------------------------------------------

    def fixed_headers(self, call: Call, script: Script) -> Headers:
        """Fields this server puts on every answer, before those of the answer itself."""
        return [
            ("Date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())),
            ("openai-version", "2020-10-01"),
            ("x-request-id", "req_" + hexes(32)),
        ]

    def stream_headers(self) -> Headers:
        """Fields of a streamed answer."""
        return [("Content-Type", self.stream_type), ("Cache-Control", "no-cache")]

    def models_script(self, call: Call) -> Script:
        """GET /models."""
        return send_json(200, self.models(call))

    def model_script(self, call: Call, name: str) -> Script:
        """GET /models/{id}."""
        if name in call.site.models:
            return send_json(200, self.model_card(call.site, name))
        message = f"The model '{name}' does not exist"
        return self.error(call, 404, message, "invalid_request_error", "model", code="model_not_found")

    def streamed(self, call: Call, chunks: list[Chunk]) -> Script:
        """A server-sent event stream on the schedule of its chunks."""
        writes = [Write(chunk.at, self.frame(chunk), place) for place, chunk in enumerate(chunks)]
        start = writes[0].at if writes else 0.0
        end = writes[-1].at if writes else 0.0
        return Script(200, self.stream_headers(), writes, head_at=start, end_at=end, framing="chunked")

    def completed(self, call: Call, payload: Any, at: float) -> Script:
        """A whole answer, sent `at` seconds after the request."""
        script = plain(200, to_json(payload), self.json_type)
        return delayed(script, at)
