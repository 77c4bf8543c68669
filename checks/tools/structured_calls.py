"""Faults of structured calls: arguments, names, ids, finish reason.  Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checks.tools.catalogue import (
    FINISH,
    ID_DUPLICATE,
    ID_MISSING,
    NAME_ALTERED,
    NOT_JSON,
    NOT_STRING,
    OFF_SCHEMA,
    VALUES_ALTERED,
)
from checks.tools.leaked_calls import leak_with_calls
from checks.tools.markup import Judgement, judge
from checks.tools.reading import Call, Kind, Reading
from checks.tools.requests import Tool, offered, schema_of
from probe.api import Diagnosis, Evidence, Finding, Owner, Severity, completion, member, wording

_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@dataclass(frozen=True)
class Fault:
    """One fault of an answer.

    Attributes:
        breaks: a client cannot use the call.
        chancy: it may be the model's slip, so the request is worth repeating.
        by_server: the diagnosis where the model writes the same call right as text; None: that would say nothing.
    """

    diagnosis: Diagnosis
    detail: str
    evidence: Evidence
    breaks: bool
    chancy: bool = False
    severity: Severity | None = None
    owner: Owner | None = None
    by_server: Diagnosis | None = None

    def finding(self, more: str = "", confidence: float = 1.0) -> Finding:
        """The finding, with a sentence added."""
        return self.diagnosis.found(
            f"{self.detail} {more}".strip(),
            self.evidence,
            severity=self.severity,
            owner=self.owner,
            confidence=confidence,
        )


def faults(reading: Reading, *, forced: bool = False, lenient: bool = False) -> list[Fault]:
    """The faults of an answer that holds structured calls, or should; the first of each code.

    Args:
        forced: the call was forced by tool_choice; then the finish reason may be ``stop``, as the reference has it for
            named choices and vLLM does it.
        lenient: the tool is a hard one, so arguments off its schema are the model's weakness.
    """
    tools = offered(reading.exchange)
    found = [fault for call in reading.calls if (fault := _call_fault(reading, call, tools, lenient)) is not None]
    found += _id_faults(reading)
    finish = _finish_fault(reading, forced)
    if finish is not None:
        found.append(finish)
    kept: dict[str, Fault] = {}
    for fault in found:
        kept.setdefault(fault.diagnosis.code, fault)
    return list(kept.values())


def findings_of(found: Sequence[Fault], reading: Reading, server: str) -> tuple[list[Finding], Finding | None]:
    """The findings of an answer with calls, and the first that makes them unusable.

    Args:
        found: the faults of its structured calls; markup left in its text is added.
        server: the recognised software, for the remedy.
    """
    # Who wrapped all texts is decided by tools.call alone.
    findings = [fault.finding() for fault in found if fault.by_server is not VALUES_ALTERED]
    breaking = next((fault.finding() for fault in found if fault.breaks), None)
    if (leak := leak_with_calls(reading, server)) is not None:
        findings.append(leak[0])
        breaking = breaking or (leak[0] if leak[1] else None)
    return findings, breaking


def _subject(reading: Reading) -> str:
    return "Streamed, the call" if reading.streamed else "The call"


def _pointer(reading: Reading, call: Call, member: str) -> str:
    """The place of a member of a call; a streamed call has no single place for it."""
    if reading.legacy:
        return f"{call.pointer}/{member.rpartition('/')[2]}"
    return call.pointer if reading.streamed else f"{call.pointer}/{member}"


def _call_fault(reading: Reading, call: Call, tools: Sequence[Tool], lenient: bool) -> Fault | None:
    """The fault of one call's arguments or name."""
    name = call.name if isinstance(call.name, str) else ""
    schema = schema_of(tools, name)
    pointer = _pointer(reading, call, "function/arguments")
    if reading.streamed and _not_string_in_stream(reading):
        judged = Judgement("not-string", None, (), "a delta holds an object, not a piece of a string")
    else:
        judged = judge(call.arguments, schema)
    if judged.verdict in ("not-string", "not-json"):
        diagnosis, expected = (
            (NOT_STRING, "a string that holds JSON")
            if judged.verdict == "not-string" or call.elsewhere
            else (NOT_JSON, "JSON")
        )
        evidence = reading.exchange.shows(pointer, expected=expected, actual=wording.shown(call.arguments))
        detail = f"{_subject(reading)} of {name or '(no name)'}: {judged.detail}."
        if call.elsewhere:
            detail = f"{_subject(reading)} of {name} has its arguments in `{call.elsewhere}` in place of `arguments`."
        return Fault(diagnosis, detail, evidence, breaks=True, chancy=diagnosis is NOT_JSON)
    if schema is None and reading.streamed and not name:
        return None  # a stream in which no delta has the name is a fault of the fragments
    if schema is None:
        return _unknown_name(reading, call, tools)
    if judged.verdict == "off-schema":
        return _off_schema(reading, call, judged, pointer, lenient)
    return None


