"""opencode: a provider on the AI SDK's package for compatible endpoints.

``tool_call`` is metadata: ten tools are sent whatever it says.  ``modalities.input``
decides whether pictures are sent; ``options.includeUsage`` whether token counts are
asked for; ``reasoning`` whether reasoning_effort is.
"""

from __future__ import annotations

from typing import Any

from reports.clients.documents import Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Settings, pruned


def model_entry(settings: Settings) -> dict[str, Any]:
    """What opencode and models.dev say of a model alike."""
    entry: dict[str, Any] = {
        "tool_call": settings.tools_streamed,
        "reasoning": settings.on("reasoning"),
        "temperature": "temperature" not in settings.rejected,
        "limit": {"context": settings.context_or_assumed, "output": settings.output},
    }
    if settings.reasoning_field:
        entry["interleaved"] = {"field": settings.reasoning_field}
    if settings.vision is not None:
        entry["modalities"] = {"input": ["text", "image"] if settings.vision else ["text"], "output": ["text"]}
    return pruned(entry)


def make(settings: Settings) -> Made:
    """The provider with its model; a new file makes it the default."""
    key = f"{{env:{settings.key.variable}}}"
    header = settings.auth_scheme == "api-key-header"
    options = {
        "baseURL": settings.base_url,
        "apiKey": key if settings.key.needed and not header else None,
        "headers": {settings.auth_header or "X-API-Key": key} if settings.key.needed and header else None,
        "includeUsage": settings.on("stream_usage"),
        "supportsStructuredOutputs": settings.on("json_schema"),
    }
    entry = model_entry(settings)
    if settings.parallel is False and "parallel_tool_calls" not in settings.rejected and settings.tools_streamed:
        entry["options"] = {"parallel_tool_calls": False}
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": settings.title,
        "options": pruned(options),
        "models": {settings.model: entry},
    }
    skeleton = {"$schema": "https://opencode.ai/config.json", "model": f"{settings.id}/{settings.model}"}
    return Made((Put(("provider", settings.id), provider),), skeleton, notes=tuple(_notes(settings)))


def _notes(settings: Settings) -> list[str]:
    notes = settings.general_notes() + settings.sizes_note()
    if settings.tools_streamed is False:
        why = settings.why("tools" if settings.on("tools") is False else "streaming_tools")
        notes.append(f"tools are off ({why}), and cannot be switched off here: tool_call only describes it")
    notes += settings.cannot("streaming", hint="opencode streams always")
    notes += settings.cannot("system_role", "block_content")
    if settings.limit_param == "max_completion_tokens":
        notes.append("max_tokens is refused, and opencode sends it always")
    if settings.key.needed:
        notes.append(f"export {settings.key.variable} with the key")
    return notes


CLIENT = Client(
    "opencode",
    "opencode",
    "opencode.json, or ~/.config/opencode/opencode.json",
    "json",
    make,
    "anomalyco/opencode packages/opencode/src/config/provider.ts; opencode.ai/docs/providers",
)
