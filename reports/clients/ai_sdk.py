"""Vercel AI SDK: a JavaScript snippet with createOpenAICompatible."""

from __future__ import annotations

import json
from typing import Any

from reports.clients.exporter import Client, Made, header
from reports.clients.settings import Settings


def make(settings: Settings) -> Made:
    """A module that exports ``provider`` and ``model``."""
    environment = f"process.env.{settings.key.variable}"
    values: list[tuple[str, str]] = [("name", _js(settings.id)), ("baseURL", _js(settings.base_url))]
    if settings.key.needed and settings.auth_scheme == "api-key-header":
        values.append(("headers", f"{{ {_js(settings.auth_header or 'X-API-Key')}: {environment} }}"))
    elif settings.key.needed:
        values.append(("apiKey", environment))
    for name, capability in (("includeUsage", "stream_usage"), ("supportsStructuredOutputs", "json_schema")):
        on = settings.on(capability)
        if on is not None:
            values.append((name, _js(on)))
    drop = _dropped(settings)
    if drop:
        values.append(
            ("transformRequestBody", f"({{ {', '.join(f'{name}: _{name}' for name in drop)}, ...body }}) => body")
        )
    lines = [
        *header(settings, "//"),
        'import { createOpenAICompatible } from "@ai-sdk/openai-compatible";',
        "",
        "export const provider = createOpenAICompatible({",
        *(f"  {name}: {value}," for name, value in values),
        "});",
        f"export const model = provider({_js(settings.model)});",
    ]
    return Made(text="\n".join(lines) + "\n", notes=tuple(_notes(settings)))


def _dropped(settings: Settings) -> list[str]:
    drop = list(settings.rejected)
    if settings.tools_whole is False:
        drop += ["tools", "tool_choice"]
    return [name for name in dict.fromkeys(drop) if name.isidentifier() and name.isascii()]


def _js(value: Any) -> str:
    """A JavaScript literal; JSON is one, but for two line ends that old engines refuse (ECMA-262, 2019)."""
    return json.dumps(value)


def _notes(settings: Settings) -> list[str]:
    notes = settings.general_notes() if settings.query else []
    notes += settings.cannot("vision", "system_role", "block_content")
    notes += settings.cannot("streaming", hint="call generateText, not streamText")
    if settings.tools_whole and settings.tools_streamed is False:
        notes.append(f"with tools call generateText, not streamText ({settings.why('streaming_tools')})")
    if settings.key.needed:
        notes.append(f"export {settings.key.variable} with the key")
    return notes


CLIENT = Client(
    "ai-sdk",
    "Vercel AI SDK",
    "a module of your program",
    "code",
    make,
    "vercel/ai packages/openai-compatible/src/openai-compatible-provider.ts; ai-sdk.dev, OpenAI Compatible Providers",
)
