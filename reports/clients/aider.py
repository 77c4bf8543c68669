"""aider: the model's settings in .aider.model.settings.yml, its sizes in .aider.model.metadata.json.

aider never sends tools.
"""

from __future__ import annotations

from shlex import quote

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned

_SOURCE = "Aider-AI/aider aider/models.py; aider.chat/docs/config/adv-model-settings.html"


def make(settings: Settings) -> Made:
    """The settings of ``openai/MODEL``."""
    name = f"openai/{settings.model}"
    entry = {
        "streaming": settings.streaming,
        "use_temperature": False if "temperature" in settings.rejected else None,
        "use_system_prompt": settings.on("system_role"),
        "reasoning_tag": "think" if settings.report.facts.get("reasoning_field") == "think_tags" else None,
    }
    notes = []
    if settings.vision is not None:
        notes.append("whether images are sent is in the metadata: export --to aider-metadata")
    notes.append(
        f"export OPENAI_API_BASE={quote(settings.base_url)} and OPENAI_API_KEY; then: aider --model {quote(name)}"
    )
    return Made([Put((Item("name", name),), pruned(entry))], [], notes)


def make_metadata(settings: Settings) -> Made:
    """The metadata of ``openai/MODEL``, in the format of LiteLLM's price list."""
    prompt, answer = settings.known_sizes
    entry = {
        "max_tokens": answer,
        "max_input_tokens": prompt,
        "max_output_tokens": answer,
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
        "litellm_provider": "openai",
        "mode": "chat",
        "supports_vision": settings.vision,
    }
    notes = ["streaming and the system prompt are in the settings: export --to aider"]
    return Made([Put((f"openai/{settings.model}",), pruned(entry))], {}, notes)


CLIENT = Client(
    "aider",
    "aider",
    ".aider.model.settings.yml in the home folder or the project",
    "yaml",
    make,
    _SOURCE,
    Needs(
        library="openai-python",
        tools="never",
        prompt_tokens=700,
        headers="extra_params.extra_headers",
        key_header="extra_params.extra_headers",
        sends={"temperature": "use_temperature: false"},
        certificate="SSL_CERT_FILE=FILE with the certificate's authority",
        stream_setting="streaming: false",
        vision_setting="supports_vision: false",
        system_setting="use_system_prompt: false",
    ),
    proof="the program itself",
)
METADATA = Client(
    "aider-metadata",
    "aider (metadata)",
    ".aider.model.metadata.json in the home folder or the project",
    "json",
    make_metadata,
    _SOURCE,
    proof="the program itself",
)
