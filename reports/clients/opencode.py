"""opencode and Kilo Code: a provider on the AI SDK's package for compatible endpoints; and models.dev, model data.

opencode always streams and always sends ten tools: ``tool_call`` is metadata.  ``modalities.input``
decides whether images are sent, ``options.includeUsage`` whether token counts are requested, and
``reasoning`` whether reasoning_effort is sent.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Put
from reports.clients.settings import CannotExport, Settings, pruned


def model_entry(settings: Settings) -> dict[str, Any]:
    """The fields of a model that opencode and models.dev share."""
    entry: dict[str, Any] = {
        "tool_call": settings.tools_streamed,
        "reasoning": settings.on("reasoning"),
        "temperature": "temperature" not in settings.rejected,
        "limit": {"context": settings.context_or_assumed, "output": settings.output},
    }
    if settings.reasoning_field:
        entry["interleaved"] = {"field": settings.reasoning_field}
    if settings.vision is not None:
        entry["modalities"] = {"input": ["text", "image"] if settings.vision else ["text"], "output": ["text"]}
    return pruned(entry)


def make(settings: Settings) -> Made:
    """The provider with its model; a new file makes it the default."""
    key = f"{{env:{settings.key.variable}}}"
    options = {
        "baseURL": settings.base_url,
        "apiKey": key if settings.bearer else None,
        "headers": settings.headers_as(lambda variable: f"{{env:{variable}}}"),
        "queryParams": settings.query_as(lambda variable: f"{{env:{variable}}}"),
        "includeUsage": settings.on("stream_usage"),
        "supportsStructuredOutputs": settings.on("json_schema"),
    }
    entry = model_entry(settings)
    if settings.parallel_off and settings.tools_streamed:
        entry["options"] = settings.parallel_off
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": settings.title,
        "options": pruned(options),
        "models": {settings.model: entry},
    }
    notes = settings.sizes_note()
    skeleton = {"$schema": "https://opencode.ai/config.json", "model": f"{settings.id}/{settings.model}"}
    return Made([Put(("provider", settings.id), provider)], skeleton, notes + settings.key_notes())


def make_kilo(settings: Settings) -> Made:
    """The same for Kilo Code, whose providers are opencode's."""
    made = make(settings)
    return replace(made, skeleton={**made.skeleton, "$schema": "https://app.kilo.ai/config.json"})


CLIENT = Client(
    "opencode",
    "opencode",
    "opencode.json, or ~/.config/opencode/opencode.json",
    "json",
    make,
    "anomalyco/opencode packages/opencode/src/config/provider.ts; opencode.ai/docs/providers",
    Needs(
        library="AI SDK",
        returns=frozenset({"reasoning_content", "extra_content"}),
        always_streams=True,
        sends={
            "stream_options": "options.includeUsage: false",
            "temperature": "temperature: false",
            "max_tokens": "",
            "tool_choice": "",
        },
        headers="",
        key_header="",
        query="any",
        certificate="NODE_EXTRA_CA_CERTS=FILE with the certificate's authority",
        prompt_tokens=7_700,
        tools="always",
        agent=True,
        vision_setting='modalities.input: ["text"]',
    ),
    proof="the program itself, driven",
)
assert CLIENT.needs is not None
KILO_CODE = Client(
    "kilo-code",
    "Kilo Code",
    "~/.config/kilo/kilo.json, which its command line and its extension read",
    "json",
    make_kilo,
    "kilo.ai/docs, code-with-ai/agents/custom-models; Kilo-Org/kilocode packages/opencode",
    replace(CLIENT.needs, prompt_tokens=14_600),
    proof="the program itself, driven",
)


# models.dev ----------------------------------------------------------------------------------------

_DAY = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")


def make_models_dev(settings: Settings) -> Made:
    """The entry of one model, whose release and weights no probe can find out."""
    given = settings.extras
    required = {"release_date": "YYYY-MM-DD", "open_weights": "true"}
    missing = [f"--set {name}={example}" for name, example in required.items() if name not in given]
    if missing:
        raise CannotExport(f"models.dev requires what no probe can find out; add {' '.join(missing)}")
    released = given["release_date"]
    updated = given.get("last_updated", released)
    if not (_DAY.fullmatch(released) and _DAY.fullmatch(updated)):
        raise CannotExport("a date is written like --set release_date=2026-01-31")
    if given["open_weights"] not in ("true", "false"):
        raise CannotExport("write --set open_weights=true or --set open_weights=false")
    shared = model_entry(settings)
    entry = {
        "name": settings.model,
        "attachment": settings.vision is True,
        "reasoning": settings.on("reasoning") is True,
        "tool_call": settings.tools is True,
        "structured_output": settings.on("json_schema"),
        "temperature": shared["temperature"],
        "release_date": released,
        "last_updated": updated,
        "open_weights": given["open_weights"] == "true",
        "limit": shared["limit"],
        "modalities": shared.get("modalities", {"input": ["text"], "output": ["text"]}),
        "interleaved": shared.get("interleaved"),
    }
    notes = [
        *settings.sizes_note(),
        f"providers/{settings.id}/provider.toml holds: name = {settings.title!r}, npm = '@ai-sdk/openai-compatible', "
        f"api = {settings.base_url!r}, env = [{settings.key.variable!r}], doc = 'the page that describes it'",
    ]
    return Made([Put((), pruned(entry))], {}, notes)


MODELS_DEV = Client(
    "models.dev",
    "models.dev",
    "providers/ID/models/MODEL.toml",
    "toml",
    make_models_dev,
    "anomalyco/models.dev packages/core/src/schema.ts, README.md",
    extras={
        "release_date": "when the model was released, YYYY-MM-DD",
        "open_weights": "whether its weights are open, true or false",
        "last_updated": "when it was last changed, YYYY-MM-DD; default: release_date",
    },
    proof="opencode, which read it",
)
