"""Anyscale: the shared endpoints ended in August 2024; today's services are vLLM deployments of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.simulator.script import Headers, Script
from probe.simulator.styles.vllm import VLLM

if TYPE_CHECKING:
    from probe.simulator.call import Call


class Anyscale(VLLM):
    """vLLM behind an Envoy."""

    name = "anyscale"
    summary = "like an Anyscale service: vLLM behind an Envoy"
    default_models = ("meta-llama/Meta-Llama-3.1-8B-Instruct",)

    def fixed_headers(self, call: Call, script: Script) -> Headers:
        date = super().fixed_headers(call, script)[:1]
        return [*date, ("Server", "envoy"), ("x-envoy-upstream-service-time", "3")]
