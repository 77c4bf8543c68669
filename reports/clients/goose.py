"""Goose: a custom provider, in a file of its own.

``toolshim`` makes Goose emulate tools in the text, for endpoints without tools.
"""

from __future__ import annotations

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The provider and its model."""
    provider = {
        "name": settings.id,
        "engine": "openai",
        "display_name": settings.title,
        "api_key_env": settings.key.variable if settings.key.needed else None,
        "requires_auth": settings.key.needed,
        "base_url": f"{settings.base_url}/chat/completions",
        # Streams always hold stream_options.
        "supports_streaming": False if "stream_options" in settings.rejected else settings.streaming,
        "dynamic_models": False,
        "toolshim": True if settings.tools is False else None,
    }
    model = {
        "name": settings.model,
        "context_limit": settings.context,
        "reasoning": settings.on("reasoning"),
        "request_params": (settings.parallel_off if settings.tools else None) or None,
    }
    puts = [Put((), pruned(provider)), Put(("models", Item("name", settings.model)), pruned(model))]
    return Made(puts, {}, settings.tools_note() + settings.key_notes())


CLIENT = Client(
    "goose",
    "Goose",
    "~/.config/goose/custom_providers/NAME.json",
    "json",
    make,
    "aaif-goose/goose crates/goose-providers/src/declarative.rs",
    Needs(
        agent=True,
        prompt_tokens=5_000,
        headers="headers",
        key_header="headers",
        sends={"stream_options": "supports_streaming: false"},
        stream_setting="supports_streaming: false",
        tools_setting="toolshim: true, and a second model in Ollama that reads the calls (GOOSE_TOOLSHIM_OLLAMA_MODEL)",
    ),
    proof="its own source",
)
