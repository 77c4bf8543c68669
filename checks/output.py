"""Whether response_format makes the server constrain the model's answer to JSON.

JSON mode is requested with an ordinary question that names JSON (as the OpenAI API demands) and that
an unconstrained model answers with a sentence.  The schema is given in the parameter only, with values
that cannot be guessed, so an answer that fits it proves that the parameter had an effect.  A refusal by
the model and a truncated answer are not violations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from checks.shared.outcome import Answer, last_outcome, words_of
from checks.shared.trials import repeat_unclear
from checks.stream.catalogue import TEXT_DIFFERS
from probe.api import (
    Depth,
    Diagnosis,
    Evidence,
    Exchange,
    Finding,
    Owner,
    Result,
    Severity,
    State,
    Verdict,
    check,
    completion,
    member,
    parse,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context


_SOURCES = (
    "OpenAI API reference, chat completions: response_format",
    "OpenAI guide, Structured Outputs: JSON mode, refusals, supported schemas",
)
OBJECT_REJECTED = Diagnosis(
    code="output.json-object-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="JSON mode rejected",
    what='A request with `response_format: {"type": "json_object"}` was refused; the same request without it is '
    "answered.",
    why="Clients that request JSON mode get this error; other requests work.",
    remedy="Disable JSON mode in the client, or use json_schema if the capability json_schema is `works`.",
    sources=(*_SOURCES, "lmstudio-ai/lmstudio-bug-tracker issues 189 and 307"),
)
OBJECT_IGNORED = Diagnosis(
    code="output.json-object-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="JSON mode has no effect",
    what='`response_format: {"type": "json_object"}` was accepted, the model finished its answer, and the answer is '
    "not a JSON object.",
    why="Clients that parse the answer fail whenever the model writes prose or a code fence.",
    remedy="Disable JSON mode in the client and let it extract JSON from text, or use a server that constrains the "
    "output.",
    sources=_SOURCES,
)
SCHEMA_REJECTED = Diagnosis(
    code="output.schema-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Structured output by JSON schema rejected",
    what='A request with `response_format: {"type": "json_schema"}` and a small strict schema was refused.',
    why="Clients that request structured output get this error; other requests work.",
    remedy="Disable structured output in the client, or use JSON mode if the capability json_object is `works`.",
    sources=_SOURCES,
)
SCHEMA_IGNORED = Diagnosis(
    code="output.schema-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="JSON schema has no effect",
    what="A strict JSON schema was accepted, the model finished its answer, and the answer does not fit the schema.",
    why="Clients that rely on structured output get text or objects they cannot use, without an error.",
    remedy="Disable structured output in the client, or use a server that constrains the output to the schema.",
    sources=_SOURCES,
)

TEMPLATE_TOKENS = Diagnosis(
    code="output.template-tokens",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Template tokens left in the text",
    what="The text of several answers has special tokens of a chat template, or begins with the name of the role.",
    why="Clients show them, send them back in the next turn, and cannot parse JSON that follows them.",
    remedy="Use the chat template and the end tokens that belong to the model, and let the server leave special tokens "
    "out of the text (vLLM: `--generation-config auto`, `--reasoning-parser` and `--tool-call-parser` for models that "
    "write channels; llama.cpp: `--jinja` with the model's own template).",
    verify="An answer to `Say hello.` holds no token of the template.",
    sources=("huggingface/chat-ui issue 1423", "ggml-org/llama.cpp issue 12213"),
)

SPACES = Diagnosis(
    code="output.spaces-altered",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="Spaces of the text lost or doubled",
    what="No answer of the run has a space between its words, or every space is there twice.",
    why="Text is unreadable, and code that depends on its indentation is broken; no client can restore it.",
    remedy="Update the server, and use the tokenizer that belongs to the model (llama.cpp: a newer GGUF, vLLM: "
    "`--tokenizer`): words are joined with the rules of another one.",
    verify="`Repeat exactly: one two three` brings single spaces.",
    sources=("OpenNMT/Tokenizer pull request 144", "llm-d/llm-d-inference-sim issue 30"),
)

OBJECT_QUESTION = "What does JSON stand for?"
SCHEMA_QUESTION = "Give me one sample record."
_FEATURE_WORDS = ("response_format", "json_object", "json_schema", "grammar", "schema", "structured")
_STRICTNESS = ("additionalproperties", "strict", "enum", "keyword", "schema feature", "schema is not valid", "boolean")
#: The server validates the model's output and reports that the model failed (Groq, Cloudflare, llama.cpp).
_MODEL_FAILED = re.compile(
    r"failed to (?:generate|validate) json|json_validate_failed|json mode couldn'?t be met|model produced output",
    re.IGNORECASE,
)
_INFO = re.compile(r"[\w-]*+")
_UNFINISHED = re.compile(r"t(?:ru?)?|f(?:al?s?)?|n(?:ul?)?|-|\.|[eE][+-]?")
_CUT = ("length", "max_tokens", "model_length")
_OTHER_ENDS = ("content_filter", "tool_calls", "error")
#: From this many answers with template tokens on, the server leaves them in, and the model did not write them.
_SEVERAL = 2
#: So many spaces in so many answers are no habit of a model; letters in a row that are no word.
_GAPS, _TEXTS = 8, 3
_GAP = re.compile(r"(?<=\S) +(?=\S)")
_NO_WORD = re.compile(r"[A-Za-z]{16}")
#: For an answer that shows that the parameter reached the model.
_REACHED = (
    "The parameter reaches the model, and the object is in the wrong place: update the server, or set its reasoning "
    "parser (vLLM and SGLang: `--reasoning-parser NAME`, llama.cpp: `--reasoning-format auto`), so that the object "
    "alone is in `content`. Until then let the client extract the object from the answer."
)
#: An answer of so many tokens holds text.
_TEXT_TOKENS = 5
#: Tokens of a repeated request whose first answer was truncated too early.
ROOM = 400


@check(
    "output.json-object",
    title="Request JSON mode",
    proves="response_format json_object makes the answer a JSON object.",
    requires={"chat"},
    provides={"json_object"},
    emits=(OBJECT_REJECTED, OBJECT_IGNORED, TEMPLATE_TOKENS),
    max_requests=3,
    max_tokens=900,
)
async def json_object(ctx: Context) -> Result:
    form = {"type": "json_object"}
    asked = await repeat_unclear(lambda: ctx.chat(OBJECT_QUESTION, limit=80, response_format=form), *_FEATURE_WORDS)
    if _needs_room(asked[-1]):
        asked.append(await ctx.chat(OBJECT_QUESTION, limit=ROOM, response_format=form))
    return diagnose_json(asked, thinks=ctx.target.thinks)


@check(
    "output.json-schema",
    title="Request output by a JSON schema",
    proves="response_format json_schema makes the answer fit a strict schema that only the parameter contains.",
    requires={"chat"},
    provides={"json_schema"},
    emits=(SCHEMA_REJECTED, SCHEMA_IGNORED, TEMPLATE_TOKENS),
    max_requests=4,
    max_tokens=1900,
)
async def json_schema(ctx: Context) -> Result:
    codes = [ctx.nonce(f"schema-{number}") for number in range(4)]
    form = schema_format(codes)
    asked = await repeat_unclear(lambda: ctx.chat(SCHEMA_QUESTION, limit=120, response_format=form), *_FEATURE_WORDS)
    plainer = None
    if _needs_room(asked[-1]):
        asked.append(await ctx.chat(SCHEMA_QUESTION, limit=ROOM, response_format=form))
    elif not completion.ok(asked[-1]) and completion.speaks_of(asked[-1], *_STRICTNESS):
        loose = schema_format(codes, strict=False)
        plainer = await ctx.chat(SCHEMA_QUESTION, limit=120, response_format=loose)
    return diagnose_json(asked, codes, plainer, thinks=ctx.target.thinks)


@check(
    "output.tokens",
    title="Search every text for template tokens and lost spaces",
    proves="No text has special tokens of a chat template, and words have one space between them.",
    requires={"chat"},
    after={"*"},
    emits=(TEMPLATE_TOKENS, SPACES, TEXT_DIFFERS),
    max_requests=0,
    depth=Depth.QUICK,
)
async def tokens(ctx: Context) -> Result:
    if ctx.codes & {TEMPLATE_TOKENS.code, "stream.text-differs", "tools.parser-missing", "tools.stream-leak"}:
        return Result(note="reported already")
    return diagnose_tokens(ctx.exchanges) | diagnose_spaces(ctx.exchanges)


def diagnose_spaces(exchanges: Sequence[Exchange]) -> Result:
    """The finding for spaces that are missing from all answers, or doubled in each, in one way or both.  Pure."""
    chats = [one for one in exchanges if completion.ok(one) and not one.check.startswith(("responses.", "messages."))]
    whole = _spaces([one for one in chats if completion.is_completion(one) and not completion.is_stream(one)])
    streamed = _spaces([one for one in chats if completion.is_stream(one)])
    if whole is not None or streamed is None:
        return Result((SPACES.found(*whole),)) if whole is not None else Result()
    what, evidence = streamed
    return Result((TEXT_DIFFERS.found(f"{what} Answers without streaming have their spaces.", evidence),))


def _spaces(answers: Sequence[Exchange]) -> tuple[str, Evidence] | None:
    """What is wrong with the spaces of these answers, and where it shows; None where nothing is."""
    texts = [(one, text) for one in answers if not begins_object(text := completion.said(one)[:20_000])]
    gaps = [gap for _, text in texts for gap in _GAP.findall(text)]
    joined = [(one, text) for one, text in texts if _NO_WORD.search(text)]
    spaced = [(one, text) for one, text in texts if _GAP.search(text)]
    if not gaps and len(joined) >= _SEVERAL and len(texts) >= _TEXTS:
        (exchange, text), what = joined[0], f"None of {len(texts)} answers has a space between words"
    elif len(gaps) >= _GAPS and len(spaced) >= _TEXTS and all(len(gap) == 2 for gap in gaps):
        (exchange, text), what = spaced[0], f"All {len(gaps)} spaces of {len(spaced)} answers are doubled"
    else:
        return None
    shown = exchange.shows("/response/body", expected="single spaces", actual=wording.cut(text, 80))
    return f"{what}: {wording.quote(text, 60)}.", shown


def diagnose_tokens(exchanges: Iterable[Exchange]) -> Result:
    """The finding for template tokens in the text of several answers to questions that hold none.  Pure."""
    found = []
    for exchange in exchanges:
        text = completion.said(exchange)[:20_000] if completion.ok(exchange) else ""
        left = completion.template_tokens(text)
        turns = member(exchange.request.body, "messages") if left else None
        asked = "".join(completion.joined(member(turn, "content")) for turn in turns) if isinstance(turns, list) else ""
        if left and not any(token in asked for token in left):
            found.append((exchange, left, text))
    if len(found) < _SEVERAL:
        return Result()
    exchange, left, text = found[0]
    finding = TEMPLATE_TOKENS.found(
        f"{wording.amount(len(found), 'answer')} of the run have {'the role ' if left[0].isalpha() else ''}"
        f"{wording.shown(left[0])} in their text.",
        exchange.shows("/response/body", expected="text without tokens", actual=wording.cut(text, 80)),
    )
    return Result((finding,))


def schema_format(codes: Sequence[str], *, strict: bool = True) -> dict[str, Any]:
    """A response_format with a nested schema of every simple type.

    Strict as in the OpenAI API: every property required, no others allowed.  Names are in alphabetical
    order, since some servers sort them; the array comes last, since a weak model may never end it under
    a grammar.

    Args:
        codes: four codes that cannot be guessed, two for each string.
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


