"""The clients by name.  A client's module is imported when it is asked for."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

from reports.clients.exporter import Client

#: ``--to`` name and the module of ``reports.clients`` that holds its CLIENT.
MODULES = {
    "kenaz": "kenaz",
    "litellm": "litellm",
    "opencode": "opencode",
    "llm": "llm",
    "pydantic-ai": "pydantic_ai",
    "zed": "zed",
    "vscode": "vscode",
    "librechat": "librechat",
    "continue": "continue_dev",
    "aider": "aider",
    "aider-metadata": "aider_metadata",
    "langchain": "langchain",
    "ai-sdk": "ai_sdk",
    "codex": "codex",
    "crush": "crush",
    "goose": "goose",
    "open-webui": "open_webui",
    "models.dev": "models_dev",
}


class UnknownClient(ValueError):
    """There is no exporter of this name; the message is one line."""


def client(name: str) -> Client:
    """The client of this name.

    Raises:
        UnknownClient: there is none.
    """
    module = MODULES.get(name)
    if module is None:
        near = get_close_matches(name, MODULES, 1, 0.5)
        hint = f"did you mean '{near[0]}'? There are" if near else "there are"
        raise UnknownClient(f"there is no client '{name[:40]}'; {hint} {', '.join(MODULES)}")
    found = import_module(f"reports.clients.{module}").CLIENT
    assert isinstance(found, Client)
    return found


def clients() -> list[Client]:
    """Every client, in the order in which they are listed."""
    return [client(name) for name in MODULES]
