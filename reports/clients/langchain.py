"""LangChain: a Python module with ChatOpenAI and its model profile."""

from __future__ import annotations

from typing import Any

from reports.clients.client import PYTHON, Client, Made, Needs, call, client_options, module
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
    for name, given in client_options(settings).items():
        values[name] = given
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
        *(["import os", ""] if "os.environ" in "".join(values.values()) else []),
        "from langchain_openai import ChatOpenAI",
        "",
        *call("model = ChatOpenAI", **values),
    ]
    notes = []
    if settings.limit_param == "max_tokens" and settings.found("params.max-completion-tokens-rejected"):
        notes.append("give a limit of the output as extra_body={'max_tokens': N}: max_tokens=N is sent as "
                     "max_completion_tokens, which is refused")  # fmt: skip
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
        tolerates=("`choices[].message.content` is a list",),
        system_setting="send no system message",
        returns=frozenset(),
        sends={"stream_options": "stream_usage=False"},
        **PYTHON,
        stream_setting="disable_streaming=True",
        tools_setting="bind no tools",
        vision_setting="image_inputs=False",
    ),
    proof="its own package, driven",
)
