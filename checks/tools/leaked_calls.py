"""What is to be said of a call that was left in the text: which markup, which parser, which flag.  Pure."""

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
from probe.api import Diagnosis, Finding, Severity

if TYPE_CHECKING:
    from probe.api import Context

#: What a finding quotes of the text, in characters.
SHOWN = 160
#: Gateways pass text on; the parser is set on the server behind them.
_GATEWAYS = frozenset({"litellm", "portkey", "openrouter", "kong", "envoy", "nginx", "haproxy", "caddy", "apache"})

#: The general way, where no parser reads the text.
_NONE_READS = (
    "Serve the model with the chat template of its own family, which shows it the tools in the format that it was "
    "taught, and with the parser for that format; llama.cpp's `llama-server` with `--jinja` derives the parser from "
    "the template. A model without such a format needs a server that constrains its output, or another model."
)


def server_of(ctx: Context, *readings: Reading) -> str:
    """The software whose flag to name, looked for only where a call is left in some text."""
    if not any(reading.leak is not None or reading.stray for reading in readings):
        return "unknown"
    return software(ctx)


def diagnosis(leak: Leak) -> Diagnosis:
    """Known markup means a missing parser; JSON alone may as well be the model's own idea."""
    return PARSER_MISSING if leak.kind == "marker" else TEXT_CALL


def facts(leak: Leak, server: str) -> dict[str, Any]:
    """The facts `tool_call_format` and `tool_parser`; without a value what could not be told."""
    return {"tool_call_format": leak.family or _shape(leak), "tool_parser": parser(leak, server)}


def _shape(leak: Leak) -> str | None:
    return {"json": "json", "fenced-json": "fenced-json"}.get(leak.kind)


def parser(leak: Leak, server: str) -> str | None:
    """The value of `--tool-call-parser` that would parse it, on the server that was recognised.

    Where neither vLLM nor SGLang was recognised, vLLM's value, or SGLang's where vLLM has none.
    """
    values = {"vllm": leak.vllm, "sglang": leak.sglang}.get(server, (*leak.vllm, *leak.sglang))
    return next(iter(values), None)


def remedy(leak: Leak, server: str) -> str:
    """The flag with its value for this markup: of the recognised server, or of the likely ones."""
    vllm = _flag("`vllm serve` with `--enable-auto-tool-choice --tool-call-parser {}`", leak.vllm)
    sglang = _flag("`sglang.launch_server` with `--tool-call-parser {}`", leak.sglang)
    if server == "vllm":
        text = vllm and f"Start {vllm}."
        text = text or f"No tool call parser of vLLM {VLLM_TRIED} reads this text. {_NONE_READS}"
    elif server == "sglang":
        text = sglang and f"Start {sglang}."
        text = text or f"No tool call parser of SGLang {SGLANG_TRIED} reads this text. {_NONE_READS}"
    elif server not in _GATEWAYS and (known := remedy_of(server, diagnosis(leak).code)):
        return known  # the note speaks of flags that this server does not have
    else:
        options = [option for option in (vllm, sglang) if option]
        options.append("llama.cpp's `llama-server` with `--jinja` and the model's own chat template")
        text = f"On the server that runs the model, switch on the parser for this format: {'; or '.join(options)}."
        if len(options) == 1:
            text = f"No tool call parser of vLLM {VLLM_TRIED} or SGLang {SGLANG_TRIED} reads this text. {_NONE_READS}"
    return f"{text} {leak.note}".strip()


def _flag(pattern: str, values: Sequence[str]) -> str:
    if not values:
        return ""
    others = ", ".join(f"`{value}`{_models(value)}" for value in values[1:])
    more = f" (or {others}, whichever is the model's)" if others else ""
    return f"{pattern.format(values[0])}{_models(values[0]) if others else ''}{more}"


def _models(value: str) -> str:
    return f" for {MODELS[value]}" if value in MODELS else ""


def title_of(leak: Leak) -> str:
    """How the markup is called in a sentence."""
    known = family(leak.family) if leak.family else None
    if leak.kind == "marker":
        return f"a known markup ({known.title if known else leak.family})"
    return "JSON in a code fence" if leak.kind == "fenced-json" else "plain JSON"


def found(reading: Reading, server: str, more: str = "", *, streaming_only: bool = False) -> Finding:
    """The finding for an answer whose call was left in the text.

    Args:
        more: a sentence to add, such as how often it happened.
        streaming_only: without streaming the call is structured.
    """
    leak = reading.leak
    if leak is None:
        raise ValueError("the answer holds no call in its text")
    kind = STREAM_LEAK if streaming_only else diagnosis(leak)
    mode = "Streamed, the" if reading.streamed else "The"
    place = "its reasoning, which ends there" if reading.in_reasoning else "the text"
    names = ", ".join(dict.fromkeys(call.name for call in leak.calls))
    detail = f"{mode} call of {names} stands in {place}, written in {title_of(leak)}, and tool_calls is empty."
    if reading.in_reasoning:
        detail += " The reasoning parser took the call for thinking, so both parsers have to fit the model."
    if leak.partial:
        detail += " The call is cut off or malformed."
    if not leak.offered:
        detail += " No tool of that name was offered."
    return kind.found(
        f"{detail} {more}".strip(),
        reading.exchange.shows(reading.leak_pointer, expected="tool_calls, no markup", actual=quote(reading, leak)),
        remedy=remedy(leak, server),
        confidence=leak.confidence,
    )


def quote(reading: Reading, leak: Leak) -> str:
    """The part of the text with the call, short."""
    text = reading.text or ""
    start = max(0, min(call.start for call in leak.calls) - 20)
    shown = text[start : start + SHOWN] or text[:SHOWN]
    return shown if len(text) <= start + SHOWN else shown + "…"


def beside(reading: Reading, server: str) -> tuple[Finding, bool] | None:
    """Markup in the text beside structured calls: the finding, and whether a call got lost in it.

    A call that stands in both places is only shown to the user; one that stands in the text
    alone is never run.
    """
    leak = reading.leak
    if leak is not None and leak.kind == "marker" and leak.offered:
        lost = [call for call in leak.calls if not any(_same(call, made) for made in reading.calls)]
        detail = (
            f"{len(reading.calls)} call(s) came back structured, and the text still holds {len(leak.calls)} in "
            f"{title_of(leak)}"
        )
        detail += (
            f": {len(lost)} of them nowhere else, so a client never runs them." if lost else ", shown to the user."
        )
        return (
            PARSER_MISSING.found(
                detail,
                reading.exchange.shows(reading.leak_pointer, expected="no markup", actual=quote(reading, leak)),
                remedy=remedy(leak, server),
                severity=Severity.ERROR if lost else Severity.WARNING,
                confidence=leak.confidence,
            ),
            bool(lost),
        )
    if reading.stray:
        pointer = "/response/events" if reading.streamed else "/response/body/choices/0/message/content"
        detail = f"The call came back structured, and its markup `{reading.stray}` is left in the text as well."
        evidence = reading.exchange.shows(pointer, expected="no markup", actual=reading.text[:SHOWN])
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
