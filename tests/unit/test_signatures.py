"""The data files of the systems: complete, consistent with the catalogue, and refused when damaged."""

from __future__ import annotations

import re

import pytest

from checks.fingerprint.systems import KINDS, NEEDS, BadSignature, Signature, parse, signatures
from probe.catalogue import registry

SYSTEMS = signatures()
EACH = pytest.mark.parametrize("system", SYSTEMS.values(), ids=SYSTEMS.keys())
#: Every system that must be known, by the id of its file.
WANTED = {
    "server": "vllm llamacpp lmstudio textgen-webui ollama sglang tgi transformers localai llama-cpp-python koboldcpp "
    "tabbyapi mlx lmdeploy",
    "gateway": "litellm portkey kong envoy-ai-gateway one-api cloudflare-ai",
    "provider": "together anyscale fireworks groq cerebras openai azure openrouter gemini mistral deepseek xai "
    "deepinfra nvidia databricks",
    "hop": "nginx haproxy envoy caddy apache cloudflare cloudfront aws-alb aws-api-gateway azure-app-gateway "
    "azure-front-door google-frontend traefik oauth2-proxy authelia authentik keycloak pomerium google-iap",
}
GOOD = """
title = "X"
kind = "server"
about = "A server."
sources = ["its documentation"]
[[signals]]
sees = "header"
name = "server"
weight = 0.5
source = "its documentation"
"""


def test_every_system_is_known() -> None:
    assert {name for names in WANTED.values() for name in names.split()} <= set(SYSTEMS)
    for kind, names in WANTED.items():
        assert {SYSTEMS[name].kind for name in names.split()} == {kind}


@EACH
def test_a_file_is_complete(system: Signature) -> None:
    assert system.sources
    assert system.about.endswith(".")
    assert system.quirks
    assert system.advice
    assert (system.client is None) == (system.kind == "hop")
    strongest = max(signal.weight for signal in system.signals)
    assert strongest >= (0.6 if system.kind == "hop" else 0.75), "no signal names it by itself"
    for signal in system.signals:
        assert re.compile(signal.match) and re.compile(signal.name)
        assert signal.source


@EACH
def test_remedies_are_for_codes_that_exist_and_given_once(system: Signature) -> None:
    declared = registry.declared()
    for remedy in system.remedies:
        assert remedy.do.endswith((".", "`"))
        assert not remedy.check or remedy.check.endswith((".", "`"))
        for code in remedy.codes:
            assert code in declared
    seen = [code for remedy in system.remedies for code in remedy.codes]
    assert len(seen) == len(set(seen))


@EACH
def test_what_it_refers_to_exists(system: Signature) -> None:
    codes = registry.declared()
    assert {code for quirk in system.quirks for code in quirk.codes} <= set(codes)
    assert set(system.over) <= set(SYSTEMS)
    assert system.like is None or system.like in SYSTEMS


def test_the_remedies_for_a_software_are_in_its_own_file_alone() -> None:
    assert [code for code, diagnosis in registry.declared().items() if diagnosis.remedies] == []


def test_titles_differ() -> None:
    titles = [system.title for system in SYSTEMS.values()]
    assert len(titles) == len(set(titles))


def test_the_smallest_file_is_read() -> None:
    system = parse("x", GOOD)
    assert (system.id, system.kind, system.signals[0].weight) == ("x", "server", 0.5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("title", "titel"), "unknown member 'titel'"),
        (('kind = "server"', 'kind = "toaster"'), "kind 'toaster'"),
        (('about = "A server."', ""), "missing .* 'about'"),
        (('sees = "header"', 'sees = "smell"'), "sees 'smell'"),
        (('name = "server"', ""), "needs name"),
        (("weight = 0.5", "weight = 1.5"), "between 0 and 1"),
        (('name = "server"', 'name = "("'), "invalid pattern"),
        (("[[signals]]", "[[signals"), "x: "),
        (("[[signals]]", "signals = [3]\n[[quirks]]"), "a table is expected"),
    ],
)
def test_a_damaged_file_is_named_and_refused(change: tuple[str, str], said: str) -> None:
    with pytest.raises(BadSignature, match=said):
        parse("x", GOOD.replace(*change))


def test_every_kind_and_place_is_used() -> None:
    assert {system.kind for system in SYSTEMS.values()} == set(KINDS)
    assert {signal.sees for system in SYSTEMS.values() for signal in system.signals} == set(NEEDS)
