"""Blocks that are accepted and do not reach the model as they should."""

from __future__ import annotations

from typing import Any

from probe.simulator.call import JSON, Call
from probe.simulator.edit import replace_messages
from probe.simulator.fault import Fault


def _text_blocks(content: Any) -> list[JSON]:
    return [part for part in content if part.get("type") == "text"]


class Ignored(Fault):
    """A template that prints only strings: an array leaves the turn empty."""

    name = "blocks-ignored"
    summary = "content given as blocks is accepted and never reaches the model"
    yields = ("content.blocks-ignored",)

    def on_prompt(self, call: Call) -> None:
        replace_messages(call, lambda turn: {**turn, "content": ""} if isinstance(turn.get("content"), list) else turn)


class Truncated(Fault):
    """Code that reads `content[0]`."""

    name = "blocks-truncated"
    summary = "only the first text block of a turn reaches the model"
    yields = ("content.blocks-truncated",)

    def on_prompt(self, call: Call) -> None:
        def first(turn: JSON) -> JSON:
            content = turn.get("content")
            if not isinstance(content, list):
                return turn
            texts = _text_blocks(content)[:1]
            pictures = [part for part in content if part.get("type") != "text"]
            return {**turn, "content": [*texts, *pictures]}

        replace_messages(call, first)


class Stringified(Fault):
    """The list is printed with `repr` into the prompt; the model can still read it."""

    name = "blocks-stringified"
    summary = "text blocks are shown to the model as a printed Python list (readable, but costly)"

    def on_prompt(self, call: Call) -> None:
        def printed(turn: JSON) -> JSON:
            content = turn.get("content")
            if isinstance(content, list) and len(_text_blocks(content)) == len(content):
                return {**turn, "content": repr(content)}
            return turn

        replace_messages(call, printed)


FAULTS = (Ignored, Truncated, Stringified)
