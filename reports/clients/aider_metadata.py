"""aider: the model's sizes and abilities in .aider.model.metadata.json."""

from __future__ import annotations

from reports.clients.documents import Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The metadata of ``openai/MODEL``, in the shape of LiteLLM's price list."""
    entry = {
        "max_tokens": settings.output if settings.context else None,
        "max_input_tokens": settings.input if settings.context else None,
        "max_output_tokens": settings.output if settings.context else None,
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
        "litellm_provider": "openai",
        "mode": "chat",
        "supports_vision": settings.vision,
    }
    return Made(
        (Put((f"openai/{settings.model}",), pruned(entry)),),
        {},
        notes=("streaming and the system prompt are in the settings: export --to aider",),
    )


CLIENT = Client(
    "aider-metadata",
    "aider (metadata)",
    ".aider.model.metadata.json in the home folder or the project",
    "json",
    make,
    "Aider-AI/aider aider/models.py; aider.chat/docs/config/adv-model-settings.html",
)
