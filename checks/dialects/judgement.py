"""What the answers of one dialect mean: findings, and the verdicts on the dialect and its tools.  Pure.

A fault that chat completions have too has one cause, and one finding in the family of chat completions: then the
dialect has the verdict alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from checks.dialects import features
from checks.dialects.case import OF_RESULTS, OF_TURNS, Case
from checks.dialects.dialect import Group, Reading
from checks.dialects.questions import Answers, is_denied, is_way
from checks.errors.catalogue import SERVER_ERROR
from checks.shared.outcome import words_of
from checks.stream.catalogue import HELD, NOT_ASKED
from checks.tools.leaked_calls import facts as leak_facts
from checks.tools.markup import Leak, find_calls
from checks.tools.requests import weather
from probe.api import (
    Exchange,
    Finding,
    Inconclusive,
    Result,
    Severity,
    State,
    Verdict,
    completion,
    member,
    unknown,
    wording,
    works,
)

#: Words of a server that has no such operation.
_NO_OPERATION = ("not support", "n't support", "unsupported", "not implemented", "no route")


def diagnose(
    answers: Answers,
    chat: Mapping[str, Verdict],
    codes: frozenset[str] = frozenset(),
    exchanges: Sequence[Exchange] = (),
) -> Result:
    """The verdicts and findings of one dialect.

    Args:
        chat: the verdicts on chat completions.
        codes: the finding codes given so far; ``exchanges``: those of the run, for the heartbeats of its streams.

    Raises:
        Inconclusive: the first request was lost, or its answer is not about the operation.
    """
    case = Case(answers, chat, codes)
    name = answers.dialect.name
    api = _api(case)
    verdicts = {f"{name}_api": api}
    if "text" in answers.read and answers.read["text"].known:
        features.judge(case, exchanges)
        _errors(case)
        tools, facts = _tools(case)
        if tools.verdict is State.WORKS and _off(api):  # every agent streams
            tools = replace(api, note=f"calls are sound whole; {api.note}")
        verdicts[f"{name}_tools"] = tools
    else:
        facts = {}
        verdicts[f"{name}_tools"] = (
            replace(api, finding=None, note=f"no {name} API to ask") if _off(api) else _unasked()
        )
    findings = case.findings()
    verdicts = {key: _with_finding(verdict, findings, name) for key, verdict in verdicts.items()}
    access = _access(answers, verdicts)
    if failing := case.failing():
        facts["failing_dialect_clients"] = failing
    if access and api.verdict is State.WORKS and name == "messages":
        found = access[f"{name}_access"]
        keys = f", key as {wording.listing(found['auth'], 'or')}" if found.get("auth") else ""
        note = f"{api.note}; base URL {found['base_url']}{keys}"
        verdicts[f"{name}_api"] = replace(api, note=note)
    return Result(findings, verdicts, {**facts, **access})


def _off(verdict: Verdict) -> bool:
    return verdict.verdict not in (State.WORKS, State.UNKNOWN)


def _unasked() -> Verdict:
    return unknown("tools were not asked for")


def _with_finding(verdict: Verdict, findings: Sequence[Finding], name: str) -> Verdict:
    """A failing verdict names the finding that it rests on."""
    if not _off(verdict) or verdict.finding:
        return verdict
    mine = [item.code for item in findings if item.severity is Severity.ERROR and item.code.startswith(name)]
    named = next((code for code in mine if verdict.note.endswith(f"({code})")), None)
    note = verdict.note.removesuffix(f"({named})").strip() if named else verdict.note
    return replace(verdict, finding=named, note=note)


# The dialect itself ------------------------------------------------------------------------------------


def _api(case: Case) -> Verdict:
    """The verdict on text, whole and streamed."""
    answers = case.answers
    reading = answers.read.get("text")
    if answers.unasked is not None:
        _not_asked(case, answers.unasked)
    if reading is None:
        return _absent(case)
    if not reading.known:
        return _unknown_answer(case, reading)
    case.deviations(reading, Group.SHAPE)
    name = answers.dialect.name
    if reading.breaks(Group.SHAPE):
        _text_streamed(case)
        return Verdict(State.BROKEN, 0.9, note=f"an answer that plain clients cannot read ({name}.shape)")
    if not reading.text.strip():
        if reading.cut:
            return unknown("the output limit was used up before any text")
        return Verdict(State.BROKEN, 0.6, note="an answer without text")
    broken = _text_streamed(case)
    if broken is not None:
        return broken
    stream = answers.read.get("stream")
    if answers.broke_off and not any(one.streamed for one in answers.read.values()):
        return unknown(f"answers whole; streams broke off for a reason of the way: {answers.broke_off}")
    if stream is None:
        return works(f"answers whole; the streamed answer was lost {answers.lost}".strip(), 0.6)
    if not completion.repeats(reading.text, answers.code):
        return works("answers, whole and streamed; the model does not repeat a code", 0.8)
    partly = {client for item in (*reading.deviations, *stream.deviations) for client in item.fails}
    if partly:
        return works(f"answers, whole and streamed; {wording.listing(sorted(partly))} fail", 0.8)
    return works("answers, whole and streamed")


def _not_asked(case: Case, exchange: Exchange) -> None:
    dialect = case.answers.dialect
    detail = f"POST {dialect.operation} without `stream` was answered by an event stream"
    known = "text" in case.answers.read and not case.answers.read["text"].streamed
    detail += "; with `stream: false` it answers with one object." if known else ", with `stream: false` too."
    evidence = exchange.shows("/response/headers/content-type", expected="application/json", actual="an event stream")
    case.others.append(NOT_ASKED.found(detail, evidence))


def _unknown_answer(case: Case, reading: Reading) -> Verdict:
    """A success that is not an answer of this dialect: of another one, or of a server that answers any path."""
    name, exchange = case.answers.dialect.name, reading.exchange
    said = exchange.response.text if exchange.response else ""
    body = completion.body_of(exchange)
    if case.answers.code not in said and not isinstance(member(body, "choices"), list):
        kind = str(member(body, "object"))[:40]
        return Verdict(State.REJECTED, 0.9, note=f"success without an answer of this API (object: {kind})")
    kind = member(body, "object") or member(body, "type") or "unknown"
    text = f"the answer is not an object of {case.answers.dialect.title} but one of the kind `{str(kind)[:40]}`"
    evidence = exchange.shows("/response/body", expected="an answer of the API", actual=str(kind)[:40])
    case.add("shape", text, evidence, *case.answers.dialect.libraries)
    return Verdict(State.BROKEN, 0.9, note=f"an answer of another API ({name}.shape)")


def _absent(case: Case) -> Verdict:
    """The verdict on a first request that was not answered with success."""
    answers = case.answers
    exchange = answers.refused.get("text")
    if exchange is None:
        return unknown("the URL for chat completions does not end in /chat/completions")
    status = exchange.status
    if is_denied(exchange):
        return unknown(f"status {status} on this path only: {_words(exchange)}")
    if is_way(exchange):
        why = exchange.error.kind if exchange.error else completion.obstacle(exchange) or "more than can be read"
        raise Inconclusive(f"the answer (status {status or 'none'}) is about {why}, not about the operation")
    assert status is not None
    if 200 <= status < 300:
        return Verdict(State.REJECTED, 0.9, note=f"no such operation: {_words(exchange)}")
    if status in (404, 405, 410, 501):
        return Verdict(State.REJECTED, note=f"no such operation (status {status}); chat completions work")
    if status < 400:
        return unknown(f"status {status} on this path only: {_words(exchange)}")
    if status < 500 or completion.speaks_of(exchange, *_NO_OPERATION):
        return Verdict(State.REJECTED, 0.9, note=f"refused with status {status}: {_words(exchange)}")
    if answers.control is None or answers.control == status:
        return Verdict(State.REJECTED, 0.8, note=f"status {status} as for any unknown path: {_words(exchange)}")
    text = f"answered with status {status}, twice, and chat completions work: {_words(exchange)}"
    case.add("server-error", text, exchange.shows_status("200"), *answers.dialect.libraries, answers.dialect.agent)
    return Verdict(State.BROKEN, 0.9, note=f"a server error ({answers.dialect.name}.server-error)")


def _words(exchange: Exchange) -> str:
    if completion.is_html(exchange):
        return "a web page"
    return wording.cut(completion.error_text(exchange), 160) or "no text"


def _text_streamed(case: Case) -> Verdict | None:
    """What is wrong with the stream; None where nothing breaks plain clients."""
    answers = case.answers
    name, agent = answers.dialect.name, answers.dialect.agent
    same = case.same_cause("streaming")
    broken = Verdict(State.BROKEN, 0.9, note=f"answers whole, but not streamed ({name}.stream)")
    refused = answers.refused.get("stream")
    reading = answers.read.get("stream")
    if refused is not None:
        if same is None:
            text = f"the same request with `stream: true` is refused: {words_of(refused)}"
            case.add("stream", text, refused.shows_status("200"), *answers.dialect.libraries, agent)
        return same or broken
    if reading is None:
        return same
    if not reading.streamed or not reading.known:
        kind = reading.exchange.response.media_type if reading.exchange.response else ""
        if same is None:
            what = "no event of this API" if reading.streamed else f"a body of the type {kind or 'unknown'}"
            text = f"a request with `stream: true` was answered by {what}"
            evidence = reading.exchange.shows("/response/headers/content-type", expected="events", actual=kind)
            case.add("stream", text, evidence, *answers.dialect.libraries, agent)
        return same or broken
    whole = answers.read["text"]
    if completion.repeats(whole.text, answers.code) and not reading.text.strip() and not reading.cut:
        fails = (*answers.dialect.libraries, agent)
        reading.deviates(Group.STREAM, "the stream holds no text", "/response/events", "", *fails)
    if same is not None:
        # A time at which an event arrives says nothing about its contents.
        late = same.finding == HELD.code
        return same if late or reading.breaks(Group.SHAPE, Group.STREAM) else None
    case.deviations(reading, Group.SHAPE, Group.STREAM)
    if reading.breaks(Group.SHAPE):
        return Verdict(State.BROKEN, 0.9, note=f"answers whole; the stream cannot be read ({name}.shape)")
    return broken if reading.breaks(Group.STREAM) else None


# Errors ----------------------------------------------------------------------------------------------


def _errors(case: Case) -> None:
    answers = case.answers
    again = answers.refused.get("malformed-again")
    if again is None or (again.status or 0) < 500 or SERVER_ERROR.code in case.codes:
        return
    detail = f"POST {answers.dialect.operation} without its conversation is answered with {words_of(again)}, twice."
    evidence = [one.shows_status("400") for one in (answers.refused["malformed"], again)]
    case.others.append(SERVER_ERROR.found(detail, *evidence))


# Tools -------------------------------------------------------------------------------------------------


def _tools(case: Case) -> tuple[Verdict, dict[str, Any]]:
    """The verdict on tools, with the facts of a call that was left in a text."""
    answers = case.answers
    name, agent = answers.dialect.name, answers.dialect.agent
    same = case.same_cause("tools")
    read = [answers.read[name] for name in ("tools", "forced") if name in answers.read]
    if same is not None and not any(_sound_call(one) for one in read):
        return same, {}
    able = case.chat_state("tools") is State.WORKS
    broken = Verdict(State.BROKEN, 0.9, note=f"calls cannot be used ({name}.tools)")
    refused = answers.refused.get("tools")
    if refused is not None:
        text = f"a request with tools is refused, which chat completions accept: {words_of(refused)}"
        case.add("tools", text, refused.shows_status("200"), agent)
        return Verdict(State.REJECTED, 0.9, note=f"tools are refused ({name}.tools)"), {}
    free = answers.read.get("tools")
    if free is None:
        return unknown("the answer to a request with tools was lost"), {}
    leak = _leak(free)
    if leak is not None:
        _leaked(case, free, leak, "whole", agent)
        return broken, leak_facts(leak, "unknown")
    case.deviations(free, Group.TOOLS, Group.SHAPE)
    if free.breaks(Group.SHAPE):
        return replace(broken, note=f"an answer with tools that plain clients cannot read ({name}.shape)"), {}
    calls = free if free.calls else answers.read.get("forced")
    if calls is None or not calls.calls:
        return _no_call(case, able), {}
    if calls is not free:
        case.deviations(calls, Group.TOOLS, Group.SHAPE)
    if calls.breaks(Group.TOOLS, Group.SHAPE):
        return broken, {}
    call = calls.calls[0]
    if call.name != "get_weather":
        text = f"the tool get_weather is called by the name `{call.name[:40]}`"
        evidence = calls.exchange.shows("/response/body", expected="get_weather", actual=call.name[:60])
        case.add("tools", text, evidence, agent)
        return broken, {}
    facts, code = _streamed_calls(case, able)
    if code:
        return replace(broken, note=f"calls are sound whole, and not streamed ({name}.{code})"), facts
    lost = features.lost_in_streams(case)
    return lost or _result(case) or features.agent_results(case) or _called(case, calls), facts


def _sound_call(reading: Reading) -> bool:
    """Whether there is a call of the tool that was offered, in a form that clients can use."""
    named = bool(reading.calls) and reading.calls[0].name == "get_weather"
    return named and not reading.breaks(Group.TOOLS, Group.SHAPE)


def _called(case: Case, calls: Reading) -> Verdict:
    name = case.answers.dialect.name
    if "agent" in case.answers.refused and (same := case.same_refusal(*OF_TURNS)):
        return same
    if "fields-rejected" in case.said:
        note = f"the fields that {case.answers.dialect.agent} always sends are refused ({name}.fields-rejected)"
        return Verdict(State.BROKEN, 0.9, note=note)
    city = str((calls.calls[0].arguments or {}).get("city", ""))
    if "paris" not in city.lower():
        return unknown(f"the tool is called for `{city[:40]}` in place of Paris")
    if "agent" not in case.answers.read and "agent-plainly" not in case.answers.read:
        return works("calls are sound; the streamed one was lost", 0.6)
    return works("calls and their results, whole and streamed")


def _leak(reading: Reading) -> Leak | None:
    """A call that was left in the text, where no structured one came."""
    return None if reading.calls else find_calls(reading.text, [weather()])


def _leaked(case: Case, reading: Reading, leak: Leak, how: str, agent: str) -> None:
    shown = wording.quote(reading.text, 120)
    text = f"the call is left in the text of the {how} answer: {shown}"
    evidence = reading.exchange.shows("/response/body", expected="a structured call", actual=reading.text[:160])
    case.add("tools", text, evidence, agent)


def _no_call(case: Case, able: bool) -> Verdict:
    """No call came, neither of the model's own choice nor forced."""
    answers = case.answers
    grew = answers.grew("tools", "text")
    if grew is False:
        text = (
            f"tools do not reach the model: with them the prompt has {answers.tokens('tools')} tokens, without "
            f"{answers.tokens('text')}"
        )
        reading = answers.read["tools"]
        evidence = reading.exchange.shows(
            "/response/body/usage/input_tokens", expected="more", actual=reading.tokens[0]
        )
        case.add("tools", text, evidence, answers.dialect.agent)
        return Verdict(State.IGNORED, 0.9, note=f"tools have no effect ({answers.dialect.name}.tools)")
    forced = answers.read.get("forced")
    if able and answers.chat_calls_freely and forced is not None and grew is None:
        text = "the question that calls a tool on chat completions gets prose here, with a forced choice too"
        evidence = forced.exchange.shows("/response/body", expected="a call", actual=forced.text[:120])
        case.add("tools", text, evidence, answers.dialect.agent)
        return Verdict(State.IGNORED, 0.7, note=f"tools have no effect ({answers.dialect.name}.tools)")
    return unknown("no call came back, as on chat completions" if not able else "the model called no tool here")


