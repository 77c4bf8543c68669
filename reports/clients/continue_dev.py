"""Continue: a model in config.yaml.

``capabilities`` adds to what Continue guesses from the model's name and removes nothing, so an
off toggle cannot be expressed there.
"""

from __future__ import annotations

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned

_WHOLE = "defaultCompletionOptions.stream: false (in its extension; its command line streams)"


def make(settings: Settings) -> Made:
    """The model."""
    name = f"{settings.title}: {settings.model}"
    capabilities = [word for word, on in (("tool_use", settings.tools), ("image_input", settings.vision)) if on is True]
    options = {
        "contextLength": settings.context,
        # Streams always hold stream_options.
        "stream": False if "stream_options" in settings.rejected else settings.streaming,
        "maxTokens": settings.output if settings.context else None,
        "reasoning": False if settings.on("reasoning") is False else None,
    }
    reference = f"${{{{ secrets.{settings.key.variable} }}}}"
    request = {
        "extraBodyProperties": (settings.parallel_off if settings.tools else None) or None,
        "headers": settings.headers_as(lambda variable: f"${{{{ secrets.{variable} }}}}"),
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
    notes = settings.tools_note()
    if settings.tools is False:
        notes.append("without tool_use Continue describes the tools in the system message")
    if settings.vision is False:
        notes.append("Continue adds image_input by itself where it knows the model's name")
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
        streams_first=True,
        sends={"stream_options": _WHOLE},
        headers="",
        key_header="",
        proxy="requestOptions.proxy",
        certificate="requestOptions.caBundlePath with the certificate's authority",
        client_certificate="requestOptions.clientCertificate with the certificate and its key",
        stream_setting=_WHOLE,
        tools_setting="leave tool_use out of capabilities (in its extension; its command line sends tools)",
        vision_setting="leave image_input out of capabilities",
    ),
    proof="the validator of its package",
)