def _not_string_in_stream(reading: Reading) -> bool:
    codes = {item.code for item in reading.assembly.anomalies} if reading.assembly else set()
    return bool(codes & {"arguments-object", "arguments-not-string"})


def _unknown_name(reading: Reading, call: Call, tools: Sequence[Tool]) -> Fault:
    names = [tool["function"]["name"] for tool in tools]
    if not isinstance(call.name, str) or not call.name.strip():
        return _no_name(reading, call, names)
    near = next((name for name in names if is_altered(call.name, name)), None)
    pointer = call.pointer if reading.streamed else f"{call.pointer}/function/name"
    evidence = reading.exchange.shows(pointer, expected=near or names, actual=wording.shown(call.name))
    detail = f"{_subject(reading)} names the tool {wording.shown(call.name)}; offered: {', '.join(names)}."
    if near:
        return Fault(NAME_ALTERED, detail, evidence, breaks=True, chancy=True)
    return Fault(OFF_SCHEMA, detail, evidence, breaks=True, chancy=True, severity=Severity.ERROR, owner=Owner.MODEL)


def _no_name(reading: Reading, call: Call, names: Sequence[str]) -> Fault:
    """A model that calls a tool writes some name; one that does not, once, is asked again."""
    pointer = call.pointer if reading.streamed else f"{call.pointer}/function/name"
    evidence = reading.exchange.shows(pointer, expected=names, actual=wording.shown(call.name))
    detail = f"{_subject(reading)} has no name ({wording.shown(call.name)}); offered: {', '.join(names)}."
    return Fault(NAME_ALTERED, detail, evidence, breaks=True, chancy=True)


def is_altered(name: Any, offered_name: str) -> bool:
    """Whether a name is an offered one with something added, or with other separators or case.

    A model invents names of its own; it does not write an offered name with a part of its format behind it.
    """
    if not isinstance(name, str) or not offered_name or name == offered_name:
        return False
    return offered_name in name or _letters(name) == _letters(offered_name)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name[:200].lower())


def _off_schema(reading: Reading, call: Call, judged: Judgement, pointer: str, lenient: bool) -> Fault:
    errors = "; ".join(
        f"{error.pointer or 'the value'} should be {error.expected}, but is {error.actual}"
        for error in judged.errors[:3]
    )
    evidence = reading.exchange.shows(
        pointer, expected="arguments that fit the schema", actual=wording.shown(call.arguments)
    )
    detail = f"{_subject(reading)} of {call.name}: {errors}."
    quoted = all(_is_quoted(error.pointer, error.expected, judged.value) for error in judged.errors)
    # A weak model may write a number so; hardly any writes a list or an object so too.
    if quoted and (not lenient or len({error.expected for error in judged.errors}) > 1):
        detail += " Each of these values is the right one as a string, which points to the parser, not to the model."
        return Fault(VALUES_ALTERED, detail, evidence, breaks=False, severity=Severity.WARNING)
    if _is_encoded_twice(judged.value):
        detail = f"{_subject(reading)} of {call.name} has arguments that are JSON within a JSON string: encoded twice."
        return Fault(VALUES_ALTERED, detail, evidence, breaks=True)
    if not isinstance(judged.value, dict):
        return Fault(OFF_SCHEMA, detail, evidence, breaks=True, chancy=True, severity=Severity.ERROR)
    mild = lenient or all(error.expected.startswith("enum") for error in judged.errors)
    wrapped = _are_wrapped(judged.value, schema_of(offered(reading.exchange), str(call.name)))
    # Another word than those of an enum is the model's own.
    by_server = VALUES_ALTERED if wrapped else None if mild else OFF_SCHEMA
    return Fault(
        *(OFF_SCHEMA, detail, evidence, False, wrapped or not mild, Severity.INFO if mild else None, Owner.MODEL),
        by_server,
    )


