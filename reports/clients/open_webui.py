"""Open WebUI: a model overlay, imported in its admin panel as a list of models.

The connection itself is set by environment variables or in the panel; the notes say with
what.  Anything but ``legacy`` as function calling means native tools.
"""

from __future__ import annotations

import json
from shlex import quote

from reports.clients.documents import Item, Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The overlay of ``id.model``."""
    name = f"{settings.id}.{settings.model}"
    tools = settings.tools
    custom = {"parallel_tool_calls": False} if tools and settings.parallel is False else None
    entry = {
        "base_model_id": None,
        "name": settings.model,
        "is_active": True,
        "meta": {"capabilities": pruned({"vision": settings.vision, "usage": settings.on("stream_usage")})},
        "params": pruned(
            {
                "function_calling": None if tools is None else "native" if tools else "legacy",
                "stream_response": settings.streaming,
                "custom_params": custom if "parallel_tool_calls" not in settings.rejected else None,
            }
        ),
    }
    notes = settings.general_notes() if settings.query else []
    notes += settings.cannot("system_role", "json_schema", "block_content")
    connection = {"0": {"enable": True, "model_ids": [settings.model], "prefix_id": settings.id}}
    if not settings.key.needed:
        connection["0"]["auth_type"] = "none"
    key = f"${settings.key.variable}" if settings.key.needed else ""
    notes.append(
        f"the connection, as environment: OPENAI_API_BASE_URLS={quote(settings.base_url)} OPENAI_API_KEYS={key} "
        f"OPENAI_API_CONFIGS={quote(json.dumps(connection))}"
    )
    if settings.key.needed and settings.auth_scheme == "api-key-header":
        notes.append(f"the key goes out as Bearer; the header {settings.auth_header} cannot be expressed here")
    return Made((Put((Item("id", name),), entry),), [], notes=tuple(notes))


CLIENT = Client(
    "open-webui",
    "Open WebUI",
    "imported under Admin Panel, Models",
    "json",
    make,
    "open-webui/open-webui backend/open_webui/models/models.py, utils/middleware.py; docs.openwebui.com",
)