def _needs_room(exchange: Exchange) -> bool:
    """Whether the answer was truncated before it could be judged."""
    if not completion.is_completion(exchange) or completion.finish_reason(exchange) not in _CUT:
        return False
    return not begins_object(completion.answer(exchange))


def begins_object(text: str) -> bool:
    """Whether the text is a JSON object, or a truncated one without an error before its end."""
    text = text.strip()
    if not text.startswith("{"):
        return False
    try:
        json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        rest = text[error.pos :].strip()
        if error.msg.startswith("Invalid \\"):  # an escape such as \u00e9, truncated
            return len(text) - error.pos <= 6
        return error.msg.startswith("Unterminated string") or not rest or _UNFINISHED.fullmatch(rest) is not None
    except RecursionError:
        return False
    return True


def diagnose_json(
    asked: Sequence[Exchange], codes: Sequence[str] = (), plainer: Exchange | None = None, *, thinks: bool = False
) -> Result:
    """Judge JSON mode, or a strict schema if there are codes.

    Args:
        asked: the same request, sent once or more; the last one is judged.
        codes: the four codes of ``schema_format``.
        plainer: the request with a schema that is not strict, sent if the strict one was refused.
        thinks: whether the model is known to think before it answers.

    Raises:
        Inconclusive: the requests were lost, or failed once without a reason.
    """
    capability = "json_schema" if codes else "json_object"
    exchange = asked[-1]
    text = completion.answer(exchange)
    verdict = _refused(asked, SCHEMA_REJECTED if codes else OBJECT_REJECTED)
    if isinstance(verdict, Finding):
        if plainer is None or not _fits(plainer, codes, strict=False):
            return Result.of(verdict, **{capability: State.REJECTED})
        verdict = works(f"only with a schema that is not strict: {words_of(exchange)}", 0.8)
    verdict = verdict or _unjudged(exchange, text, thinks, codes)
    if verdict is None and (_fits(exchange, codes) if codes else isinstance(parse(text), dict)):
        verdict = works("JSON after thinking in the text" if _thinks_in_text(exchange) else "")
    if verdict is not None:
        return Result(verdicts={capability: verdict})
    bare = completion.without_template_tokens(text)
    if bare != text and misfit_of(parse(bare), codes) is None:
        finding = TEMPLATE_TOKENS.found(
            f"The object is right but for {wording.shown(completion.template_tokens(text)[0])} in the text around it.",
            exchange.shows("/response/body/choices/0/message/content", expected="the object", actual=text[:120]),
        )
        return Result.of(finding, **{capability: State.BROKEN})
    state, answer = _violation(exchange, text, codes)
    diagnosis, question = (SCHEMA_IGNORED, SCHEMA_QUESTION) if codes else (OBJECT_IGNORED, OBJECT_QUESTION)
    content = "/response/body/choices/0/message/content"
    finding = diagnosis.found(
        f"With {'a strict schema' if codes else 'JSON mode enabled'}, the answer to '{question}' is {answer}.",
        exchange.shows(content, expected="a JSON object as requested", actual=text[:300]),
        remedy=_REACHED if state is State.BROKEN and _reached(exchange, text, codes) else None,
    )
    return Result.of(finding, **{capability: state})


