"""Whether message content may be a list of blocks, or null with tool calls, and reaches the model.

One conversation is sent twice, with every content as blocks and as strings.  Equal prompt tokens prove that all blocks
were read, whatever the model answers; codes in the messages prove it where tokens are not counted.  Only where the two
differ is each role tried by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from checks.content.catalogue import BLOCKS_IGNORED, BLOCKS_REJECTED, BLOCKS_TRUNCATED
from checks.content.reading import ABOUT, UNNAMED, Fate, Seen, compare, compare_role, owned, settle
from checks.shared import conversation as talk
from checks.shared.evidence import counts_live, missing_tokens, repeats
from checks.shared.outcome import Answer, is_answered, last_outcome, outcome, words_of
from checks.shared.trials import repeat_unclear
from checks.tools import requests
from checks.tools.catalogue import NULL_REJECTED
from probe.api import (
    Exchange,
    Finding,
    Inconclusive,
    Result,
    State,
    Verdict,
    because,
    check,
    completion,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context


@check(
    "content.blocks",
    title="Send content as blocks",
    proves="Text blocks are read in full in messages of every role.",
    requires={"chat"},
    provides={"block_content"},
    emits=(BLOCKS_REJECTED, BLOCKS_IGNORED, BLOCKS_TRUNCATED),
    max_requests=21,
    max_tokens=5200,
)
async def blocks(ctx: Context) -> Result:
    codes = talk.codes_of(ctx)
    plain = await talk.plain(ctx)
    system = _done(plain)
    if not system:
        plain = await talk.plain(ctx, system=False)
    mixed = await ctx.chat(talk.two_codes(codes, talk.ROLES, system=system), limit=talk.LIMIT)
    live = counts_live(ctx.exchanges)
    roles = [role for role in talk.ROLES if system or role != "system"]
    together = compare(plain, mixed, codes, live)
    seen = settle(together, plain, codes, roles)
    if seen is None:
        seen = await _role_by_role(ctx, plain, mixed, codes, roles)
    # A code of the user's blocks in the answer shows that they were not all lost.
    partial = bool({*together.named, *seen["user"].named} & {*owned("user", codes, roles)})
    doubtful = [role for role in roles if seen[role].doubtful]
    for role in doubtful:
        seen[role] = await _confirm(ctx, role)
    if any(seen[role].fate is Fate.LOST for role in doubtful) and "assistant" not in doubtful:
        seen["assistant"] = await _confirm(ctx, "assistant")  # its counts were wrong
    partial = partial or ("user" in doubtful and bool(seen["user"].named))
    single = None
    if seen["user"].fate is Fate.LOST and not partial:
        single = await _single_block(ctx)
    return diagnose_blocks(plain, seen, single, ctx.nonce("one-block"), partial=partial)


async def _role_by_role(
    ctx: Context, plain: Exchange, mixed: Exchange, codes: tuple[str, str], roles: Sequence[str]
) -> dict[str, Seen]:
    """The conversation again with one role's content as blocks at a time, and once more as strings."""
    answers: dict[str, Exchange] = {}
    for role in roles:
        body = talk.two_codes(codes, (role,), system="system" in roles)
        answers[role] = await ctx.chat(body, limit=talk.LIMIT)
    again = None
    if _done(mixed):
        again = await ctx.chat(talk.two_codes(codes, system="system" in roles), limit=talk.LIMIT)
    live = counts_live(ctx.exchanges) and (again is None or abs(missing_tokens(plain, again) or 0) <= 1)
    return compare_role(plain, mixed, answers, codes, live)


async def _confirm(ctx: Context, role: str) -> Seen:
    """A plainer question for a role that the first one did not settle: as a block, then as a string.

    Repeated with other codes where only the string was understood: a weak model may fail on the way blocks are joined.
    """
    seen: list[Seen] = []
    while len(seen) < 2 and all(one.fate is Fate.LOST for one in seen):
        codes = ctx.nonce(f"block-{role}-{len(seen)}"), ctx.nonce(f"block-{role}-{len(seen)}-second")
        messages, wanted = talk.easy(role, codes, blocks=True)
        block = await ctx.chat(messages, limit=talk.LIMIT)
        if not _done(block) or all(repeats(block, code) for code in wanted):
            seen.append(compare(block, block, wanted, False))
            continue
        string = await ctx.chat(talk.easy(role, codes, blocks=False)[0], limit=talk.LIMIT)
        seen.append(compare(string, block, wanted, False))
    return seen[-1]


