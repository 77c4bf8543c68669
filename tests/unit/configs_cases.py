"""Reports and readings that the tests of the exporters share."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from probe.model import CAPABILITIES, AuthInfo, Finding, Owner, Report, ServerInfo, Severity, State, TargetInfo, Verdict
from reports.clients.client import export
from reports.clients.documents import parsed
from reports.clients.registry import CLIENTS, client
from reports.clients.settings import Settings, settings_of
from tests.reports_fixtures import report

BASE = "http://127.0.0.1:9999/v1"
MODEL = "served-model-id"
#: What models.dev asks a person for; harmless to the others.
EXTRAS = {"release_date": "2026-01-31", "open_weights": "true", "context": "32768", "max_output": "4096"}
#: Forms of files that can be merged, and clients that are shell commands.
DOCUMENTS = ("json", "yaml", "toml")
SHELL = ("curl", "copilot-cli")
NOT_SEEN = frozenset(("reasoning", "logprobs"))

#: Fault: the verdicts that a right diagnosis gives, and what a person who knew would set.
FAULTS: dict[str, tuple[dict[str, tuple[State, str]], dict[str, bool]]] = {
    "tools leak": (
        {
            "tools": (State.BROKEN, "tools.parser-missing"),
            "streaming_tools": (State.BROKEN, "tools.parser-missing"),
        },
        {"tools": False},
    ),
    "tools rejected": (
        {
            "tools": (State.REJECTED, "tools.rejected"),
            "tool_results": (State.REJECTED, "tools.rejected"),
            "streaming_tools": (State.REJECTED, "tools.rejected"),
            "parallel_tools": (State.REJECTED, "tools.rejected"),
        },
        {"tools": False},
    ),
    "held stream": ({"streaming": (State.IGNORED, "stream.held")}, {"streaming": False}),
    "blocks rejected": (
        {
            "block_content": (State.REJECTED, "content.blocks-rejected"),
            "vision": (State.REJECTED, "content.blocks-rejected"),
        },
        {"vision": False},
    ),
    "vision dropped": ({"vision": (State.IGNORED, "vision.ignored")}, {"vision": False}),
    "no usage in stream": ({"stream_usage": (State.IGNORED, "stream.no-usage")}, {"usage": False}),
}


def finding(code: str, severity: Severity = Severity.ERROR) -> Finding:
    """A finding with nothing but its code."""
    return Finding(code, severity, "made.by-hand", f"Title of {code}", "detail", "remedy", Owner.SERVER, 1.0)


def case(
    faults: dict[str, tuple[State, str]] | None = None,
    *,
    facts: dict[str, Any] | None = None,
    scheme: str = "bearer",
    header: str | None = "Authorization",
    source: str = "env:LAB_API_KEY",
    software: str = "vllm",
    codes: tuple[str, ...] = (),
    unknown: frozenset[str] = NOT_SEEN,
    **target: Any,
) -> Report:
    """A report of an endpoint in which everything works but the given."""
    capabilities = {
        name: Verdict(State.UNKNOWN, 0.0, note="not tried") if name in unknown else Verdict(State.WORKS)
        for name in CAPABILITIES
    }
    found = [finding(code) for code in codes]
    for name, (state, code) in (faults or {}).items():
        capabilities[name] = Verdict(state, 1.0, code or None)
        if code and code not in {item.code for item in found}:
            found.append(finding(code))
    where = {"base_url": BASE, "chat_url": f"{BASE}/chat/completions", "model": MODEL, **target}
    return report(
        target=TargetInfo(endpoint=BASE, auth=AuthInfo(scheme, header, source), **where),
        server=ServerInfo(software, None, 0.9),
        capabilities=capabilities,
        facts={"context_length": 32768, "models": [MODEL], **(facts or {})},
        findings=tuple(found),
        exchanges=(),
    )


def settings_for(made: Report, **more: Any) -> Settings:
    """Settings under the name lab."""
    return settings_of(made, **{"id": "lab", "extras": EXTRAS, **more})


def text_of(name: str, made: Report, **more: Any) -> str:
    """The client's new configuration."""
    return export(client(name), settings_for(made, **more)).text


def data_of(name: str, made: Report, **more: Any) -> Any:
    """The same as plain data: for code the keyword arguments of its calls, else names and values."""
    text = text_of(name, made, **more)
    form = client(name).form
    if form in DOCUMENTS:
        return parsed(form, text)
    if form == "sheet":
        return dict((part.strip() for part in line.split(":", 1)) for line in text.splitlines())
    if form == "env":
        return {line.partition("=")[0]: line.partition("=")[2].strip("'") for line in text.splitlines()}
    return {"text": text} if name in SHELL else arguments(text)


def arguments(text: str) -> dict[str, Any]:
    """The keyword arguments of a Python snippet, or the fields of a JavaScript one."""
    if text.startswith(("import {", "//", "import OpenAI")):
        pairs = re.findall(r"^  (\w+): (.*),$", text, re.M)
        return {name: json.loads(value) if value[:1] in '"tf' else value for name, value in pairs}
    found: dict[str, Any] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.keyword) and node.arg:
            try:
                found[node.arg] = ast.literal_eval(node.value)
            except ValueError:
                found[node.arg] = ast.unparse(node.value)
    return found


def reading(name: str, made: Report) -> dict[str, bool]:
    """What a client's configuration says of the four switches; what it cannot say is missing."""
    data = data_of(name, made)
    return {key: value for key, value in _READERS[name](data).items() if value is not None}


def wrong_toggles(made: Report, truth: dict[str, bool]) -> list[str]:
    """What the exporters say against the truth; every switch that is not in it is on."""
    wrong = []
    for name in CLIENTS:
        for switch, said in reading(name, made).items():
            if said is not truth.get(switch, True):
                wrong.append(f"{name}: {switch} is {said}")
    return wrong


