"""Long arguments that are damaged, and text that is held back or lost where tools are offered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.fault import Fault, choices, deltas, each_part, is_finished, on_chunks, on_stream, with_arguments
from probe.simulator.response import Response

# Long arguments ----------------------------------------------------------------------------------------


def _each_argument(chunks: list[Chunk], change: Callable[[str], str]) -> list[Chunk]:
    """The chunks after `change(piece)` of every piece of the arguments of calls."""

    def changed(part: JSON) -> JSON:
        given = part.get("function", {}).get("arguments")
        return {**part, "function": {**part["function"], "arguments": change(given)}} if given else part

    return each_part(chunks, changed)


@on_chunks("blanks at the ends of the pieces of streamed arguments are lost", "tools.stream-fragments")
def tool_stream_pieces_stripped(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """A gateway strips every piece of the arguments."""
    return _each_argument(chunks, str.strip)


@on_chunks("characters outside ASCII in streamed arguments become U+FFFD", "tools.values-altered")
def tool_stream_characters_split(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """Bytes are decoded piece by piece, so that characters of several bytes break."""
    return _each_argument(chunks, lambda text: text.encode("ascii", "replace").decode().replace("?", "\ufffd"))


class PieceLost(Fault):
    """A buffer of the streaming parser loses what follows when it is full."""

    name = "tool-stream-piece-lost"
    summary = "streamed strings of more than 130 characters in arguments lose a piece"
    yields = ("tools.stream-fragments",)
    stream = True
    at = 130
    skipped = 17

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        def each(given: JSON) -> str:
            longer = {key: one for key, one in given.items() if isinstance(one, str) and len(one) > self.at}
            damaged = {key: one[: self.at] + one[self.at + self.skipped :] for key, one in longer.items()}
            return json.dumps(given | damaged, ensure_ascii=False)

        return with_arguments(reply, each)


# The streaming parser sends a piece again.
PieceRepeated = PieceLost.variant(
    "tool-stream-piece-repeated",
    "a piece of streamed strings of more than 130 characters in arguments comes twice",
    skipped=-21,
)
VeryLongLost = PieceLost.variant(
    "tool-stream-long-piece-lost",
    "streamed strings of more than 2048 characters in arguments lose a piece",
    deep=True,
    at=2048,
)


# Text to a request with tools --------------------------------------------------------------------------


class HeldWithTools(Fault):
    """The tool-call parser waits for the end of the text to see whether a call comes."""

    name = "tool-stream-text-held"
    summary = "with `tools` in the request streamed text arrives at the end"
    yields = ("tools.held-with-tools",)
    spares_none = False

    def on_stream(self, call: Call, response: Response) -> Response:
        spared = self.spares_none and call.body.get("tool_choice") == "none"
        return response.held() if call.tools and not spared else response


# The same only where a call may come.
HeldUnlessForbidden = HeldWithTools.variant(
    "tool-stream-text-held-auto",
    "with `tools` and without `tool_choice: none` streamed text arrives at the end",
    spares_none=True,
)


@on_stream(
    "with `tools` in the request a streamed answer is generated whole and played back quickly",
    "tools.held-with-tools",
)
def tool_stream_text_replayed(fault: Fault, call: Call, response: Response) -> Response:
    """A gateway generates the answer whole and plays it back."""
    return response.replayed(0.1) if call.tools else response


@on_chunks("with `tools` in the request streamed text comes in one delta at the end", "tools.held-with-tools")
def tool_stream_text_one_piece(fault: Fault, call: Call, chunks: list[Chunk]) -> list[Chunk]:
    """The text comes in one delta."""
    texts = [delta for chunk in chunks for delta in deltas(chunk.data) if isinstance(delta.get("content"), str)]
    if not call.tools or not texts:
        return chunks
    whole, kept = "".join(delta["content"] for delta in texts), []
    for chunk in chunks:
        if is_finished(chunk.data):
            made: Any = json.loads(json.dumps(chunk.data))
            for choice in choices(made):
                choice["delta"], choice["finish_reason"] = {"content": whole}, None
            kept.append(replace(chunk, data=made))
        if not any(isinstance(delta.get("content"), str) and delta["content"] for delta in deltas(chunk.data)):
            kept.append(chunk)
    return kept


class ResultTextLost(Fault):
    """After a tool result the streaming parser drops the text."""

    name = "tool-stream-result-text-lost"
    summary = "the streamed answer to a tool result has no text"
    yields = ("stream.text-differs",)
    stream = True
    lost = 1.0
    """The share of the text, from its beginning."""

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        told = call.messages[-1].get("role") == "tool"
        text = reply.text[int(len(reply.text) * self.lost) :]
        return replace(reply, text=text) if call.tools and told else reply


ResultTextCut = ResultTextLost.variant(
    "tool-stream-result-text-cut", "the streamed answer to a tool result lacks its first half", lost=0.5
)
