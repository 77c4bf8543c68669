"""Anyscale: the shared endpoints ended in August 2024; today's services are vLLM deployments of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from probe.simulator.script import Headers, Script
from probe.simulator.styles.vllm import VLLM

if TYPE_CHECKING:
    from probe.simulator.call import JSON, Call, Site


class Anyscale(VLLM):
    """vLLM run by Ray Serve LLM, behind an Envoy; the model list is Ray's."""

    name = "anyscale"
    summary = "like an Anyscale service: vLLM run by Ray Serve LLM behind an Envoy"
    default_models = ("meta-llama/Meta-Llama-3.1-8B-Instruct",)

    def model_card(self, site: Site, name: str) -> JSON:
        # ray-project/ray, python/ray/llm/_internal/serve/core/configs/openai_api_models.py: ModelCard
        about = {"model_id": name, "input_modality": "image", "max_request_context_length": site.context_length}
        return {
            "id": name, "object": "model", "owned_by": "organization-owner", "permission": [], "metadata": about,
        }  # fmt: skip

    def fixed_headers(self, call: Call, script: Script) -> Headers:
        date = super().fixed_headers(call, script)[:1]
        return [*date, ("Server", "envoy"), ("x-envoy-upstream-service-time", "3")]
