"""Kenaz: what is written passes every rule, and every rule refuses what it is there for."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from probe.model import Hop, State
from reports.clients.client import export
from reports.clients.documents import BadFile
from reports.clients.kenaz import TEMPLATES, violations
from reports.clients.registry import client
from reports.clients.settings import Key, settings_of
from tests.unit.configs_cases import BASE, MODEL, case, data_of, settings_for

#: The example of the format's documentation.
GOOD: dict[str, Any] = {
    "version": 1,
    "providers": [
        {
            "id": "corp-vllm",
            "kind": "custom-openai",
            "model": "meta-llama/Meta-Llama-3.1-70B-Instruct",
            "models": ["a", "b"],
            "cred": {"kind": "keychain", "locator": "kaneaz/corp-vllm"},
            "endpoint": "https://vllm.corp.example/v1",
            "capability_hints": {"tool_calling": True, "vision": False},
            "defaults": {
                "template_id": "vllm",
                "auth_scheme": "bearer",
                "auth_header": "X-API-Key",
                "max_tokens": 4096,
                "temperature": 0.2,
            },
            "retry": {"max_attempts": 3, "base_ms": 250, "max_ms": 5000, "jitter": "full"},
        },
        {
            "id": "other",
            "kind": "bedrock",
            "model": "m",
            "cred": {"kind": "aws_profile", "locator": "default"},
        },
    ],
}


def test_a_good_file_has_no_violation() -> None:
    assert violations(GOOD) == []


def _set(*path: Any) -> Callable[[dict[str, Any]], None]:
    *steps, last, value = path

    def change(data: dict[str, Any]) -> None:
        here: Any = data
        for step in steps:
            here = here[step]
        if value is None:
            del here[last]
        else:
            here[last] = value

    return change


FIRST = ("providers", 0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("version", 2), "version"),
        (_set("version", None), "version"),
        (_set("version", True), "version"),
        (_set("providers", {}), "providers is not a list"),
        (_set(*FIRST, "text"), "not an object"),
        (_set(*FIRST, "id", None), "id is missing"),
        (_set(*FIRST, "id", "  "), "id is missing or blank"),
        (_set(*FIRST, "kind", ""), "kind is missing"),
        (_set(*FIRST, "model", "\t"), "model is missing"),
        (_set(*FIRST, "cred", None), "cred is missing"),
        (_set(*FIRST, "cred", "kind", " "), "cred.kind is missing"),
        (_set(*FIRST, "cred", "kind", "kms"), "cred.kind is none of"),
        (_set(*FIRST, "cred", "kind", "plaintext"), "cred.kind is none of"),
        (_set(*FIRST, "cred", "locator", None), "cred.locator is missing"),
        (_set(*FIRST, "cred", "locator", " "), "cred.locator is missing"),
        (_set(*FIRST, "cred", "locator", "é" * 129), "more than 256 bytes"),
        *[
            (_set(*FIRST, "cred", "locator", f"{prefix}abc"), "begins like a key")
            for prefix in ("sk-", "sk-ant-", "AKIA", "ASIA", "ya29.", "AIza")
        ],
        (_set("providers", 1, "id", "corp-vllm"), "occurs twice"),
        (_set(*FIRST, "capability_hints", "tools", True), "not a known hint"),
        (_set(*FIRST, "capability_hints", "vision", "no"), "neither true nor false"),
        (_set(*FIRST, "capability_hints", []), "capability_hints is not an object"),
        (_set(*FIRST, "defaults", "auth_scheme", "basic"), "auth_scheme is none of"),
        (_set(*FIRST, "defaults", {"auth_scheme": "custom"}), "auth_header is needed"),
        (_set(*FIRST, "defaults", {"auth_scheme": "custom", "auth_header": " "}), "auth_header"),
        (_set(*FIRST, "defaults", "template_id", "openai"), "template_id is none of"),
        (_set(*FIRST, "defaults", "max_tokens", 0), "max_tokens"),
        (_set(*FIRST, "defaults", "auth_scheme", []), "auth_scheme is none of"),
        (_set(*FIRST, "defaults", "template_id", {}), "template_id is none of"),
        (_set(*FIRST, "defaults", "temperature", "hot"), "temperature is not a number"),
        (_set(*FIRST, "defaults", "api_key", "x"), "defaults.api_key is not known"),
        (_set(*FIRST, "endpoint", None), "endpoint is missing"),
        (_set(*FIRST, "endpoint", "vllm.corp.example/v1"), "not an http or https URL"),
        (_set(*FIRST, "endpoint", "https://vllm.corp.example/v1/"), "not a base URL"),
        (_set(*FIRST, "endpoint", "https://x.example/v1/chat/completions"), "not a base URL"),
        (_set(*FIRST, "models", ["a", " "]), "models is not a list of names"),
    ],
)
def test_each_rule_refuses(change: Callable[[dict[str, Any]], None], said: str) -> None:
    data = copy.deepcopy(GOOD)
    change(data)
    assert any(said in line for line in violations(data)), violations(data)


@pytest.mark.parametrize("data", [None, [], "x", 3])
def test_what_is_no_object_is_refused(data: Any) -> None:
    assert violations(data)


def test_a_locator_of_256_bytes_and_any_word_is_taken() -> None:
    data = copy.deepcopy(GOOD)
    data["providers"][0]["cred"]["locator"] = "x" * 256
    assert violations(data) == []


# What is written ---------------------------------------------------------------------------


def test_verdicts_become_hints() -> None:
    made = case(
        {
            "tools": (State.BROKEN, "tools.parser-missing"),
            "vision": (State.REJECTED, "vision.rejected"),
            "json_schema": (State.IGNORED, "output.schema-ignored"),
            "stream_usage": (State.IGNORED, "stream.no-usage"),
        },
        unknown=frozenset({"json_object", "reasoning", "logprobs"}),
    )
    provider = data_of("kenaz", made)["providers"][0]
    assert provider["capability_hints"] == {
        "streaming": True,
        "tool_calling": False,
        "vision": False,
        "structured_output": False,
        "usage_reporting": False,
    }
    assert provider["endpoint"] == BASE
    assert provider["model"] == MODEL
    assert provider["kind"] == "custom-openai"
    assert provider["cred"] == {"kind": "env", "locator": "LAB_API_KEY"}


def test_tools_that_work_only_without_streaming_are_off_since_the_adapter_streams() -> None:
    made = case({"streaming_tools": (State.BROKEN, "tools.stream-leak")})
    assert data_of("kenaz", made)["providers"][0]["capability_hints"]["tool_calling"] is False
    refused = case({"tool_results": (State.REJECTED, "tools.result-rejected")})
    assert data_of("kenaz", refused)["providers"][0]["capability_hints"]["tool_calling"] is False


@pytest.mark.parametrize("software", [*sorted(TEMPLATES), "unknown", "ollama", "openai"])
def test_template_ids_are_those_of_the_client(software: str) -> None:
    defaults = data_of("kenaz", case(software=software))["providers"][0]["defaults"]
    assert defaults.get("template_id") == (software if software in TEMPLATES else None)


def test_behind_a_gateway_the_template_is_the_gateways() -> None:
    made = case(software="llamacpp")
    behind = replace(made, server=replace(made.server, hops=(Hop("nginx"), Hop("litellm"))))
    assert data_of("kenaz", behind)["providers"][0]["defaults"]["template_id"] == "litellm"


@pytest.mark.parametrize(
    ("scheme", "header", "expected"),
    [
        ("bearer", "Authorization", {"auth_scheme": "bearer"}),
        ("api-key-header", "X-API-Key", {"auth_scheme": "api-key-header", "auth_header": "X-API-Key"}),
        ("api-key-header", "Api-Key", {"auth_scheme": "api-key-header", "auth_header": "Api-Key"}),
        ("none", None, {"auth_scheme": "none"}),
    ],
)
def test_auth_schemes(scheme: str, header: str | None, expected: dict[str, str]) -> None:
    made = case(scheme=scheme, header=header, software="unknown", source="none" if scheme == "none" else "env:K")
    assert data_of("kenaz", made)["providers"][0]["defaults"] == expected


@pytest.mark.parametrize(
    ("key", "cred"),
    [
        (Key("MY_KEY"), {"kind": "env", "locator": "MY_KEY"}),
        (Key("MY_KEY", "file", "/run/secrets/lab"), {"kind": "file", "locator": "/run/secrets/lab"}),
        (Key("MY_KEY", "file", "/" + "x" * 300), {"kind": "env", "locator": "MY_KEY"}),
        (Key("MY_KEY", "file", "sk-odd-folder/key"), {"kind": "env", "locator": "MY_KEY"}),
        (Key("MY_KEY", "keyring"), {"kind": "env", "locator": "MY_KEY"}),
        (Key("MY_KEY", "none"), {"kind": "env", "locator": "MY_KEY"}),
    ],
)
def test_the_credential_says_where_the_key_is(key: Key, cred: dict[str, str]) -> None:
    assert data_of("kenaz", case(), key=key)["providers"][0]["cred"] == cred


def test_it_merges_beside_other_providers_and_twice_changes_nothing() -> None:
    text = json.dumps(GOOD, indent=4) + "\n"
    once = export(client("kenaz"), settings_for(case()), text).text
    data = json.loads(once)
    assert data["providers"][:2] == GOOD["providers"]
    assert [item["id"] for item in data["providers"]] == ["corp-vllm", "other", "lab"]
    assert violations(data) == []
    assert export(client("kenaz"), settings_for(case()), once).text == once


def test_a_file_that_the_client_would_refuse_is_not_written() -> None:
    bad = copy.deepcopy(GOOD)
    bad["providers"][1]["cred"]["locator"] = "sk-live-key"
    with pytest.raises(BadFile, match="would refuse the file"):
        export(client("kenaz"), settings_for(case()), json.dumps(bad))
    with pytest.raises(BadFile, match="version"):
        export(client("kenaz"), settings_for(case()), '{"version": 7, "providers": []}')


def test_other_models_are_listed_after_the_one_in_use() -> None:
    made = case(facts={"models": ["z", MODEL, "  ", "sk-abcdefghijklmnopqrstuvwx", "a"]})
    assert data_of("kenaz", made)["providers"][0]["models"] == [MODEL, "z", "a"]
    assert settings_of(made).id == "local-9999"


def test_tools_are_off_where_fields_have_to_come_back_that_the_adapter_does_not_read() -> None:
    made = case(codes=("tools.echo-required",), facts={"echo_fields": ["reasoning_content"]})
    assert data_of("kenaz", made)["providers"][0]["capability_hints"]["tool_calling"] is False
