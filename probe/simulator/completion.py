"""Parts of chat completion objects and chunks, and the times at which they are generated.

Source of the shapes: openai/openai-openapi, CreateChatCompletionResponse and CreateChatCompletionStreamResponse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from probe.simulator.call import JSON, Call, Reply, Site, ToolCall
from probe.simulator.model.prompt import split


def started_at(site: Site) -> float:
    """Seconds from the request to the first token."""
    return site.latency_s + site.first_token_s


def pace(site: Site) -> float:
    """Seconds between two tokens."""
    return 1.0 / site.rate_tokens_s if site.rate_tokens_s > 0 and math.isfinite(site.rate_tokens_s) else 0.0


def finished_at(site: Site, replies: Sequence[Reply]) -> float:
    """Seconds from the request to the end of the generation."""
    return started_at(site) + pace(site) * max(reply.completion_tokens for reply in replies)


def tool_call(call: ToolCall) -> JSON:
    """A tool call as an entry of `tool_calls`, without an id where it has none."""
    named: JSON = {} if call.id is None else {"id": call.id}
    return {**named, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def message(reply: Reply, reasoning_field: str) -> JSON:
    """The assistant message with its text, its tool calls and its reasoning."""
    made: JSON = {"role": "assistant", "content": reply.text or (None if reply.tool_calls else "")}
    if reply.reasoning:
        made[reply.reasoning_field or reasoning_field] = reply.reasoning
    if reply.tool_calls:
        made["tool_calls"] = [tool_call(call) for call in reply.tool_calls]
    return made


def usage(replies: Sequence[Reply]) -> JSON:
    """Token counts: the prompt once, the completion of every choice."""
    prompt = replies[0].prompt_tokens
    written = sum(reply.completion_tokens for reply in replies)
    return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}


def logprobs(call: Call, tokens: Sequence[str]) -> JSON | None:
    """Log probabilities of the given tokens if the request asks for them, else None."""
    if call.body.get("logprobs") is not True:
        return None
    others = (" the", " a", "\n", ".", " I", " and", " of", " to", "1", "!") * 2
    content = []
    for place, text in enumerate(tokens):
        value = -0.0125 * (1 + place % 7)
        ranked: list[JSON] = [
            {"token": token, "logprob": logprob, "bytes": list(token.encode())}
            for token, logprob in [(text, value), *((other, value - 4.0 - rank) for rank, other in enumerate(others))]
        ]
        content.append({**ranked[0], "top_logprobs": ranked[: call.body.get("top_logprobs") or 0]})
    return {"content": content, "refusal": None}


def deltas(reply: Reply, reasoning_field: str, *, whole_calls: bool) -> Iterator[tuple[int, JSON, list[str]]]:
    """(tokens before it, delta, its text tokens) for everything between the role and the end of one choice.

    With `whole_calls` each tool call is one delta; otherwise its arguments come token by token.
    """
    place = 0
    for text in split(reply.reasoning):
        yield place, {reply.reasoning_field or reasoning_field: text}, []
        place += 1
    for text in split(reply.text):
        yield place, {"content": text}, [text]
        place += 1
    for index, call in enumerate(reply.tool_calls):
        parts = split(call.arguments) if isinstance(call.arguments, str) else []
        first = tool_call(call)
        place += 1
        if whole_calls or not isinstance(call.arguments, str):
            place += len(parts)
            parts = []
        else:
            first["function"] = {"name": call.name, "arguments": ""}
        yield place, {"tool_calls": [{"index": index, **first}]}, []
        for text in parts:
            place += 1
            yield place, {"tool_calls": [{"index": index, "function": {"arguments": text}}]}, []
