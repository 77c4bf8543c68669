"""A short session through a saved provider with the official ``openai`` SDK.

Only what the toggles allow is requested.  A step fails where the SDK cannot use the
answer.  Where the model did not do what was asked, the step is not judged, since a weak
model is not a broken endpoint.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from probe.parsing import png
from probe.redaction.redactor import Redactor
from probe.wire.transport import Transport
from probe.wording import cut

if TYPE_CHECKING:
    from openai import OpenAI

_MOST_TOKENS = 400
_CITY = "Paris"
_DEGREES = "48213"
_TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city"}},
            "required": ["city"],
        },
    },
}


def red_square(side: int = 128) -> str:
    """A data URI of a red PNG of ``side`` by ``side`` pixels."""
    return png.data_uri(png.encode(side, (b"\0" + b"\xff\0\0" * side) * side))


class SdkMissing(Exception):
    """The SDK is not installed; the message is one line with the command."""


class Held(StrEnum):
    """How a step ended; UNSURE where the model decided the result."""

    HELD = "held"
    FAILED = "failed"
    UNSURE = "could not tell"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Step:
    """One step of the session: what was tried, how it ended, and a note."""

    name: str
    held: Held
    note: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Session:
    """Settings of the SDK.

    Attributes:
        headers: of every request, with that of the key; nothing else is sent of what the SDK would send.
        query: of every request, as typed.
        redactor: removes the secrets from what comes back.
        on: toggles by capability; None and missing ones are not determined.
        limit_param: the parameter that limits the output tokens.
    """

    base_url: str
    model: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: str = field(default="", repr=False)
    on: Mapping[str, bool | None] = field(default_factory=dict)
    limit_param: str = "max_tokens"
    timeout_s: float = 60.0
    transport: Transport = field(default_factory=Transport)
    redactor: Redactor = field(default_factory=Redactor, repr=False)


class _Failed(Exception):
    """The SDK could not use the answer."""


class _Unsure(Exception):
    """The result depends on the model and is not judged."""


def make_client(session: Session) -> OpenAI:
    """The SDK's client for a session.

    Raises:
        SdkMissing: the SDK is not installed.
    """
    try:
        import openai
    except ImportError:
        raise SdkMissing(
            "verify needs the openai package; install it in a checkout of endpoint-probe with: pip install '.[verify]'"
        ) from None
    from probe.wire.blocking import Carrier

    carrier = Carrier(
        session.base_url, session.headers, session.query, session.timeout_s, session.transport, session.redactor
    )
    client: Any = carrier.client()  # the SDK takes httpx's and httpx2's
    return openai.OpenAI(
        base_url=session.base_url,
        api_key="none",  # the carrier sends the key; the SDK requires one
        max_retries=2,
        http_client=client,
    )


def verify(session: Session) -> list[Step]:
    """Run the session; where the first step, a plain chat, fails, the others are left out.

    Raises:
        SdkMissing: the SDK is not installed.
    """
    with make_client(session) as client:
        caller = _Caller(client, session)
        steps = [_step("chat", True, caller.chat)]
        alive = steps[0].held is not Held.FAILED
        for name, capability, act in (
            ("streamed chat", "streaming", caller.streamed),
            ("tool round trip", "tools", caller.tools),
            ("picture", "vision", caller.picture),
        ):
            on = session.on.get(capability)
            if not alive:
                steps.append(Step(name, Held.LEFT_OUT, "the chat failed"))
            else:
                steps.append(_step(name, on, act))
    return steps


def holds(steps: list[Step]) -> bool:
    """Whether no step failed."""
    return all(step.held is not Held.FAILED for step in steps)


def _step(name: str, on: bool | None, act: Callable[[], str]) -> Step:
    if on is not True:
        return Step(name, Held.LEFT_OUT, "the toggle is off" if on is False else "the toggle was not determined")
    import openai

    begin = time.monotonic()
    held = Held.FAILED
    try:
        note = act()
        held = Held.HELD
    except _Unsure as doubt:
        held, note = Held.UNSURE, str(doubt)
    except _Failed as failure:
        note = str(failure)
    except openai.APIStatusError as error:
        body = error.body
        message = body.get("message") if isinstance(body, dict) else None
        note = f"refused with status {error.status_code}: {cut(str(message or error.message), 160)}"
    except openai.APITimeoutError:
        note = "no answer within the time limit"
    except openai.APIConnectionError as error:
        note = f"the connection failed ({error.__cause__ or type(error).__name__})"
    except openai.APIError as error:
        note = f"the answer is an error: {cut(str(error), 160)}"
    except Exception as error:  # a malformed answer may raise anything in the SDK
        note = f"the SDK could not read the answer ({type(error).__name__})"
    return Step(name, held, note, round(time.monotonic() - begin, 2))


class _Caller:
    """The steps of the session; each returns a note, or raises _Failed or _Unsure."""

    def __init__(self, client: OpenAI, session: Session) -> None:
        self.client = client
        self.session = session

    def _create(self, messages: list[dict[str, Any]], **more: Any) -> Any:
        create: Any = self.client.chat.completions.create
        more[self.session.limit_param] = _MOST_TOKENS
        return create(model=self.session.model, messages=messages, temperature=0, **more)

    def chat(self) -> str:
        """A plain question and its answer."""
        answer = self._create([_user("Repeat exactly: ZEBRA-48213")])
        return _text_of(_message(answer), _finish(answer))

    def streamed(self) -> str:
        """A streamed chat; with token counts where the toggle is on."""
        counted = self.session.on.get("stream_usage") is True
        options = {"stream_options": {"include_usage": True}} if counted else {}
        text, finish, usage, pieces = "", None, None, 0
        for chunk in self._create([_user("Count from 1 to 20, one number per line.")], stream=True, **options):
            usage = chunk.usage or usage
            for choice in chunk.choices or []:
                piece = choice.delta.content
                text += piece or ""
                pieces += bool(piece)
                finish = choice.finish_reason or finish
        if not text:
            raise (_Unsure if finish == "length" else _Failed)("the stream ended without any text")
        if counted and usage is None:
            raise _Failed("no chunk has the token counts that were requested")
        return f"{pieces} pieces of text" + (f", {usage.total_tokens} tokens counted" if usage else "")

    def tools(self) -> str:
        """A tool call, its result, and the answer to it; streamed where that toggle is on."""
        on = self.session.on
        choice: dict[str, Any] = {}
        if on.get("tool_choice_required") is True:
            choice = {"tool_choice": "required"}
        elif on.get("tool_choice_named") is True:
            choice = {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
        asked = [_user(f"What is the weather in {_CITY}? Use the tool.")]
        stream = on.get("streaming_tools") is True and on.get("streaming") is True
        call = self._call(asked, stream, choice)
        if on.get("tool_results") is False:
            return "call read; tool results are off"
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        result = {
            "role": "tool",
            "tool_call_id": call["id"],
            "content": json.dumps({"city": _CITY, "degrees": _DEGREES}),
        }
        answer = self._create([*asked, message, result], tools=[_TOOL])
        reply = _message(answer)
        if reply.tool_calls:
            return "the result was accepted, and the model called again"
        if not reply.content:
            raise _Unsure("the result was accepted, and the answer is empty")
        used = "and used" if _DEGREES in reply.content else "but not quoted"
        return f"{'streamed ' if stream else ''}call read, result accepted {used}"

    def _call(self, asked: list[dict[str, Any]], stream: bool, choice: Mapping[str, Any]) -> dict[str, Any]:
        if stream:
            found, text = _assembled(self._create(asked, tools=[_TOOL], stream=True, **choice))
        else:
            reply = _message(self._create(asked, tools=[_TOOL], **choice))
            text = reply.content or ""
            found = [
                {"id": item.id, "name": item.function.name, "arguments": item.function.arguments}
                for item in reply.tool_calls or []
            ]
        if not found:
            if choice:
                raise _Failed("no tool call, although one was forced")
            raise _Unsure("the model answered without a call" if text else "the answer has neither a call nor text")
        first = found[0]
        if not first["id"] or first["name"] != "get_weather":
            raise _Failed("the call has no id" if not first["id"] else "the call names another function")
        try:
            given = json.loads(first["arguments"])
        except (TypeError, ValueError):
            raise _Failed("the call's arguments are not JSON text") from None
        if not isinstance(given, dict):
            raise _Failed("the call's arguments are not a JSON object")
        function = {"name": first["name"], "arguments": first["arguments"]}
        return {"id": first["id"], "type": "function", "function": function}

    def picture(self) -> str:
        """A red square, and the question which colour it is."""
        parts = [
            {"type": "text", "text": "Which colour is this picture? Answer with one word."},
            {"type": "image_url", "image_url": {"url": red_square()}},
        ]
        answer = self._create([{"role": "user", "content": parts}])
        _text_of(_message(answer), _finish(answer))
        if "red" not in _message(answer).content.lower():
            raise _Unsure("the picture was accepted, and the answer does not name red")
        return "the model named the colour"


def _assembled(chunks: Any) -> tuple[list[dict[str, Any]], str]:
    """Calls assembled from their chunks by index, as users of the SDK do, and the text."""
    calls: dict[int, dict[str, Any]] = {}
    text = ""
    for chunk in chunks:
        for choice in chunk.choices or []:
            text += choice.delta.content or ""
            for piece in choice.delta.tool_calls or []:
                call = calls.setdefault(piece.index, {"id": None, "name": "", "arguments": ""})
                call["id"] = call["id"] or piece.id
                if piece.function:
                    call["name"] += piece.function.name or ""
                    if not isinstance(piece.function.arguments, str | None):
                        raise _Failed("the call's arguments are not JSON text")
                    call["arguments"] += piece.function.arguments or ""
    return [calls[index] for index in sorted(calls)], text


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _message(answer: Any) -> Any:
    choices = getattr(answer, "choices", None)
    if not choices:
        raise _Failed("the answer has no choices")
    return choices[0].message


def _finish(answer: Any) -> Any:
    return answer.choices[0].finish_reason


def _text_of(message: Any, finish: Any) -> str:
    if not isinstance(message.content, str) or not message.content.strip():
        thought = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
        if finish == "length" or thought:
            raise _Unsure("the model used up the token limit without an answer")
        raise _Failed("the answer has no text")
    return f"{len(message.content)} characters of text"
