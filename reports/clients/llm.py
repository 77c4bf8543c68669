"""llm: a model in extra-openai-models.yaml.

Only literal booleans count there; what a model does not support is refused before anything is
sent.  With streaming on, ``stream_options`` is always sent.
"""

from __future__ import annotations

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The model, under ``id/model``."""
    stream = False if settings.refused("stream_usage") else settings.streaming
    name = f"{settings.id}/{settings.model}"
    entry = {
        "model_id": name,
        "model_name": settings.model,
        "api_base": settings.base_url,
        # Without a name llm sends a dummy; with one that is not stored, the OPENAI_API_KEY.
        "api_key_name": settings.id if settings.key.needed else None,
        "can_stream": stream,
        "supports_tools": settings.tools_whole if stream is False else settings.tools_streamed,
        "supports_schema": settings.on("json_schema"),
        "vision": settings.vision,
        "reasoning": settings.on("reasoning"),
    }
    notes = settings.tools_note()
    if settings.key.needed:
        notes.append(f"store the key with: llm keys set {settings.id} (else OPENAI_API_KEY would be sent)")
    return Made([Put((Item("model_id", name),), pruned(entry))], [], notes)


CLIENT = Client(
    "llm",
    "llm",
    "extra-openai-models.yaml in llm's folder ('dirname \"$(llm logs path)\"' names it)",
    "yaml",
    make,
    "simonw/llm llm/default_plugins/openai_models.py, docs/openai-models.md",
    Needs(
        library="openai-python",
        returns=frozenset(),
        system_setting="no -s and no system fragment",
        sends={"stream_options": "can_stream: false"},
        certificate="SSL_CERT_FILE=FILE with the certificate's authority",
        headers="headers",
        key_header="headers",
        stream_setting="can_stream: false",
        tools_setting="supports_tools: false",
        vision_setting="vision: false",
    ),
    proof="its own package, driven",
)
