"""Zed: an OpenAI-compatible provider in settings.json.  It always streams.

The first four fields of ``capabilities`` have no default in Zed's own types, so the object is
written whole; an unknown toggle gets the value that Zed uses without the object.
"""

from __future__ import annotations

import re

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The provider and its model."""
    capabilities = {
        "tools": settings.tools_streamed is not False,
        "images": settings.vision is True,
        "parallel_tool_calls": settings.parallel is True and "parallel_tool_calls" not in settings.rejected,
        "prompt_cache_key": False,
        "chat_completions": True,
        "interleaved_reasoning": settings.reasoning_field == "reasoning_content",
        "max_tokens_parameter": settings.limit_param == "max_tokens",
    }
    model = {
        "name": settings.model,
        "display_name": settings.model,
        "max_tokens": settings.context_or_assumed,
        "max_output_tokens": settings.output if settings.context else None,
        "capabilities": capabilities,
    }
    provider = ("language_models", "openai_compatible", settings.id)
    puts = [
        Put(provider, {"api_url": settings.base_url}),
        Put((*provider, "available_models", Item("name", settings.model)), pruned(model)),
    ]
    notes = settings.sizes_note()
    variable = re.sub(r"[^A-Z0-9]+", "_", settings.id.upper()) + "_API_KEY"
    if settings.key.needed:
        notes.append(f"Zed reads the key from {variable} or its own settings page")
    else:
        notes.append(f"Zed asks for a key all the same: enter any word, or export {variable} with one")
    return Made(puts, {}, notes)


CLIENT = Client(
    "zed",
    "Zed",
    "~/.config/zed/settings.json",
    "json",
    make,
    "zed-industries/zed crates/settings_content/src/language_model.rs, crates/open_ai/src/completion.rs",
    Needs(
        always_streams=True,
        prompt_tokens=6_000,
        sends={"stream_options": "", "temperature": ""},
        headers="custom_headers",
        key_header="custom_headers",
        proxy="the setting proxy, or HTTPS_PROXY",
        tools_setting="tools: false",
        vision_setting="images: false",
    ),
    proof="its own source",
)
