"""Continue: a model in config.yaml.

``capabilities`` adds to what Continue guesses from the model's name and removes nothing, so an
off toggle cannot be expressed there.
"""

from __future__ import annotations

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The model."""
    name = f"{settings.title}: {settings.model}"
    capabilities = [word for word, on in (("tool_use", settings.tools), ("image_input", settings.vision)) if on is True]
    options = {
        "contextLength": settings.context,
        "stream": settings.streaming,
        "maxTokens": settings.output if settings.context else None,
        "reasoning": False if settings.on("reasoning") is False else None,
    }
    reference = f"${{{{ secrets.{settings.key.variable} }}}}"
    request = {
        "extraBodyProperties": (settings.parallel_off if settings.tools else None) or None,
        "headers": {settings.key_header: reference} if settings.key_header else None,
    }
    entry = {
        "provider": "openai",
        "model": settings.model,
        "apiBase": settings.base_url,
        "apiKey": reference if settings.bearer else None,
        "roles": ["chat", "edit", "apply"],
        "capabilities": capabilities or None,
        "defaultCompletionOptions": pruned(options) or None,
        "requestOptions": pruned(request) or None,
    }
    notes = settings.general_notes()
    notes += settings.cannot("tools", hint="without tool_use Continue describes them in the system message")
    notes += settings.cannot("vision", hint="Continue goes by the model's name")
    notes += settings.cannot("stream_usage", "json_schema", "system_role", "block_content")
    if settings.key.needed:
        notes.append(f"put {settings.key.variable} with the key into .continue/.env")
    skeleton = {"name": settings.title, "version": "1.0.0", "schema": "v1"}
    return Made([Put(("models", Item("name", name)), pruned(entry))], skeleton, notes)


CLIENT = Client(
    "continue",
    "Continue",
    "~/.continue/config.yaml",
    "yaml",
    make,
    "continuedev/continue packages/config-yaml/src/schemas/models.ts, docs/customize/deep-dives/model-capabilities.mdx",
    Needs(
        library="openai-node",
        stream_setting="defaultCompletionOptions.stream: false",
        tools_setting="leave tool_use out of capabilities",
        vision_setting="leave image_input out of capabilities",
    ),
)
