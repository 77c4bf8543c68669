"""Kenaz: a provider of the kind custom-openai in its providers.json.

``capability_hints`` are laid over a baseline (streaming, tool_calling, usage_reporting and
cancellation on, the rest off); an unknown toggle is left out, so that the baseline applies.  The
adapter always streams, so tools are judged as they come in streams.  Three parts: the configuration,
the rules by which Kenaz accepts the file, and how its adapter reads the recorded streams.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from probe.model import Exchange, Report
from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Key, Settings, pruned

# The rules are those of Kenaz's personal store and its types (kameas-ai/kenaz-harness, core/llm and
# core/llm/personal) and of docs.kameas.ai, harness/providers/custom.
HINTS = frozenset(
    "streaming tool_calling vision documents json_mode prompt_caching reasoning cancellation usage_reporting "
    "structured_output grammar regex_grammar image_output".split()
)
CRED_KINDS = frozenset(("env", "keychain", "file", "aws_profile"))
KEY_PREFIXES = ("sk-", "sk-ant-", "AKIA", "ASIA", "ya29.", "AIza")
LOCATOR_BYTES = 256
SCHEMES = frozenset(("bearer", "api-key-header", "custom", "none"))
TEMPLATES = frozenset("vllm together groq fireworks anyscale deepseek mistral llamacpp litellm".split())
_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
DEFAULTS = frozenset(("template_id", "auth_scheme", "auth_header", "max_tokens", *_NUMBERS))


# The configuration ---------------------------------------------------------------------------------


def make(settings: Settings) -> Made:
    """The provider entry."""
    hints = {
        "streaming": settings.streaming,
        "tool_calling": settings.tools_streamed,
        "vision": settings.vision,
        "json_mode": settings.on("json_object"),
        "structured_output": settings.on("json_schema"),
        "reasoning": settings.on("reasoning"),
        "usage_reporting": settings.on("stream_usage"),
    }
    server = settings.report.server
    # The client talks to the gateway, where there is one.
    software = [*(hop.software for hop in server.hops), server.software]
    scheme = "api-key-header" if settings.key_header else "bearer" if settings.bearer else "none"
    defaults = {
        "template_id": next((name for name in software if name in TEMPLATES), None),
        "auth_scheme": scheme,
        "auth_header": settings.key_header,
    }
    entry = {
        "id": settings.id,
        "kind": "custom-openai",
        "model": settings.model,
        "models": list(settings.models),
        "cred": credential(settings.key),
        "endpoint": settings.base_url,
        "capability_hints": pruned(hints),
        "defaults": pruned(defaults),
    }
    notes = []
    if settings.streaming is False:
        notes.append(
            "the adapter requests a stream whatever the hint says; switch Streaming off in the provider's editor"
        )
    if settings.key.needed and credential(settings.key)["kind"] == "env":
        notes.append(f"export {settings.key.variable} with the key, or enter it in the provider's editor")
    return Made([Put(("providers", Item("id", settings.id)), entry)], {"version": 1}, notes)


def credential(key: Key) -> dict[str, str]:
    """The reference to the key: its file where it is in one, else an environment variable."""
    fits = len(key.locator.encode()) <= LOCATOR_BYTES and not key.locator.startswith(KEY_PREFIXES)
    if key.kind == "file" and key.locator.strip() and fits:
        return {"kind": "file", "locator": key.locator}
    return {"kind": "env", "locator": key.variable}


# The rules of a providers.json ---------------------------------------------------------------------


def violations(data: Any) -> list[str]:
    """The problems of the data of a providers.json; empty where Kenaz accepts it."""
    if not isinstance(data, Mapping):
        return ["the file is not a JSON object"]
    found = []
    if data.get("version") != 1 or isinstance(data.get("version"), bool):
        found.append("version is not 1")
    providers = data.get("providers")
    if not isinstance(providers, list):
        return [*found, "providers is not a list"]
    seen: set[str] = set()
    for number, provider in enumerate(providers):
        where = f"providers[{number}]"
        if not isinstance(provider, Mapping):
            found.append(f"{where} is not an object")
            continue
        found += [f"{where}: {problem}" for problem in _provider(provider)]
        name = provider.get("id")
        if isinstance(name, str):
            if name in seen:
                found.append(f"{where}: the id {name!r} occurs twice")
            seen.add(name)
    return found


def _blank(value: Any) -> bool:
    return not isinstance(value, str) or not value.strip()


def _provider(provider: Mapping[str, Any]) -> list[str]:
    found = [f"{name} is missing or blank" for name in ("id", "kind", "model") if _blank(provider.get(name))]
    found += _cred(provider.get("cred"))
    if provider.get("kind") == "custom-openai":
        found += _endpoint(provider.get("endpoint"))
    models = provider.get("models")
    if models is not None and (not isinstance(models, list) or any(map(_blank, models))):
        found.append("models is not a list of names")
    hints = provider.get("capability_hints", {})
    if isinstance(hints, Mapping):
        found += [f"capability_hints.{key} is not a known hint" for key in hints if key not in HINTS]
        found += [f"capability_hints.{key} is neither true nor false" for key in hints if type(hints[key]) is not bool]
    elif hints is not None:
        found.append("capability_hints is not an object")
    return found + _defaults(provider.get("defaults"))


def _cred(cred: Any) -> list[str]:
    if not isinstance(cred, Mapping):
        return ["cred is missing"]
    found = []
    if _blank(cred.get("kind")):
        found.append("cred.kind is missing or blank")
    elif cred["kind"] not in CRED_KINDS:
        found.append(f"cred.kind is none of {', '.join(sorted(CRED_KINDS))}")
    locator = cred.get("locator")
    if not isinstance(locator, str) or not locator.strip():
        return [*found, "cred.locator is missing or blank"]
    if len(locator.encode("utf-8", "surrogatepass")) > LOCATOR_BYTES:
        found.append(f"cred.locator has more than {LOCATOR_BYTES} bytes")
    if locator.startswith(KEY_PREFIXES):
        found.append("cred.locator begins like a key: it must be the place of the key")
    return found


def _endpoint(endpoint: Any) -> list[str]:
    if _blank(endpoint):
        return ["endpoint is missing or blank"]
    try:
        parts = urlsplit(endpoint)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_url = False
    if not is_url:
        return ["endpoint is not an http or https URL"]
    if endpoint.endswith(("/", "/chat/completions")):
        return ["endpoint is not a base URL: /chat/completions is joined to it"]
    return []


def _defaults(defaults: Any) -> list[str]:
    if defaults is None:
        return []
    if not isinstance(defaults, Mapping):
        return ["defaults is not an object"]
    scheme, header, template = (defaults.get(name) for name in ("auth_scheme", "auth_header", "template_id"))
    limit = defaults.get("max_tokens", 1)
    rules = {
        f"auth_scheme is none of {', '.join(sorted(SCHEMES))}": scheme is None or str(scheme) in SCHEMES,
        "auth_header is blank": header is None or not _blank(header),
        "auth_header is needed with the scheme custom": scheme != "custom" or not _blank(header),
        f"template_id is none of {', '.join(sorted(TEMPLATES))}": template is None or str(template) in TEMPLATES,
        "max_tokens is not a positive whole number": limit is None or (_is_number(limit, int) and limit >= 1),
    }
    rules |= {f"{name} is not known": name in DEFAULTS for name in defaults}
    rules |= {f"{name} is not a number": _is_number(defaults.get(name, 0), int | float) for name in _NUMBERS}
    return [f"defaults.{problem}" for problem, holds in rules.items() if not holds]


def _is_number(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


# How its adapter reads a stream --------------------------------------------------------------------
#
# From kameas-ai/kenaz-harness, core/llm: only status 200 is success; lines end in LF and may have
# 1 MiB; lines that do not begin with ``data:`` are skipped; ``[DONE]`` or the end of the body ends the
# stream; a frame whose ``error`` is set is skipped silently; ``delta.content`` is a string or null,
# ``arguments`` a string, and a missing ``index`` is 0.

LONGEST_LINE = 1024 * 1024
HEADERS_WITHIN_S = 60.0
#: The limit of this program's own reader.
MOST_LINES = 32_000


@dataclass
class Reading:
    """What the adapter has after a stream."""

    text: str = ""
    frames: int = 0
    malformed: str | None = None
    ignored_errors: int = 0
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    merged_calls: bool = False
    too_long: bool = False


def read(content: bytes, *, cut: bool = False) -> Reading:
    """Read a stream's body as the adapter does, at most as far as this program reads any stream.

    Args:
        cut: the record of the body ends before the body does, so that its last line may be half of one.
    """
    reading = Reading()
    lines = content.split(b"\n", MOST_LINES)[:MOST_LINES]
    for line in lines[:-1] if cut else lines:
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
    """Take in one frame; returns why it is malformed, or None."""
    if not data.strip():
        return None
    try:
        frame = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return "a frame is not JSON"
    if not isinstance(frame, dict):
        return "a frame is not a JSON object"
    reading.frames += 1
    if frame.get("error"):
        reading.ignored_errors += 1
        return None
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
    arguments = function.get("arguments") if isinstance(function, dict) else None
    if arguments is not None and not isinstance(arguments, str):
        return f"arguments is {_kind(arguments)}, not a string"
    known = reading.calls.setdefault(index if isinstance(index, int) else 0, {"id": "", "arguments": ""})
    name = call.get("id") if isinstance(call.get("id"), str) else ""
    if name and known["id"] and name != known["id"]:
        reading.merged_calls = True
    known["id"] = known["id"] or name or ""
    known["arguments"] += arguments or ""
    return None


def _kind(value: Any) -> str:
    return {list: "an array", dict: "an object", bool: "a boolean"}.get(type(value), "a number")


def read_streams(report: Report) -> Iterator[tuple[str, str, bool]]:
    """The adapter's problems with the recorded streams: (code, sentence, whether it cannot be used)."""
    seen = set()
    for exchange in report.exchanges:
        for problem in _problems(exchange):
            if problem[:2] not in seen:
                seen.add(problem[:2])
                yield problem


