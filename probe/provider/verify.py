"""Proof by use: a short session through a saved provider with the official ``openai`` SDK.

Only what the toggles allow is asked for.  A step fails where the SDK cannot use what
comes back; where the model did not do what was asked it could not be told, since a weak
model is not a broken endpoint.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from probe.parsing import png
from probe.redaction.redactor import Redactor

if TYPE_CHECKING:
    from openai import OpenAI


# A small picture for `provider verify`. ------------------------------------------------------------


def red_square(side: int = 128) -> str:
    """A data URI of a red PNG of ``side`` by ``side`` pixels."""
    return png.data_uri(png.encode(side, (b"\0" + b"\xff\0\0" * side) * side))


# Proof by use: a short session through a saved provider with the official ``openai`` SDK. ----------

_ROOM = 400
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


class SdkMissing(Exception):
    """The SDK is not installed; the message is one line with the command."""


class Held(StrEnum):
    """How a step ended."""

    HELD = "held"
    FAILED = "failed"
    UNSURE = "could not tell"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Step:
    """One step of the session: what was tried, how it ended, and why."""

    name: str
    held: Held
    note: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Session:
    """What the SDK is told.

    Attributes:
        headers: extra headers for every request, and that of the key where it is no Bearer.
        query: query parameters for every request.
        on: toggles by capability; None and missing ones are not determined.
        limit_param: the parameter that limits the output.
    """

    base_url: str
    model: str
    key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    on: Mapping[str, bool | None] = field(default_factory=dict)
    limit_param: str = "max_tokens"
    timeout_s: float = 60.0
    proxy: str | None = None
    tls: ssl.SSLContext | None = None


class _Failed(Exception):
    """The SDK could not use what came back."""


class _Unsure(Exception):
    """It could not be told."""


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
    transport: dict[str, Any] = {}
    if session.tls is not None:
        transport["verify"] = session.tls
    if session.proxy:
        transport["proxy"] = session.proxy
    return openai.OpenAI(
        base_url=session.base_url,
        api_key=session.key or "none",
        default_headers=dict(session.headers),
        default_query=dict(session.query),
        timeout=session.timeout_s,
        max_retries=2,
        http_client=openai.DefaultHttpxClient(**transport) if transport else None,
    )


def verify(session: Session) -> list[Step]:
    """Run the session; the first step is the plain chat, without which the others are left out.

    Raises:
        SdkMissing: the SDK is not installed.
    """
    redactor = Redactor({"API_KEY": session.key or "", **session.headers})
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
                steps.append(Step(name, Held.LEFT_OUT, "there is no chat"))
            else:
                steps.append(_step(name, on, act))
    # The endpoint's words may repeat what it was sent.
    return [replace(step, note=redactor.text(step.note)) for step in steps]


def holds(steps: list[Step]) -> bool:
    """Whether nothing that the toggles promise has failed."""
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
        note = f"refused with status {error.status_code}: {_short(_said(error))}"
    except openai.APITimeoutError:
        note = "no answer within the time limit"
    except openai.APIConnectionError as error:
        note = f"the connection failed ({type(error.__cause__ or error).__name__})"
    except openai.APIError as error:
        note = f"an error came inside the answer: {_short(str(error))}"
    except Exception as error:  # what a malformed answer does to the SDK is its user's exception
        note = f"the SDK could not read the answer ({type(error).__name__})"
    return Step(name, held, note, round(time.monotonic() - begin, 2))


def _said(error: Any) -> str:
    body = error.body
    said = body.get("message") if isinstance(body, dict) else None
    return str(said or error.message)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:159] + "…"


class _Caller:
    """The session's steps; each returns a note, or raises _Failed or _Unsure."""

    def __init__(self, client: OpenAI, session: Session) -> None:
        self.client = client
        self.session = session

    def _ask(self, messages: list[dict[str, Any]], **more: Any) -> Any:
        create: Any = self.client.chat.completions.create
        more[self.session.limit_param] = _ROOM
        if self.session.key is None:
            from openai import Omit

            # The SDK would send its own placeholder; only a request can leave the header out.
            more["extra_headers"] = {"Authorization": Omit()}
        return create(model=self.session.model, messages=messages, temperature=0, **more)

    def chat(self) -> str:
        """A plain question and its answer."""
        answer = self._ask([_user("Repeat exactly: ZEBRA-48213")])
        return _text_of(_message(answer), _finish(answer))

    def streamed(self) -> str:
        """The same, streamed; with token counts where they are promised."""
        counted = self.session.on.get("stream_usage") is True
        options = {"stream_options": {"include_usage": True}} if counted else {}
        text, finish, usage, pieces = "", None, None, 0
        for chunk in self._ask([_user("Count from 1 to 20, one number per line.")], stream=True, **options):
            usage = chunk.usage or usage
            for choice in chunk.choices or []:
                piece = choice.delta.content
                text += piece or ""
                pieces += bool(piece)
                finish = choice.finish_reason or finish
        if not text:
            raise (_Unsure if finish == "length" else _Failed)("the stream ended without any text")
        if counted and usage is None:
            raise _Failed("no chunk has the token counts that were asked for")
        return f"{pieces} pieces of text" + (f", {usage.total_tokens} tokens counted" if usage else "")

    def tools(self) -> str:
        """A call, its result, and the answer to it; streamed where that is promised."""
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
            return "the call came back; results are off"
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        result = {
            "role": "tool",
            "tool_call_id": call["id"],
            "content": json.dumps({"city": _CITY, "degrees": _DEGREES}),
        }
        answer = self._ask([*asked, message, result], tools=[_TOOL])
        reply = _message(answer)
        if reply.tool_calls:
            return "the result was taken, and another call came"
        if not reply.content:
            raise _Unsure("the result was taken, and the model said nothing")
        used = "and used" if _DEGREES in reply.content else "and answered"
        return f"{'streamed ' if stream else ''}call read, result taken {used}"

    def _call(self, asked: list[dict[str, Any]], stream: bool, choice: Mapping[str, Any]) -> dict[str, Any]:
        if stream:
            found, text = _joined(self._ask(asked, tools=[_TOOL], stream=True, **choice))
        else:
            reply = _message(self._ask(asked, tools=[_TOOL], **choice))
            text = reply.content or ""
            found = [
                {"id": item.id, "name": item.function.name, "arguments": item.function.arguments}
                for item in reply.tool_calls or []
            ]
        if not found:
            if choice:
                raise _Failed("no call came, though one was forced")
            raise _Unsure("the model answered without a call" if text else "the model neither called nor answered")
        first = found[0]
        if not first["id"] or first["name"] != "get_weather":
            raise _Failed("the call has no id" if not first["id"] else "the call names another function")
        try:
            given = json.loads(first["arguments"])
        except (TypeError, ValueError):
            raise _Failed("the call's arguments are no JSON text") from None
        if not isinstance(given, dict):
            raise _Failed("the call's arguments are no JSON object")
        function = {"name": first["name"], "arguments": first["arguments"]}
        return {"id": first["id"], "type": "function", "function": function}

    def picture(self) -> str:
        """A red square, and what colour it is."""
        parts = [
            {"type": "text", "text": "Which colour is this picture? Answer with one word."},
            {"type": "image_url", "image_url": {"url": red_square()}},
        ]
        answer = self._ask([{"role": "user", "content": parts}])
        _text_of(_message(answer), _finish(answer))
        if "red" not in _message(answer).content.lower():
            raise _Unsure("the picture was taken, and the answer does not say red")
        return "it is red"


def _joined(chunks: Any) -> tuple[list[dict[str, Any]], str]:
    """Calls joined from their pieces by index, as the SDK's users do, and the text beside them."""
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
                        raise _Failed("the call's arguments are no JSON text")
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
            raise _Unsure("the model used up its room without an answer")
        raise _Failed("the answer has no text")
    return f"{len(message.content)} characters of text"
