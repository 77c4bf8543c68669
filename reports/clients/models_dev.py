"""models.dev: the entry of one model, providers/ID/models/MODEL.toml.

Its data feed opencode and other tools.  Some required fields are no facts of an endpoint
and must be given.
"""

from __future__ import annotations

import re

from reports.clients.documents import Put
from reports.clients.exporter import CannotExport, Client, Made
from reports.clients.opencode import model_entry
from reports.clients.settings import Settings, pruned

_EXTRAS = {
    "release_date": "when the model was released, YYYY-MM-DD",
    "open_weights": "whether its weights are open, true or false",
    "last_updated": "when it was last changed, YYYY-MM-DD; default: release_date",
}
_DAY = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")


def make(settings: Settings) -> Made:
    """The model's entry."""
    missing = [name for name in ("release_date", "open_weights") if name not in settings.extras]
    if missing:
        raise CannotExport(
            "models.dev wants what no probe can know; add "
            + " ".join(f"--set {name}={'YYYY-MM-DD' if name == 'release_date' else 'true'}" for name in missing)
        )
    released = settings.extras["release_date"]
    updated = settings.extras.get("last_updated", released)
    if not (_DAY.fullmatch(released) and _DAY.fullmatch(updated)):
        raise CannotExport("a date is written like --set release_date=2026-01-31")
    if settings.extras["open_weights"] not in ("true", "false"):
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
        "open_weights": settings.extras["open_weights"] == "true",
        "limit": shared["limit"],
        "modalities": shared.get("modalities", {"input": ["text"], "output": ["text"]}),
        "interleaved": shared.get("interleaved"),
    }
    notes = (
        *settings.sizes_note(),
        f"providers/{settings.id}/provider.toml holds: name = {settings.title!r}, npm = '@ai-sdk/openai-compatible', "
        f"api = {settings.base_url!r}, env = [{settings.key.variable!r}], doc = 'the page that describes it'",
    )
    return Made((Put((), pruned(entry)),), {}, notes=notes)


CLIENT = Client(
    "models.dev",
    "models.dev",
    "providers/ID/models/MODEL.toml",
    "toml",
    make,
    "anomalyco/models.dev packages/core/src/schema.ts, README.md",
    extras=_EXTRAS,
)
