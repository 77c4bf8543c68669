"""VS Code: a Custom Endpoint in chatLanguageModels.json, whose top level is a list.

``toolCalling`` and ``vision`` are required.  A model without tools is hidden from the agent's
picker, so an unknown toggle is written as true for tools and as false for vision.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The provider group and its model."""
    entry = Item("name", settings.title)
    key = re.sub(r"[^A-Za-z0-9]", "", settings.title) or "endpoint"
    query = urlencode(settings.literal_query)
    model = {
        "id": settings.model,
        "name": settings.model,
        "url": f"{settings.base_url}/chat/completions{f'?{query}' if query else ''}",
        "toolCalling": settings.tools is not False,
        "vision": settings.vision is True,
        "maxInputTokens": settings.input,
        "maxOutputTokens": settings.output,
        # Streams always hold stream_options.
        "streaming": False if "stream_options" in settings.rejected else settings.streaming,
        # With it VS Code leaves temperature out.
        "thinking": True if "temperature" in settings.rejected else settings.on("reasoning"),
        "requestHeaders": {settings.key_header: "${apiKey}"} if settings.key_header else None,
    }
    provider = {
        "vendor": "customendpoint",
        "apiKey": f"${{input:{key}Key}}" if settings.key.needed else None,
        "apiType": "chat-completions",
    }
    puts = [Put((entry,), pruned(provider)), Put((entry, "models", Item("id", settings.model)), pruned(model))]
    notes = settings.tools_note() + settings.sizes_note()
    if settings.key.needed:
        notes.append("VS Code asks for the key when the model is first used, and keeps it itself")
    return Made(puts, [], notes)


CLIENT = Client(
    "vscode",
    "VS Code",
    "User/chatLanguageModels.json (Custom Endpoint)",
    "json",
    make,
    "microsoft/vscode-docs docs/agent-customization/language-models.md; customEndpointProvider.ts, openAIEndpoint.ts",
    Needs(
        prompt_tokens=20_000,
        sends={"stream_options": "streaming: false", "temperature": "thinking: true", "top_p": ""},
        query="literal",  # a URL with the operation in it is used as it is
        headers="requestHeaders",
        key_header="",
        proxy="http.proxy",
        stream_setting="streaming: false",
        tools_setting="toolCalling: false, which hides the model where an agent is chosen",
        vision_setting="vision: false",
    ),
    proof="its documentation",
)
