"""Open WebUI: a model overlay, imported in its admin panel as a list of models.

The connection itself is set by environment variables or in the panel; the notes give its values.
Every value of function_calling except ``legacy`` means native tools.
"""

from __future__ import annotations

import json
from shlex import quote
from typing import Any

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The overlay of ``id.model``."""
    tools = settings.tools
    params = {
        "function_calling": None if tools is None else "native" if tools else "legacy",
        "stream_response": settings.streaming,
        "custom_params": (settings.parallel_off if tools else None) or None,
    }
    entry = {
        "base_model_id": None,
        "name": settings.model,
        "is_active": True,
        "meta": {"capabilities": pruned({"vision": settings.vision, "usage": settings.on("stream_usage")})},
        "params": pruned(params),
    }
    connection: dict[str, Any] = {"enable": True, "model_ids": [settings.model], "prefix_id": settings.id}
    if not settings.bearer:
        connection["auth_type"] = "none"
    key = f"${settings.key.variable}" if settings.bearer else ""
    notes = [
        f"the connection, as environment: OPENAI_API_BASE_URLS={quote(settings.base_url)} OPENAI_API_KEYS={key} "
        f"OPENAI_API_CONFIGS={quote(json.dumps({'0': connection}))}"
    ]
    path = (Item("id", f"{settings.id}.{settings.model}"),)
    return Made([Put(path, entry)], [], notes)


CLIENT = Client(
    "open-webui",
    "Open WebUI",
    "imported under Admin Panel, Models",
    "json",
    make,
    "open-webui/open-webui backend/open_webui/models/models.py, utils/middleware.py; docs.openwebui.com",
    Needs(
        headers="headers in OPENAI_API_CONFIGS",
        key_header="headers in OPENAI_API_CONFIGS",
        stream_setting="stream_response: false",
        tools_setting="function_calling: legacy",
        vision_setting="capabilities.vision: false",
    ),
    proof="its own source",
)
