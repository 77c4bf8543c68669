"""tools.long, at depth deep: a streamed call with a text of 4 kB, compared character by character.

The text of tools.agent is shorter.  Buffers and parsers lose or repeat pieces of long arguments alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from checks.tools.agent_tools import diagnose_agent
from checks.tools.agent_values import BODY, Sign, argument_of, long_text_sign
from checks.tools.call_limits import calls_by_choice, text_tool
from checks.tools.catalogue import STREAM_FRAGMENTS, VALUES_ALTERED
from checks.tools.reading import Reading, read
from probe.api import Depth, Result, Skip, State, check

if TYPE_CHECKING:
    from probe.api import Context

SIZE = 4096
#: Output limit (tokens): two characters a token, for text with digits and accents.
LIMIT = SIZE // 2


def long_text() -> str:
    """Numbered sentences, each of them once, so that a lost or repeated piece shows."""
    sentences = BODY.split(". ")
    made = ""
    number = 0
    while len(made) < SIZE:
        made += f"({number + 1}) {sentences[number % len(sentences)].rstrip('.')}. "
        number += 1
    return f"{made[: SIZE - 4].rstrip()} End"


@check(
    "tools.long",
    title="Stream a call with a long argument",
    proves="A streamed call with an argument of 4 kB joins to exactly this text.",
    requires={"chat"},
    after={"tools", "streaming_tools"},
    emits=(STREAM_FRAGMENTS, VALUES_ALTERED),
    max_requests=3,
    max_tokens=3 * (LIMIT + SIZE // 2),
    depth=Depth.DEEP,
)
async def long(ctx: Context) -> Result:
    if not calls_by_choice(ctx):
        raise Skip("a plain tool is not called of the model's own choice")
    streaming = ctx.verdicts.get("streaming_tools")
    stream = streaming is not None and streaming.verdict is State.WORKS
    asked = [await _asked(ctx, stream=stream)]
    if not asked[0][0].calls:
        return Result(note="the model made no call with a text of this length")
    if asked[0][1]:
        asked.append(await _asked(ctx, stream=False))
        if stream and not asked[1][1]:
            asked.append(await _asked(ctx, stream=True))
    return diagnose_agent(asked, ctx.codes)


async def _asked(ctx: Context, *, stream: bool) -> tuple[Reading, list[Sign]]:
    more: dict[str, Any] = {"stream": True} if stream else {}
    question = f"Call save_text with text `{long_text()}`"
    reading = read(await ctx.chat(question, limit=LIMIT, tools=[text_tool()], **more))
    found = (long_text_sign(call, argument_of(call, "text"), long_text()) for call in reading.calls[:1])
    return reading, [sign for sign in found if sign is not None]
