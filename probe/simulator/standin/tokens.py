"""A simple deterministic tokenizer: about four characters of English a token, every symbol its own."""

from __future__ import annotations

import json
import re
from typing import Any

_PIECE = re.compile(r" ?[A-Za-z]{1,6}| ?[0-9]{1,3}| ?[^\sA-Za-z0-9]|\n|\s{1,4}", re.DOTALL)

# Longer texts are counted by length alone, so that a huge prompt cannot stall the server.
_LONG = 400_000


def split(text: str) -> list[str]:
    """The tokens of a text; joined they give the text back exactly."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """How many tokens a text has (estimated from its length above 400,000 characters)."""
    return len(text) // 4 if len(text) > _LONG else len(split(text))


def clip(text: str, limit: int) -> str:
    """The first `limit` tokens of a text."""
    return "".join(split(text)[: max(limit, 0)])


def count_tools(tools: list[Any]) -> int:
    """What a chat template spends on showing the tools to the model."""
    return 24 + count(json.dumps(tools, ensure_ascii=False)) if tools else 0
