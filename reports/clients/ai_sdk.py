"""Vercel AI SDK: a JavaScript module with createOpenAICompatible."""

from __future__ import annotations

import json

from reports.clients.client import Client, Made, Needs, module
from reports.clients.settings import Settings


def make(settings: Settings) -> Made:
    """A module that exports ``provider`` and ``model``."""
    # JSON is JavaScript but for two line separators, which json.dumps escapes.
    environment = f"process.env.{settings.key.variable}"
    values = {"name": json.dumps(settings.id), "baseURL": json.dumps(settings.base_url)}
    if settings.key_header:
        values["headers"] = f"{{ {json.dumps(settings.key_header)}: {environment} }}"
    elif settings.bearer:
        values["apiKey"] = environment
    for name, capability in (("includeUsage", "stream_usage"), ("supportsStructuredOutputs", "json_schema")):
        on = settings.on(capability)
        if on is not None:
            values[name] = json.dumps(on)
    drop = [*settings.rejected, *(("tools", "tool_choice") if settings.tools_whole is False else ())]
    drop = [name for name in dict.fromkeys(drop) if name.isidentifier() and name.isascii()]
    if drop:
        ignored = ", ".join(f"{name}: _{name}" for name in drop)
        values["transformRequestBody"] = f"({{ {ignored}, ...body }}) => body"
    lines = [
        'import { createOpenAICompatible } from "@ai-sdk/openai-compatible";',
        "",
        "export const provider = createOpenAICompatible({",
        *(f"  {name}: {value}," for name, value in values.items()),
        "});",
        f"export const model = provider({json.dumps(settings.model)});",
    ]
    notes = settings.query_notes() + settings.cannot("vision", "system_role", "block_content")
    notes += settings.cannot("streaming", hint="call generateText, not streamText")
    if settings.tools_whole and settings.tools_streamed is False:
        notes.append(f"with tools call generateText, not streamText ({settings.why('streaming_tools')})")
    return module(settings, "//", lines, notes + settings.key_notes())


CLIENT = Client(
    "ai-sdk",
    "Vercel AI SDK",
    "a module of your program",
    "code",
    make,
    "vercel/ai packages/openai-compatible/src/openai-compatible-provider.ts; ai-sdk.dev, OpenAI Compatible Providers",
    Needs(
        library="AI SDK",
        returns=frozenset({"reasoning_content", "extra_content"}),
        usage="switch",
        usage_setting="includeUsage: false",
        stream_setting="generateText in place of streamText",
        tools_setting="pass no tools",
        vision_setting="",
    ),
)
