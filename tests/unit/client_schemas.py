"""JSON Schemas of ours for clients without a validator to install, from their documented formats."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string", "minLength": 1}
_FLAG = {"type": "boolean"}
_SIZE = {"type": "integer", "minimum": 1}
_COST = {"type": "number", "minimum": 0}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    """A closed object; ``required`` names its fields that must be there."""
    return {
        "type": "object",
        "required": required.split(),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": 1}


#: zed-industries/zed crates/settings_content/src/language_model.rs: OpenAiCompatibleSettingsContent.
ZED = {
    "type": "object",
    "required": ["language_models"],
    "properties": {
        "language_models": {
            "type": "object",
            "required": ["openai_compatible"],
            "properties": {
                "openai_compatible": {
                    "type": "object",
                    "additionalProperties": _object(
                        "api_url available_models",
                        api_url={"type": "string", "pattern": "^https?://"},
                        custom_headers=_TEXTS,
                        available_models=_list(
                            _object(
                                "name max_tokens",
                                name=_TEXT,
                                display_name=_TEXT,
                                max_tokens=_SIZE,
                                max_output_tokens=_SIZE,
                                max_completion_tokens=_SIZE,
                                reasoning_effort={"enum": ["none", "minimal", "low", "medium", "high", "xhigh", "max"]},
                                capabilities=_object(
                                    "tools images parallel_tool_calls prompt_cache_key",
                                    tools=_FLAG,
                                    images=_FLAG,
                                    parallel_tool_calls=_FLAG,
                                    prompt_cache_key=_FLAG,
                                    chat_completions=_FLAG,
                                    interleaved_reasoning=_FLAG,
                                    max_tokens_parameter=_FLAG,
                                ),
                            )
                        ),
                    ),
                }
            },
        }
    },
}

#: microsoft/vscode-docs docs/agent-customization/language-models.md: Custom Endpoint.
VSCODE = _list(
    _object(
        "name vendor models",
        name=_TEXT,
        vendor={"const": "customendpoint"},
        apiKey={"type": "string", "pattern": r"^\$\{input:[A-Za-z0-9]+\}$"},
        apiType={"enum": ["chat-completions", "responses", "messages"]},
        models=_list(
            {
                **_object(
                    "id name url toolCalling vision maxOutputTokens",
                    id=_TEXT,
                    name=_TEXT,
                    url={"type": "string", "pattern": "^https?://.*/chat/completions$"},
                    toolCalling=_FLAG,
                    vision=_FLAG,
                    maxInputTokens=_SIZE,
                    contextWindow=_SIZE,
                    maxOutputTokens=_SIZE,
                    streaming=_FLAG,
                    thinking=_FLAG,
                    supportsReasoningEffort=_list(_TEXT),
                    reasoningEffortFormat={"enum": ["chat-completions", "responses"]},
                    requestHeaders=_TEXTS,
                ),
                "anyOf": [{"required": ["maxInputTokens"]}, {"required": ["contextWindow"]}],
            }
        ),
    )
)

#: charmbracelet/crush schema.json: ProviderConfig and Model.
CRUSH = _object(
    "providers",
    **{"$schema": _TEXT},
    providers={
        "type": "object",
        "additionalProperties": _object(
            "type base_url models",
            type={"enum": ["openai", "openai-compat", "anthropic"]},
            name=_TEXT,
            base_url={"type": "string", "pattern": "^https?://"},
            api_key={"type": "string", "pattern": r"^\$"},
            extra_headers=_TEXTS,
            extra_body={"type": "object"},
            discover_models=_FLAG,
            models=_list(
                _object(
                    "id name context_window default_max_tokens can_reason supports_attachments "
                    "cost_per_1m_in cost_per_1m_out cost_per_1m_in_cached cost_per_1m_out_cached",
                    id=_TEXT,
                    name=_TEXT,
                    context_window=_SIZE,
                    default_max_tokens=_SIZE,
                    can_reason=_FLAG,
                    reasoning_levels=_list(_TEXT),
                    supports_attachments=_FLAG,
                    cost_per_1m_in=_COST,
                    cost_per_1m_out=_COST,
                    cost_per_1m_in_cached=_COST,
                    cost_per_1m_out_cached=_COST,
                )
            ),
        ),
    },
)

#: aaif-goose/goose crates/goose-providers/src/declarative.rs: DeclarativeProviderConfig.
GOOSE = {
    **_object(
        "name engine display_name base_url models",
        name=_TEXT,
        engine={"enum": ["openai", "anthropic", "ollama"]},
        display_name=_TEXT,
        description=_TEXT,
        api_key_env={"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        base_url={"type": "string", "pattern": "^https?://.*/chat/completions$"},
        supports_streaming=_FLAG,
        requires_auth=_FLAG,
        dynamic_models=_FLAG,
        toolshim=_FLAG,
        preserves_thinking=_FLAG,
        wire_api={"enum": ["chat_completions", "responses"]},
        models=_list(
            _object(
                "name",
                name=_TEXT,
                context_limit=_SIZE,
                reasoning=_FLAG,
                request_params={"type": "object"},
            )
        ),
    ),
    "if": {"properties": {"requires_auth": {"const": True}}},
    "then": {"required": ["api_key_env"]},
}

#: open-webui/open-webui backend/open_webui/models/models.py: ModelForm; utils/middleware.py for params.
OPEN_WEBUI = _list(
    _object(
        "id name meta params",
        id=_TEXT,
        base_model_id={"type": ["string", "null"]},
        name=_TEXT,
        is_active=_FLAG,
        meta=_object("capabilities", capabilities={"type": "object", "additionalProperties": _FLAG}),
        params=_object(
            "",
            function_calling={"enum": ["native", "legacy"]},
            stream_response=_FLAG,
            max_tokens=_SIZE,
            custom_params={"type": "object"},
        ),
    )
)

#: anomalyco/models.dev packages/core/src/schema.ts: Model.
_DAY = {"type": "string", "pattern": r"^\d{4}-\d{2}(-\d{2})?$"}
_KINDS = _list({"enum": ["text", "audio", "image", "video", "pdf"]})
MODELS_DEV = _object(
    "name attachment reasoning tool_call release_date last_updated modalities open_weights limit",
    name=_TEXT,
    attachment=_FLAG,
    reasoning=_FLAG,
    tool_call=_FLAG,
    structured_output=_FLAG,
    temperature=_FLAG,
    release_date=_DAY,
    last_updated=_DAY,
    open_weights=_FLAG,
    limit=_object("context output", context=_SIZE, output=_SIZE, input=_SIZE),
    modalities=_object("input output", input=_KINDS, output=_KINDS),
    interleaved=_object("field", field={"enum": ["reasoning_content", "reasoning_details", "reasoning"]}),
)

SCHEMAS = {
    "zed": ZED,
    "vscode": VSCODE,
    "crush": CRUSH,
    "goose": GOOSE,
    "open-webui": OPEN_WEBUI,
    "models.dev": MODELS_DEV,
}
