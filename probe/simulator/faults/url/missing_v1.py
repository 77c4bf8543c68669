"""The commonest mistake: the URL is given without the `/v1` it needs."""

from __future__ import annotations

from probe.simulator.fault import Fault


class MissingV1(Fault):
    """Only `/v1/…` answers, and the user typed the URL without it."""

    name = "missing-v1"
    summary = "the API answers under /v1 only; the URL is typed without it"
    yields = ("url.missing-v1",)

    def mount(self, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(prefix for prefix in prefixes if prefix.endswith("/v1")) or ("/v1",)

    def typed_url(self, url: str) -> str:
        return url.removesuffix("/v1")
