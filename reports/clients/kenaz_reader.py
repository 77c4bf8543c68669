"""How Kenaz's adapter for custom endpoints reads a stream, run over what was recorded.

From kameas-ai/kenaz-harness, core/llm: only status 200 is success; lines end in LF and
may have 1 MiB; lines that do not begin with ``data:`` are passed over; ``[DONE]`` or the end
of the body end the stream; a frame whose ``error`` is set is passed over silently;
``delta.content`` is a string or null, ``arguments`` a string, and a missing ``index`` is 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from probe.model import Exchange, Report

LONGEST_LINE = 1024 * 1024
HEADERS_WITHIN_S = 60.0
#: As far as this program reads into any stream.
MOST_LINES = 32_000


@dataclass
class Reading:
    """What the adapter has after a stream."""

    text: str = ""
    usage: bool = False
    frames: int = 0
    malformed: str | None = None
    ignored_errors: int = 0
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    merged_calls: bool = False
    too_long: bool = False


def read(content: bytes) -> Reading:
    """Read a stream's body as the adapter does, as far into it as this program reads any stream."""
    reading = Reading()
    for line in content.split(b"\n", MOST_LINES)[:MOST_LINES]:
        if len(line) > LONGEST_LINE:
            reading.too_long = True
            break
        line = line.rstrip(b"\r")
        if not line.startswith(b"data:"):
            continue
        data = line[5:].removeprefix(b" ")
        if data.strip() == b"[DONE]":
            break
        reading.malformed = _frame(data, reading)
        if reading.malformed:
            break
    return reading


def _frame(data: bytes, reading: Reading) -> str | None:
    """Take in one frame; what makes it malformed, or None."""
    if not data.strip():
        return None
    try:
        frame = json.loads(data)
    except (ValueError, RecursionError):
        return "a frame is no JSON"
    if not isinstance(frame, dict):
        return "a frame is no JSON object"
    reading.frames += 1
    if frame.get("error"):
        reading.ignored_errors += 1
        return None
    reading.usage = reading.usage or isinstance(frame.get("usage"), dict)
    choices = frame.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if isinstance(delta, dict) and (problem := _delta(delta, reading)):
            return problem
    return None


def _delta(delta: dict[str, Any], reading: Reading) -> str | None:
    content = delta.get("content")
    if content is not None and not isinstance(content, str):
        return f"delta.content is {_kind(content)}, not a string"
    reading.text += content or ""
    calls = delta.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict) and (problem := _call(call, reading)):
            return problem
    return None


def _call(call: dict[str, Any], reading: Reading) -> str | None:
    index = call.get("index", 0)
    function = call.get("function")
    function = function if isinstance(function, dict) else {}
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        return f"arguments is {_kind(arguments)}, not a string"
    known = reading.calls.setdefault(index if isinstance(index, int) else 0, {"id": "", "arguments": ""})
    name = call.get("id")
    if isinstance(name, str) and name and known["id"] and name != known["id"]:
        reading.merged_calls = True
    known["id"] = known["id"] or (name if isinstance(name, str) else "")
    known["arguments"] += arguments or ""
    return None


def _kind(value: Any) -> str:
    return {list: "an array", dict: "an object", bool: "a boolean"}.get(type(value), "a number")


def judge(report: Report) -> Iterator[tuple[str, str, bool]]:
    """What the adapter makes of the recorded streams: (code, sentence, whether it cannot be used)."""
    seen = set()
    for exchange in report.exchanges:
        for found in _judged(exchange):
            if found[:2] not in seen:
                seen.add(found[:2])
                yield found


def _judged(exchange: Exchange) -> Iterator[tuple[str, str, bool]]:
    body, response = exchange.request.body, exchange.response
    if not isinstance(body, dict) or body.get("stream") is not True or response is None or "messages" not in body:
        return
    if response.status != 200:
        if 200 < response.status < 300:
            yield "errors.success-status", f"only status 200 is success to it, and {response.status} came", True
        return
    if exchange.timeline.headers_s is not None and exchange.timeline.headers_s > HEADERS_WITHIN_S:
        yield "stream.held", f"response headers came after {exchange.timeline.headers_s:.0f} s; it waits 60 s", True
    reading = read(response.content)
    tools = bool(body.get("tools"))
    if reading.too_long:
        yield "stream.framing", "a line of the stream is longer than 1 MiB, where it stops reading", True
    if reading.malformed:
        # With tools off such frames do not come; without them nothing can be shown.
        code = "tools.arguments-not-string" if "arguments" in reading.malformed else "stream.framing"
        yield (
            code,
            f"it stops at a malformed frame: {reading.malformed}",
            not (tools and "arguments" in reading.malformed),
        )
    if reading.merged_calls:
        yield "tools.stream-index", "calls without an index of their own run together (a missing one reads as 0)", False
    if reading.ignored_errors:
        yield "stream.error-in-band", "it passes over error frames, so that such a failure is silent", False
    if not reading.frames and not reading.too_long and not reading.malformed and response.content and not response.cut:
        yield "stream.framing", "it finds no frame in the stream (lines end in LF, data lines begin with data:)", True
