"""What is wrong with structured calls: arguments, ids, finish reason.  Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from checks.tools.catalogue import FINISH, ID_DUPLICATE, ID_MISSING, NOT_JSON, NOT_STRING, OFF_SCHEMA
from checks.tools.markup import Judgement, judge
from checks.tools.reading import Call, Kind, Reading, shown
from checks.tools.requests import Tool, offered, schema_of
from probe.api import Diagnosis, Evidence, Finding, Owner, Severity, completion


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an answer.

    Attributes:
        breaks: a client cannot use the call.
        chancy: it may be the model's slip of this one time, so asking again is worth it.
    """

    diagnosis: Diagnosis
    detail: str
    evidence: Evidence
    breaks: bool
    chancy: bool = False
    severity: Severity | None = None
    owner: Owner | None = None

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
    """Everything wrong with an answer that holds structured calls, or should.

    Args:
        forced: the call was forced by tool_choice; then `stop` is a right finish reason too,
            as the reference has it for named choices and vLLM does it.
        lenient: the tool is a hard one, so arguments off its schema are the model's weakness.
    """
    found: list[Fault] = []
    tools = offered(reading.exchange)
    for call in reading.calls:
        fault = _arguments(reading, call, tools, lenient)
        if fault is not None:
            found.append(fault)
    found += _ids(reading)
    found += _finish(reading, forced)
    return _first_of_each(found)


def _first_of_each(found: Sequence[Fault]) -> list[Fault]:
    kept: dict[str, Fault] = {}
    for fault in found:
        kept.setdefault(fault.diagnosis.code, fault)
    return list(kept.values())


def _of(reading: Reading) -> str:
    return "Streamed, the call" if reading.streamed else "The call"


def _arguments(reading: Reading, call: Call, tools: Sequence[Tool], lenient: bool) -> Fault | None:
    name = call.name if isinstance(call.name, str) else ""
    schema = schema_of(tools, name)
    pointer = call.pointer if reading.streamed else f"{call.pointer}/function/arguments"
    if reading.legacy:
        pointer = f"{call.pointer}/arguments"
    if reading.streamed and _not_string_in_stream(reading):
        judged = Judgement("not-string", None, (), "a delta holds an object, not a piece of a string")
    else:
        judged = judge(call.arguments, schema)
    text = shown(call.arguments)
    if judged.verdict == "not-string":
        evidence = reading.exchange.shows(pointer, expected="a string with JSON in it", actual=text)
        return Fault(NOT_STRING, f"{_of(reading)} of {name or '(no name)'}: {judged.detail}.", evidence, breaks=True)
    if judged.verdict == "not-json":
        evidence = reading.exchange.shows(pointer, expected="JSON", actual=text)
        detail = f"{_of(reading)} of {name or '(no name)'}: {judged.detail}."
        return Fault(NOT_JSON, detail, evidence, breaks=True, chancy=True)
    if schema is None and reading.streamed and not name:
        return None  # a stream in which no delta carries the name is a fault of the pieces
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
    near = next((name for name in names if isinstance(call.name, str) and name in call.name), None)
    evidence = reading.exchange.shows(
        call.pointer if reading.streamed else f"{call.pointer}/function/name", expected=names, actual=shown(call.name)
    )
    detail = f"{_of(reading)} names the tool {shown(call.name)}; offered: {', '.join(names)}."
    if near:
        detail += f" The name of {near} was changed on the way, which points to the parser."
    return Fault(
        OFF_SCHEMA,
        detail,
        evidence,
        breaks=True,
        chancy=True,
        severity=Severity.ERROR,
        owner=Owner.SERVER if near else Owner.MODEL,
    )