def _refused(asked: Sequence[Exchange], diagnosis: Diagnosis) -> Finding | Verdict | None:
    """The finding if the parameter was refused; ``unknown`` if the model failed to write JSON."""
    if last_outcome(asked, *_FEATURE_WORDS) is not Answer.REFUSED:
        return None
    exchange = asked[-1]
    if _MODEL_FAILED.search(exchange.response.text[:5000] if exchange.response else ""):
        return unknown(f"the server validates the output, and the model failed: {words_of(exchange)}")
    return diagnosis.found(f"Refused with {words_of(exchange)}.", exchange.shows_status(200))


def _unjudged(exchange: Exchange, text: str, thinks: bool, codes: Sequence[str] = ()) -> Verdict | None:
    """The verdict on an answer that the model refused, or that was filtered, truncated or empty; else None."""
    if member(completion.body_of(exchange), "choices", 0, "message", "refusal"):
        return unknown("the model refused to answer, which JSON mode allows")
    finish = completion.finish_reason(exchange)
    if finish in _OTHER_ENDS:
        return unknown(f"the answer ended with finish_reason {finish}")
    if finish in _CUT and not isinstance(parse(text), dict):
        if begins_object(text) and (not codes or any(f'"{code}"' in text for code in codes)):
            return works("the answer is valid as far as it goes; the token limit truncated it", 0.8)
        if thinks or not text or text.startswith(("{", "[", "<")):
            return unknown("the token limit truncated the answer before it could be judged")
        return None  # no JSON begins like this
    thought = completion.reasoning_of(exchange)[1].strip()
    if not text and not isinstance(parse(thought), dict) and (thought or not _lost(exchange)):
        return unknown("the answer is empty")
    return None


