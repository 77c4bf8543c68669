"""LibreChat: a custom endpoint in librechat.yaml.

``dropParams`` and ``addParams`` are its switches on the wire; tools and pictures have
none: pictures go by a list of model names inside LibreChat.
"""

from __future__ import annotations

from typing import Any

from reports.clients.documents import Item, Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Settings, pruned

VERSION = "1.3.17"
#: Names that LibreChat keeps for its own endpoints.
_RESERVED = frozenset(
    "openAI azureOpenAI google anthropic agents assistants azureAssistants bedrock custom".lower().split()
)


def make(settings: Settings) -> Made:
    """The custom endpoint."""
    name = settings.title if settings.title.lower() not in _RESERVED else f"{settings.title} endpoint"
    drop = list(settings.rejected)
    if settings.on("stop") is False:
        drop.append("stop")
    plain = settings.tools is not False and settings.on("json_schema") is not False
    custom = {"reasoningKey": settings.reasoning_field} if settings.reasoning_field else None
    add: dict[str, Any] = {}
    if settings.parallel is False and "parallel_tool_calls" not in drop and settings.tools:
        add["parallel_tool_calls"] = False
    header = settings.key.needed and settings.auth_scheme == "api-key-header"
    reference = f"${{{settings.key.variable}}}"
    entry = {
        "apiKey": reference if settings.key.needed and not header else "none",
        "baseURL": settings.base_url,
        "headers": {settings.auth_header or "X-API-Key": reference} if header else None,
        "models": {"default": [settings.model], "fetch": False},
        "modelDisplayLabel": name,
        "titleConvo": True,
        "titleModel": settings.model,
        "titleMethod": None if plain else "completion",
        "dropParams": drop or None,
        "addParams": add or None,
        "customParams": custom,
        "tokenConfig": {settings.model: {"prompt": 0, "completion": 0, "context": settings.context}}
        if settings.context
        else None,
    }
    path = ("endpoints", "custom", Item("name", name))
    return Made((Put(path, pruned(entry)),), {"version": VERSION}, notes=tuple(_notes(settings)))


def _notes(settings: Settings) -> list[str]:
    notes = settings.general_notes()
    notes += settings.cannot("tools", "vision", "streaming", "system_role", "block_content")
    if not settings.said_rejected("stream_usage"):
        notes += settings.cannot("stream_usage")
    if settings.key.needed:
        notes.append(f"put {settings.key.variable} with the key into LibreChat's .env")
    return notes


CLIENT = Client(
    "librechat",
    "LibreChat",
    "librechat.yaml",
    "yaml",
    make,
    "danny-avila/LibreChat packages/data-provider/src/config.ts; librechat.ai, object structure of custom endpoints",
)