def _off_schema(reading: Reading, call: Call, judged: Judgement, pointer: str, lenient: bool) -> Fault:
    listed = "; ".join(
        f"{error.pointer or 'the whole'} should be {error.expected}, and is {error.actual}"
        for error in judged.errors[:3]
    )
    evidence = reading.exchange.shows(pointer, expected="arguments that fit the schema", actual=shown(call.arguments))
    detail = f"{_of(reading)} of {call.name}: {listed}."
    if all(_typed_as_string(error.pointer, error.expected, judged.value) for error in judged.errors):
        detail += " Each of these values is the right one in a string, which points to the parser, not to the model."
        return Fault(OFF_SCHEMA, detail, evidence, breaks=False, owner=Owner.SERVER)
    if not isinstance(judged.value, dict):
        return Fault(OFF_SCHEMA, detail, evidence, breaks=True, chancy=True, severity=Severity.ERROR)
    only_choice = all(error.expected.startswith("enum") for error in judged.errors)
    mild = lenient or only_choice
    return Fault(
        OFF_SCHEMA,
        detail,
        evidence,
        breaks=False,
        chancy=not mild,
        severity=Severity.INFO if mild else None,
        owner=Owner.MODEL,
    )


_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _typed_as_string(pointer: str, expected: str, value: Any) -> bool:
    """Whether the value at the pointer is a string that holds what was expected there."""
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


def _ids(reading: Reading) -> list[Fault]:
    found = []
    given = [call.id for call in reading.calls if isinstance(call.id, str) and call.id.strip()]
    bare = next((call for call in reading.calls if not (isinstance(call.id, str) and call.id.strip())), None)
    if bare is not None and not reading.legacy:
        evidence = reading.exchange.shows(
            bare.pointer if reading.streamed else f"{bare.pointer}/id",
            expected="a string of its own",
            actual=shown(bare.id),
        )
        detail = f"{_of(reading)} of {shown(bare.name)} has {_kind_of_id(bare.id)}."
        found.append(Fault(ID_MISSING, detail, evidence, breaks=True))
    twice = next((one for one in given if given.count(one) > 1), None)
    if twice is not None:
        last = [call for call in reading.calls if call.id == twice][-1]
        evidence = reading.exchange.shows(
            last.pointer if reading.streamed else f"{last.pointer}/id", expected="an id of its own", actual=twice
        )
        detail = f"{given.count(twice)} calls of one answer have the id {twice!r}."
        found.append(Fault(ID_DUPLICATE, detail, evidence, breaks=True))
    return found


def _kind_of_id(value: Any) -> str:
    if value is None:
        return "no id"
    return "an empty id" if isinstance(value, str) else f"an id that is no string ({shown(value)})"


def _finish(reading: Reading, forced: bool) -> list[Fault]:
    reason = reading.finish
    pointer = "/response/events" if reading.streamed else "/response/body/choices/0/finish_reason"
    where = "The stream" if reading.streamed else "The answer"
    if reading.legacy:
        detail = (
            f"{where} holds the call in the deprecated member function_call (finish_reason {reason}); a client that "
            "sent `tools` looks at tool_calls and finds none."
        )
        evidence = reading.exchange.shows(pointer, expected="tool_calls", actual=reason)
        return [Fault(FINISH, detail, evidence, breaks=True, severity=Severity.ERROR)]
    if not reading.calls:
        if reason not in ("tool_calls", "function_call") or reading.kind is Kind.LEAKED:
            return []
        detail = f"{where} ends with finish_reason {reason} and holds no call: it was lost on the server."
        evidence = reading.exchange.shows(pointer, expected="a call", actual=reason)
        return [Fault(FINISH, detail, evidence, breaks=True, chancy=True, severity=Severity.ERROR)]
    if reason in ("tool_calls", "length") or (forced and reason == "stop"):
        return []
    if reading.streamed and reason is None and not _ended(reading):
        return []  # a stream that broke off is another finding
    detail = f"{where} holds a call and ends with finish_reason {shown(reason)}."
    evidence = reading.exchange.shows(pointer, expected="tool_calls", actual=reason)
    return [Fault(FINISH, detail, evidence, breaks=False)]


def _ended(reading: Reading) -> bool:
    return completion.read_stream(reading.exchange).done
