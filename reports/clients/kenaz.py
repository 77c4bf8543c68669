"""Kenaz: a provider of the kind custom-openai in its providers.json.

``capability_hints`` overlay a baseline (streaming, tool_calling, usage_reporting and
cancellation on, the rest off); a hint that was not determined is left out, so that the
baseline stands.  The adapter streams always, so tools count as they come in streams.
"""

from __future__ import annotations

from reports.clients.documents import Item, Put
from reports.clients.exporter import Client, Made
from reports.clients.kenaz_rules import KEY_PREFIXES, LOCATOR_BYTES, TEMPLATES, violations
from reports.clients.settings import Key, Settings, pruned


def make(settings: Settings) -> Made:
    """The provider entry."""
    hints = {
        "streaming": settings.streaming,
        "tool_calling": settings.tools_streamed,
        "vision": settings.vision,
        "json_mode": settings.on("json_object"),
        "structured_output": settings.on("json_schema"),
        "reasoning": settings.on("reasoning"),
        "usage_reporting": settings.on("stream_usage"),
    }
    server = settings.report.server
    # What the client talks to is the gateway, where there is one.
    named_by = [*(hop.software for hop in server.hops), server.software]
    keyless = not settings.key.needed
    named = settings.auth_scheme == "api-key-header"
    entry = {
        "id": settings.id,
        "kind": "custom-openai",
        "model": settings.model,
        "models": list(settings.models),
        "cred": credential(settings.key),
        "endpoint": settings.base_url,
        "capability_hints": pruned(hints),
        "defaults": pruned(
            {
                "template_id": next((name for name in named_by if name in TEMPLATES), None),
                "auth_scheme": "none" if keyless else "api-key-header" if named else "bearer",
                "auth_header": (settings.auth_header or "X-API-Key") if named and not keyless else None,
            }
        ),
    }
    return Made(
        (Put(("providers", Item("id", settings.id)), entry),),
        {"version": 1},
        notes=(*_notes(settings), *_key(settings)),
    )


def credential(key: Key) -> dict[str, str]:
    """The reference to the key: a file where it lies in one, else an environment variable."""
    fits = len(key.locator.encode()) <= LOCATOR_BYTES and not key.locator.startswith(KEY_PREFIXES)
    if key.kind == "file" and key.locator.strip() and fits:
        return {"kind": "file", "locator": key.locator}
    return {"kind": "env", "locator": key.variable}


def _key(settings: Settings) -> list[str]:
    if settings.key.needed and credential(settings.key)["kind"] == "env":
        return [f"export {settings.key.variable} with the key, or enter it in the provider's editor"]
    return []


def _notes(settings: Settings) -> list[str]:
    notes = settings.general_notes() if settings.query else []
    if settings.streaming is False:
        notes.append(
            "the adapter asks for a stream whatever the hint says; switch Streaming off in the provider's editor"
        )
    notes += settings.cannot("system_role", hint="the system prompt goes out as a system message")
    if settings.said_rejected("stream_usage"):
        notes.append("stream_options is refused, and the adapter always sends it: it cannot be switched off here")
    return notes


CLIENT = Client(
    "kenaz",
    "Kenaz",
    "$XDG_CONFIG_HOME/kaneaz-harness/providers.json",
    "json",
    make,
    "docs.kameas.ai, harness/providers/custom; kameas-ai/kenaz-harness core/llm",
    mode=0o600,
    rules=violations,
)
