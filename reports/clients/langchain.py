"""LangChain: a Python module with ChatOpenAI and its model profile."""

from __future__ import annotations

from typing import Any

from reports.clients.client import Client, Made, Needs, call, module
from reports.clients.settings import Settings, pruned


def profile(settings: Settings) -> dict[str, Any]:
    """The model profile: only what was determined."""
    prompt, answer = settings.known_sizes
    return pruned(
        {
            "max_input_tokens": prompt,
            "max_output_tokens": answer,
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
    key = f'os.environ["{settings.key.variable}"]'
    values: dict[str, str] = {
        "model": repr(settings.model),
        "base_url": repr(settings.base_url),
        "api_key": key if settings.bearer else '"none"',
    }
    if settings.key_header:
        values["default_headers"] = f"{{{settings.key_header!r}: {key}}}"
    if settings.on("stream_usage") is not None:
        values["stream_usage"] = repr(settings.on("stream_usage"))
    if settings.streaming is False:
        values["disable_streaming"] = "True"
    elif settings.tools_whole and settings.tools_streamed is False:
        # Calls come back without streaming: only requests with tools are not streamed.
        values["disable_streaming"] = '"tool_calling"'
    off = {name: None for name in settings.rejected if name != "stream_options"}
    if settings.parallel is False:
        off["parallel_tool_calls"] = None
    if off:
        values["disabled_params"] = repr(off)
    values["use_responses_api"] = "False"
    values["profile"] = repr(profile(settings))
    lines = [
        *(["import os", ""] if settings.key.needed else []),
        "from langchain_openai import ChatOpenAI",
        "",
        *call("model = ChatOpenAI", **values),
    ]
    notes = settings.cannot("system_role", "block_content")
    if settings.query:
        notes.append(f"every request needs the query ?{settings.query}: pass it as default_query")
    if settings.on("tools") is False:
        notes.append("the profile only describes tools: bind none to this model")
    if settings.found("params.max-completion-tokens-rejected"):
        notes.append("a limit of the output is sent as max_completion_tokens, which is refused: set it in extra_body")
    return module(settings, "#", lines, notes + settings.key_notes())


CLIENT = Client(
    "langchain",
    "LangChain",
    "a module of your program",
    "code",
    make,
    "langchain-ai/langchain libs/core/langchain_core/language_models/model_profile.py, libs/partners/openai",
    Needs(
        library="openai-python",
        returns=frozenset(),
        usage="switch",
        usage_setting="stream_usage=False",
        stream_setting="disable_streaming=True",
        tools_setting="bind no tools",
        vision_setting="image_inputs=False",
    ),
)