def _streamed_calls(case: Case, able: bool) -> tuple[dict[str, Any], str]:
    """The call in a stream, with the agent's own fields and without: facts, and the code where it cannot be used."""
    answers, agent = case.answers, case.answers.dialect.agent
    plain = answers.read.get("agent-plainly")
    reading = plain or answers.read.get("agent")
    if reading is None or case.same_cause("streaming") or case.same_cause("streaming_tools"):
        return {}, ""
    if "stream" in answers.refused or not reading.streamed or not reading.known:
        return {}, ""  # judged with the text
    leak = _leak(reading)
    if leak is not None:
        _leaked(case, reading, leak, "streamed", agent)
        return leak_facts(leak, "unknown"), "tools"
    case.deviations(reading, Group.TOOLS, Group.STREAM, Group.SHAPE)
    # A model that calls only where it is forced to makes no call in a stream that leaves it the choice.
    free = bool(answers.read["tools"].calls)
    missing = free and not reading.calls and plain is not None and not plain.calls and able
    if missing and not reading.cut and not reading.deviations:
        text = "the call that comes whole is missing in streams, twice"
        evidence = reading.exchange.shows("/response/events", expected="a call", actual=reading.text[:120])
        case.add("tools", text, evidence, agent)
        return {}, "tools"
    return {}, next((str(group) for group in (Group.TOOLS, Group.STREAM, Group.SHAPE) if reading.breaks(group)), "")


