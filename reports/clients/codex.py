"""OpenAI Codex CLI: a model provider in config.toml.

Codex speaks the Responses API only.  Where the endpoint does not, the file names a
LiteLLM proxy of this machine, which bridges it to chat completions.
"""

from __future__ import annotations

from shlex import quote
from typing import Any

from reports.clients.documents import Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Settings, pruned

#: Where LiteLLM's proxy listens unless it is told otherwise.
BRIDGE = "http://127.0.0.1:4000/v1"


def make(settings: Settings) -> Made:
    """The provider; a new file makes it the default."""
    direct = settings.on("responses_api") is True
    model = settings.model if direct else f"{settings.id}/{settings.model}"
    keyed = settings.key.needed if direct else True
    header = direct and keyed and settings.auth_scheme == "api-key-header"
    variable = settings.key.variable if direct else "LITELLM_MASTER_KEY"
    provider = {
        "name": settings.title,
        "base_url": settings.base_url if direct else BRIDGE,
        "env_key": variable if keyed and not header else None,
        "env_http_headers": {settings.auth_header or "X-API-Key": variable} if header else None,
        "query_params": _query(settings) if direct else None,
        "wire_api": "responses",
    }
    skeleton: dict[str, Any] = pruned(
        {"model": model, "model_provider": settings.id, "model_context_window": settings.context}
    )
    notes = [
        f"in a file that has a model already, start it with: codex -c model_provider={settings.id} -m {quote(model)}"
    ]
    if not direct:
        notes.insert(
            0,
            f"the Responses API {_state(settings)} here, and Codex speaks nothing else: the file names LiteLLM at "
            f"{BRIDGE}; write its configuration with --to litellm and start it with LITELLM_MASTER_KEY set",
        )
    else:
        notes += settings.cannot("tools", "parallel_tools", hint="Codex always sends tools and parallel_tool_calls")
        notes.append(f"export {variable} with the key" if keyed else "the endpoint asks for no key")
    return Made((Put(("model_providers", settings.id), pruned(provider)),), skeleton, notes=tuple(notes))


def _query(settings: Settings) -> dict[str, str] | None:
    from urllib.parse import parse_qsl

    return dict(parse_qsl(settings.query)) or None


def _state(settings: Settings) -> str:
    return "was not tried" if settings.on("responses_api") is None else f"is {settings.why('responses_api')}"


CLIENT = Client(
    "codex",
    "Codex CLI",
    "~/.codex/config.toml",
    "toml",
    make,
    "openai/codex codex-rs/core/config.schema.json, ModelProviderInfo",
)
