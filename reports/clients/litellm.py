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
        **_azure(settings, reference),
        "additional_drop_params": dropped(settings) or None,
        "use_chat_completions_api": True if settings.on("responses_api") is False else None,
        "extra_headers": settings.headers_as(lambda variable: f"os.environ/{variable}"),
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


def _azure(settings: Settings, reference: str) -> dict[str, str | None]:
    """A query with ``api-version``: only LiteLLM's Azure route keeps it, on a base URL that is the whole URL."""
    given = settings.query_as(lambda variable: variable) or {}
    if "api-version" not in given:
        return {}
    return {
        "model": f"azure/{settings.model}",
        "api_base": f"{settings.base_url}/chat/completions?{settings.query}",
        "api_version": given["api-version"],
        "api_key": None if settings.bearer else "none",
        "azure_ad_token": reference if settings.bearer else None,
    }


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
    notes = settings.tools_note()
    if settings.vision is False:
        notes.append("supports_vision only describes it: images are still forwarded")
    for name, other in (("json_schema", "json_object"), ("json_object", "json_schema")):
        if settings.on(name) is False and settings.on(other) is not False:
            notes.append(
                f"{name} does not work ({settings.why(name)}); dropping response_format would remove {other} too"
            )
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
        returns=frozenset({"reasoning_content", "extra_content"}),
        system_setting="send no system message",
        headers="",
        key_header="",
        query="api-version",
        certificate="SSL_CERT_FILE=FILE with the certificate's authority",
        tools_setting="additional_drop_params: [tools, tool_choice]",
        vision_setting="supports_vision: false",
    ),
    proof="its own package, driven",
)
