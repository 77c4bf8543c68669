"""Together AI (published API description; answers recorded by third parties in 2026)."""

from __future__ import annotations

from typing import Any

from probe.simulator.call import JSON, Call, Site
from probe.simulator.response import Headers, Response, send_html, send_json, send_text
from probe.simulator.style import CHAT_ONLY, Style, hexes, token

_PAGE = (
    '<!DOCTYPE html><html lang="en"><head><title>404: This page could not be '
    'found.</title></head><body><div id="__next">404</div></body></html>'
)


class Together(Style):
    """The model list is a bare array, which most clients cannot read: `models.no-list` is true of it."""

    name = "together"
    summary = "like Together AI: the model list is a bare array, text/plain when no key is sent, HTML 404"
    yields = ("models.no-list",)
    default_models = ("meta-llama/Llama-3.3-70B-Instruct-Turbo",)
    routes = CHAT_ONLY
    null_usage = False
    usage_on_finish = True

    def not_found(self, call: Call) -> Response:
        return send_html(404, _PAGE, [("vary", "rsc, next-router-state-tree, next-router-prefetch")])

    def refuse_key(self, given: str | None) -> Response:
        if given is None:
            return send_text(401, "Missing API key")
        return send_json(401, {"error": {"message": "Unauthorized"}})

    def unknown_model(self, call: Call, name: str) -> Response:
        message = (
            f"Unable to access model {name}. Please visit https://api.together.ai/models to view the list of supported "
            "models."
        )
        return self.error(404, message, "invalid_request_error", code="model_not_available")

    def overflow(self, call: Call, tokens: int) -> Response:
        message = (
            f"Input validation error: `inputs` tokens + `max_new_tokens` must be <= {call.site.context_length + 1}. "
            f"Given: {tokens} `inputs` tokens and 0 `max_new_tokens`"
        )
        return self.error(422, message, "invalid_request_error")

    def new_id(self) -> str:
        return token(7) + "-" + token(6) + "-" + hexes(16)

    def model_card(self, site: Site, name: str) -> JSON:
        return {
            "id": name, "object": "model", "created": site.started, "type": "chat",
            "display_name": name.rpartition("/")[2],
            "organization": name.partition("/")[0], "context_length": site.context_length,
            "pricing": {"input": 0.88, "output": 0.88, "cached_input": 0, "base": 0, "finetune": 0},
        }  # fmt: skip

    def models(self, call: Call) -> Any:
        return [self.model_card(call.site, name) for name in call.site.models]

    def own_headers(self, call: Call) -> Headers:
        return [("x-together-traceid", hexes(32))]
