"""tools.choice: whether a forced tool_choice has an effect.

The questions want no tool, so a call can only come from the force.  An answer that the
output limit cut off settles nothing: some grammars leave room for prose before the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.tools import leaked_calls, requests
from checks.tools.catalogue import (
    CHOICE_IGNORED,
    FINISH,
    ID_DUPLICATE,
    ID_MISSING,
    NOT_JSON,
    NOT_STRING,
    OFF_SCHEMA,
    PARSER_MISSING,
    TEXT_CALL,
)
from checks.tools.reading import Kind, Reading, read, shown
from checks.tools.refusal import Refusal, meaning, quoted
from checks.tools.structured_calls import faults
from probe.api import Finding, Result, Severity, State, Verdict, because, check, unknown, works

if TYPE_CHECKING:
    from probe.api import Context

#: Codes of a root cause beside which a missing effect of tool_choice is no news.
ROOTS = ("tools.ignored", "tools.not-enabled", "tools.rejected")


@dataclass(frozen=True)
class Choice:
    """One forced choice: what was asked (the latest last), and the same without the force where that was asked."""

    capability: str
    asked: tuple[Reading, ...]
    control: Reading | None = None

    @property
    def last(self) -> Reading:
        return self.asked[-1]


@check(
    "tools.choice",
    title="Force a call",
    proves="tool_choice `required` and a named tool_choice bring the call, whatever the question.",
    requires={"chat"},
    after={"tools"},
    provides={"tool_choice_required", "tool_choice_named"},
    emits=(
        CHOICE_IGNORED,
        PARSER_MISSING,
        TEXT_CALL,
        NOT_JSON,
        NOT_STRING,
        OFF_SCHEMA,
        ID_MISSING,
        ID_DUPLICATE,
        FINISH,
    ),
    max_requests=6,
    max_tokens=6000,
)
async def choice(ctx: Context) -> Result:
    required = Choice("tool_choice_required", await _twice(ctx, requests.required))
    named = Choice("tool_choice_named", await _twice(ctx, requests.by_name))
    root = next((code for code in ROOTS if code in ctx.codes), None)
    if root is None and named.last.kind is not Kind.LEAKED and not _as_demanded(named.last):
        plain = read(await requests.by_name_plainly(ctx))
        named = Choice("tool_choice_named", (*named.asked, plain))
    if root is None:
        required, named = await _controlled(ctx, required, named)
    server = leaked_calls.server_of(ctx, *required.asked, *named.asked)
    return diagnose_choice((required, named), root, ctx.codes, server)


async def _twice(ctx: Context, ask: requests.Ask) -> tuple[Reading, ...]:
    """A request, and once more where it failed without saying why."""
    first = read(await ask(ctx))
    if first.kind is not Kind.FAILED:
        return (first,)
    body = first.exchange.request.body
    again = await ctx.chat(body["messages"], limit=requests.ROOM, tools=body["tools"], tool_choice=body["tool_choice"])
    return (first, read(again))


async def _controlled(ctx: Context, *choices: Choice) -> list[Choice]:
    """Where a refusal does not speak of tool_choice: the same question without it."""
    made = []
    for one in choices:
        if one.last.kind in (Kind.REFUSED, Kind.FAILED) and meaning(one.last.exchange) is Refusal.UNCLEAR:
            body = one.last.exchange.request.body
            share = f"tools.control:{body['messages'][-1]['content']}"
            control = await ctx.chat(body["messages"], limit=requests.ROOM, tools=body["tools"], share=share)
            one = Choice(one.capability, one.asked, read(control))
        made.append(one)
    return made


def diagnose_choice(choices: Sequence[Choice], root: str | None, codes: frozenset[str], server: str) -> Result:
    """Judge forced choices.

    Args:
        root: a finding that explains a missing effect by itself, or None.
        codes: what is known already, so that no finding is made twice.
    """
    result = Result()
    for one in choices:
        result = result | _judge(one, root, codes, server)
    kept: dict[str, Finding] = {}
    for finding in result.findings:
        kept.setdefault(finding.code, finding)
    return Result(tuple(kept.values()), result.verdicts, result.facts)


def _as_demanded(reading: Reading) -> bool:
    """Whether the call is the one that the choice demands."""
    demanded = reading.exchange.request.body.get("tool_choice")
    if not isinstance(demanded, dict):
        return bool(reading.calls)
    return any(call.name == demanded["function"]["name"] for call in reading.calls)


def _judge(one: Choice, root: str | None, codes: frozenset[str], server: str) -> Result:
    name = one.capability
    best = next((item for item in one.asked if item.kind is Kind.CALLED and _as_demanded(item)), one.last)
    if best.kind is Kind.CALLED and _as_demanded(best):
        return _called(name, best, server)
    if best.kind is Kind.LEAKED and best.leak is not None:
        known = leaked_calls.diagnosis(best.leak).code
        if known in codes:
            return Result(
                verdicts={name: Verdict(State.BROKEN, best.leak.confidence, known, note="the call leaks too")}
            )
        finding = leaked_calls.found(best, server)
        return Result((finding,), {name: because(State.BROKEN, finding)}, leaked_calls.facts(best.leak, server))
    if best.kind in (Kind.REFUSED, Kind.FAILED):
        return Result(verdicts={name: _refused(one, root)})
    if best.kind is Kind.LOST:
        return Result(verdicts={name: unknown(best.why)})
    if root == "tools.ignored":
        return Result(verdicts={name: Verdict(State.IGNORED, 0.9, root, note="the tools do not reach the model")})
    if best.cut or best.kind is Kind.CUT:
        note = "the output limit cut the answer off before a call, which settles nothing"
        return Result(verdicts={name: unknown(note)})
    if root is not None:
        return Result(verdicts={name: unknown("requests with tools are refused elsewhere")})
    finding = CHOICE_IGNORED.found(
        f"{_demand(best)} was answered {_instead(best)}, and the model ended by itself (finish_reason {best.finish}).",
        best.exchange.shows(
            "/response/body/choices/0/message/tool_calls",
            expected=_demand(best),
            actual=[shown(call.name, 80) for call in best.calls] or None,
        ),
    )
    return Result((finding,), {name: because(State.IGNORED, finding)})


def _called(name: str, reading: Reading, server: str) -> Result:
    hard = any(call.name == "save_note" for call in reading.calls)
    every = faults(reading, forced=True, lenient=hard)
    # A weak model that fills a hard schema badly is no news about the endpoint.
    found = [fault for fault in every if not (hard and fault.severity is Severity.INFO)]
    findings = [fault.finding() for fault in found]
    breaking = next((fault.finding() for fault in found if fault.breaks), None)
    if (also := leaked_calls.beside(reading, server)) is not None:
        findings.append(also[0])
        breaking = breaking or (also[0] if also[1] else None)
    if breaking is not None:
        return Result(tuple(findings), {name: because(State.BROKEN, breaking)})
    notes = [finding.title for finding in findings]
    if len(found) < len(every):
        notes.append("the model fills a hard schema badly")
    if reading.finish == "stop":
        notes.append("ends with finish_reason stop")
    return Result(tuple(findings), {name: works("; ".join(notes))})


def _refused(one: Choice, root: str | None) -> Verdict:
    last = one.last
    said = meaning(last.exchange)
    if root is not None:
        return Verdict(State.REJECTED, 1.0, root, note=quoted(last.exchange))
    if said is Refusal.MODEL_FAILED:
        return unknown(f"the server insists on a call, and the model wrote none ({quoted(last.exchange)})")
    if one.control is not None and one.control.kind in (Kind.REFUSED, Kind.FAILED, Kind.LOST):
        return unknown("the same question is refused without the tool_choice as well")
    return Verdict(State.REJECTED, 1.0, note=quoted(last.exchange))


def _demand(reading: Reading) -> str:
    demanded = reading.exchange.request.body.get("tool_choice")
    if isinstance(demanded, dict):
        return f"tool_choice naming {demanded['function']['name']}"
    return f"tool_choice {demanded}"


def _instead(reading: Reading) -> str:
    if reading.calls:
        return f"with a call of {', '.join(shown(call.name, 80) for call in reading.calls)}"
    short = " ".join(reading.text.split())
    return f'in prose ("{short[:80]}{"…" if len(short) > 80 else ""}")' if short else "with nothing"
