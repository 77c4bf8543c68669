"""Plans the response to one call: what the style, the model and the faults make of it, in that order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import probe.simulator.messages_api as messages_api
import probe.simulator.responses_api as responses_api
from probe.simulator.call import Call, Reply
from probe.simulator.completion import finished_at
from probe.simulator.fault import Fault
from probe.simulator.model.answering import answer, prompt_tokens
from probe.simulator.response import Head, Headers, Response, send_json, to_json
from probe.simulator.style import Style

#: The modules of the dialects other than chat completions; each converts requests, and writes answers and events.
_DIALECTS: dict[str, Any] = {
    "responses": responses_api,
    "messages": messages_api,
    "count_tokens": messages_api,
}


class Planner:
    """The plan for one call. Each fault's hooks are called in the order that `probe.simulator.fault` lists."""

    def __init__(self, call: Call, style: Style, faults: Sequence[Fault]) -> None:
        self.call, self.style = call, style
        call.model = call.model or call.site.model
        self._readable = True
        try:
            call.sent = call.body = json.loads(call.request.body)
        except (ValueError, RecursionError):
            self._readable = False
        call.operation = style.operation(call)
        self.faults = [*faults, *(extra for fault in faults for extra in fault.additional(call))]
        for fault in self.faults:
            fault.style = style

    # The response --------------------------------------------------------------------------------------

    def response(self) -> Response:
        """The whole response. An exception in a hook becomes a 500 that names it, so that it is seen in a test."""
        try:
            return self._response()
        except Exception as wrong:
            return send_json(500, {"error": {"message": f"simulator failure: {wrong!r}", "type": "simulator_error"}})

    def _response(self) -> Response:
        response = self._decide()
        anthropic = _DIALECTS.get(self.call.operation) is messages_api and self.style.messages_errors
        if anthropic and response.status >= 400 and response.is_json:
            response = messages_api.error(response)
        response = self._json_changed(response)
        fields = [
            (name, self.style.json_type if (name, value) == ("Content-Type", "application/json") else value)
            for name, value in response.headers
        ]
        response = replace(response, headers=[*self.style.fixed_headers(self.call, response), *fields])
        for fault in sorted(self._concerned, key=lambda fault: fault.layer):
            response = fault.on_response(self.call, response)
        if response.framing == "chunked" and self.call.request.version == "HTTP/1.0":
            return replace(response, framing="close")  # RFC 9112, section 6.1: HTTP/1.0 knows no chunks
        return response

    def head(self, response: Response) -> tuple[bytes, bool]:
        """The bytes of the status line and fields, and whether the connection stays open after the response."""
        head, keep = self._head(response)
        return (b"" if response.framing == "none" else head.encoded()), keep

    def _head(self, response: Response) -> tuple[Head, bool]:
        request, framing = self.call.request, response.framing
        fields: Headers = list(response.headers)
        if framing == "chunked":
            fields.append(("Transfer-Encoding", "chunked"))
        elif framing == "length" and response.status != 204:
            missing = 1024 if response.end in ("cut", "unclean", "reset") and response.writes else 0
            fields.append(("Content-Length", str(len(response.body) + missing)))
        keep = request.keep_alive and framing in ("length", "chunked") and response.end == "complete"
        keep = keep and not response.close
        if not keep and not any(name.lower() == "connection" for name, _ in fields):
            fields.append(("Connection", "close"))
        if self.style.lower_case:
            fields = [(name.lower(), value) for name, value in fields]
        head = Head(response.status, fields)
        for fault in self.faults:
            head = fault.on_head(self.call, head)
        return head, keep

    def bytes_changed(self, data: bytes) -> bytes:
        """The bytes about to be written, after the faults' last hook."""
        for fault in self.faults:
            data = fault.on_bytes(self.call, data)
        return data

    def _json_changed(self, response: Response) -> Response:
        if not response.is_json or not self.faults:
            return response
        payload = json.loads(response.body)
        for fault in self._concerned:
            payload = fault.on_json(self.call, payload)
        return response.with_body(to_json(payload))

    @property
    def _concerned(self) -> list[Fault]:
        return [fault for fault in self.faults if fault.concerns(self.call)]

    # Steps before the model ----------------------------------------------------------------------------

    def _decide(self) -> Response:
        call, style = self.call, self.style
        for fault in self.faults:
            early = fault.on_request(call)
            if early is not None:
                return early
        if call.request.method == "OPTIONS" and (preflight := style.preflight(call)) is not None:
            return preflight
        refusal = self._authenticate() if style.auth_before_routing else None
        routed = refusal or self._route()
        if routed is None and not style.auth_before_routing:
            routed = self._authenticate()
        if routed is not None:
            return routed
        if call.operation == "models":
            return send_json(200, style.models(call))
        if call.operation == "model":
            return style.show_model(call, call.model)
        return self._generate()

    def _route(self) -> Response | None:
        """Sets the operation of the call; the answer to a path or method that has none."""
        call, style = self.call, self.style
        other = style.extra(call)
        if other is not None:
            return other
        found = style.find(call)
        if found is None:
            return style.not_found(call)
        call.operation = style.operation(call)
        call.model = found.model or call.model
        return None if call.operation else style.wrong_method(call, found.method)

    def _authenticate(self) -> Response | None:
        refusal = self.style.authenticate(self.call)
        for fault in self.faults:
            refusal = fault.on_auth(self.call, refusal)
        return refusal

    def _refusal(self) -> Response | None:
        """The answer to a generating request that the style or a fault refuses."""
        call, style = self.call, self.style
        if not self._readable:
            return style.bad_json(call)
        if (dialect := _DIALECTS.get(call.operation)) is not None:
            sent = {"max_tokens": 1, **call.body} if call.operation == "count_tokens" else call.body
            converted = dialect.to_chat(sent)
            if isinstance(converted, str):
                return style.error(400, converted, "invalid_request_error", "input")
            call.body = converted
            before = call.sent.get("previous_response_id") if call.operation == "responses" else None
            if before is not None:
                if not style.stores or before not in call.site.stored:
                    return style.unknown_response(call, str(before))
                call.body["messages"] = [*call.site.stored[before], *call.body["messages"]]
        refusal = style.validate(call) or self._judge_model()
        for fault in self._concerned:
            refusal = refusal or fault.on_chat(call)
        return refusal

    def _judge_model(self) -> Response | None:
        call, style, name = self.call, self.style, self.call.body.get("model")
        if name in (None, ""):
            return style.missing_model() if style.needs_model else None
        if not isinstance(name, str):
            return style.error(400, "Invalid type for 'model': expected a string.", "invalid_request_error", "model")
        refusal = None
        if name in call.site.models:
            call.model = name
        elif style.checks_model:
            refusal = style.unknown_model(call, name)
        for fault in self.faults:
            refusal = fault.on_model(call, name, refusal)
        return refusal

    # The model and the form of its answer --------------------------------------------------------------

    def _generate(self) -> Response:
        call, style = self.call, self.style
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        for fault in self._concerned:
            fault.on_prompt(call)
        shown = prompt_tokens(call.body)
        if shown >= call.site.context_length:
            return style.overflow(call, shown)
        if call.operation == "count_tokens":
            return send_json(200, {"input_tokens": shown})
        replies = [self._reply() for _ in range(call.body.get("n") or 1)]
        call.id = style.new_id()
        dialect = _DIALECTS.get(call.operation)
        if call.operation == "responses" and style.stores and call.sent.get("store") is not False:
            turn = style.bare_message(replies[0])
            call.site.stored["resp_" + call.id.rpartition("-")[2]] = [*call.messages, turn]
        if not call.stream:
            payload: Any = dialect.whole(call, replies[0]) if dialect else style.whole(call, replies)
            return style.completed(payload, finished_at(call.site, replies))
        if dialect:
            chunks = style.events(call, dialect.events(call, replies[0]))
        else:
            chunks = style.chunks(call, replies)
        for fault in self._concerned:
            chunks = fault.on_events(call, chunks)
        return style.streamed(chunks)

    def _reply(self) -> Reply:
        call = self.call
        reply = answer(call.body, call.site.personality, call.site.context_length)
        reply = self.style.with_ids(call, reply)
        for fault in self._concerned:
            reply = fault.on_reply(call, reply)
        return reply
