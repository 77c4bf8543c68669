"""OpenAI Codex CLI: a model provider in config.toml.

Codex uses only the Responses API and always sends tools.  Where the endpoint has no Responses API,
the file names a LiteLLM proxy on this machine, which translates to chat completions.
"""

from __future__ import annotations

from shlex import quote

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Put
from reports.clients.settings import Settings, pruned

#: The default address of LiteLLM's proxy.
PROXY = "http://127.0.0.1:4000/v1"


def make(settings: Settings) -> Made:
    """The provider; a new file makes it the default."""
    direct = settings.speaks("responses", "Codex CLI")
    model = settings.model if direct else f"{settings.id}/{settings.model}"
    variable = settings.key.variable if direct else "LITELLM_MASTER_KEY"
    provider = {
        "name": settings.title,
        "base_url": settings.base_url if direct else PROXY,
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
        state = settings.why("responses_api")
        state = "was not tried" if settings.on("responses_api") is None else f"is {state}"
        notes.insert(
            0,
            f"the Responses API {state} here, and Codex uses nothing else: the file names LiteLLM at "
            f"{PROXY}; write its configuration with --to litellm and start it with LITELLM_MASTER_KEY set",
        )
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
