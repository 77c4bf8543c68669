"""The clients by name.  A client's module is imported when it is asked for."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module

from reports.clients import data_client
from reports.clients.client import Client

#: The arguments of ``--to``, in the order in which they are listed; those without a module are data.
CLIENTS = tuple(
    (
        "kenaz dotenv openai-python openai-node curl litellm opencode llm pydantic-ai zed vscode librechat continue "
        "aider aider-metadata langchain ai-sdk codex claude-code crush goose open-webui copilot-cli cline kilo-code "
        "qwen-code llamaindex haystack anythingllm lobechat cherry-studio jan jetbrains cursor n8n dify models.dev"
    ).split()
)
#: The module of ``reports.clients`` and its object, where they are not named like the client and ``CLIENT``.
_PLACES = {
    "claude-code": ("claude_code", "CLIENT"),
    "kilo-code": ("opencode", "KILO_CODE"),
    "models.dev": ("opencode", "MODELS_DEV"),
}


class UnknownClient(ValueError):
    """There is no client of this name; the message is one line."""


@cache
def client(name: str) -> Client:
    """The client of this name.

    Raises:
        UnknownClient: there is none.
    """
    if name not in CLIENTS:
        near = get_close_matches(name, CLIENTS, 1, 0.5)
        hint = f"did you mean '{near[0]}'? There are" if near else "there are"
        raise UnknownClient(f"there is no client '{name[:40]}'; {hint} {', '.join(CLIENTS)}")
    if name in data_client.names():
        return data_client.load(name)
    module, attribute = _PLACES.get(name, (name.replace("-", "_"), "CLIENT"))
    found = getattr(import_module(f"reports.clients.{module}"), attribute)
    assert isinstance(found, Client)
    return found


def clients() -> list[Client]:
    """Every client, in the order in which they are listed."""
    return [client(name) for name in CLIENTS]
