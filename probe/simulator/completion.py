"""Chat completion objects and chunks (openai/openai-openapi, CreateChatCompletionResponse and its stream form)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from probe.simulator.call import Chunk
from probe.simulator.standin.prompt import split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from probe.simulator.call import JSON, Call, Reply, Site, ToolCall
    from probe.simulator.style import Style


def started_at(site: Site) -> float:
    """Seconds from the request to the first token."""
    return site.latency_s + site.first_token_s


def pace(site: Site) -> float:
    """Seconds between two tokens."""
    return 1.0 / site.rate_tokens_s if site.rate_tokens_s > 0 and math.isfinite(site.rate_tokens_s) else 0.0


def finished_at(site: Site, replies: Sequence[Reply]) -> float:
    """Seconds from the request to the end of the generation."""
    return started_at(site) + pace(site) * max(reply.completion_tokens for reply in replies)


def call_object(call: ToolCall) -> JSON:
    """A tool call as it stands in a message; the id is left out where there is none."""
    made: JSON = {} if call.id is None else {"id": call.id}
    return {**made, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def message(style: Style, reply: Reply) -> JSON:
    """The assistant message with its text, its calls and its reasoning."""
    made: JSON = {"role": "assistant", "content": reply.text or (None if reply.tool_calls else "")}
    if reply.reasoning:
        made[reply.notes.get("reasoning_field", style.reasoning_field)] = reply.reasoning
    if reply.tool_calls:
        made["tool_calls"] = [call_object(call) for call in reply.tool_calls]
    return made


def usage(replies: Sequence[Reply]) -> JSON:
    """Token counts: the prompt once, every choice's completion."""
    prompt = replies[0].prompt_tokens
    written = sum(reply.completion_tokens for reply in replies)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def choices(style: Style, call: Call, replies: Sequence[Reply]) -> list[JSON]:
    """The choices of a whole answer."""
    made = []
    for index, reply in enumerate(replies):
        made.append(
            {
                "index": index,
                "message": style.message(call, reply),
                "logprobs": logprobs(call, split(reply.text)),
                "finish_reason": reply.finish_reason,
                **style.choice_extras(call),
            }
        )
    return made


def logprobs(call: Call, tokens: list[str]) -> JSON | None:
    """Log probabilities for the given tokens when the request asks for them, else None."""
    if call.body.get("logprobs") is not True:
        return None
    top = call.body.get("top_logprobs") or 0
    content = []
    for place, text in enumerate(tokens):
        value = -0.0125 * (1 + place % 7)
        entry: JSON = {"token": text, "logprob": value, "bytes": list(text.encode())}
        others = [" the", " a", "\n", ".", " I", " and", " of", " to", "1", "!"] * 2
        ranked = [entry.copy()] + [
            {"token": other, "logprob": value - 4.0 - rank, "bytes": list(other.encode())}
            for rank, other in enumerate(others)
        ]
        entry["top_logprobs"] = ranked[:top]
        content.append(entry)
    return {"content": content, "refusal": None}


def _deltas(style: Style, reply: Reply) -> Iterator[tuple[int, JSON, list[str]]]:
    """(tokens before it, delta, its text tokens) for everything between the role and the end of one choice."""
    place = 0
    field = reply.notes.get("reasoning_field", style.reasoning_field)
    for text in split(reply.reasoning):
        yield place, {field: text}, []
        place += 1
    for text in split(reply.text):
        yield place, {"content": text}, [text]
        place += 1
    for index, made in enumerate(reply.tool_calls):
        whole = style.tool_deltas == "whole" or not isinstance(made.arguments, str)
        parts = [] if whole else split(made.arguments)
        first = call_object(made)
        place += 1 + (len(split(made.arguments)) if whole and isinstance(made.arguments, str) else 0)
        if not whole:
            first["function"] = {"name": made.name, "arguments": ""}
        yield place, {"tool_calls": [{"index": index, **first}]}, []
        for text in parts:
            place += 1
            yield place, {"tool_calls": [{"index": index, "function": {"arguments": text}}]}, []


def chunks(style: Style, call: Call, replies: Sequence[Reply]) -> list[Chunk]:
    """The data events of a streamed answer on the generation's own schedule, one token an event."""
    site = call.site
    start, step = started_at(site), pace(site)
    made: list[Chunk] = []

    def add(at: float, listed: list[JSON], usage_now: Any = None) -> None:
        body = style.chunk(call, listed)
        if usage_now is not None:
            body["usage"] = usage_now
        elif call.include_usage and style.null_usage:
            body["usage"] = None
        made.append(Chunk(at, body))

    last = start
    for index, reply in enumerate(replies):
        add(start, [style.chunk_choice(index, style.role_delta(), None, None)])
        place = 0
        for place, delta, texts in _deltas(style, reply):
            probabilities = logprobs(call, texts) if texts else None
            add(start + place * step, [style.chunk_choice(index, delta, None, probabilities)])
        last = max(last, start + step * max(place + 1, reply.completion_tokens))
        counts = style.usage(call, replies) if call.include_usage and style.usage_place == "finish" else None
        finish = style.chunk_choice(index, {}, reply.finish_reason, None)
        add(last, [{**finish, **style.choice_extras(call)}], counts)
    if call.include_usage and style.usage_place == "extra":
        add(last, [], style.usage(call, replies))
    made.sort(key=lambda chunk: chunk.at)
    made.append(Chunk(last, "[DONE]"))
    return made