def _problems(exchange: Exchange) -> Iterator[tuple[str, str, bool]]:
    body, response = exchange.request.body, exchange.response
    if not isinstance(body, dict) or body.get("stream") is not True or response is None or "messages" not in body:
        return
    if response.status != 200:
        if 200 < response.status < 300:
            yield "errors.success-status", f"it accepts only status 200 as success, not {response.status}", True
        return
    headers_s = exchange.timeline.headers_s
    if headers_s is not None and headers_s > HEADERS_WITHIN_S:
        yield "stream.held", f"response headers came after {headers_s:.0f} s; it waits 60 s", True
    reading = read(response.content, cut=response.cut)
    if reading.too_long:
        yield "stream.framing", "a line of the stream is longer than 1 MiB, where it stops reading", True
    elif reading.malformed:
        # With tools switched off no frame has arguments, so the client can still be used.
        arguments = "arguments" in reading.malformed
        code = "tools.arguments-not-string" if arguments else "stream.framing"
        fatal = not (arguments and body.get("tools"))
        yield code, f"it stops at a malformed frame: {reading.malformed}", fatal
    elif not reading.frames and response.content and not response.cut:
        yield "stream.framing", "it finds no frame in the stream (lines end in LF, data lines begin with data:)", True
    if reading.merged_calls:
        yield "tools.stream-index", "calls without an index of their own are merged (a missing one reads as 0)", False
    if reading.ignored_errors:
        yield "stream.error-in-band", "it skips error frames, so that the failure is silent", False


CLIENT = Client(
    "kenaz",
    "Kenaz",
    "$XDG_CONFIG_HOME/kaneaz-harness/providers.json",
    "json",
    make,
    "docs.kameas.ai, harness/providers/custom; kameas-ai/kenaz-harness core/llm",
    Needs(
        always_streams=True,
        sends={"stream_options": ""},
        # Its frames are read into content, tool_calls, finish_reason and usage alone (core/llm/custom/adapter.go).
        returns=frozenset(),
        key_header="",
        proxy=None,
        tools_setting="Tool Use off",
        vision_setting="Vision off",
        reads=read_streams,
    ),
    mode=0o600,
    rules=violations,
    proof="its own rules, and its adapter as documented, driven",
)
