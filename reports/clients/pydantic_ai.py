"""pydantic-ai: a Python snippet whose model profile has a field for nearly every verdict."""

from __future__ import annotations

from typing import Any

from reports.clients.exporter import Client, Made, arguments, call, header
from reports.clients.settings import Settings, pruned


def profile(settings: Settings) -> dict[str, Any]:
    """The model profile: only what was determined."""
    schema, forced = settings.on("json_schema"), settings.on("tool_choice_required")
    tools = settings.tools
    mode = None
    if tools is False:
        mode = "native" if schema else "prompted"
    unsupported = [name for name in ("parallel_tool_calls",) if name in settings.rejected or settings.parallel is False]
    unsupported += [name for name in settings.rejected if name in _SETTINGS]
    return pruned(
        {
            "supports_tools": tools,
            "supports_forced_tool_choice": forced,
            "supports_json_schema_output": schema,
            "supports_json_object_output": settings.on("json_object"),
            "default_structured_output_mode": mode,
            "supports_image_input": settings.vision,
            "supports_thinking": settings.on("reasoning"),
            "openai_chat_thinking_field": settings.reasoning_field,
            "openai_supports_strict_tool_definition": False if "strict" in settings.rejected else None,
            "openai_chat_supports_max_completion_tokens": _completion_tokens(settings),
            "openai_unsupported_model_settings": tuple(dict.fromkeys(unsupported)) or None,
            "openai_system_prompt_role": "user" if settings.on("system_role") is False else None,
            "context_window": settings.context,
        }
    )


#: Request parameters that are settings of the same name.
_SETTINGS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "seed")


def _completion_tokens(settings: Settings) -> bool | None:
    return None if settings.limit_param is None else settings.limit_param == "max_completion_tokens"


def make(settings: Settings) -> Made:
    """A module that defines ``model``."""
    key = f'os.environ["{settings.key.variable}"]' if settings.key.needed else '"none"'
    provider: dict[str, str] = {"base_url": repr(settings.base_url), "api_key": key}
    imports = [
        "from pydantic_ai.models.openai import OpenAIChatModel",
        "from pydantic_ai.profiles.openai import OpenAIModelProfile",
        "from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider",
    ]
    if settings.key.needed and settings.auth_scheme == "api-key-header":
        imports.insert(0, "from openai import AsyncOpenAI")
        headers = f"default_headers={{{settings.auth_header or 'X-API-Key'!r}: {key}}}"
        client = f'AsyncOpenAI(base_url={settings.base_url!r}, api_key="none", {headers})'
        provider = {"openai_client": client}
    lines = [
        *header(settings, "#"),
        *(["import os", ""] if settings.key.needed else []),
        *imports,
        "",
        *call("provider = OpenAICompatibleProvider", [repr(settings.id), *arguments(provider)]),
        *call(
            "profile = OpenAIModelProfile", arguments({key: repr(value) for key, value in profile(settings).items()})
        ),
        f"model = OpenAIChatModel({settings.model!r}, provider=provider, profile=profile)",
    ]
    return Made(text="\n".join(lines) + "\n", notes=tuple(_notes(settings)))


def _notes(settings: Settings) -> list[str]:
    notes = settings.general_notes()
    notes += settings.cannot("streaming", hint="use agent.run, not agent.run_stream")
    if settings.on("stream_usage") is False and not settings.said_rejected("stream_usage"):
        notes += settings.cannot("stream_usage", hint="token counts of streams are 0")
    elif settings.said_rejected("stream_usage"):
        notes.append("stream_options is refused, and cannot be switched off here: use agent.run, not agent.run_stream")
    if settings.key.needed:
        notes.append(f"export {settings.key.variable} with the key")
    return notes


CLIENT = Client(
    "pydantic-ai",
    "pydantic-ai",
    "a module of your program",
    "code",
    make,
    "pydantic/pydantic-ai pydantic_ai_slim/pydantic_ai/profiles/openai.py, providers/openai_compatible.py",
)
