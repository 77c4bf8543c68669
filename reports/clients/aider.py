"""aider: the model's settings in .aider.model.settings.yml.  aider never sends tools."""

from __future__ import annotations

from shlex import quote

from reports.clients.documents import Item, Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The settings of ``openai/MODEL``."""
    name = f"openai/{settings.model}"
    system = settings.on("system_role")
    entry = {
        "streaming": settings.streaming,
        "use_temperature": False if "temperature" in settings.rejected else None,
        "use_system_prompt": system,
        "reasoning_tag": "think" if settings.report.facts.get("reasoning_field") == "think_tags" else None,
    }
    notes = settings.general_notes() if settings.query else []
    notes += settings.cannot("vision", hint="that is in the metadata: export --to aider-metadata")
    notes += settings.cannot("stream_usage", "block_content")
    notes.append(
        f"export OPENAI_API_BASE={quote(settings.base_url)} and OPENAI_API_KEY; then: aider --model {quote(name)}"
    )
    if settings.key.needed and settings.auth_scheme == "api-key-header":
        notes.append(f"the key goes out as Bearer; the header {settings.auth_header} cannot be expressed here")
    return Made((Put((Item("name", name),), pruned(entry)),), [], notes=tuple(notes))


CLIENT = Client(
    "aider",
    "aider",
    ".aider.model.settings.yml in the home folder or the project",
    "yaml",
    make,
    "Aider-AI/aider aider/models.py; aider.chat/docs/config/adv-model-settings.html",
)
