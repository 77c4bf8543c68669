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
        "extra_headers": settings.headers_as(lambda variable: f"${variable}"),
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
    notes = settings.sizes_note() + settings.key_notes()
    return Made(puts, {"$schema": "https://charm.land/crush.json"}, notes)


CLIENT = Client(
    "crush",
    "Crush",
    "crush.json, or ~/.config/crush/crush.json",
    "json",
    make,
    "charmbracelet/crush schema.json, internal/config/{config,resolve}.go; charmbracelet/fantasy providers/openai",
    Needs(
        always_streams=True,
        sends={"stream_options": "", "max_tokens": "", "tool_choice": ""},
        tools="always",
        agent=True,
        prompt_tokens=11_100,
        headers="",
        key_header="",
        vision_setting="supports_attachments: false",
    ),
    expands=r"\$[A-Za-z_({]",
    proof="its own source",
)
