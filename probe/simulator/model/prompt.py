"""A chat request as the model reads it: plain turns, tools, and the calls and results since the last question."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Any

#: How the templates of Hermes and Qwen print a tool's result; a user turn of this form is read as one.
_RESULT = re.compile(r"\s*<tool_response>\s*(.*?)\s*</tool_response>\s*", re.DOTALL)
#: Characters of the longest system message that a small model uses.
_SHORT = 200


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: its role, its text (blocks joined by line feeds), its pictures and its tool calls."""

    role: str
    text: str
    images: tuple[bytes, ...] = ()
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """One offered function."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """All turns and tools. `last_user` is the index of the newest user turn, -1 without one."""

    turns: tuple[Turn, ...]
    tools: tuple[Tool, ...] = ()
    last_user: int = field(default=-1)

    @property
    def newest(self) -> str:
        """The text of the newest user turn, or else of the newest turn."""
        if self.last_user >= 0:
            return self.turns[self.last_user].text
        return self.turns[-1].text if self.turns else ""

    @property
    def question(self) -> str:
        """The same; of a very long text only the beginning and the end, where instructions usually are."""
        text = self.newest
        return text if len(text) <= 8000 else text[:3000] + "\n" + text[-4000:]

    @property
    def images(self) -> tuple[bytes, ...]:
        """The pictures of the newest user turn, or else of the newest turn with pictures."""
        if self.last_user >= 0 and self.turns[self.last_user].images:
            return self.turns[self.last_user].images
        return next((turn.images for turn in reversed(self.turns) if turn.images), ())

    @property
    def system(self) -> str:
        """System and developer turns joined."""
        return "\n".join(turn.text for turn in self.turns if turn.role in ("system", "developer"))

    @property
    def before(self) -> tuple[Turn, ...]:
        """Every turn except the newest user turn."""
        return tuple(turn for place, turn in enumerate(self.turns) if place != self.last_user)

    @property
    def results(self) -> tuple[Turn, ...]:
        """Tool results since the newest user turn."""
        return tuple(turn for turn in self.turns[self.last_user + 1 :] if turn.role in ("tool", "function"))

    @property
    def made_calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Calls made since the newest user turn."""
        return [call for turn in self.turns[self.last_user + 1 :] for call in turn.calls]

    def narrowed(self, *, system: bool) -> Prompt:
        """The part that a small model uses: the newest question, and with `system` a short system message."""
        kept = [
            turn
            for turn in self.turns
            if system and turn.role in ("system", "developer") and len(turn.text) < _SHORT and "{" not in turn.text
        ]
        return Prompt((*kept, Turn("user", self.newest)), (), len(kept))


def content_text(content: Any) -> str:
    """The text of a message's content: the string, or the text blocks joined by line feeds."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        return "\n".join(part for part in parts if isinstance(part, str))
    return ""


def data_uris(content: Any) -> list[bytes]:
    """The bytes of a message's pictures from data URIs; for a remote one, which is never fetched, no bytes."""
    found: list[bytes] = []
    for part in content if isinstance(content, list) else []:
        if not isinstance(part, dict) or part.get("type") not in ("image_url", "input_image"):
            continue
        place = part.get("image_url")
        url = place.get("url") if isinstance(place, dict) else place
        if isinstance(url, str) and url.startswith("data:") and "," in url:
            try:
                found.append(base64.b64decode(url.partition(",")[2]))
            except (binascii.Error, ValueError):
                found.append(b"")
        else:
            found.append(b"")
    return found


def _calls(message: dict[str, Any]) -> tuple[tuple[str, dict[str, Any]], ...]:
    made = []
    for call in message.get("tool_calls") or []:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            continue
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except ValueError:
                arguments = {}
        made.append((str(function.get("name")), arguments if isinstance(arguments, dict) else {}))
    return tuple(made)


def read(body: dict[str, Any]) -> Prompt:
    """The prompt of a chat request. Unusable parts are skipped; whether they are errors is decided by the style."""
    turns = []
    last_user = -1
    for message in body.get("messages") or []:
        if not isinstance(message, dict):
            continue
        content = message.get("content")
        role, text = str(message.get("role")), content_text(content)
        shown = _RESULT.fullmatch(text) if role == "user" else None
        if shown is not None:
            role, text = "tool", shown[1]
        turns.append(Turn(role, text, tuple(data_uris(content)), _calls(message)))
        if role == "user":
            last_user = len(turns) - 1
    tools = []
    for tool in body.get("tools") or []:
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            parameters = function.get("parameters")
            tools.append(
                Tool(
                    function["name"],
                    str(function.get("description") or ""),
                    parameters if isinstance(parameters, dict) else {"type": "object"},
                )
            )
    return Prompt(tuple(turns), tuple(tools), last_user)


# Tokens: about four characters of English each, every symbol its own -----------------------------------

_PIECE = re.compile(r" ?[A-Za-z]{1,6}| ?[0-9]{1,3}| ?[^\sA-Za-z0-9]|\n|\s{1,4}", re.DOTALL)

#: Longer texts are counted by their length, so that a huge prompt does not block the server.
_LONG = 400_000


def split(text: str) -> list[str]:
    """The tokens of a text; joined they are the text."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """The number of tokens of a text (estimated from its length above 400,000 characters)."""
    return len(text) // 4 if len(text) > _LONG else len(split(text))


def clip(text: str, limit: int) -> str:
    """The first `limit` tokens of a text."""
    return "".join(split(text)[: max(limit, 0)])


def count_tools(tools: list[Any]) -> int:
    """The tokens that a chat template needs to show the tools to the model."""
    return 24 + count(json.dumps(tools, ensure_ascii=False)) if tools else 0
