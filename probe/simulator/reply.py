"""What the stand-in model returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool. `arguments` is a JSON text in a healthy endpoint; faults may put other things there."""

    name: str
    arguments: Any
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished answer. Counts are tokens of the stand-in tokenizer."""

    text: str = ""
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    notes: dict[str, Any] = field(default_factory=dict)

    def leaked(self, text: str) -> Reply:
        """The same reply with its calls left in the text, as a server without a parser answers."""
        return replace(self, text=text, tool_calls=(), finish_reason="stop")
