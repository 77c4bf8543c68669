"""VS Code: a Custom Endpoint in chatLanguageModels.json, whose top level is a list.

``toolCalling`` and ``vision`` are required; a model without tools is hidden from the
agent's picker, so what was not determined is written as false only for vision.
"""

from __future__ import annotations

import re

from reports.clients.documents import Item, Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The provider group and its model."""
    entry = Item("name", settings.title)
    key = re.sub(r"[^A-Za-z0-9]", "", settings.title) or "endpoint"
    header = settings.key.needed and settings.auth_scheme == "api-key-header"
    model = {
        "id": settings.model,
        "name": settings.model,
        "url": f"{settings.base_url}/chat/completions",
        "toolCalling": settings.tools is not False,
        "vision": settings.vision is True,
        "maxInputTokens": settings.input,
        "maxOutputTokens": settings.output,
        "streaming": settings.streaming,
        "thinking": settings.on("reasoning"),
        "requestHeaders": {settings.auth_header or "X-API-Key": "${apiKey}"} if header else None,
    }
    provider = {
        "vendor": "customendpoint",
        "apiKey": f"${{input:{key}Key}}" if settings.key.needed else None,
        "apiType": "chat-completions",
    }
    puts = (
        Put((entry,), pruned(provider)),
        Put((entry, "models", Item("id", settings.model)), pruned(model)),
    )
    return Made(puts, [], notes=tuple(_notes(settings)))


def _notes(settings: Settings) -> list[str]:
    notes = settings.general_notes() + settings.sizes_note()
    notes += settings.cannot("stream_usage", "json_schema", "json_object", "system_role", "block_content")
    if settings.key.needed:
        notes.append("VS Code asks for the key when the model is first used, and keeps it itself")
    return notes


CLIENT = Client(
    "vscode",
    "VS Code (Custom Endpoint)",
    "User/chatLanguageModels.json",
    "json",
    make,
    "microsoft/vscode-docs docs/agent-customization/language-models.md",
)
