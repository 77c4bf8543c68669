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
    if settings.bearer:
        values["apiKey"] = environment
    for name, given in (
        ("headers", settings.headers_as(lambda variable: f"process.env.{variable}")),
        ("queryParams", settings.query_as(lambda variable: f"process.env.{variable}", json.dumps)),
    ):
        if given:
            values[name] = "{ " + ", ".join(f"{json.dumps(key)}: {value}" for key, value in given.items()) + " }"
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
    return module(settings, "//", lines, settings.key_notes())


CLIENT = Client(
    "ai-sdk",
    "Vercel AI SDK",
    "a module of your program",
    "code",
    make,
    "vercel/ai packages/openai-compatible/src/openai-compatible-provider.ts; ai-sdk.dev, OpenAI Compatible Providers",
    Needs(
        library="AI SDK",
        system_setting="send no system message",
        returns=frozenset({"reasoning_content", "extra_content"}),
        sends={"stream_options": "includeUsage: false"},
        headers="",
        key_header="",
        query="any",
        proxy="NODE_USE_ENV_PROXY=1 and HTTPS_PROXY, with Node 24",
        certificate="NODE_EXTRA_CA_CERTS=FILE with the certificate's authority",
        stream_setting="generateText in place of streamText",
        tools_setting="pass no tools",
        vision_setting="",
    ),
    proof="its own package, driven",
)
