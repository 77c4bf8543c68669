"""Small models: what a model makes nothing of is no fault of the endpoint, with or without counts of tokens.

A small model repeats what the newest question says, perhaps what a sentence before it says, and
nothing else: no tools, results, pictures or earlier turns.  Only prompt tokens, or a question as
hard as the one that failed, can tell that from an endpoint that drops these things on the way.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from probe.model import Report, Severity
from probe.simulator import all_faults
from tests.scenarios.runs import codes, diagnose, errors

FAST = {"rate_tokens_s": 0, "first_token_s": 0}
MODELS = ("small", "copies", "weak")
COUNTS = ((), ("usage-missing",), ("usage-constant",))
#: Models that are small say this of themselves; it is no fault.
OF_MODELS = {"tools.not-called", "tools.choice-ignored"}
#: What asks for other means than a model's answers.
ELSEWHERE = {"connect", "tls", "url", "auth", "idle", "stream"}
TABLE = [
    item
    for item in all_faults()
    if item.yields
    and item.name not in ("small-model", "copying-model")
    and not {code.partition(".")[0] for code in item.yields} & ELSEWHERE
    and not {code.partition(".")[0] for code in item.yields} <= {"messages", "responses"}  # judged in test_dialects
    and (not item.name.startswith("tools-as-") or "hermes" in item.name)  # one markup for the many
]


def in_the_other_dialect(yields: Iterable[str]) -> set[str]:
    """The codes of the Responses API for the same faults, which only it shows where chat counts no tokens."""
    families = {code.partition(".")[0] for code in yields}
    return {f"responses.{name}" for name, of in (("tools", "tools"), ("history", "roles")) if of in families}


def whole(*names: str, model: str, style: str = "openai", chat_only: bool = False) -> Report:
    """Everything but the waiting, on an endpoint with these faults and this model.

    chat_only: without the other two APIs.
    """
    skip = ("stream.*", "idle.*", *(("responses.*", "messages.*") if chat_only else ()))
    report = diagnose(names, style=style, sim={**FAST, "personality": model}, idle_s=0, skip=skip)
    assert not errors(report)
    return report


@pytest.mark.parametrize("counts", COUNTS, ids="+".join)
@pytest.mark.parametrize("model", MODELS)
def test_a_small_model_is_no_fault_of_the_endpoint(model: str, counts: tuple[str, ...]) -> None:
    report = whole(*counts, model=model)
    assert codes(report) <= {"tools.not-called"}
    assert codes(report, least=Severity.WARNING) == set()


@pytest.mark.parametrize("style", ["vllm", "llamacpp", "litellm", "ollama", "textgen-webui"])
def test_wherever_it_is_served(style: str) -> None:
    with_a_good_one = codes(diagnose(style=style, sim=FAST, idle_s=0, skip=("stream.*", "idle.*")))
    assert codes(whole(model="small", style=style)) - with_a_good_one <= {"tools.not-called"}


@pytest.mark.parametrize("counts", COUNTS, ids="+".join)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("fault", "code"), [("null-rejected", "content.null-rejected"), ("blocks-rejected", "content.blocks-rejected")]
)
def test_a_refusal_is_seen_whatever_the_model_answers(
    fault: str, code: str, model: str, counts: tuple[str, ...]
) -> None:
    report = whole(fault, *counts, model=model)
    assert codes(report) - OF_MODELS == {code}


@pytest.mark.parametrize(("model", "counts"), [("small", ("usage-missing",)), ("copies", ())])
@pytest.mark.parametrize("fault", TABLE, ids=lambda fault: fault.name)
def test_no_fault_is_taken_for_another(fault, model: str, counts: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    """What such a model does not show may stay unseen; nothing else may be named.

    The other two APIs are asked of one of the models, and wherever the fault is theirs.
    """
    theirs = {code.partition(".")[0] for code in fault.yields} & {"messages", "responses"}
    report = whole(fault.name, *counts, model=model, chat_only=model == "copies" and not theirs)
    assert codes(report) - OF_MODELS <= set(fault.yields) | in_the_other_dialect(fault.yields)


@pytest.mark.parametrize("counts", COUNTS, ids="+".join)
@pytest.mark.parametrize("fault", ["tool-result-ignored", "system-ignored", "developer-ignored"])
def test_what_a_good_model_would_use_is_missed_without_counts(fault: str, counts: tuple[str, ...]) -> None:
    (code,) = next(item.yields for item in all_faults() if item.name == fault)
    assert codes(whole(fault, *counts, model="plain")) == {code}