def _result(case: Case) -> Verdict | None:
    """What is wrong with the result of a tool; None where it is used, or nothing can be said."""
    answers = case.answers
    name, agent = answers.dialect.name, answers.dialect.agent
    reading = answers.read.get("result")
    if reading is not None and answers.number in reading.text:
        return None
    if same := case.same_cause("tool_results"):
        return same
    refused = answers.refused.get("result")
    broken = Verdict(State.BROKEN, 0.9, note=f"the result of a tool is not taken ({name}.history)")
    if refused is not None and (same := case.same_refusal(*OF_RESULTS)):
        return same
    if refused is not None:
        text = f"the turn as it was received, with the result of its call, is refused: {words_of(refused)}"
        if "result-without-thinking" in answers.read:
            text += "; without its thinking it is accepted"
        case.add("history", text, refused.shows_status("200"), agent)
        return broken
    before = "tools" if answers.read["tools"].calls else "forced"
    if reading is None:
        return None
    if answers.grew("result", before, 4) is False:
        text = (
            f"the result of a tool does not reach the model: the prompt has {answers.tokens('result')} tokens with the "
            f"call and its result, and {answers.tokens(before)} without"
        )
        pointer = "/response/body/usage/input_tokens"
        evidence = reading.exchange.shows(pointer, expected="more", actual=reading.tokens[0])
        case.add("history", text, evidence, agent)
        return broken
    return unknown("calls are sound; the model does not use the result of the tool")


def _access(answers: Answers, verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Where the dialect is, and how the key is sent, as a fact."""
    name = answers.dialect.name
    state = verdicts[f"{name}_api"].verdict
    if state in (State.REJECTED, State.UNKNOWN) or not answers.url:
        return {}
    base = answers.url.partition("?")[0].removesuffix(answers.dialect.operation)
    found: dict[str, Any] = {
        "url": answers.url,
        "base_url": base.removesuffix("/v1") if name == "messages" else base,
    }
    if ways := sorted(way for way, works in answers.ways.items() if works):
        found["auth"] = ways
    if name == "messages":
        found["count_tokens"] = "count" in answers.read
    return {f"{name}_access": found}
