"""LiteLLM's proxy: a deployment in the model list of its config.yaml.

The ``supports_*`` flags are read by clients and by LiteLLM's own helpers and do not change requests
to an ``openai/`` model; ``additional_drop_params`` does.
"""

from __future__ import annotations

from reports.clients.client import Client, Made, Needs
from reports.clients.documents import Item, Put
from reports.clients.settings import Settings, pruned


def make(settings: Settings) -> Made:
    """The deployment, named ``id/model`` so that others of the same model can be in the list too."""
    name = f"{settings.id}/{settings.model}"
    reference = f"os.environ/{settings.key.variable}"
    params = {
        "model": f"openai/{settings.model}",
        "api_base": settings.base_url,
        # Without a value LiteLLM would send the OPENAI_API_KEY of its own environment.
        "api_key": reference if settings.bearer else "none",
        "additional_drop_params": dropped(settings) or None,
        "use_chat_completions_api": True if settings.on("responses_api") is False else None,
        "extra_headers": {settings.key_header: reference} if settings.key_header else None,
    }
    prompt, answer = settings.known_sizes
    info = {
        "mode": "chat",
        "max_input_tokens": prompt,
        "max_output_tokens": answer,
        "supports_function_calling": settings.tools,
        "supports_tool_choice": settings.on("tool_choice_required"),
        "supports_parallel_function_calling": settings.parallel,
        "supports_response_schema": settings.on("json_schema"),
        "supports_vision": settings.vision,
        "supports_native_streaming": settings.streaming,
        "supports_system_messages": settings.on("system_role"),
        "supports_reasoning": settings.on("reasoning"),
    }
    entry = {"model_name": name, "litellm_params": pruned(params), "model_info": pruned(info)}
    return Made([Put(("model_list", Item("model_name", name)), entry)], {}, _notes(settings))


def dropped(settings: Settings) -> list[str]:
    """The parameters that LiteLLM removes from requests."""
    drop = list(settings.rejected)
    if settings.tools is False:
        drop += ["tools", "tool_choice", "parallel_tool_calls"]
    if settings.on("json_object") is False and settings.on("json_schema") is False:
        drop.append("response_format")
    if settings.on("stop") is False:
        drop.append("stop")
    return list(dict.fromkeys(drop))


def _notes(settings: Settings) -> list[str]:
    notes = settings.general_notes()
    notes += settings.cannot("streaming", hint="supports_native_streaming only describes it")
    notes += settings.cannot("vision", hint="supports_vision only describes it; images are still forwarded")
    notes += settings.cannot("block_content", "system_role")
    if not settings.refused("stream_usage"):
        notes += settings.cannot("stream_usage", hint="LiteLLM counts the tokens itself")
    for name, other in (("json_schema", "json_object"), ("json_object", "json_schema")):
        if settings.on(other) is not False:
            notes += settings.cannot(name, hint=f"dropping response_format would remove {other} too")
    if settings.key.needed:
        notes.append(f"export {settings.key.variable} with the key, and LITELLM_MASTER_KEY for the proxy itself")
    else:
        notes.append("the proxy does not start without LITELLM_MASTER_KEY")
    return notes


CLIENT = Client(
    "litellm",
    "LiteLLM proxy",
    "config.yaml",
    "yaml",
    make,
    "BerriAI/litellm litellm/types/router.py, litellm/proxy/_types.py; docs.litellm.ai, proxy configs",
    Needs(
        library="openai-python",
        tools_setting="additional_drop_params: [tools, tool_choice]",
        vision_setting="supports_vision: false",
    ),
)
