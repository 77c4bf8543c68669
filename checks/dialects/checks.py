"""The checks of the Responses and Messages APIs, and which APIs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.dialects.dialect import Dialect
from checks.dialects.judgement import diagnose
from checks.dialects.messages import Messages
from checks.dialects.questions import MOST, Conversation
from checks.dialects.responses import Responses
from checks.dialects.silence import ask_silently
from checks.errors.catalogue import SERVER_ERROR
from checks.stream.catalogue import NOT_ASKED
from probe.api import Depth, Result, Skip, State, check

if TYPE_CHECKING:
    from probe.api import Context

#: What is judged on chat completions first: a fault that both have has one cause.
_AFTER = (
    "streaming", "tools", "streaming_tools", "tool_results", "system_role", "block_content", "content.null",
    "errors.invalid", "parallel_tools", "json_schema", "vision", "developer_role",
)  # fmt: skip
#: The requests that may be sent, those that find the operation and repeat a first answer included.
_REQUESTS = MOST + 3


def _declare(dialect: Dialect) -> None:
    """The checks of one API: that it answers as chat completions do, and survives the same silence."""

    @check(
        f"{dialect.name}.create",
        title=f"Ask through {dialect.title}",
        proves=f"POST {dialect.operation} answers, whole and streamed, with tools and their results, as its clients "
        "need it.",
        requires={"chat"},
        after=_AFTER,
        provides={f"{dialect.name}_api", f"{dialect.name}_tools"},
        emits=(*dialect.codes.values(), NOT_ASKED, SERVER_ERROR),
        max_requests=_REQUESTS,
        least_requests=1,
        max_tokens=9000,
    )
    async def create(ctx: Context) -> Result:
        if not dialect.urls(ctx.target.chat_url or ""):
            raise Skip("the URL for chat completions does not end in /chat/completions")
        return diagnose(await Conversation(ctx, dialect).hold(), ctx.verdicts, ctx.codes, ctx.exchanges)

    @check(
        f"{dialect.name}.silence",
        title=f"Wait through a silence of {dialect.title}",
        proves=f"A silence that a chat completion survived is survived on POST {dialect.operation}.",
        requires={f"{dialect.name}_api"},
        after={"idle.silence"},
        emits=(dialect.codes["silence"],),
        max_tokens=1600,
        max_seconds=120.0,
        depth=Depth.DEEP,
        exclusive=True,
    )
    async def silence(ctx: Context) -> Result:
        return await ask_silently(ctx, dialect)


for _dialect in (Responses(), Messages()):
    _declare(_dialect)


@check(
    "apis.present",
    title="List the APIs that answer",
    proves="Which of the APIs that were asked for exist.",
    requires={"chat"},
    after={"responses.create", "messages.create"},
    max_requests=0,
)
async def present(ctx: Context) -> Result:
    found = [name for name in ("responses", "messages") if _exists(ctx, f"{name}_api")]
    return Result(facts={"apis": ["chat_completions", *found]})


def _exists(ctx: Context, capability: str) -> bool:
    verdict = ctx.verdicts.get(capability)
    return verdict is not None and verdict.verdict in (State.WORKS, State.BROKEN)
