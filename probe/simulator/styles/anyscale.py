"""Anyscale services, which run vLLM. (The shared Anyscale Endpoints ended in August 2024.)"""

from __future__ import annotations

from probe.simulator.call import JSON, Call, Site
from probe.simulator.response import Headers
from probe.simulator.styles.vllm import VLLM


class Anyscale(VLLM):
    """vLLM run by Ray Serve LLM behind Envoy; the model list is Ray's."""

    name = "anyscale"
    summary = "like an Anyscale service: vLLM run by Ray Serve LLM behind an Envoy"
    default_models = ("meta-llama/Meta-Llama-3.1-8B-Instruct",)

    def model_card(self, site: Site, name: str) -> JSON:
        # ray-project/ray, python/ray/llm/_internal/serve/core/configs/openai_api_models.py: ModelCard
        about = {"model_id": name, "input_modality": "image", "max_request_context_length": site.context_length}
        return {
            "id": name, "object": "model", "owned_by": "organization-owner", "permission": [], "metadata": about,
        }  # fmt: skip

    def own_headers(self, call: Call) -> Headers:
        return [("Server", "envoy"), ("x-envoy-upstream-service-time", "3")]
