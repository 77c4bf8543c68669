"""Reading chat completions, whole or streamed; ``probe.parsing.error_bodies`` reads errors.

Pure functions over exchanges.  For any bytes they return a value or None and never raise.  The
shapes are those of the OpenAI API reference ("The chat completion object", "The chat completion
chunk object") and of servers that deviate from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from probe.exchange import Exchange
from probe.parsing import sse
from probe.parsing.error_bodies import Obstacle as Obstacle
from probe.parsing.error_bodies import body_of as body_of
from probe.parsing.error_bodies import error_in as error_in
from probe.parsing.error_bodies import error_text as error_text
from probe.parsing.error_bodies import has_error_body as has_error_body
from probe.parsing.error_bodies import has_no_model as has_no_model
from probe.parsing.error_bodies import is_block_page as is_block_page
from probe.parsing.error_bodies import is_html as is_html
from probe.parsing.error_bodies import is_quota as is_quota
from probe.parsing.error_bodies import is_throttled as is_throttled
from probe.parsing.error_bodies import lacks_own_key as lacks_own_key
from probe.parsing.error_bodies import load_failed as load_failed
from probe.parsing.error_bodies import obstacle as obstacle
from probe.parsing.error_bodies import only_for_others as only_for_others
from probe.parsing.error_bodies import page_heading as page_heading
from probe.parsing.error_bodies import retry_after as retry_after
from probe.parsing.error_bodies import speaks_of as speaks_of
from probe.parsing.error_bodies import waiting_helps as waiting_helps
from probe.parsing.error_bodies import wants_stream as wants_stream
from probe.parsing.strict_json import SMALL, count_at, member, text_at

#: The tags of thinking, some with a prefix (``<mm:think>``, ``<seed:think>``); Magistral's are in square brackets.
_TAG_NAME = r"(?:[a-z]{1,12}:)?(?:think|thinking|reasoning|thought)"
_THINK = re.compile(rf"(?:<({_TAG_NAME})>|\[THINK\])(.*?)(?:</\1>|\[/THINK\]|\Z)", re.DOTALL | re.IGNORECASE)
_THINK_END = re.compile(rf"</{_TAG_NAME}>|\[/THINK\]", re.IGNORECASE)
#: A special token of a chat template, or the name of its role alone in the first line.
_TEMPLATE_TOKEN = re.compile(
    r"<\|[\w▁]{1,32}\|>|<｜[^｜<>\s]{1,32}｜>|</s>|<(?:start|end)_of_turn>|\[/?INST\]|\A\s{0,4}(?:assistant|model)\s{0,4}\n"
)
#: Fields in which servers deliver thinking (vLLM >= 0.16 and Ollama: reasoning; llama.cpp,
#: SGLang, DeepSeek: reasoning_content).
REASONING_FIELDS = ("reasoning_content", "reasoning")


def ok(exchange: Exchange) -> bool:
    """Whether the response has a 2xx status and arrived whole."""
    return exchange.error is None and exchange.status is not None and 200 <= exchange.status < 300


def is_completion(exchange: Exchange) -> bool:
    """Whether this is a chat completion: 2xx and a choice that holds a message, or a stream that was not asked for."""
    if ok(exchange) and isinstance(member(body_of(exchange), "choices", 0, "message"), dict):
        return True
    return is_unasked_stream(exchange)


def is_unasked_stream(exchange: Exchange) -> bool:
    """Whether a chat request without ``stream: true`` was answered by the events of a stream.

    Its text and calls are read like those of a whole answer, so that an endpoint which can do no other is judged by
    what it says.
    """
    asked = exchange.request.body
    if not ok(exchange) or not isinstance(asked, dict) or "messages" not in asked or asked.get("stream") is True:
        return False
    assert exchange.response is not None
    return is_stream(exchange) and _has_deltas(exchange.response.content, exchange.timeline.reads)


@lru_cache(maxsize=256)
def _has_deltas(content: bytes, reads: tuple[tuple[float, int], ...]) -> bool:
    """Whether a stream holds chunks of an answer; remembered, since each check asks it of every answer of the run."""
    return any(isinstance(member(chunk.body, "choices", 0, "delta"), dict) for chunk in _reading(content, reads).chunks)


def message(exchange: Exchange) -> dict[str, Any]:
    """The first choice's message, or an empty one."""
    found = member(body_of(exchange), "choices", 0, "message")
    if isinstance(found, dict):
        return found
    return _joined_message(read_stream(exchange)) if is_unasked_stream(exchange) else {}


def received_message(exchange: Exchange) -> dict[str, Any]:
    """The message of an answer with every field that came, whole or joined from the deltas of a stream."""
    return _joined_message(read_stream(exchange)) if is_stream(exchange) else message(exchange)


class _Pieces(list[str]):
    """A text of which more may come."""


