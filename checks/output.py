"""Whether the server holds the model to JSON when a request asks it to.

JSON mode is asked with an ordinary question that names JSON (as the OpenAI API demands) and
that a model left alone answers in a sentence.  The schema is told by the parameter only, with
values nobody can guess, so that an answer which fits it proves that the parameter had an
effect.  A refusal by the model and an answer that was cut are no violation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from checks.shared.outcome import Answer, last_outcome, until_told, words_of
from probe.api import (
    Diagnosis,
    Exchange,
    Finding,
    Owner,
    Result,
    Severity,
    State,
    Verdict,
    because,
    check,
    completion,
    member,
    parse,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context


# The diagnoses of structured output. ---------------------------------------------------------------

_SOURCES = (
    "OpenAI API reference, chat completions: response_format",
    "OpenAI guide, Structured Outputs: JSON mode, refusals, supported schemas",
)
OBJECT_REJECTED = Diagnosis(
    code="output.json-object-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="JSON mode is refused",
    what='A request with `response_format: {"type": "json_object"}` was refused; the same request without it is '
    "answered.",
    why="A client that asks for JSON mode gets this error; everything else works.",
    remedy="Leave JSON mode off in the client, or use json_schema where the capability json_schema is `works`.",
    sources=(*_SOURCES, "lmstudio-ai/lmstudio-bug-tracker issues 189 and 307"),
)
OBJECT_IGNORED = Diagnosis(
    code="output.json-object-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="JSON mode is accepted and has no effect",
    what='`response_format: {"type": "json_object"}` was accepted, the model ended its answer by itself, and the '
    "answer is no JSON object.",
    why="A client that parses the answer fails now and then, on whichever answer comes as prose or in a code fence.",
    remedy="Switch JSON mode off in the client and let it extract JSON from text, or serve the model with a server "
    "that constrains the output.",
    sources=_SOURCES,
)
SCHEMA_REJECTED = Diagnosis(
    code="output.schema-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Structured output by JSON schema is refused",
    what='A request with `response_format: {"type": "json_schema"}` and a small strict schema was refused.',
    why="A client that asks for structured output gets this error; everything else works.",
    remedy="Leave structured output off in the client, or use JSON mode where the capability json_object is `works`.",
    sources=_SOURCES,
)
SCHEMA_IGNORED = Diagnosis(
    code="output.schema-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="A JSON schema is accepted and not obeyed",
    what="A strict JSON schema was accepted, the model ended its answer by itself, and the answer does not fit the "
    "schema.",
    why="A client that relies on structured output gets text or objects it cannot use, without an error.",
    remedy="Switch structured output off in the client, or serve the model with a server that constrains the output "
    "to the schema.",
    sources=_SOURCES,
)


# Whether the server holds the model to JSON when a request asks it to. -----------------------------

OBJECT_QUESTION = "What does JSON stand for?"
SCHEMA_QUESTION = "Give me one sample record."
_ABOUT = ("response_format", "json_object", "json_schema", "grammar", "schema", "structured")
_STRICTNESS = ("additionalproperties", "strict", "enum", "keyword", "schema feature", "schema is not valid", "boolean")
#: The server checks what the model wrote and says that the model failed (Groq, Cloudflare, llama.cpp).
_MODEL_FAILED = re.compile(
    r"failed to (?:generate|validate) json|json_validate_failed|json mode couldn'?t be met|model produced output",
    re.IGNORECASE,
)
_FENCE = re.compile(r"```[\w-]*\s*(.*?)\s*```", re.DOTALL)
_CUT = ("length", "max_tokens", "model_length")
_OTHER_ENDS = ("content_filter", "tool_calls", "error")
ROOM = 400


@check(
    "output.json-object",
    title="Ask for JSON mode",
    proves="response_format json_object makes the answer a JSON object.",
    requires={"chat"},
    provides={"json_object"},
    emits=(OBJECT_REJECTED, OBJECT_IGNORED),
    max_requests=3,
    max_tokens=900,
)
async def json_object(ctx: Context) -> Result:
    asked = await until_told(lambda: _ask(ctx, OBJECT_QUESTION, {"type": "json_object"}, 80), *_ABOUT)
    if _wants_room(asked[-1]):
        asked.append(await _ask(ctx, OBJECT_QUESTION, {"type": "json_object"}, ROOM))
    return diagnose_json_object(asked, thinks=ctx.target.thinks)


@check(
    "output.json-schema",
    title="Ask for a JSON schema",
    proves="response_format json_schema holds the answer to a strict schema that only the parameter tells.",
    requires={"chat"},
    provides={"json_schema"},
    emits=(SCHEMA_REJECTED, SCHEMA_IGNORED),
    max_requests=4,
    max_tokens=1900,
)
async def json_schema(ctx: Context) -> Result:
    codes = [ctx.nonce(f"schema-{number}") for number in range(4)]
    form = schema_format(codes)
    asked = await until_told(lambda: _ask(ctx, SCHEMA_QUESTION, form, 120), *_ABOUT)
    plainer = None
    if _wants_room(asked[-1]):
        asked.append(await _ask(ctx, SCHEMA_QUESTION, form, ROOM))
    elif not completion.ok(asked[-1]) and completion.speaks_of(asked[-1], *_STRICTNESS):
        plainer = await _ask(ctx, SCHEMA_QUESTION, schema_format(codes, strict=False), 120)
    return diagnose_json_schema(asked, codes, plainer, thinks=ctx.target.thinks)


async def _ask(ctx: Context, question: str, form: dict[str, Any], limit: int) -> Exchange:
    return await ctx.chat(question, limit=limit, response_format=form)


def schema_format(codes: Sequence[str], *, strict: bool = True) -> dict[str, Any]:
    """The response_format with a nested schema of every simple type.

    Strict as the OpenAI API has it: every property required, no others allowed.  The names
    are in alphabetical order, since some servers sort them, and the array comes last,
    since a weak model under a grammar may never end it.

    Args:
        codes: four codes that nobody can guess, two a string.
    """
    closed: dict[str, Any] = {"additionalProperties": False} if strict else {}
    area = {
        "type": "object",
        "properties": {"zone": {"type": "string", "enum": list(codes[:2])}},
        "required": ["zone"],
        **closed,
    }
    properties = {
        "area": area,
        "code": {"type": "string", "enum": list(codes[2:4])},
        "enabled": {"type": "boolean"},
        "level": {"type": "integer"},
        "marks": {"type": "array", "items": {"type": "string", "enum": ["low", "high"]}},
    }
    schema = {"type": "object", "properties": properties, "required": list(properties), **closed}
    wrapped: dict[str, Any] = {"name": "record", "schema": schema}
    if strict:
        wrapped["strict"] = True
    return {"type": "json_schema", "json_schema": wrapped}


def _wants_room(exchange: Exchange) -> bool:
    """Whether the answer was cut before it could tell anything."""
    if not completion.is_completion(exchange) or completion.finish_reason(exchange) not in _CUT:
        return False
    return not begins_object(completion.answer(exchange))


def begins_object(text: str) -> bool:
    """Whether the text is a JSON object, or one that was cut: nothing is wrong up to its end."""
    text = text.strip()
    if not text.startswith("{"):
        return False
    try:
        json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].strip()
        if error.msg.startswith("Invalid \\"):  # an escape such as \u00e9, cut in its middle
            return len(text) - error.pos <= 6
        return error.msg.startswith("Unterminated string") or not rest or _UNFINISHED.fullmatch(rest) is not None
    except RecursionError:
        return False
    return True


_UNFINISHED = re.compile(r"t(?:ru?)?|f(?:al?s?)?|n(?:ul?)?|-|\.|[eE][+-]?")


# Diagnosis ------------------------------------------------------------------------------


def diagnose_json_object(asked: Sequence[Exchange], *, thinks: bool = False) -> Result:
    """What JSON mode did.

    Args:
        asked: the same request, sent once or more; the last one counts.
        thinks: whether the model is known to think before it answers.

    Raises:
        Inconclusive: the requests were lost on the way, or failed once without a word.
    """
    verdict = _refused(asked, OBJECT_REJECTED)
    if isinstance(verdict, Finding):
        return _result("json_object", State.REJECTED, verdict)
    exchange = asked[-1]
    text = completion.answer(exchange)
    if verdict is None:
        verdict = _no_violation(exchange, text, thinks)
    if verdict is None:
        value = parse(text)
        if isinstance(value, dict):
            verdict = works(_after_thinking(exchange))
    if verdict is not None:
        return Result(verdicts={"json_object": verdict})
    state, said = _shape(exchange, text)
    finding = OBJECT_IGNORED.found(f"To '{OBJECT_QUESTION}' with JSON mode on, {said}.", *_shown(exchange, text))
    return _result("json_object", state, finding)


def diagnose_json_schema(
    asked: Sequence[Exchange], codes: Sequence[str], plainer: Exchange | None = None, *, thinks: bool = False
) -> Result:
    """What a strict schema did.

    Args:
        asked: the request with the strict schema, sent once or more; the last one counts.
        codes: the four codes of ``schema_format``.
        plainer: the request with a schema that is not strict, sent where the strict one was refused.
        thinks: whether the model is known to think before it answers.

    Raises:
        Inconclusive: the requests were lost on the way, or failed once without a word.
    """
    verdict = _refused(asked, SCHEMA_REJECTED)
    if isinstance(verdict, Finding):
        if plainer is not None and _fits(plainer, codes, strict=False):
            note = f"only a schema that is not strict: {words_of(asked[-1])}"
            return Result(verdicts={"json_schema": works(note, 0.8)})
        return _result("json_schema", State.REJECTED, verdict)
    exchange = asked[-1]
    text = completion.answer(exchange)
    if verdict is None:
        verdict = _no_violation(exchange, text, thinks, codes)
    if verdict is None and _fits(exchange, codes):
        verdict = works(_after_thinking(exchange))
    if verdict is not None:
        return Result(verdicts={"json_schema": verdict})
    state, said = _shape(exchange, text, codes)
    finding = SCHEMA_IGNORED.found(f"To '{SCHEMA_QUESTION}' with a strict schema, {said}.", *_shown(exchange, text))
    return _result("json_schema", state, finding)


def _result(capability: str, state: State, finding: Finding) -> Result:
    return Result(findings=(finding,), verdicts={capability: because(state, finding)})


def _refused(asked: Sequence[Exchange], diagnosis: Diagnosis) -> Finding | Verdict | None:
    """The finding where the parameter was refused; ``unknown`` where the model failed at it."""
    if last_outcome(asked, *_ABOUT) is not Answer.REFUSED:
        return None
    exchange = asked[-1]
    if _MODEL_FAILED.search(exchange.response.text[:5000] if exchange.response else ""):
        return unknown(f"the server checks the output, and the model did not manage: {words_of(exchange)}")
    return diagnosis.found(
        f"Refused with {words_of(exchange)}.",
        exchange.shows("/response/status", expected=200, actual=exchange.status),
    )


def _no_violation(exchange: Exchange, text: str, thinks: bool, codes: Sequence[str] = ()) -> Verdict | None:
    """The verdict where the answer was refused by the model, filtered, cut or empty; else None."""
    if member(completion.body_of(exchange), "choices", 0, "message", "refusal"):
        return unknown("the model refused to answer, which JSON mode allows")
    finish = completion.finish_reason(exchange)
    if finish in _OTHER_ENDS:
        return unknown(f"the answer ended with finish_reason {finish}")
    if finish in _CUT and not isinstance(parse(text), dict):
        if begins_object(text) and (not codes or any(f'"{code}"' in text for code in codes)):
            return works("the answer was cut by the token limit; as far as it goes it is what was asked for", 0.8)
        if thinks or not text or text.startswith(("{", "[", "<")):
            return unknown("the answer was cut by the token limit before it could be judged")
        return None  # it begins as no JSON does
    if not text and not isinstance(parse(completion.reasoning_of(exchange)[1].strip()), dict):
        return unknown("the answer was empty")
    return None


def _after_thinking(exchange: Exchange) -> str:
    field, _ = completion.reasoning_of(exchange)
    return "JSON after thinking in the text" if field == "think_tags" else ""


def _fits(exchange: Exchange, codes: Sequence[str], *, strict: bool = True) -> bool:
    return completion.is_completion(exchange) and misfit(parse(completion.answer(exchange)), codes, strict) is None


def misfit(value: Any, codes: Sequence[str], strict: bool = True) -> str | None:
    """Why the value does not fit the schema, in a few words, or None where it does."""
    from jsonschema import Draft202012Validator

    schema = schema_format(codes, strict=strict)["json_schema"]["schema"]
    for error in Draft202012Validator(schema).iter_errors(value):
        where = "/".join(str(step) for step in error.absolute_path) or "the top level"
        return f"at {where}: {' '.join(error.message.split())[:160]}"
    return None


def _shape(exchange: Exchange, text: str, codes: Sequence[str] = ()) -> tuple[State, str]:
    """What came in place of the JSON that was asked for, and what that makes the capability."""
    value = parse(text)
    inside = _FENCE.search(text)
    fenced = parse(inside[1]) if inside else None
    if value is None and not text:
        field, _ = completion.reasoning_of(exchange)
        return State.BROKEN, f"the JSON came in {field}, and the content is empty"
    if codes and isinstance(value, dict):
        reached = any(code in text for code in codes)
        return (State.BROKEN if reached else State.IGNORED), f"the object does not fit it {misfit(value, codes)}"
    if isinstance(fenced, dict):
        if codes and misfit(fenced, codes) is None:
            return State.BROKEN, "the object fits, but stands in Markdown code fences or between sentences"
        return State.IGNORED, "the object stands in Markdown code fences or between sentences"
    if begins_object(text):
        return State.BROKEN, "the object ends in its middle, and finish_reason does not say that it was cut"
    if value is not None:
        return State.IGNORED, f"the answer is a JSON {type(value).__name__} and no object"
    return State.IGNORED, f'the answer is text: "{" ".join(text.split())[:120]}"'


def _shown(exchange: Exchange, text: str) -> tuple[Any, ...]:
    pointer = "/response/body/choices/0/message/content"
    return (exchange.shows(pointer, expected="a JSON object as asked for", actual=text[:300]),)
