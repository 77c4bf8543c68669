"""Tool calls that are left in the text (as markup, JSON, in the reasoning, half parsed), or broken in streams alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.fault import Fault, as_text, deltas, each_part, named_calls, on_chunks, on_reply
from probe.simulator.markup import FORMATS, Calls, bare, bare_json5


def _leak(name: str, summary: str, code: str, write: Callable[[Calls], str]) -> type[Fault]:
    """The calls are text in a certain notation, which no parser reads; `write` makes it."""

    def left(fault: Fault, call: Call, reply: Reply) -> Reply:
        return as_text(reply, write(named_calls(reply))) if reply.tool_calls else reply

    return Fault.variant(name, summary, yields=(code,), on_reply=left)


def _fenced(calls: Calls) -> str:
    """Code blocks after a sentence."""
    blocks = "\n".join(f"```json\n{bare([call])}\n```" for call in calls)
    return f"I will use the available function for this.\n\n{blocks}"


_JSON5 = "tool calls stay in the text as JSON5: keys without quotes, single quotes, a trailing comma"
#: One fault a format, which the server has no parser for; and JSON without markup that names an offered tool.
FAULTS = (
    *(
        _leak(
            f"tools-as-{marker}", f"tool calls stay in the text in {marker} markup", "tools.parser-missing", one.write
        )
        for marker, one in FORMATS.items()
    ),
    _leak("tools-as-text", "tool calls stay in the text as bare JSON", "tools.text-call", bare),
    _leak("tools-as-fenced-json", "tool calls stay in the text as JSON in a code block", "tools.text-call", _fenced),
    _leak("tools-as-json5", _JSON5, "tools.text-call", bare_json5),
)


@on_reply("tool calls end up inside the reasoning text", "tools.parser-missing")
def tools_in_reasoning(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The reasoning parser takes the call before the tool parser sees it."""
    if not reply.tool_calls:
        return reply
    written = FORMATS["hermes"].write(named_calls(reply))
    thought = f"The user wants something that a function can answer.\n{written}"
    return replace(as_text(reply, ""), reasoning=reply.reasoning + thought)


@on_reply("a structured call comes, and its markup is in the text as well", "tools.parser-missing")
def tools_partial_leak(fault: Fault, call: Call, reply: Reply) -> Reply:
    """A parser that reads the call and does not remove its markup."""
    return replace(reply, text=FORMATS["hermes"].write(named_calls(reply))) if reply.tool_calls else reply


# Calls that are broken in streams alone --------------------------------------------------------------


@on_reply("streamed tool calls stay in the text; whole answers are well formed", "tools.stream-leak", stream=True)
def tool_stream_leak(fault: Fault, call: Call, reply: Reply) -> Reply:
    """The parser is not applied to streams (koboldcpp and older servers)."""
    return as_text(reply, FORMATS["hermes"].write(named_calls(reply))) if reply.tool_calls else reply


@on_chunks("streamed tool calls have no index", "tools.stream-index")
def tool_stream_index(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Deltas without `index` (Gemini, Mistral): clients that join by it merge parallel calls."""
    return each_part(chunks, lambda part: {key: value for key, value in part.items() if key != "index"})


@on_chunks("all streamed tool calls have index 0", "tools.stream-index")
def tool_stream_index_zero(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Every call has the index of the first."""
    return each_part(chunks, lambda part: {**part, "index": 0})


@on_chunks(
    "fragments of streamed calls cannot be joined (=lost, repeated or late)",
    "tools.stream-fragments",
    choices=("lost", "repeated", "late"),
)
def tool_stream_fragments(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Fragments that do not add up to the call."""
    return {"lost": _lost, "repeated": _repeated, "late": _late}[fault.given](chunks)


def _lost(chunks: list[Chunk]) -> list[Chunk]:
    """The second fragment of every call is missing."""
    seen: dict[int, int] = {}

    def drop(part: JSON) -> JSON | None:
        if not part["function"].get("arguments"):
            return part
        seen[part["index"]] = seen.get(part["index"], 0) + 1
        return None if seen[part["index"]] == 2 else part

    return each_part(chunks, drop)


def _repeated(chunks: list[Chunk]) -> list[Chunk]:
    """Every fragment contains all the arguments so far, with name and id."""
    so_far: dict[int, JSON] = {}

    def grow(part: JSON) -> JSON:
        index, function = part["index"], part["function"]
        call = so_far.setdefault(index, {"id": part.get("id"), "name": function.get("name"), "arguments": ""})
        call["arguments"] += function.get("arguments", "")
        named = {"name": call["name"], "arguments": call["arguments"]}
        return {"index": index, "id": call["id"], "type": "function", "function": named}

    return each_part(chunks, grow)


def _late(chunks: list[Chunk]) -> list[Chunk]:
    """Name and id come with the last fragment of the call."""
    remaining: dict[int, int] = {}
    for chunk in chunks:
        for delta in deltas(chunk.data):
            for part in delta.get("tool_calls") or []:
                remaining[part["index"]] = remaining.get(part["index"], 0) + 1
    first: dict[int, JSON] = {}

    def shift(part: JSON) -> JSON | None:
        index = part["index"]
        call = first.setdefault(index, part)
        function = {"arguments": part["function"].get("arguments", "")}
        remaining[index] -= 1
        if remaining[index]:
            return {"index": index, "function": function} if function["arguments"] else None
        named = {"name": call["function"]["name"], **function}
        return {"index": index, "id": call["id"], "type": "function", "function": named}

    return each_part(chunks, shift)