async def _single_block(ctx: Context) -> tuple[Exchange, Exchange]:
    """One text block alone in a user turn, and the same text as a string."""
    text = f"Repeat exactly: {ctx.nonce('one-block')}"
    alone = await ctx.chat([talk.turn("user", text, blocks=True)], limit=talk.LIMIT)
    return alone, await ctx.chat(text, limit=talk.LIMIT)


@check(
    "content.null",
    title="Send null content with tool calls",
    proves="An assistant message with tool_calls and null content, as the API returns it, is accepted.",
    requires={"chat"},
    after={"tool_results"},
    emits=(NULL_REJECTED,),
    max_requests=5,
    max_tokens=4000,
)
async def null(ctx: Context) -> Result:
    messages = requests.conversation(requests.number_of(ctx))
    first = await requests.result(ctx)
    if _done(first):
        return diagnose_null([first], [])
    nulls, empties = [first], [await requests.send_history(ctx, requests.with_content(messages, ""))]
    tools = _done(empties[0])
    if not tools:
        # Where the tool on offer is the cause of the refusal, the conversation is judged without it.
        nulls = [await requests.send_history(ctx, messages, tools=False)]
        if not _done(nulls[0]):
            empties = [await requests.send_history(ctx, requests.with_content(messages, ""), tools=False)]
    if (nulls[0].status or 0) >= 500 and _done(empties[0]):
        nulls.append(await requests.send_history(ctx, messages, tools=tools))
    return diagnose_null(nulls, empties)


@check(
    "content.tool-blocks",
    title="Send a tool's result as a block",
    proves="The result of a tool, given as a text block, reaches the model.",
    requires={"chat", "block_content"},
    after={"tool_results", "content.null", "content.blocks"},
    emits=(BLOCKS_REJECTED, BLOCKS_IGNORED),
    max_requests=3,
    max_tokens=2400,
)
async def tool_blocks(ctx: Context) -> Result:
    first = await requests.result(ctx)
    if not _done(first):
        raise Inconclusive("a conversation with a tool's result as a string is refused too")
    messages = requests.with_blocks(first.request.body["messages"])
    asked = await repeat_unclear(lambda: requests.send_history(ctx, messages), *ABOUT)
    known = ctx.facts.get("block_content_roles")
    return diagnose_tool_blocks(first, asked, requests.number_of(ctx), counts_live(ctx.exchanges), known)


def _done(exchange: Exchange) -> bool:
    return is_answered(exchange, *ABOUT)


# Diagnosis ---------------------------------------------------------------------------------------


def diagnose_blocks(
    plain: Exchange,
    seen: Mapping[str, Seen],
    single: tuple[Exchange, Exchange] | None,
    code: str,
    *,
    partial: bool = False,
) -> Result:
    """The findings and the verdict from the result of each role.

    Args:
        plain: the conversation as strings.
        seen: the result of each role.
        single: where the user's two blocks were lost, one block alone and the same text as a string.
        code: the code that this block asks the model to repeat.
        partial: the answer holds a code of one of the user's blocks.

    Raises:
        Inconclusive: the user's blocks are undetermined, and the other roles have no finding.
    """
    roles = {fate: [role for role, one in seen.items() if one.fate is fate] for fate in Fate}
    findings: list[Finding] = []
    verdict: Verdict | None = None
    if roles[Fate.REFUSED]:
        findings.append(_rejected({role: seen[role].exchange for role in roles[Fate.REFUSED]}))
        if "user" in roles[Fate.REFUSED]:
            verdict = because(State.REJECTED, findings[-1])
    lost = roles[Fate.LOST]
    if "user" in lost and (partial or (single is not None and _read_alone(*single, code))):
        lost = [role for role in lost if role != "user"]
        findings.append(_truncated(plain, seen["user"], single))
        verdict = because(State.BROKEN, findings[-1])
    if lost:
        findings.append(_ignored(plain, {role: seen[role] for role in lost}))
        state = State.IGNORED if "user" in lost else State.BROKEN
        verdict = verdict or because(state, findings[-1])
    if verdict is None:
        read = seen["user"].fate is Fate.READ
        why = seen["user"].why or UNNAMED
        if not read and not findings:
            raise Inconclusive(why)
        verdict = works(_note(seen)) if read else unknown(why)
    return Result(tuple(findings), {"block_content": verdict}, {"block_content_roles": roles[Fate.READ]})


def _note(seen: Mapping[str, Seen]) -> str:
    notes = []
    refused = [role for role, one in seen.items() if one.fate is Fate.REFUSED]
    unclear = [role for role, one in seen.items() if one.fate in (Fate.UNCLEAR, Fate.SUSPECT)]
    if refused:
        notes.append(f"refused in {wording.listing(refused)} messages")
    if unclear:
        notes.append(f"not determined for {wording.listing(unclear)} messages")
    more = max((-(one.loss or 0) for one in seen.values()), default=0)
    if more > 8:
        notes.append(f"the prompt has {more} tokens more than with strings, as if it held the blocks as JSON")
    return "; ".join(notes)