def _lost(exchange: Exchange) -> bool:
    """Whether tokens were counted for an answer that claims to be complete and has no text."""
    return completion.finish_reason(exchange) == "stop" and (completion.usage(exchange)[1] or 0) >= _TEXT_TOKENS


def _thinks_in_text(exchange: Exchange) -> bool:
    return completion.reasoning_of(exchange)[0] == "think_tags"


def _fits(exchange: Exchange, codes: Sequence[str], *, strict: bool = True) -> bool:
    return completion.is_completion(exchange) and misfit(parse(completion.answer(exchange)), codes, strict) is None


def misfit(value: Any, codes: Sequence[str], strict: bool = True) -> str | None:
    """Why the value does not fit the schema, in a few words, or None if it does."""
    from jsonschema import Draft202012Validator

    schema = schema_format(codes, strict=strict)["json_schema"]["schema"]
    for error in Draft202012Validator(schema).iter_errors(value):
        where = "/".join(str(step) for step in error.absolute_path) or "the top level"
        return f"at {where}: {wording.cut(error.message, 160)}"
    return None


def misfit_of(value: Any, codes: Sequence[str]) -> str | None:
    """Why the value is not the JSON that was requested: an object that fits the schema, or any without one."""
    return misfit(value, codes) if codes else None if isinstance(value, dict) else "no object"


