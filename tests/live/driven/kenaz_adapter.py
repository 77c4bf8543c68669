"""Kenaz' custom adapter as its sources describe it (kameas-ai/kenaz-harness, core/llm), with the exported file.

It always streams with ``stream_options``, sends a system message first, and offers tools unless the hint is off.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
from steps import DEGREES, REPEAT, TOOL, WEATHER, held, main, weather


def deltas(provider: dict[str, Any], messages: list[dict[str, Any]], **more: Any) -> Iterator[dict[str, Any]]:
    """The deltas of one streamed request, read as the adapter does."""
    defaults, headers = provider["defaults"], {"Accept": "text/event-stream"}
    key = os.environ[provider["cred"]["locator"]]
    if defaults["auth_scheme"] == "bearer":
        headers["Authorization"] = f"Bearer {key}"
    elif defaults["auth_scheme"] == "api-key-header":
        headers[defaults.get("auth_header", "X-API-Key")] = key
    body = {"model": provider["model"], "messages": messages, "stream": True, **more}
    body["stream_options"] = {"include_usage": True}
    url = f"{provider['endpoint']}/chat/completions"
    trusted = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
    with httpx.stream("POST", url, json=body, headers=headers, timeout=60, verify=trusted) as response:
        if response.status_code != 200:
            raise RuntimeError(f"status {response.status_code}: {response.read()[:120]!r}")
        content = b"".join(response.iter_bytes())
    for line in content.split(b"\n"):
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or not data:
            continue
        if data == b"[DONE]":
            break
        for choice in json.loads(data).get("choices") or []:
            delta = choice["delta"]
            if delta.get("content") is not None and not isinstance(delta["content"], str):
                raise TypeError("delta.content is not a string")
            yield delta


def steps(job: dict[str, Any]) -> dict[str, Callable[[], None]]:
    (provider,) = json.loads(Path(job["file"]).read_text(encoding="utf-8"))["providers"]
    first = {"role": "system", "content": "Be brief."}

    def chat() -> None:
        asked = [first, {"role": "user", "content": REPEAT}]
        held("".join(delta.get("content") or "" for delta in deltas(provider, asked)))

    def tools() -> None:
        if provider["capability_hints"].get("tool_calling") is False:
            raise AssertionError("tool_calling is false")
        asked: list[dict[str, Any]] = [first, {"role": "user", "content": WEATHER}]
        calls: dict[int, dict[str, Any]] = {}
        text = ""
        for delta in deltas(provider, asked, tools=[TOOL]):
            text += delta.get("content") or ""
            for piece in delta.get("tool_calls") or []:
                call = calls.setdefault(piece.get("index", 0), {"id": "", "name": "", "arguments": ""})
                function = piece.get("function") or {}
                call["id"] = call["id"] or piece.get("id") or ""
                call["name"] = call["name"] or function.get("name") or ""
                call["arguments"] += function.get("arguments") or ""
        if not calls:
            raise AssertionError(f"no call in {text[:60]!r}")
        made = [
            {"id": call["id"], "type": "function", "function": {name: call[name] for name in ("name", "arguments")}}
            for call in calls.values()
        ]
        asked.append({"role": "assistant", "content": text or None, "tool_calls": made})
        for call in calls.values():
            result = weather(json.loads(call["arguments"])["city"])
            asked.append({"role": "tool", "tool_call_id": call["id"], "content": result})
        held("".join(delta.get("content") or "" for delta in deltas(provider, asked, tools=[TOOL])), DEGREES)

    return {"chat": chat, "stream": chat, "tools": tools}


if __name__ == "__main__":
    main(steps)