def _joined_message(stream: StreamReading) -> dict[str, Any]:
    """The message that the deltas of a stream make: calls joined by index, unknown text and lists by adding."""
    made: dict[str, Any] = {"role": "assistant", "content": stream.text or None}
    calls: dict[Any, dict[str, Any]] = {}
    for chunk in stream.chunks:
        for name, value in chunk.delta.items():
            if name not in ("role", "content", "tool_calls"):
                _add(made, name, value)
    for _, fragment in stream.calls:
        if not isinstance(fragment, dict):
            continue
        index = fragment.get("index")
        call = calls.setdefault(index if isinstance(index, int) else len(calls), {"type": "function", "function": {}})
        call.update({name: value for name, value in fragment.items() if name not in ("function", "index") and value})
        function = fragment.get("function")
        for name, part in function.items() if isinstance(function, dict) else ():
            _add(call["function"], name, part)
    for call in calls.values():
        call["function"] = _finished(call["function"])
    if calls:
        made["tool_calls"] = list(calls.values())
    return _finished(made)


def _add(made: dict[str, Any], name: str, value: Any) -> None:
    """Put what a delta adds to a field, in time that does not depend on what came before."""
    known = made.get(name)
    if isinstance(value, str) and isinstance(known, _Pieces):
        known.append(value)
    elif isinstance(value, list) and isinstance(known, list) and not isinstance(known, _Pieces):
        known.extend(value)
    elif value is not None or name not in made:
        made[name] = _Pieces([value]) if isinstance(value, str) else [*value] if isinstance(value, list) else value


def _finished(made: dict[str, Any]) -> dict[str, Any]:
    return {name: "".join(value) if isinstance(value, _Pieces) else value for name, value in made.items()}


def joined(content: Any) -> str:
    """Message content as text: a string, or the text parts of a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part if isinstance(part, str) else text_at(part, "text") for part in content)
    return ""


def content_text(exchange: Exchange) -> str:
    """The visible answer: the text of ``content``."""
    return joined(message(exchange).get("content"))


def said(exchange: Exchange) -> str:
    """The text of an answer as it was sent, whole or streamed, with the tags of thinking."""
    return read_stream(exchange).text if is_stream(exchange) else content_text(exchange)


def without_thinking(text: str) -> str:
    """The text without ``<think>`` sections, unclosed and unopened ones included."""
    text = _THINK.sub("", text)
    last = max((end.end() for end in _THINK_END.finditer(text)), default=0)
    return text[last:].strip()


def template_tokens(text: str) -> list[str]:
    """The special tokens of a chat template that were left in a text, in order."""
    return [found[0].strip() for found in _TEMPLATE_TOKEN.finditer(text)]


def without_template_tokens(text: str) -> str:
    """The text without the special tokens, and the header that some of them enclose."""
    return _TEMPLATE_TOKEN.sub("", re.sub(r"<\|start_header_id\|>\w{0,16}<\|end_header_id\|>", "", text)).strip()


def answer(exchange: Exchange) -> str:
    """The model's answer: visible text without thinking, streamed or not."""
    return without_thinking(said(exchange))


def repeats(said: str, code: str) -> bool:
    """Whether an answer contains a code such as ``ZEBRA-48213``, or only its number, which small models keep."""
    number = code.rpartition("-")[2]
    return code.lower() in said.lower() or re.search(rf"(?<!\d){re.escape(number)}(?!\d)", said) is not None


def reasoning_of(exchange: Exchange) -> tuple[str | None, str]:
    """The place of the thinking (a field name or ``think_tags``) and its text."""
    if is_stream(exchange):
        stream = read_stream(exchange)
        if stream.reasoning_field:
            return stream.reasoning_field, stream.reasoning
        text = stream.text
    else:
        found = message(exchange)
        for field in REASONING_FIELDS:
            value = found.get(field)
            if isinstance(value, str) and value.strip():
                return field, value
        text = content_text(exchange)
    match, end = _THINK.search(text), _THINK_END.search(text)
    thought = match[2] if match else text[: end.start()] if end else ""
    return ("think_tags", thought) if thought.strip() else (None, "")


def finish_reason(exchange: Exchange) -> str | None:
    """The first choice's finish reason, streamed or not."""
    if is_stream(exchange):
        return read_stream(exchange).finish_reason
    found = member(body_of(exchange), "choices", 0, "finish_reason")
    return found if isinstance(found, str) else None


def token_limit(exchange: Exchange) -> int | None:
    """The limit of the answer in tokens that the request gives, or None."""
    body = exchange.request.body
    return count_at(body, "max_completion_tokens") or count_at(body, "max_tokens")


def tool_calls(exchange: Exchange) -> list[Any]:
    """The raw tool calls of the message, whatever they contain."""
    found = message(exchange).get("tool_calls")
    return found if isinstance(found, list) else []


def usage(exchange: Exchange) -> tuple[int | None, int | None]:
    """Prompt and completion tokens as the endpoint counted them."""
    if is_stream(exchange):
        return read_stream(exchange).usage
    return _counts(body_of(exchange))


def prompt_tokens(exchange: Exchange) -> int | None:
    """Prompt tokens, or None if the endpoint reports none or 0."""
    return usage(exchange)[0] or None


