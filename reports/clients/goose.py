"""Goose: a custom provider, in a file of its own.

``toolshim`` makes Goose emulate tools in the text, for endpoints that have none.
"""

from __future__ import annotations

from typing import Any

from reports.clients.documents import Item, Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The provider and its model."""
    extra: dict[str, Any] = {}
    if settings.parallel is False and "parallel_tool_calls" not in settings.rejected and settings.tools:
        extra["parallel_tool_calls"] = False
    provider = {
        "name": settings.id,
        "engine": "openai",
        "display_name": settings.title,
        "api_key_env": settings.key.variable if settings.key.needed else None,
        "requires_auth": settings.key.needed,
        "base_url": f"{settings.base_url}/chat/completions",
        "supports_streaming": settings.streaming,
        "dynamic_models": False,
        "toolshim": True if settings.tools is False else None,
    }
    model = {
        "name": settings.model,
        "context_limit": settings.context,
        "reasoning": settings.on("reasoning"),
        "request_params": extra or None,
    }
    puts = (Put((), pruned(provider)), Put(("models", Item("name", settings.model)), pruned(model)))
    notes = settings.general_notes()
    notes += settings.cannot("vision", "stream_usage", "json_schema", "system_role", "block_content")
    if settings.key.needed and settings.auth_scheme == "api-key-header":
        notes.append(f"the key goes out as Bearer; the header {settings.auth_header} cannot be expressed here")
    if settings.key.needed:
        notes.append(f"export {settings.key.variable} with the key")
    return Made(puts, {}, notes=tuple(notes))


CLIENT = Client(
    "goose",
    "Goose",
    "~/.config/goose/custom_providers/NAME.json",
    "json",
    make,
    "aaif-goose/goose crates/goose-providers/src/declarative.rs",
)
