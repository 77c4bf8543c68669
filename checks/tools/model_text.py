"""What the model itself writes where no parser of calls is on the way: the control for values that came back changed.

A server that changes calls does not touch text, and a model that cannot copy a value cannot do so in text either.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from checks.tools import requests
from checks.tools.markup import find_calls
from checks.tools.reading import Call
from probe.api import completion

if TYPE_CHECKING:
    from probe.api import Context

#: Longer answers are not looked into.
_MOST_CHARS = 20_000
_HOW = 'To call one, answer with {"name": NAME, "arguments": ARGUMENTS} within <tool_call></tool_call> tags.'


async def as_json(ctx: Context, values: Any, limit: int) -> Any:
    """The object that the model writes where it is asked for these values as JSON, or None.

    Args:
        limit: output limit (tokens).
    """
    shown = json.dumps(values, ensure_ascii=False)
    question = f"Answer with exactly this JSON object and nothing else: {shown}"
    return object_in(completion.answer(await ctx.chat(question, limit=limit)))


async def as_calls(ctx: Context, tool: requests.Tool, question: str, limit: int) -> list[Call]:
    """The calls that the model writes as text, with the tool in a system message and no `tools`.

    Args:
        limit: output limit (tokens).
    """
    messages = [
        {"role": "system", "content": f"{requests.as_template(tool)}\n{_HOW}"},
        {"role": "user", "content": question},
    ]
    leak = find_calls(completion.answer(await ctx.chat(messages, limit=limit)), [tool])
    return [Call(None, one.name, json.dumps(one.arguments), "") for one in leak.calls] if leak is not None else []


def object_in(text: str) -> Any:
    """The JSON object that a text begins with, after words or a fence; None without one."""
    start = text[:_MOST_CHARS].find("{")
    try:
        return json.JSONDecoder().raw_decode(text[:_MOST_CHARS], start)[0] if start >= 0 else None
    except (ValueError, RecursionError):
        return None
