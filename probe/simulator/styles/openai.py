"""OpenAI's own API (openai/openai-openapi, CreateChatCompletionResponse; SDK cassettes of pydantic-ai)."""

from __future__ import annotations

from probe.simulator.style import Style


class OpenAI(Style):
    """The reference: everything the base class does."""

    name = "openai"
    summary = "like OpenAI's reference API: /v1 only, key required, every capability works"
