"""Helpers for faults: changing what a request shows the model, planned bytes, and messages of errors."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from probe.simulator.call import JSON, Call, Chunk
from probe.simulator.script import Script, Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from probe.simulator.reply import Reply


def replace_messages(call: Call, change: Callable[[JSON], JSON | None]) -> None:
    """Puts `change(message)` in place of every message; None drops it. The request itself is left as it came."""
    made = [change(dict(message)) for message in call.messages]
    call.body = {**call.body, "messages": [message for message in made if message is not None]}


def without(call: Call, *names: str) -> None:
    """Takes fields out of the body that the model is shown."""
    call.body = {key: value for key, value in call.body.items() if key not in names}


def has_pictures(call: Call) -> bool:
    """Whether a message carries a picture."""
    for message in call.messages:
        content = message.get("content")
        if isinstance(content, list) and any(part.get("type") == "image_url" for part in content):
            return True
    return False


def joined(script: Script, times: Iterable[tuple[float, bytes]]) -> Script:
    """The script with other writes; the numbers of the events are lost, as they are behind a buffer."""
    writes = [Write(at, data, place) for place, (at, data) in enumerate(times) if data]
    last = max([script.end_at, *(write.at for write in writes)])
    return replace(script, writes=writes, end_at=last)


def each_frame(script: Script, change: Callable[[bytes], bytes]) -> Script:
    """The script with every write's bytes changed."""
    return replace(script, writes=[replace(write, data=change(write.data)) for write in script.writes])


def is_events(script: Script) -> bool:
    """Whether the response is a stream of events (planned so by the style)."""
    return script.status == 200 and script.framing != "length" and len(script.writes) > 0


def deltas(chunk: Chunk) -> list[JSON]:
    """The deltas of a chunk (an empty list for `[DONE]` and for chunks without choices)."""
    if not isinstance(chunk.data, dict):
        return []
    return [choice["delta"] for choice in chunk.data.get("choices") or [] if isinstance(choice.get("delta"), dict)]


def named_calls(reply: Reply) -> list[tuple[str, JSON]]:
    """(name, arguments) of the reply's calls."""
    made = []
    for call in reply.tool_calls:
        given = json.loads(call.arguments) if isinstance(call.arguments, str) else call.arguments
        made.append((call.name, given if isinstance(given, dict) else {}))
    return made


def finish_reasons(chunk: Chunk) -> list[Any]:
    """The finish reasons in a chunk that are not null."""
    if not isinstance(chunk.data, dict):
        return []
    reasons = [choice.get("finish_reason") for choice in chunk.data.get("choices") or []]
    return [reason for reason in reasons if reason is not None]
