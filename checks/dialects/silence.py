"""A silence on another path than chat completions: the same long answer, whole, once more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from checks.dialects.dialect import Dialect
from checks.shared.endings import death_of, longest_silence
from probe.api import Auth, Exchange, Inconclusive, Result, Skip, completion, count_at, text_at

if TYPE_CHECKING:
    from probe.api import Context


async def ask_silently(ctx: Context, dialect: Dialect) -> Result:
    """Send the long question that chat completions answered, to the dialect."""
    before = max(
        (item for item in ctx.exchanges if item.check == "idle.silence" and completion.is_completion(item)),
        key=longest_silence,
        default=None,
    )
    access = ctx.facts.get(f"{dialect.name}_access")
    if before is None or not isinstance(access, dict):
        raise Skip("no long silence was provoked on chat completions")
    body = before.request.body
    limit = count_at(body, "max_tokens") or count_at(body, "max_completion_tokens") or 720
    asked = dialect.request(
        ctx.target.model or "default", [dialect.user(text_at(body, "messages", 0, "content"))], limit, system=None
    )
    given = ctx.options.auth
    other = access.get("auth") == ["x-api-key"] and given.key
    answer = await ctx.send(
        "POST",
        str(access["url"]),
        body={**asked, "stream": False},
        headers=dialect.headers,
        auth=Auth("api-key-header", "x-api-key", given.key, given.source) if other else None,
        timeout_s=before.timeline.end_s * 2 + 20.0,
        wire=replace(ctx.options.transport.wire, fresh=True),
        tokens=limit + 100,
    )
    return diagnose_silence(dialect, before, answer)


def diagnose_silence(dialect: Dialect, before: Exchange, answer: Exchange) -> Result:
    """Whether the silence ended the connection here alone; Inconclusive if the answer was lost otherwise."""
    survived = longest_silence(before)
    death = death_of(answer)
    if death is not None and death.silent_s < survived:
        detail = (
            f"POST {dialect.operation} was ended after {death.silent_s:.1f} s of silence, while a chat completion "
            f"survived {survived:.1f} s."
        )
        evidence = answer.shows(death.pointer, expected="a complete answer", actual=death.actual)
        return Result((dialect.codes["silence"].found(detail, evidence),))
    if not completion.ok(answer):
        kind = answer.error.kind if answer.error else f"status {answer.status}"
        raise Inconclusive(f"the long request was lost ({kind})")
    return Result(note=f"a silence of {longest_silence(answer):.1f} s survived")
