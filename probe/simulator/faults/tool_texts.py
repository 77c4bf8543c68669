"""Long arguments that are damaged, and text that is held back or lost where tools are offered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from probe.simulator.call import JSON, Call, Chunk, Reply
from probe.simulator.fault import Fault, choices, deltas, each_part, is_finished, on_chunks, with_arguments
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


class _LongText(Fault):
    """Strings in arguments are damaged at a place."""

    yields = ("tools.stream-fragments",)
    at: ClassVar[int] = 130
    stream = True

    def damaged(self, text: str) -> str:
        """The text as it arrives."""
        raise NotImplementedError

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        def each(given: JSON) -> str:
            longer = {key: one for key, one in given.items() if isinstance(one, str) and len(one) > self.at}
            return json.dumps(given | {key: self.damaged(one) for key, one in longer.items()}, ensure_ascii=False)

        return with_arguments(reply, each)


class PieceLost(_LongText):
    """A buffer of the streaming parser loses what follows when it is full."""

    name = "tool-stream-piece-lost"
    summary = "streamed strings of more than 130 characters in arguments lose a piece"

    def damaged(self, text: str) -> str:
        return text[: self.at] + text[self.at + 17 :]


class PieceRepeated(_LongText):
    """The streaming parser sends a piece again."""

    name = "tool-stream-piece-repeated"
    summary = "a piece of streamed strings of more than 130 characters in arguments comes twice"

    def damaged(self, text: str) -> str:
        return text[: self.at] + text[self.at - 21 :]


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

    def on_stream(self, call: Call, response: Response) -> Response:
        return response.with_writes([(response.finished_at(), response.body)]) if self.holds(call) else response

    def holds(self, call: Call) -> bool:
        """Whether the text of this answer is held back."""
        return bool(call.tools)


class HeldUnlessForbidden(HeldWithTools):
    """The same only where a call may come."""

    name = "tool-stream-text-held-auto"
    summary = "with `tools` and without `tool_choice: none` streamed text arrives at the end"

    def holds(self, call: Call) -> bool:
        return bool(call.tools) and call.body.get("tool_choice", "auto") != "none"


class ReplayedWithTools(HeldWithTools):
    """A gateway generates the answer whole and plays it back."""

    name = "tool-stream-text-replayed"
    summary = "with `tools` in the request a streamed answer is generated whole and played back quickly"

    def on_stream(self, call: Call, response: Response) -> Response:
        if not self.holds(call):
            return response
        end, first = response.finished_at(), response.writes[0].at
        writes = [replace(write, at=end + (write.at - first) * 0.1) for write in response.writes]
        return replace(response, writes=writes, end_at=writes[-1].at)


class OnePieceWithTools(HeldWithTools):
    """The text comes in one delta."""

    name = "tool-stream-text-one-piece"
    summary = "with `tools` in the request streamed text comes in one delta at the end"

    def on_chunks(self, call: Call, chunks: list[Chunk]) -> list[Chunk]:
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

    def on_stream(self, call: Call, response: Response) -> Response:
        return response


class ResultTextLost(Fault):
    """After a tool result the streaming parser drops the text."""

    name = "tool-stream-result-text-lost"
    summary = "the streamed answer to a tool result has no text"
    yields = ("stream.text-differs",)
    stream = True

    def on_reply(self, call: Call, reply: Reply) -> Reply:
        told = call.messages[-1].get("role") == "tool"
        return replace(reply, text=self.left(reply.text)) if call.tools and told else reply

    def left(self, text: str) -> str:
        """What is streamed of the text."""
        return ""


class ResultTextCut(ResultTextLost):
    """The same with the first part of the text."""

    name = "tool-stream-result-text-cut"
    summary = "the streamed answer to a tool result lacks its first half"

    def left(self, text: str) -> str:
        return text[len(text) // 2 :]
