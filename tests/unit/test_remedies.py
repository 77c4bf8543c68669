"""The remedy of the recognised software comes first, and says how to check that it worked."""

from __future__ import annotations

import pytest

from probe.catalogue import registry
from probe.catalogue.remedies import Advice, advised, candidates
from probe.model import Finding, Hop, Owner, ServerInfo, Severity

GENERAL = "Switch it on."
KNOWN = {
    ("tools.x", "vllm"): Advice("Use --flag.", "It answers 200."),
    ("tools.x", "litellm"): Advice("Set drop_params."),
    ("stream.x", "vllm"): Advice("Use --interval 1."),
    ("stream.x", "nginx"): Advice("Set proxy_buffering off.", "Events come one by one."),
    ("stream.x", "litellm"): Advice("Remove fake_stream."),
    ("url.x", "groq"): Advice("The base URL is https://api.groq.com/openai/v1."),
    ("url.x", "azure"): Advice("The base URL is https://RESOURCE.openai.azure.com/openai/v1."),
}
TITLES = {"vllm": "vLLM", "litellm": "LiteLLM proxy"}


def finding(code: str, remedy: str = GENERAL) -> Finding:
    return Finding(code, Severity.ERROR, "c", "t", "d", remedy, Owner.SERVER, 1.0)


def remedy(code: str, server: ServerInfo, own: str = GENERAL, host: str = "llm.example.com") -> str:
    (made,) = advised(
        [finding(code, own)],
        server,
        general=lambda _: GENERAL,
        lookup=lambda code, software: KNOWN.get((code, software)),
        title=lambda software: TITLES.get(software, software),
        host=host,
    )
    return made.remedy


def test_the_software_s_own_cure_comes_before_the_general_one() -> None:
    said = remedy("tools.x", ServerInfo("vllm"))
    assert said == "vLLM: Use --flag. To check: It answers 200. In general: Switch it on."


@pytest.mark.parametrize(
    ("base", "command"),
    [
        ("http://h/v1", "curl http://h/v1/models"),
        ("http://h/$(x)", "curl 'http://h/$(x)'/models"),
        (None, "curl BASE/models"),
    ],
)
def test_the_command_that_checks_a_remedy_can_be_pasted(base: str | None, command: str) -> None:
    (made,) = advised(
        [finding("url.x")],
        ServerInfo("nginx"),
        general=lambda _: GENERAL,
        lookup=lambda *_: Advice("Set it.", "`curl BASE/models` prints a list."),
        title=str,
        host="h",
        base=base,
    )
    assert made.remedy == f"nginx: Set it. To check: `{command}` prints a list. In general: {GENERAL}"


def test_nothing_changes_where_nothing_is_known() -> None:
    assert remedy("tools.x", ServerInfo()) == GENERAL
    assert remedy("tools.y", ServerInfo("vllm")) == GENERAL
    assert remedy("tools.x", ServerInfo("ollama", hops=(Hop("nginx"),))) == GENERAL


def test_nobody_is_sent_to_the_host_of_a_provider_that_was_recognised_behind_another_one() -> None:
    assert remedy("url.x", ServerInfo("groq")) == GENERAL
    assert "api.groq.com" in remedy("url.x", ServerInfo("groq"), host="api.groq.com")
    assert "RESOURCE" in remedy("url.x", ServerInfo("azure"))


def test_what_stands_in_front_comes_first_for_faults_of_the_way() -> None:
    behind = ServerInfo("vllm", hops=(Hop("nginx"),))
    assert remedy("stream.x", behind).startswith("nginx: Set proxy_buffering off.")
    assert "vLLM: Use --interval 1." in remedy("stream.x", behind)
    assert candidates(finding("tools.x"), behind) == ["vllm", "nginx"]
    assert candidates(finding("idle.x"), behind) == ["nginx", "vllm"]


def test_at_most_two_programs_are_spoken_of() -> None:
    three = ServerInfo("vllm", hops=(Hop("nginx"), Hop("litellm")))
    assert "vLLM" not in remedy("stream.x", three)


def test_a_remedy_written_for_this_finding_stays_in_front() -> None:
    said = remedy("tools.x", ServerInfo("vllm"), own="Use http://h/v1 as the base URL.")
    assert said == "Use http://h/v1 as the base URL. vLLM: Use --flag. To check: It answers 200."


@pytest.mark.parametrize("own", ["Start `vllm serve` with --flag hermes.", "On vLLM: this.", "First. Use --flag."])
def test_a_remedy_that_speaks_of_the_software_already_stays_alone(own: str) -> None:
    assert remedy("tools.x", ServerInfo("vllm"), own) == own


# The catalogue ----------------------------------------------------------------------------


def test_the_catalogue_holds_the_remedies_of_every_guide() -> None:
    declared = registry.declared()["auth.not-checked"]
    merged = registry.catalogue()["auth.not-checked"]
    assert merged == declared, "remedies are no part of a diagnosis's identity"
    assert set(declared.remedies) == set()
    assert merged.remedies["sglang"] == "Start it with `--api-key KEY`. To check: " + (
        "The chat request with an invented key answers 401."
    )
    assert {"vllm", "llamacpp", "litellm"} <= set(merged.remedies)


def test_every_advice_says_how_to_check() -> None:
    for software in registry.guides():
        for code in registry.catalogue():
            advice = registry.advice(code, software)
            assert advice is None or (advice.do and advice.check), (code, software)


def test_what_holds_for_the_engine_holds_for_what_is_built_on_it() -> None:
    own = registry.advice("tools.not-enabled", "anyscale")
    assert own is not None and "engine_kwargs" in own.do
    taken = registry.advice("tools.ignored", "anyscale")
    assert taken == registry.advice("tools.ignored", "vllm")


def test_unknown_names_give_nothing() -> None:
    assert registry.advice("tools.not-enabled", "no-such-server") is None
    assert registry.advice("no.such", "vllm") is None
    assert registry.title("no-such-server") == "no-such-server"
    assert registry.title("llamacpp") == "llama.cpp"
