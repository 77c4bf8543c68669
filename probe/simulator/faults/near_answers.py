"""Answers that hold the completion in a form that clients cannot read: not JSON, wrapped, compressed, or empty."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any, ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_response
from probe.simulator.response import Response, to_json


def _number(body: bytes) -> bytes:
    return body[:-1] + b',"logprob_mean":NaN}'


def _lines(body: bytes) -> bytes:
    answer = json.loads(body)
    text = answer["choices"][0]["message"]["content"]
    parts = [{"role": "assistant"}, {"content": text[:3]}, {"content": text[3:]}]
    return b"".join(to_json({**answer, "choices": [{"index": 0, "delta": part}]}) + b"\n" for part in parts)


def _of_another_api(body: bytes) -> bytes:
    text = json.loads(body)["choices"][0]["message"]["content"]
    return to_json({"success": True, "result": {"response": text}, "errors": []})


def _in(**envelope: Any) -> Callable[[bytes], bytes]:
    """An envelope with the completion in place of None."""
    return lambda body: to_json({
        name: json.loads(body) if value is None else value for name, value in envelope.items()
    })  # fmt: skip


#: What becomes of the body of a completion, by the word that follows the fault's name.
_FORMS: dict[str, Callable[[bytes], bytes]] = {
    "nan": _number,
    "result": _in(result=None, success=True),
    "data": _in(code=0, message="success", data=None),
    "response": _in(response=None),
    "list": lambda body: b"[" + body + b"]",
    "lines": _lines,
    "prefix": lambda body: b")]}',\n" + body,
    "twice": lambda body: body + b"\n" + body,
    "suffix": lambda body: body + b"\n<!-- served in 12 ms -->",
    "string": lambda body: to_json(body.decode()),
    "inner-string": lambda body: to_json({"statusCode": 200, "body": body.decode()}),
    "gzip": gzip.compress,
    "other-api": _of_another_api,
    "empty": lambda body: b"",
}


@on_response(
    f"completions come in a form that clients cannot read (={', '.join(_FORMS)})", "shape.answer", choices=tuple(_FORMS)
)
def shape_near_answer(fault: Fault, call: Call, response: Response) -> Response:
    """Every completion that is not streamed comes in another form."""
    if call.operation != "chat" or response.status != 200 or response.is_stream:
        return response
    return response.with_body(_FORMS[fault.given](response.body))


@on_response(
    "every chat request is answered with status 200 and an error, or a page (=error or page)",
    "errors.success-status",
    choices=("error", "page"),
    operation="chat",
)
def errors_chat_200(fault: Fault, call: Call, response: Response) -> Response:
    """A gateway that answers every chat request with an error and status 200; its model list is right."""
    if fault.given == "page":
        return response.with_body(b"<!doctype html><title>Back soon</title>").with_header("Content-Type", "text/html")
    return response.with_body(to_json({"error": {"message": "it did not work out", "type": "unexpected"}}))


class _Envelope(Fault):
    """Something around the JSON of whole answers that some clients cannot read."""

    yields = ("shape.answer",)
    media_type: ClassVar[str | None] = "application/json"
    before: ClassVar[bytes] = b""

    def on_response(self, call: Call, response: Response) -> Response:
        if call.operation != "chat" or response.status != 200 or response.is_stream:
            return response
        return response.with_body(self.before + response.body).with_header("Content-Type", self.media_type)


# As of a proxy that sets one type for everything; openai-node gives its caller the text.
WrongType = _Envelope.variant(
    "shape-content-type", "whole answers have the content type text/plain", media_type="text/plain; charset=utf-8"
)


# RFC 8259 section 8.1: a parser may ignore a byte order mark, and some do not.
ByteOrderMark = _Envelope.variant(
    "shape-byte-order-mark", "whole answers begin with a byte order mark", before=b"\xef\xbb\xbf"
)
