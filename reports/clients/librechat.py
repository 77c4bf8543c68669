"""LibreChat: a custom endpoint in librechat.yaml.  It always streams.

``dropParams`` and ``addParams`` change its requests.  Tools and images have no switch: LibreChat
decides about images by its own list of model names.
"""

from __future__ import annotations

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned

VERSION = "1.3.17"
#: Names that LibreChat keeps for its own endpoints, in lower case.
_RESERVED = frozenset("openai azureopenai google anthropic agents assistants azureassistants bedrock custom".split())


def make(settings: Settings) -> Made:
    """The custom endpoint."""
    name = settings.title if settings.title.lower() not in _RESERVED else f"{settings.title} endpoint"
    drop = [*settings.rejected, *(["stop"] if settings.on("stop") is False else [])]
    structured = settings.tools is not False and settings.on("json_schema") is not False
    sizes = {settings.model: {"prompt": 0, "completion": 0, "context": settings.context}}
    reference = f"${{{settings.key.variable}}}"
    entry = {
        "apiKey": reference if settings.bearer else "none",
        "baseURL": settings.base_url,
        "headers": settings.headers_as(lambda variable: f"${{{variable}}}"),
        "models": {"default": [settings.model], "fetch": False},
        "modelDisplayLabel": name,
        "titleConvo": True,
        "titleModel": settings.model,
        "titleMethod": None if structured else "completion",
        "dropParams": drop or None,
        "addParams": (settings.parallel_off if settings.tools else None) or None,
        "customParams": {"reasoningKey": settings.reasoning_field} if settings.reasoning_field else None,
        "tokenConfig": sizes if settings.context else None,
    }
    notes = []
    if settings.key.needed:
        notes.append(f"put {settings.key.variable} with the key into LibreChat's .env")
    path = ("endpoints", "custom", Item("name", name))
    return Made([Put(path, pruned(entry))], {"version": VERSION}, notes)


CLIENT = Client(
    "librechat",
    "LibreChat",
    "librechat.yaml",
    "yaml",
    make,
    "danny-avila/LibreChat packages/data-provider/src/config.ts; librechat.ai, object structure of custom endpoints",
    Needs(
        always_streams=True,
        sends={"stream_options": "dropParams: [stream_options]"},
        headers="",
        key_header="",
        proxy="PROXY",
        certificate="NODE_EXTRA_CA_CERTS=FILE with the certificate's authority",
        tools_setting="start no agent with tools",
    ),
    proof="the schema of its package",
)
