"""Findings about calls that were left in the text: the markup, the parser that reads it, and its flag.  Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.fingerprint.checks import software
from checks.fingerprint.systems import remedy_of
from checks.tools.catalogue import PARSER_MISSING, STREAM_LEAK, TEXT_CALL
from checks.tools.markup import Leak, LeakedCall, family
from checks.tools.markup.parser_flags import MODELS, SGLANG_TRIED, VLLM_TRIED
from checks.tools.reading import Call, Reading
from probe.api import Diagnosis, Finding, Severity, wording

if TYPE_CHECKING:
    from probe.api import Context

#: Characters of the text that a finding quotes.
QUOTED = 160
#: Gateways pass text on; the parser is set on the server behind them.
_GATEWAYS = frozenset({"litellm", "portkey", "openrouter", "kong", "envoy", "nginx", "haproxy", "caddy", "apache"})
#: The general remedy where no parser reads the text.
_NO_PARSER = (
    "Serve the model with the chat template and the parser of its own family (llama.cpp's `llama-server --jinja` "
    "derives the parser from the template). For a model without a tool format use a server that constrains its output, "
    "or another model."
)


def server_of(ctx: Context, *readings: Reading) -> str:
    """The software whose flag to name, determined only where a call was left in some text."""
    if not any(reading.leak is not None or reading.stray for reading in readings):
        return "unknown"
    return software(ctx)


def diagnosis(leak: Leak) -> Diagnosis:
    """Known markup means a missing parser; JSON alone may be the model's improvisation."""
    return PARSER_MISSING if leak.kind == "marker" else TEXT_CALL


def facts(leak: Leak, server: str) -> dict[str, Any]:
    """The facts ``tool_call_format`` and ``tool_parser``, the latter for the recognised server or else for vLLM."""
    parsers = {"vllm": leak.vllm, "sglang": leak.sglang}.get(server, (*leak.vllm, *leak.sglang))
    name = leak.family or (leak.kind if leak.kind in ("json", "fenced-json") else None)
    return {"tool_call_format": name, "tool_parser": next(iter(parsers), None)}


def remedy(leak: Leak, server: str) -> str:
    """The flag with its value for this markup: of the recognised server, or of the likely ones."""
    vllm = _flag("`vllm serve` with `--enable-auto-tool-choice --tool-call-parser {}`", leak.vllm)
    sglang = _flag("`sglang.launch_server` with `--tool-call-parser {}`", leak.sglang)
    if server == "vllm":
        text = f"Start {vllm}." if vllm else f"No tool call parser of vLLM {VLLM_TRIED} reads this text. {_NO_PARSER}"
    elif server == "sglang":
        text = (
            f"Start {sglang}."
            if sglang
            else f"No tool call parser of SGLang {SGLANG_TRIED} reads this text. {_NO_PARSER}"
        )
    elif server not in _GATEWAYS and (known := remedy_of(server, diagnosis(leak).code)):
        return known  # the note is about flags that this server does not have
    elif not (vllm or sglang):
        text = f"No tool call parser of vLLM {VLLM_TRIED} or SGLang {SGLANG_TRIED} reads this text. {_NO_PARSER}"
    else:
        options = [option for option in (vllm, sglang) if option]
        options.append("llama.cpp's `llama-server` with `--jinja` and the model's own chat template")
        text = f"On the server that runs the model, enable the parser for this format: {'; or '.join(options)}."
    return f"{text} {leak.note}".strip()


def _flag(pattern: str, values: Sequence[str]) -> str:
    if not values:
        return ""
    others = ", ".join(f"`{value}`{_models(value)}" for value in values[1:])
    first = pattern.format(values[0])
    return f"{first}{_models(values[0])} (or {others}, depending on the model)" if others else first


def _models(value: str) -> str:
    return f" for {MODELS[value]}" if value in MODELS else ""


def _format_of(leak: Leak) -> str:
    """The name of the format in a sentence."""
    known = family(leak.family) if leak.family else None
    if leak.kind == "marker":
        return f"markup ({known.title if known else leak.family})"
    return "JSON in a code fence" if leak.kind == "fenced-json" else "plain JSON"


def leak_finding(reading: Reading, server: str, more: str = "", *, streaming_only: bool = False) -> Finding:
    """The finding for an answer whose call was left in the text.

    Args:
        more: a sentence to add, such as how often it happened.
        streaming_only: without streaming the call is structured.
    """
    leak = reading.leak
    if leak is None:
        raise ValueError("the answer has no call in its text")
    mode = "Streamed, the" if reading.streamed else "The"
    place = "at the end of the reasoning" if reading.in_reasoning else "in the text"
    names = ", ".join(dict.fromkeys(call.name for call in leak.calls))
    detail = f"{mode} call of {names} is {place} as {_format_of(leak)}, and tool_calls is empty."
    if reading.in_reasoning:
        detail += " The reasoning parser took the call for reasoning: both parsers must match the model."
    if leak.partial:
        detail += " The call is cut off or malformed."
    if not leak.offered:
        detail += " No tool of that name was offered."
    return (STREAM_LEAK if streaming_only else diagnosis(leak)).found(
        f"{detail} {more}".strip(),
        reading.exchange.shows(reading.leak_pointer, expected="tool_calls, no markup", actual=quote(reading, leak)),
        remedy=remedy(leak, server),
        confidence=leak.confidence,
    )


def quote(reading: Reading, leak: Leak) -> str:
    """The part of the text that holds the call, shortened."""
    start = max(0, min(call.start for call in leak.calls) - 20)
    return wording.shown(reading.text[start:] or reading.text, QUOTED)


def leak_with_calls(reading: Reading, server: str) -> tuple[Finding, bool] | None:
    """Markup in the text of an answer with structured calls: the finding, and whether a call is lost in it.

    A call in both places is only displayed to the user; one in the text alone is never run.
    """
    leak = reading.leak
    if leak is not None and leak.kind == "marker" and leak.offered:
        lost = [call for call in leak.calls if not any(_same(call, made) for made in reading.calls)]
        structured = wording.amount(len(reading.calls), "call")
        detail = f"{structured} came back structured, and the text also holds {len(leak.calls)} as {_format_of(leak)}"
        detail += (
            f"; {len(lost)} of them only there, so a client never runs them." if lost else ", displayed to the user."
        )
        finding = PARSER_MISSING.found(
            detail,
            reading.exchange.shows(reading.leak_pointer, expected="no markup", actual=quote(reading, leak)),
            remedy=remedy(leak, server),
            severity=Severity.ERROR if lost else Severity.WARNING,
            confidence=leak.confidence,
        )
        return finding, bool(lost)
    if reading.stray:
        pointer = "/response/events" if reading.streamed else "/response/body/choices/0/message/content"
        detail = f"The call came back structured, and its markup `{reading.stray}` is left in the text as well."
        evidence = reading.exchange.shows(pointer, expected="no markup", actual=reading.text[:QUOTED])
        return PARSER_MISSING.found(detail, evidence, severity=Severity.WARNING, confidence=0.8), False
    return None


def _same(leaked: LeakedCall, made: Call) -> bool:
    if leaked.name != made.name:
        return False
    try:
        arguments = json.loads(made.arguments) if isinstance(made.arguments, str) else made.arguments
    except (ValueError, RecursionError):
        return False
    return bool(leaked.arguments == arguments)
