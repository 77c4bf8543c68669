"""The clients by name.  A client's module is imported when it is asked for."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

from reports.clients.client import Client

#: The argument of ``--to``, and the module of ``reports.clients`` with the object that describes the client.
CLIENTS = {
    "kenaz": "kenaz.CLIENT",
    "litellm": "litellm.CLIENT",
    "opencode": "opencode.CLIENT",
    "llm": "llm.CLIENT",
    "pydantic-ai": "pydantic_ai.CLIENT",
    "zed": "zed.CLIENT",
    "vscode": "vscode.CLIENT",
    "librechat": "librechat.CLIENT",
    "continue": "continue_dev.CLIENT",
    "aider": "aider.CLIENT",
    "aider-metadata": "aider.METADATA",
    "langchain": "langchain.CLIENT",
    "ai-sdk": "ai_sdk.CLIENT",
    "codex": "codex.CLIENT",
    "crush": "crush.CLIENT",
    "goose": "goose.CLIENT",
    "open-webui": "open_webui.CLIENT",
    "models.dev": "opencode.MODELS_DEV",
}


class UnknownClient(ValueError):
    """There is no client of this name; the message is one line."""


def client(name: str) -> Client:
    """The client of this name.

    Raises:
        UnknownClient: there is none.
    """
    if name not in CLIENTS:
        near = get_close_matches(name, CLIENTS, 1, 0.5)
        hint = f"did you mean '{near[0]}'? There are" if near else "there are"
        raise UnknownClient(f"there is no client '{name[:40]}'; {hint} {', '.join(CLIENTS)}")
    module, _, attribute = CLIENTS[name].partition(".")
    found = getattr(import_module(f"reports.clients.{module}"), attribute)
    assert isinstance(found, Client)
    return found


def clients() -> list[Client]:
    """Every client, in the order in which they are listed."""
    return [client(name) for name in CLIENTS]
