"""pydantic-ai: a Python module whose model profile has a field for nearly every verdict."""

from __future__ import annotations

from typing import Any

from reports.clients.client import PYTHON, Client, Made, Needs, call, client_options, module
from reports.clients.settings import Settings, pruned

#: Request parameters that are model settings of the same name.
_SETTINGS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias", "seed")


def profile(settings: Settings) -> dict[str, Any]:
    """The model profile: only what was determined."""
    schema = settings.on("json_schema")
    mode = None
    if settings.tools is False:
        mode = "native" if schema else "prompted"
    unsupported = [name for name in settings.rejected if name in _SETTINGS]
    if settings.parallel is False or "parallel_tool_calls" in settings.rejected:
        unsupported.insert(0, "parallel_tool_calls")
    limit = settings.limit_param
    return pruned(
        {
            "supports_tools": settings.tools,
            "supports_forced_tool_choice": settings.on("tool_choice_required"),
            "supports_json_schema_output": schema,
            "supports_json_object_output": settings.on("json_object"),
            "default_structured_output_mode": mode,
            "supports_image_input": settings.vision,
            "supports_thinking": settings.on("reasoning"),
            "openai_chat_thinking_field": settings.reasoning_field,
            "openai_supports_strict_tool_definition": False if "strict" in settings.rejected else None,
            "openai_chat_supports_max_completion_tokens": None if limit is None else limit == "max_completion_tokens",
            "openai_unsupported_model_settings": tuple(unsupported) or None,
            "openai_system_prompt_role": "user" if settings.on("system_role") is False else None,
            "context_window": settings.context,
        }
    )


def make(settings: Settings) -> Made:
    """A module that defines ``model``."""
    key = f'os.environ["{settings.key.variable}"]' if settings.bearer else '"none"'
    provider = {"base_url": repr(settings.base_url), "api_key": key}
    imports = [
        "from pydantic_ai.models.openai import OpenAIChatModel",
        "from pydantic_ai.profiles.openai import OpenAIModelProfile",
        "from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider",
    ]
    if options := client_options(settings):
        imports.insert(0, "from openai import AsyncOpenAI")
        given = ", ".join(f"{name}={value}" for name, value in options.items())
        provider = {"openai_client": f"AsyncOpenAI(base_url={settings.base_url!r}, api_key={key}, {given})"}
    lines = [
        *(["import os", ""] if "os.environ" in "".join(provider.values()) else []),
        *imports,
        "",
        *call("provider = OpenAICompatibleProvider", [repr(settings.id)], **provider),
        *call("profile = OpenAIModelProfile", **{name: repr(value) for name, value in profile(settings).items()}),
        f"model = OpenAIChatModel({settings.model!r}, provider=provider, profile=profile)",
    ]
    return module(settings, "#", lines, settings.tools_note() + settings.key_notes())


CLIENT = Client(
    "pydantic-ai",
    "pydantic-ai",
    "a module of your program",
    "code",
    make,
    "pydantic/pydantic-ai pydantic_ai_slim/pydantic_ai/profiles/openai.py, providers/openai_compatible.py",
    Needs(
        library="openai-python",
        tolerates=("`choices[].message.content` is a list",),
        system_setting="no instructions and no system prompt",
        returns=frozenset({"reasoning_content", "reasoning", "extra_content"}),
        forced_choice_setting="supports_forced_tool_choice=False",
        stream_setting="agent.run in place of agent.run_stream",
        sends={"stream_options": "agent.run in place of agent.run_stream"},
        **PYTHON,
        tools_setting="supports_tools=False",
        vision_setting="supports_image_input=False",
    ),
    proof="its own package, driven",
)
