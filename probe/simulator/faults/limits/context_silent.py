"""Prompts that are too long lose their beginning without a word."""

from __future__ import annotations

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.model import prompt_tokens
from probe.simulator.standin.tokens import clip


class ContextSilent(Fault):
    """Ollama's way: the oldest turns go first, then the beginning of what is left."""

    name = "context-silent"
    summary = "a prompt of more than N tokens silently loses its beginning"
    yields = ("limits.context-silent",)
    value = "2048"

    def on_prompt(self, call: Call) -> None:
        limit = int(self.number)
        messages = [dict(turn) for turn in call.messages]
        while len(messages) > 1 and prompt_tokens({**call.body, "messages": messages}) > limit:
            oldest = next((place for place, turn in enumerate(messages[:-1]) if turn.get("role") != "system"), 0)
            del messages[oldest]
        over = prompt_tokens({**call.body, "messages": messages}) - limit
        if over > 0 and messages and isinstance(messages[-1].get("content"), str):
            text = messages[-1]["content"]
            messages[-1]["content"] = text[len(clip(text, over)) :]
        call.body = {**call.body, "messages": messages}
