"""tools.choice: whether a forced tool_choice has an effect.

The questions need no tool, so a call can only come from the forced choice.  An answer cut off by the token limit is no
evidence: some grammars allow prose before the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checks.shared.outcome import words_of
from checks.tools import requests
from checks.tools.catalogue import CALL_FAULTS, CHOICE_IGNORED
from checks.tools.leaked_calls import diagnosis, facts, leak_finding, server_of
from checks.tools.reading import Kind, Reading, read
from checks.tools.refusal import Refusal, meaning
from checks.tools.structured_calls import faults, findings_of, is_altered
from probe.api import Finding, Result, Severity, State, Verdict, because, check, completion, unknown, wording, works

if TYPE_CHECKING:
    from probe.api import Context

#: Codes of root causes that explain a tool_choice without effect.
ROOTS = ("tools.ignored", "tools.not-enabled", "tools.rejected")


@dataclass(frozen=True)
class Choice:
    """One forced choice: the answers (the latest last), and the answer without the tool_choice where that was sent."""

    capability: str
    asked: tuple[Reading, ...]
    control: Reading | None = None

    @property
    def last(self) -> Reading:
        return self.asked[-1]


@check(
    "tools.choice",
    title="Force a call",
    proves="tool_choice `required` and a named tool_choice return the call, whatever the question.",
    requires={"chat"},
    after={"tools"},
    provides={"tool_choice_required", "tool_choice_named"},
    emits=(CHOICE_IGNORED, *CALL_FAULTS),
    max_requests=6,
    max_tokens=6000,
)
async def choice(ctx: Context) -> Result:
    required = Choice("tool_choice_required", await _send(ctx, requests.required))
    named = Choice("tool_choice_named", await _send(ctx, requests.by_name))
    root = next((code for code in ROOTS if code in ctx.codes), None)
    clear = named.last.refused and meaning(named.last.exchange) is Refusal.CHOICE
    if root is None and named.last.kind is not Kind.LEAKED and not clear and not _as_demanded(named.last):
        plain = read(await requests.by_name_plainly(ctx))
        named = replace(named, asked=(*named.asked, plain))
    if root is None:
        required, named = [await _with_control(ctx, one) for one in (required, named)]
    server = server_of(ctx, *required.asked, *named.asked)
    return diagnose_choice((required, named), root, ctx.codes, server)


async def _send(ctx: Context, request: requests.Request) -> tuple[Reading, ...]:
    """A request, and a second time where it failed without a reason."""
    first = read(await request(ctx))
    if first.kind is not Kind.FAILED:
        return (first,)
    body = first.exchange.request.body
    tools, demanded = body["tools"], body["tool_choice"]
    again = await ctx.chat(body["messages"], limit=requests.LONG_LIMIT, tools=tools, tool_choice=demanded)
    return (first, read(again))


async def _with_control(ctx: Context, one: Choice) -> Choice:
    """Where a refusal does not mention tool_choice: the same question without it."""
    if not one.last.refused or meaning(one.last.exchange) is not Refusal.UNCLEAR:
        return one
    body = one.last.exchange.request.body
    share = f"tools.control:{body['messages'][-1]['content']}"
    control = await ctx.chat(body["messages"], limit=requests.LONG_LIMIT, tools=body["tools"], share=share)
    return replace(one, control=read(control))


# Diagnosis -----------------------------------------------------------------------------------------


def diagnose_choice(choices: Sequence[Choice], root: str | None, codes: frozenset[str], server: str) -> Result:
    """Judge forced choices.

    Args:
        root: a finding that explains a missing effect, or None.
        codes: the findings so far, so that none is made twice.
    """
    result = Result()
    for one in choices:
        result = result | _judge(one, root, codes, server, _cure(one, choices))
    kept: dict[str, Finding] = {}
    for finding in result.findings:
        kept.setdefault(finding.code, finding)
    return Result(tuple(kept.values()), result.verdicts, result.facts)


def _as_demanded(reading: Reading) -> bool:
    """Whether the call is the one that the choice demands."""
    demanded = reading.exchange.request.body.get("tool_choice")
    if not isinstance(demanded, dict):
        return bool(reading.calls)
    wanted = demanded["function"]["name"]
    # A call without a name is another fault.
    return any(call.name in (wanted, None, "") or is_altered(call.name, wanted) for call in reading.calls)


def _cure(one: Choice, choices: Sequence[Choice]) -> str:
    """What to do where a choice has no effect, by what had one in this run."""
    if any(reading.kind is Kind.CALLED for other in choices if other is not one for reading in other.asked):
        if one.capability == "tool_choice_named":
            return "Send tool_choice `required` and offer that one tool alone: in this run `required` brought a call."
        return "Name the tool in tool_choice: in this run a named choice brought its call."
    return (
        "Do not rely on a forced tool_choice with this server and model: none brought a call in this run. Let the "
        "client check every answer for a call."
    )


def _judge(one: Choice, root: str | None, codes: frozenset[str], server: str, cure: str) -> Result:
    name = one.capability
    best = next((item for item in one.asked if item.kind is Kind.CALLED and _as_demanded(item)), one.last)
    if best.kind is Kind.CALLED and _as_demanded(best):
        return _called(name, best, server)
    if best.kind is Kind.LEAKED and best.leak is not None:
        known = diagnosis(best.leak).code
        if known in codes:
            verdict = Verdict(State.BROKEN, best.leak.confidence, known, note="the forced call too")
            return Result(verdicts={name: verdict})
        finding = leak_finding(best, server)
        return Result((finding,), {name: because(State.BROKEN, finding)}, facts(best.leak, server))
    if best.refused:
        return Result(verdicts={name: _refused(one, root)})
    if best.kind is Kind.LOST:
        return Result(verdicts={name: unknown(best.why)})
    if best.kind is Kind.EMPTY and not completion.is_completion(best.exchange):
        return Result(verdicts={name: unknown("the answer is no chat completion")})
    if root == "tools.ignored":
        return Result(verdicts={name: Verdict(State.IGNORED, 0.9, root, note="the tools do not reach the model")})
    if best.cut:
        return Result(verdicts={name: unknown("the token limit cut the answer off before a call")})
    if root is not None:
        return Result(verdicts={name: unknown("other requests with tools are refused")})
    demand = _demand(best)
    finding = CHOICE_IGNORED.found(
        f"{demand} was answered {_instead(best)}; the answer was complete (finish_reason {best.finish}).",
        best.exchange.shows(
            "/response/body/choices/0/message/tool_calls",
            expected=demand,
            actual=[wording.shown(call.name, 80) for call in best.calls] or None,
        ),
        remedy=cure,
    )
    return Result((finding,), {name: because(State.IGNORED, finding)})


def _called(name: str, reading: Reading, server: str) -> Result:
    hard = any(call.name == "save_note" for call in reading.calls)
    every = faults(reading, forced=True, lenient=hard)
    # That a weak model fills a hard schema badly is not evidence about the endpoint.
    found = [fault for fault in every if not (hard and fault.severity is Severity.INFO)]
    findings, breaking = findings_of(found, reading, server)
    if breaking is not None:
        return Result(tuple(findings), {name: because(State.BROKEN, breaking)})
    notes = [finding.title for finding in findings]
    if len(found) < len(every):
        notes.append("the model fills a hard schema badly")
    if reading.finish == "stop":
        notes.append("ends with finish_reason stop")
    return Result(tuple(findings), {name: works("; ".join(notes))})


def _refused(one: Choice, root: str | None) -> Verdict:
    words = words_of(one.last.exchange)
    if root is not None:
        return Verdict(State.REJECTED, 1.0, root, note=words)
    if meaning(one.last.exchange) is Refusal.MODEL_FAILED:
        return unknown(f"the server requires a call, and the model made none ({words})")
    if one.control is not None and not one.control.answered:
        return unknown("the same question is refused without the tool_choice as well")
    return Verdict(State.REJECTED, 1.0, note=words)


def _demand(reading: Reading) -> str:
    demanded = reading.exchange.request.body.get("tool_choice")
    if isinstance(demanded, dict):
        return f"tool_choice naming {demanded['function']['name']}"
    return f"tool_choice {demanded}"


def _instead(reading: Reading) -> str:
    if reading.calls:
        return f"with a call of {', '.join(wording.shown(call.name, 80) for call in reading.calls)}"
    quoted = wording.quote(reading.text, 80, empty="")
    return f"in prose ({quoted})" if quoted else "with nothing"
