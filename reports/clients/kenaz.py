"""Kenaz: a provider of the kind custom-openai in its providers.json.

``capability_hints`` overlay a baseline (streaming, tool_calling, usage_reporting and
cancellation on, the rest off); a hint that was not determined is left out, so that the
baseline stands.  The adapter streams always, so tools count as they come in streams.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from reports.clients.documents import Item, Put
from reports.clients.exporter import Client, Made
from reports.clients.settings import Key, Settings, pruned

# What Kenaz refuses in a providers.json. -----------------------------------------------------------
#
# The rules are those of its personal store and its types (kameas-ai/kenaz-harness, core/llm
# and core/llm/personal) and of docs.kameas.ai, harness/providers/custom.

HINTS = frozenset(
    "streaming tool_calling vision documents json_mode prompt_caching reasoning cancellation usage_reporting "
    "structured_output grammar regex_grammar image_output".split()
)
CRED_KINDS = frozenset(("env", "keychain", "file", "aws_profile"))
KEY_PREFIXES = ("sk-", "sk-ant-", "AKIA", "ASIA", "ya29.", "AIza")
LOCATOR_BYTES = 256
SCHEMES = frozenset(("bearer", "api-key-header", "custom", "none"))
TEMPLATES = frozenset("vllm together groq fireworks anyscale deepseek mistral llamacpp litellm".split())
DEFAULTS = frozenset(
    "template_id auth_scheme auth_header temperature top_p max_tokens presence_penalty frequency_penalty".split()
)
_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")


def violations(data: Any) -> list[str]:
    """What is wrong with the data of a providers.json; empty where Kenaz takes it."""
    if not isinstance(data, Mapping):
        return ["the file is no JSON object"]
    found = []
    if data.get("version") != 1 or isinstance(data.get("version"), bool):
        found.append("version is not 1")
    providers = data.get("providers")
    if not isinstance(providers, list):
        return [*found, "providers is no list"]
    seen: set[str] = set()
    for number, provider in enumerate(providers):
        where = f"providers[{number}]"
        if not isinstance(provider, Mapping):
            found.append(f"{where} is no object")
            continue
        found += [f"{where}: {problem}" for problem in _provider(provider)]
        name = provider.get("id")
        if isinstance(name, str):
            if name in seen:
                found.append(f"{where}: the id {name!r} is there twice")
            seen.add(name)
    return found


def _blank(value: Any) -> bool:
    return not isinstance(value, str) or not value.strip()


def _provider(provider: Mapping[str, Any]) -> list[str]:
    found = [f"{name} is missing or blank" for name in ("id", "kind", "model") if _blank(provider.get(name))]
    found += _cred(provider.get("cred"))
    if provider.get("kind") == "custom-openai":
        found += _endpoint(provider.get("endpoint"))
    models = provider.get("models")
    if models is not None and (not isinstance(models, list) or any(_blank(one) for one in models)):
        found.append("models is no list of names")
    hints = provider.get("capability_hints")
    if hints is not None:
        if not isinstance(hints, Mapping):
            found.append("capability_hints is no object")
        else:
            found += [f"capability_hints.{key} is no known hint" for key in hints if key not in HINTS]
            found += [
                f"capability_hints.{key} is neither true nor false" for key in hints if type(hints[key]) is not bool
            ]
    return found + _defaults(provider.get("defaults"))


def _cred(cred: Any) -> list[str]:
    if not isinstance(cred, Mapping):
        return ["cred is missing"]
    found = []
    if _blank(cred.get("kind")):
        found.append("cred.kind is missing or blank")
    elif cred["kind"] not in CRED_KINDS:
        found.append(f"cred.kind is none of {', '.join(sorted(CRED_KINDS))}")
    locator = cred.get("locator")
    if not isinstance(locator, str) or not locator.strip():
        return [*found, "cred.locator is missing or blank"]
    if len(locator.encode("utf-8", "surrogatepass")) > LOCATOR_BYTES:
        found.append(f"cred.locator has more than {LOCATOR_BYTES} bytes")
    if locator.startswith(KEY_PREFIXES):
        found.append("cred.locator begins like a key: it must say where the key is")
    return found


def _endpoint(endpoint: Any) -> list[str]:
    if _blank(endpoint):
        return ["endpoint is missing or blank"]
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        return ["endpoint is no http or https URL"]
    if endpoint.endswith("/") or endpoint.endswith("/chat/completions"):
        return ["endpoint is no base URL: /chat/completions is joined to it"]
    return []


def _defaults(defaults: Any) -> list[str]:
    if defaults is None:
        return []
    if not isinstance(defaults, Mapping):
        return ["defaults is no object"]
    found = [f"defaults.{key} is not known" for key in defaults if key not in DEFAULTS]
    scheme = defaults.get("auth_scheme")
    if scheme is not None and scheme not in SCHEMES:
        found.append(f"defaults.auth_scheme is none of {', '.join(sorted(SCHEMES))}")
    header = defaults.get("auth_header")
    if header is not None and _blank(header):
        found.append("defaults.auth_header is blank")
    if scheme == "custom" and _blank(header):
        found.append("defaults.auth_header is needed with the scheme custom")
    template = defaults.get("template_id")
    if template is not None and template not in TEMPLATES:
        found.append(f"defaults.template_id is none of {', '.join(sorted(TEMPLATES))}")
    found += [
        f"defaults.{name} is no number"
        for name in _NUMBERS
        if name in defaults and (isinstance(defaults[name], bool) or not isinstance(defaults[name], int | float))
    ]
    limit = defaults.get("max_tokens")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        found.append("defaults.max_tokens is no positive whole number")
    return found


# Kenaz: a provider of the kind custom-openai in its providers.json. --------------------------------


def make(settings: Settings) -> Made:
    """The provider entry."""
    hints = {
        "streaming": settings.streaming,
        "tool_calling": settings.tools_streamed,
        "vision": settings.vision,
        "json_mode": settings.on("json_object"),
        "structured_output": settings.on("json_schema"),
        "reasoning": settings.on("reasoning"),
        "usage_reporting": settings.on("stream_usage"),
    }
    server = settings.report.server
    # What the client talks to is the gateway, where there is one.
    named_by = [*(hop.software for hop in server.hops), server.software]
    keyless = not settings.key.needed
    named = settings.auth_scheme == "api-key-header"
    entry = {
        "id": settings.id,
        "kind": "custom-openai",
        "model": settings.model,
        "models": list(settings.models),
        "cred": credential(settings.key),
        "endpoint": settings.base_url,
        "capability_hints": pruned(hints),
        "defaults": pruned(
            {
                "template_id": next((name for name in named_by if name in TEMPLATES), None),
                "auth_scheme": "none" if keyless else "api-key-header" if named else "bearer",
                "auth_header": (settings.auth_header or "X-API-Key") if named and not keyless else None,
            }
        ),
    }
    return Made(
        (Put(("providers", Item("id", settings.id)), entry),),
        {"version": 1},
        notes=(*_notes(settings), *_key(settings)),
    )


def credential(key: Key) -> dict[str, str]:
    """The reference to the key: a file where it lies in one, else an environment variable."""
    fits = len(key.locator.encode()) <= LOCATOR_BYTES and not key.locator.startswith(KEY_PREFIXES)
    if key.kind == "file" and key.locator.strip() and fits:
        return {"kind": "file", "locator": key.locator}
    return {"kind": "env", "locator": key.variable}


def _key(settings: Settings) -> list[str]:
    if settings.key.needed and credential(settings.key)["kind"] == "env":
        return [f"export {settings.key.variable} with the key, or enter it in the provider's editor"]
    return []


def _notes(settings: Settings) -> list[str]:
    notes = settings.general_notes() if settings.query else []
    if settings.streaming is False:
        notes.append(
            "the adapter asks for a stream whatever the hint says; switch Streaming off in the provider's editor"
        )
    notes += settings.cannot("system_role", hint="the system prompt goes out as a system message")
    if settings.said_rejected("stream_usage"):
        notes.append("stream_options is refused, and the adapter always sends it: it cannot be switched off here")
    return notes


CLIENT = Client(
    "kenaz",
    "Kenaz",
    "$XDG_CONFIG_HOME/kaneaz-harness/providers.json",
    "json",
    make,
    "docs.kameas.ai, harness/providers/custom; kameas-ai/kenaz-harness core/llm",
    mode=0o600,
    rules=violations,
)