def _rejected(refused: Mapping[str, Exchange]) -> Finding:
    return BLOCKS_REJECTED.found(
        f"Text blocks in {wording.listing(refused)} messages were rejected ({words_of(next(iter(refused.values())))}); "
        "the same conversation as strings was answered.",
        *(one.shows("/response/status", expected=200, actual=one.status) for one in refused.values()),
    )


def _read_alone(alone: Exchange, string: Exchange, code: str) -> bool:
    """Whether one text block by itself reaches the model."""
    if not _done(alone):
        return False
    missing = missing_tokens(string, alone)
    return repeats(alone, code) or (missing is not None and missing <= 3 and not repeats(string, code))


def _truncated(plain: Exchange, seen: Seen, single: tuple[Exchange, Exchange] | None) -> Finding:
    read = "one of them is read" if single is None else "a single text block is read"
    shown = [] if single is None else [single[0].shows("/response/status", expected=200, actual=single[0].status)]
    return BLOCKS_TRUNCATED.found(
        f"A user message with two text blocks: {_loss(seen)}; {read}.", *_shown(plain, seen), *shown
    )


def _ignored(plain: Exchange, lost: Mapping[str, Seen]) -> Finding:
    worst = next(iter(lost.values()))
    return BLOCKS_IGNORED.found(
        f"Text blocks in {wording.listing(lost)} messages are lost: {_loss(worst)}.",
        *(item for one in lost.values() for item in _shown(plain, one)),
    )


def _loss(seen: Seen) -> str:
    if seen.loss is not None and seen.loss > 0:
        return f"the prompt has {wording.amount(seen.loss, 'token')} fewer than with the same text as strings"
    return f"the model does not know {wording.listing(seen.missing)}, which it names when the same text is a string"


def _shown(plain: Exchange, seen: Seen) -> list[Any]:
    if seen.loss is not None and seen.loss > 0:
        tokens = completion.prompt_tokens(plain), completion.prompt_tokens(seen.exchange)
        return [
            seen.exchange.shows("/response/body/usage/prompt_tokens", expected=tokens[0], actual=tokens[1]),
            plain.shows("/response/body/usage/prompt_tokens", expected=tokens[0], actual=tokens[0]),
        ]
    said = completion.answer(seen.exchange)[:160]
    return [
        seen.exchange.shows("/response/body/choices/0/message/content", expected=", ".join(seen.missing), actual=said)
    ]


def diagnose_null(nulls: Sequence[Exchange], empties: Sequence[Exchange]) -> Result:
    """Whether null content is the cause of a refusal.

    Args:
        nulls: the conversation with null content, once or twice.
        empties: the same with an empty string, where null was refused.

    Raises:
        Inconclusive: lost, failed once, or refused with an empty string too.
    """
    if last_outcome(nulls, *ABOUT) is Answer.DONE:
        return Result(note="null content with tool_calls is accepted")
    if not empties or outcome(empties[-1], *ABOUT) is not Answer.DONE:
        raise Inconclusive(f"the conversation is refused with an empty string too ({words_of(nulls[-1])})")
    finding = NULL_REJECTED.found(
        f'`content: null` with tool_calls was rejected ({words_of(nulls[-1])}); `content: ""` was accepted.',
        nulls[-1].shows("/response/status", expected=200, actual=nulls[-1].status),
        empties[-1].shows("/response/status", expected=200, actual=empties[-1].status),
    )
    return Result((finding,))


def diagnose_tool_blocks(first: Exchange, asked: Sequence[Exchange], number: str, live: bool, known: object) -> Result:
    """Whether a tool's result may be a block.

    Args:
        first: the conversation with the result as a string.
        asked: the same with the result as a block, once or twice.
        number: the number in the result.
        live: whether the prompt token counts can be used.
        known: the roles in which blocks are known to be read.

    Raises:
        Inconclusive: it was lost, or there is no evidence.
    """
    if last_outcome(asked, *ABOUT) is not Answer.DONE:
        return Result((_rejected({"tool": asked[-1]}),))
    seen = compare(first, asked[-1], (number,), live)
    if seen.fate is Fate.LOST:
        return Result((_ignored(first, {"tool": seen}),))
    if seen.fate is not Fate.READ:
        raise Inconclusive(seen.why or "the answer does not hold the result, and the token counts are the same")
    listed = [str(role) for role in known] if isinstance(known, list | tuple) else []
    return Result(facts={"block_content_roles": [*listed, "tool"]} if listed else {})
