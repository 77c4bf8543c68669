"""OpenAI Codex CLI: a model provider in config.toml.

Codex uses only the Responses API and always sends tools.  Where the endpoint has no Responses API,
the file names a LiteLLM proxy on this machine, which translates to chat completions.
"""

from __future__ import annotations

from shlex import quote

from reports.clients.client import PROXY, Client, Made, Needs, through_proxy
from reports.clients.documents import Put
from reports.clients.settings import Settings, pruned

_PROXY = f"{PROXY}/v1"


def make(settings: Settings) -> Made:
    """The provider; a new file makes it the default."""
    direct = settings.speaks("responses", "Codex CLI")
    model = settings.model if direct else f"{settings.id}/{settings.model}"
    variable = settings.key.variable if direct else "LITELLM_MASTER_KEY"
    provider = {
        "name": settings.title,
        "base_url": settings.base_url if direct else _PROXY,
        "env_key": variable if settings.bearer or not direct else None,
        "env_http_headers": settings.headers_as(lambda name: name) if direct else None,
        "query_params": settings.literal_query or None if direct else None,
        "wire_api": "responses",
    }
    skeleton = {"model": model, "model_provider": settings.id, "model_context_window": settings.context}
    notes = [
        f"in a file that has a model already, start it with: codex -c model_provider={settings.id} -m {quote(model)}"
    ]
    if direct:
        notes += settings.key_notes() or ["the endpoint needs no key"]
    else:
        notes.insert(0, through_proxy(settings, "Responses", "Codex", _PROXY))
    return Made([Put(("model_providers", settings.id), pruned(provider))], pruned(skeleton), notes)


CLIENT = Client(
    "codex",
    "Codex CLI",
    "~/.codex/config.toml",
    "toml",
    make,
    "openai/codex codex-rs/core/config.schema.json, ModelProviderInfo",
    Needs(
        always_streams=True,
        tools="always",
        agent=True,
        dialect="responses",
        headers="",
        key_header="",
        query="literal",
        prompt_tokens=9_700,
    ),
    proof="the program itself",
)
