"""Continue: a model in config.yaml.

``capabilities`` adds to what Continue guesses from the model's name and takes nothing
away, so an off toggle cannot be expressed there.
"""

from __future__ import annotations

from typing import Any

from reports.clients.documents import Item, Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The model."""
    name = f"{settings.title}: {settings.model}"
    capabilities = [word for word, on in (("tool_use", settings.tools), ("image_input", settings.vision)) if on is True]
    options: dict[str, Any] = {"contextLength": settings.context, "stream": settings.streaming}
    if settings.context:
        options["maxTokens"] = settings.output
    if settings.on("reasoning") is False:
        options["reasoning"] = False
    body: dict[str, Any] = {}
    if settings.parallel is False and "parallel_tool_calls" not in settings.rejected and settings.tools:
        body["parallel_tool_calls"] = False
    header = settings.key.needed and settings.auth_scheme == "api-key-header"
    reference = f"${{{{ secrets.{settings.key.variable} }}}}"
    request = pruned(
        {
            "extraBodyProperties": body or None,
            "headers": {settings.auth_header or "X-API-Key": reference} if header else None,
        }
    )
    entry = {
        "provider": "openai",
        "model": settings.model,
        "apiBase": settings.base_url,
        "apiKey": reference if settings.key.needed and not header else None,
        "roles": ["chat", "edit", "apply"],
        "capabilities": capabilities or None,
        "defaultCompletionOptions": pruned(options) or None,
        "requestOptions": request or None,
    }
    skeleton = {"name": settings.title, "version": "1.0.0", "schema": "v1"}
    return Made((Put(("models", Item("name", name)), pruned(entry)),), skeleton, notes=tuple(_notes(settings)))


def _notes(settings: Settings) -> list[str]:
    notes = settings.general_notes()
    notes += settings.cannot("tools", hint="without tool_use Continue describes them in the system message")
    notes += settings.cannot("vision", hint="Continue goes by the model's name")
    notes += settings.cannot("stream_usage", "json_schema", "system_role", "block_content")
    if settings.key.needed:
        notes.append(f"put {settings.key.variable} with the key into .continue/.env")
    return notes


CLIENT = Client(
    "continue",
    "Continue",
    "~/.continue/config.yaml",
    "yaml",
    make,
    "continuedev/continue packages/config-yaml/src/schemas/models.ts, docs/customize/deep-dives/model-capabilities.mdx",
)
