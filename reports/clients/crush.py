"""Crush: an openai-compat provider in crush.json.  It always streams and always sends tools."""

from __future__ import annotations

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The provider and its model, with every field that the schema requires."""
    reference = f"${settings.key.variable}"
    provider = {
        "type": "openai-compat",
        "name": settings.title,
        "base_url": settings.base_url,
        "api_key": reference if settings.bearer else None,
        "extra_headers": {settings.key_header: reference} if settings.key_header else None,
        "discover_models": False,
    }
    model = {
        "id": settings.model,
        "name": settings.model,
        "context_window": settings.context_or_assumed,
        "default_max_tokens": settings.output,
        "can_reason": settings.on("reasoning") is True,
        "supports_attachments": settings.vision is True,
        "cost_per_1m_in": 0,
        "cost_per_1m_out": 0,
        "cost_per_1m_in_cached": 0,
        "cost_per_1m_out_cached": 0,
    }
    path = ("providers", settings.id)
    puts = [Put(path, pruned(provider)), Put((*path, "models", Item("id", settings.model)), model)]
    notes = settings.general_notes() + settings.sizes_note()
    notes += settings.cannot("tools", "streaming", "stream_usage", "system_role", "json_schema", "block_content")
    return Made(puts, {"$schema": "https://charm.land/crush.json"}, notes + settings.key_notes())


CLIENT = Client(
    "crush",
    "Crush",
    "crush.json, or ~/.config/crush/crush.json",
    "json",
    make,
    "charmbracelet/crush schema.json, internal/config/config.go",
    Needs(always_streams=True, tools="always", agent=True, vision_setting="supports_attachments: false"),
)