def _are_wrapped(value: dict[str, Any], schema: Any) -> bool:
    """Whether every text of the arguments is within the same characters, and one of them is a word of an enum."""
    texts = {name: one for name, one in value.items() if isinstance(one, str)}
    for name, text in texts.items():
        for word in member(schema, "properties", name, "enum") or ():
            before, found, after = text.partition(word) if isinstance(word, str) and word else ("", "", "")
            if found and before + after and not (before + after)[:1].isalnum():
                return all(one.startswith(before) and one.endswith(after) for one in texts.values())
    return False


def _is_encoded_twice(value: Any) -> bool:
    """Whether a string holds the JSON object that should be in its place."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


def _is_quoted(pointer: str, expected: str, value: Any) -> bool:
    """Whether the value at the pointer is a string that holds a value of the expected type."""
    if not pointer or not expected.startswith("type: "):
        return False
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return False
    if not isinstance(value, str):
        return False
    try:
        inside = json.loads(value.lower() if value in ("True", "False") else value)
    except (ValueError, RecursionError):
        return False
    return isinstance(inside, _TYPES.get(expected.removeprefix("type: ").strip('"'), ()))


def _id_faults(reading: Reading) -> list[Fault]:
    found = []
    given = [call.id for call in reading.calls if isinstance(call.id, str) and call.id.strip()]
    bare = next((call for call in reading.calls if not (isinstance(call.id, str) and call.id.strip())), None)
    if bare is not None and not reading.legacy:
        pointer = _pointer(reading, bare, "id")
        evidence = reading.exchange.shows(pointer, expected="a string of its own", actual=wording.shown(bare.id))
        detail = f"{_subject(reading)} of {wording.shown(bare.name)} has {_kind_of_id(bare.id)}."
        found.append(Fault(ID_MISSING, detail, evidence, breaks=True))
    twice = next((one for one in given if given.count(one) > 1), None)
    if twice is not None:
        last = [call for call in reading.calls if call.id == twice][-1]
        evidence = reading.exchange.shows(_pointer(reading, last, "id"), expected="an id of its own", actual=twice)
        detail = f"{given.count(twice)} calls of one answer have the id {twice!r}."
        found.append(Fault(ID_DUPLICATE, detail, evidence, breaks=True))
    return found


def _kind_of_id(value: Any) -> str:
    if value is None:
        return "no id"
    return "an empty id" if isinstance(value, str) else f"an id that is not a string ({wording.shown(value)})"


def _finish_fault(reading: Reading, forced: bool) -> Fault | None:
    reason = reading.finish
    subject = "The stream" if reading.streamed else "The answer"
    pointer = "/response/events" if reading.streamed else "/response/body/choices/0/finish_reason"
    evidence = reading.exchange.shows(pointer, expected="tool_calls", actual=reason)
    if reading.legacy:
        detail = (
            f"{subject} has the call in the deprecated member function_call (finish_reason {reason}); a client that "
            "sent `tools` reads only tool_calls."
        )
        return Fault(FINISH, detail, evidence, breaks=True, severity=Severity.ERROR)
    if not reading.calls:
        if reason not in ("tool_calls", "function_call") or reading.kind is Kind.LEAKED:
            return None
        detail = f"{subject} ends with finish_reason {reason} and has no call: it was lost on the server."
        evidence = reading.exchange.shows(pointer, expected="a call", actual=reason)
        return Fault(FINISH, detail, evidence, breaks=True, chancy=True, severity=Severity.ERROR)
    if reason == "length" and _far_from_limit(reading):
        detail = f"{subject} has a complete call and ends with finish_reason length, far from the token limit."
        return Fault(FINISH, detail, evidence, breaks=False)
    # A forced call may end with the word for "stop"; which words clients know is judged for every answer (shape.all).
    if reason in ("tool_calls", "length") or (forced and reason not in (None, "", "content_filter")):
        return None
    if reading.streamed and reason is None and not completion.read_stream(reading.exchange).done:
        return None  # a truncated stream is another finding
    detail = f"{subject} has a call and ends with finish_reason {wording.shown(reason)}."
    return Fault(FINISH, detail, evidence, breaks=False)


def _far_from_limit(reading: Reading) -> bool:
    """Whether the calls are whole JSON and the answer used less than half of its token limit.

    Without counts every character is taken for a token; a model that thinks may have used more than it shows.
    """
    used, limit = completion.usage(reading.exchange)[1], completion.token_limit(reading.exchange)
    if limit is None or completion.reasoning_of(reading.exchange)[0] is not None:
        return False
    characters = len(reading.text) + sum(len(str(call.name)) + len(str(call.arguments)) for call in reading.calls)
    return all(judge(call.arguments, None).ok for call in reading.calls) and 2 * (used or characters) < limit