def _reached(exchange: Exchange, text: str, codes: Sequence[str]) -> bool:
    """Whether the answer or its thinking shows that the parameter reached the model."""
    everything = completion.reasoning_of(exchange)[1] + text
    return any(code in everything for code in codes) or not text


def _inside(text: str) -> Any:
    """The JSON value that begins at the first brace of a text, whatever follows it; None without one."""
    try:
        return json.JSONDecoder().raw_decode(text, text.index("{"))[0]
    except (ValueError, RecursionError):
        return None


def _in_fence(text: str) -> str:
    """What the first Markdown code fence encloses, without its info string; empty if there is none."""
    _, _, rest = text.partition("```")
    inside, end, _ = rest.partition("```")
    return _INFO.sub("", inside, count=1).strip() if end else ""


def _violation(exchange: Exchange, text: str, codes: Sequence[str] = ()) -> tuple[State, str]:
    """The state of the capability, and what the answer is in place of the requested JSON."""
    value = parse(text)
    fenced = parse(_in_fence(text))
    if value is None and not text:
        place = completion.reasoning_of(exchange)[0]
        counted = wording.amount(completion.usage(exchange)[1] or 0, "token")
        return State.BROKEN, f"in {place}, and the content is empty" if place else f"empty, and {counted} were counted"
    if codes and isinstance(value, dict):
        reached = any(code in text for code in codes)
        reason = f"an object that does not fit the schema {misfit(value, codes)}"
        return (State.BROKEN if reached else State.IGNORED), reason
    if isinstance(fenced, dict):
        if codes and misfit(fenced, codes) is None:
            return State.BROKEN, "an object that fits, inside Markdown code fences or between sentences"
        return State.IGNORED, "an object inside Markdown code fences or between sentences"
    inside = _inside(text)
    if isinstance(inside, dict) and misfit_of(inside, codes) is None:
        return (State.BROKEN if codes else State.IGNORED), "an object that fits, with other text around it"
    if begins_object(text):
        return State.BROKEN, "an incomplete object, and finish_reason does not report a truncation"
    if value is not None:
        return State.IGNORED, f"a JSON {type(value).__name__}, not an object"
    return State.IGNORED, f"text: {wording.quote(text, 120)}"