def _kenaz(data: Any) -> dict[str, Any]:
    hints = data["providers"][0]["capability_hints"]
    names = {"tools": "tool_calling", "streaming": "streaming", "vision": "vision", "usage": "usage_reporting"}
    return {key: hints.get(name) for key, name in names.items()}


def _litellm(data: Any) -> dict[str, Any]:
    info, params = data["model_list"][0]["model_info"], data["model_list"][0]["litellm_params"]
    tools = info.get("supports_function_calling")
    # A flag alone changes nothing on the wire: off means that the parameter is dropped too.
    assert (tools is False) == ("tools" in params.get("additional_drop_params", []))
    return {"tools": tools, "vision": info.get("supports_vision"), "streaming": info.get("supports_native_streaming")}


def _opencode(data: Any) -> dict[str, Any]:
    provider = data["provider"]["lab"]
    model = provider["models"][MODEL]
    return {
        "tools": model["tool_call"],
        "vision": "image" in model["modalities"]["input"],
        "usage": provider["options"]["includeUsage"],
    }


def _vscode(data: Any) -> dict[str, Any]:
    model = data[0]["models"][0]
    return {"tools": model["toolCalling"], "vision": model["vision"], "streaming": model["streaming"]}


def _continue(data: Any) -> dict[str, Any]:
    model = data["models"][0]
    words = model.get("capabilities", [])
    return {
        "tools": "tool_use" in words,
        "vision": "image_input" in words,
        "streaming": model["defaultCompletionOptions"]["stream"],
    }


def _librechat(data: Any) -> dict[str, Any]:
    assert data["endpoints"]["custom"][0]["models"] == {"default": [MODEL], "fetch": False}
    return {}


def _ai_sdk(data: dict[str, Any]) -> dict[str, Any]:
    dropped = re.findall(r"(\w+): _", str(data.get("transformRequestBody", "")))
    return {"tools": "tools" not in dropped, "usage": data["includeUsage"]}


def _langchain(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "tools": data["profile"]["tool_calling"],
        "vision": data["profile"]["image_inputs"],
        "usage": data["stream_usage"],
        "streaming": "disable_streaming" not in data,
    }


def _open_webui(data: Any) -> dict[str, Any]:
    params, capabilities = data[0]["params"], data[0]["meta"]["capabilities"]
    return {
        "tools": params["function_calling"] == "native",
        "streaming": params["stream_response"],
        "vision": capabilities["vision"],
        "usage": capabilities["usage"],
    }


def _zed(data: Any) -> dict[str, Any]:
    (model,) = data["language_models"]["openai_compatible"]["lab"]["available_models"]
    return {"tools": model["capabilities"]["tools"], "vision": model["capabilities"]["images"]}


def _on(data: dict[str, str], name: str) -> bool | None:
    return {"on": True, "off": False}.get(data.get(name, ""))


_READERS: dict[str, Any] = {
    "kenaz": _kenaz,
    "litellm": _litellm,
    "opencode": _opencode,
    "llm": lambda data: {
        "tools": data[0]["supports_tools"],
        "vision": data[0]["vision"],
        "streaming": data[0]["can_stream"],
    },
    "pydantic-ai": lambda data: {"tools": data["supports_tools"], "vision": data["supports_image_input"]},
    "zed": _zed,
    "vscode": _vscode,
    "librechat": _librechat,
    "continue": _continue,
    "aider": lambda data: {"streaming": data[0]["streaming"]},
    "aider-metadata": lambda data: {"vision": data[f"openai/{MODEL}"]["supports_vision"]},
    "langchain": _langchain,
    "ai-sdk": _ai_sdk,
    "codex": lambda data: {},
    **{
        name: lambda data: {}
        for name in ("dotenv", "openai-python", "openai-node", "haystack", "cursor", "n8n", *SHELL)
    },
    "cline": lambda data: {"vision": _on(data, "Supports Images")},
    "kilo-code": _opencode,
    "qwen-code": lambda data: {
        "vision": data["modelProviders"]["openai"][0]["generationConfig"]["modalities"]["image"]
    },
    "llamaindex": lambda data: {"tools": data["is_function_calling_model"]},
    "anythingllm": lambda data: {
        "tools": "PROVIDER_DISABLE_NATIVE_TOOL_CALLING" not in data,
        "streaming": "GENERIC_OPENAI_STREAMING_DISABLED" not in data,
        "usage": data["GENERIC_OPEN_AI_REPORT_USAGE"] == "true",
    },
    "lobechat": lambda data: {
        "tools": ":fc" in data["OPENAI_MODEL_LIST"],
        "vision": ":vision" in data["OPENAI_MODEL_LIST"],
    },
    "cherry-studio": lambda data: {
        "tools": _on(data, "Model type Tool"),
        "vision": _on(data, "Model type Vision"),
        "usage": _on(data, "Support stream_options"),
    },
    "jan": lambda data: {"tools": _on(data, "Capability Tools"), "vision": _on(data, "Capability Vision")},
    "jetbrains": lambda data: {"tools": _on(data, "Tool calling")},
    "dify": lambda data: {
        "tools": data["Stream function calling"] == "Support",
        "vision": data["Vision Support"] == "Support",
    },
    "claude-code": lambda data: {},
    "crush": lambda data: {"vision": data["providers"]["lab"]["models"][0]["supports_attachments"]},
    "goose": lambda data: {"tools": data.get("toolshim") is not True, "streaming": data["supports_streaming"]},
    "open-webui": _open_webui,
    "models.dev": lambda data: {"tools": data["tool_call"], "vision": "image" in data["modalities"]["input"]},
}
