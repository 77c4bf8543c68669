"""LangChain: a Python snippet with ChatOpenAI and its model profile."""

from __future__ import annotations

from typing import Any

from reports.clients.exporter import Client, Made, arguments, call, header
from reports.clients.settings import Settings, pruned


def profile(settings: Settings) -> dict[str, Any]:
    """The model profile: only what was determined."""
    return pruned(
        {
            "max_input_tokens": settings.input if settings.context else None,
            "max_output_tokens": settings.output if settings.context else None,
            "tool_calling": settings.tools_whole,
            "tool_choice": settings.on("tool_choice_required"),
            "tool_call_streaming": settings.on("streaming_tools"),
            "structured_output": settings.on("json_schema"),
            "image_inputs": settings.vision,
            "reasoning_output": settings.on("reasoning"),
        }
    )


def make(settings: Settings) -> Made:
    """A module that defines ``model``."""
    key = f'os.environ["{settings.key.variable}"]' if settings.key.needed else '"none"'
    named = settings.key.needed and settings.auth_scheme == "api-key-header"
    values: dict[str, str] = {
        "model": repr(settings.model),
        "base_url": repr(settings.base_url),
        "api_key": '"none"' if named else key,
    }
    if named:
        values["default_headers"] = f"{{{settings.auth_header or 'X-API-Key'!r}: {key}}}"
    if settings.on("stream_usage") is not None:
        values["stream_usage"] = repr(settings.on("stream_usage"))
    if settings.streaming is False:
        values["disable_streaming"] = "True"
    elif settings.tools_whole and settings.tools_streamed is False:
        # Calls come back whole: only turns with tools go without streaming.
        values["disable_streaming"] = '"tool_calling"'
    off = {name: None for name in settings.rejected if name != "stream_options"}
    if settings.parallel is False:
        off["parallel_tool_calls"] = None
    if off:
        values["disabled_params"] = repr(off)
    values["use_responses_api"] = "False"
    values["profile"] = repr(profile(settings))
    lines = [
        *header(settings, "#"),
        *(["import os", ""] if settings.key.needed else []),
        "from langchain_openai import ChatOpenAI",
        "",
        *call("model = ChatOpenAI", arguments(values)),
    ]
    return Made(text="\n".join(lines) + "\n", notes=tuple(_notes(settings)))


def _notes(settings: Settings) -> list[str]:
    notes = settings.cannot("system_role", "block_content")
    if settings.query:
        notes.append(f"every request needs the query ?{settings.query}: pass it as default_query")
    if settings.on("tools") is False:
        notes.append("the profile only describes tools: bind none to this model")
    if settings.limit_param == "max_tokens":
        notes.append("a limit of the output goes out as max_completion_tokens, which is refused: set it in extra_body")
    if settings.key.needed:
        notes.append(f"export {settings.key.variable} with the key")
    return notes


CLIENT = Client(
    "langchain",
    "LangChain",
    "a module of your program",
    "code",
    make,
    "langchain-ai/langchain libs/core/langchain_core/language_models/model_profile.py, libs/partners/openai",
)
