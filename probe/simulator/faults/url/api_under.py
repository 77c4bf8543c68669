"""Hosts whose API lies deeper than `/v1`, typed as the bare host."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.fault import Fault


class _Under(Fault):
    prefix: ClassVar[str] = ""
    yields = ("url.missing-v1",)

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return (self.prefix,)

    def typed_url(self, url: str) -> str:
        return url.removesuffix(self.prefix)


class UnderOpenAI(_Under):
    """As at Groq and on Azure."""

    name = "api-under-openai-v1"
    summary = "the API answers under /openai/v1; only the host is typed"
    prefix = "/openai/v1"


class UnderApi(_Under):
    """As at OpenRouter and bedrock-access-gateway."""

    name = "api-under-api-v1"
    summary = "the API answers under /api/v1; only the host is typed"
    prefix = "/api/v1"


class UnderInference(_Under):
    """As at Fireworks."""

    name = "api-under-inference-v1"
    summary = "the API answers under /inference/v1; only the host is typed"
    prefix = "/inference/v1"


FAULTS = (UnderOpenAI, UnderApi, UnderInference)