def starved(exchange: Exchange) -> bool:
    """Whether the token limit was used up before any visible text, as a reasoning model may do."""
    return finish_reason(exchange) == "length" and not answer(exchange)


# Streams --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chunk:
    """One data event read as a completion chunk."""

    at_s: float
    index: int  # of the event in ``Stream.events``
    body: Any
    delta: dict[str, Any]
    finish_reason: str | None


@dataclass(frozen=True)
class StreamReading:
    """A streamed completion, joined as a client would.

    ``calls`` are the raw tool-call deltas in order, ``errors`` the error texts in the stream, each with
    the index of its event.
    """

    stream: sse.Stream
    chunks: tuple[Chunk, ...]
    text: str
    reasoning: str
    reasoning_field: str | None
    calls: tuple[tuple[int, Any], ...]
    finish_reason: str | None
    usage: tuple[int | None, int | None]
    usage_event: int | None
    errors: tuple[tuple[int, str], ...]
    malformed: tuple[int, ...]
    list_content: tuple[int, ...]

    @property
    def done(self) -> bool:
        return self.stream.done


def is_stream(exchange: Exchange) -> bool:
    """Whether the response is an event stream, by its media type or by its content."""
    response = exchange.response
    if response is None or not 200 <= response.status < 300:
        return False
    if response.media_type == "text/event-stream":
        return True
    if response.media_type == "application/json" and response.json is not None:
        return False
    head = response.content[:200].lstrip(b"\xef\xbb\xbf\r\n ")
    return head.startswith((b"data:", b"event:", b": ", b":\n", b"id:", b"retry:"))


def read_stream(exchange: Exchange) -> StreamReading:
    """Read a streamed completion; cached by content."""
    return _reading(exchange.response.content if exchange.response else b"", exchange.timeline.reads)


def _reading(content: bytes, reads: tuple[tuple[float, int], ...]) -> StreamReading:
    return (_read_small if len(content) <= SMALL else _read_large)(content, reads)


def _counts(body: Any) -> tuple[int | None, int | None]:
    """Token counts of a body or chunk.

    Groq streams them under ``x_groq`` (Groq API reference); the Responses API has ``input_tokens`` and
    ``output_tokens`` and streams them under ``response``.
    """
    for place in ((), ("x_groq",), ("response",)):
        for prompt, completion in (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")):
            found = count_at(body, *place, "usage", prompt), count_at(body, *place, "usage", completion)
            if found != (None, None):
                return found
    return None, None


def _read(content: bytes, reads: tuple[tuple[float, int], ...]) -> StreamReading:
    stream = sse.parse(content, reads)
    chunks: list[Chunk] = []
    errors: list[tuple[int, str]] = []
    malformed: list[int] = []
    for index, event in enumerate(stream.events):
        if event.done:
            break  # clients read no further
        if event.kind not in ("data", "unfinished"):
            continue
        body = event.json
        if not isinstance(body, dict):
            text = error_in(body) if isinstance(body, list) else ""
            if text:
                errors.append((index, text))
            else:
                malformed.append(index)
            continue
        if body.get("error") or event.event == "error":
            errors.append((index, error_in(body) or event.data[:300]))
        if inside := member(body, "choices", 0, "error"):  # OpenRouter: the provider failed in the middle
            errors.append((index, error_in({"error": inside}) or str(inside)[:300]))
        delta = member(body, "choices", 0, "delta")
        reason = text_at(body, "choices", 0, "finish_reason") or None
        chunks.append(Chunk(event.at_s, index, body, delta if isinstance(delta, dict) else {}, reason))
    usages = [
        (found, chunk.index)
        for chunk in chunks
        if ("usage" in chunk.body or "x_groq" in chunk.body) and (found := _counts(chunk.body)) != (None, None)
    ]
    field = next((name for chunk in chunks for name in REASONING_FIELDS if text_at(chunk.delta, name)), None)
    calls = ((chunk.index, chunk.delta.get("tool_calls")) for chunk in chunks)
    return StreamReading(
        stream,
        tuple(chunks),
        "".join(joined(chunk.delta.get("content")) for chunk in chunks),
        "".join(text_at(chunk.delta, field) for chunk in chunks) if field else "",
        field,
        tuple((index, call) for index, found in calls if isinstance(found, list) for call in found),
        next((chunk.finish_reason for chunk in reversed(chunks) if chunk.finish_reason), None),
        usages[-1][0] if usages else (None, None),
        usages[-1][1] if usages else None,
        tuple(errors),
        tuple(malformed),
        tuple(chunk.index for chunk in chunks if isinstance(chunk.delta.get("content"), list)),
    )


# A reading takes a hundred times the memory of the stream, so few are kept, and only three of the large ones.
_read_small = lru_cache(maxsize=16)(_read)
_read_large = lru_cache(maxsize=3)(_read)


def forget_readings() -> None:
    """Clear the caches of streams that were read."""
    _has_deltas.cache_clear()
    _read_small.cache_clear()
    _read_large.cache_clear()
