"""Whether the roles of messages are taken, and whether what they say reaches the model.

A code in the turn under test must come back.  Where it does not, a longer turn of that role
tells: prompt tokens that grow show that the turn reached the model, which made nothing of
it; tokens that stay show that it was dropped.  A turn with is never compared to none, since
chat templates put a default system prompt in where none is given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checks.shared import conversation as talk
from checks.shared.evidence import JOINT_TOKENS, ROUNDS, counts_live, missing_tokens, repeats
from checks.shared.outcome import Answer, last_outcome, outcome, until_told, words_of
from probe.api import (
    Depth,
    Diagnosis,
    Exchange,
    Finding,
    Inconclusive,
    Owner,
    Result,
    Severity,
    State,
    because,
    check,
    completion,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

_ABOUT = ("role", "system", "developer", "template", "message")
#: What makes a turn longer, so that the prompt has to grow; about 40 tokens.
MORE = (
    " Be polite and answer in one or two short sentences. Use plain words, leave out headings and lists, and say so "
    "when something is not known to you."
)
#: In the longer turn the code is no secret, so that a model that keeps secrets may tell it.
WORD_QUESTION = "What is the word of the day?"
_REFERENCE = "OpenAI API reference, chat completions: messages[].role"

SYSTEM_IGNORED = Diagnosis(
    code="roles.system-ignored",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="System messages never reach the model",
    what="A system message was taken without an error, but the model does not know what it says: the prompt tokens do "
    "not grow with it, or the model repeats the same sentence from a user message and not from the system message.",
    why="Agents and chat clients put their instructions there: the model acts as if it had none, without any error.",
    remedy="Use a chat template that prints the system role, and let the gateway pass system messages on; until then "
    "put the instructions into the first user message.",
    verify="usage.prompt_tokens grows with the length of the system message.",
    sources=(_REFERENCE, "ollama/ollama docs: Modelfile TEMPLATE"),
)
SYSTEM_REJECTED = Diagnosis(
    code="roles.system-rejected",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="System messages are refused",
    what="A conversation that begins with a system message was refused, although the endpoint answers chat requests.",
    why="Nearly every client sends its instructions as a system message and gets an error for each request.",
    remedy="Serve the model with a chat template that takes the system role or puts it into the first user turn; or "
    "use a client that puts its instructions into the user message.",
    verify="A conversation with one leading system message is answered with status 200.",
    sources=(_REFERENCE, "BerriAI/litellm docs: supports_system_message", "google gemma chat template"),
)
DEVELOPER_REJECTED = Diagnosis(
    code="roles.developer-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="The developer role is not taken",
    what="A conversation with a message of role `developer` was refused with an error.",
    why="Few clients send it, and those that do can send `system`.",
    remedy="Let the client send `system` in place of `developer`.",
    verify="A conversation with a developer message is answered with status 200.",
    sources=(_REFERENCE, "vllm-project/vllm vllm/entrypoints/chat_utils.py"),
)
DEVELOPER_IGNORED = Diagnosis(
    code="roles.developer-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Developer messages never reach the model",
    what="A message of role `developer` was taken without an error, but the model does not know what it says.",
    why="A client that sends its instructions as `developer` gets answers without them, and no error.",
    remedy="Let the client send `system`; or let the server map `developer` to `system`.",
    verify="usage.prompt_tokens grows with the length of the developer message.",
    sources=(_REFERENCE, "ollama/ollama template/template.go"),
)


@dataclass(frozen=True)
class Round:
    """The same sentence with a code in a turn of the role, and in one of another role before the newest user turn.

    ``control`` is None where the role's own turn was enough.
    """

    code: str
    turned: Exchange
    control: Exchange | None = None

    @property
    def told(self) -> bool:
        return repeats(self.turned, self.code)

    @property
    def only_elsewhere(self) -> bool:
        """Whether the model knows the code from the other role alone."""
        answered = completion.is_completion(self.turned)
        return answered and not self.told and self.control is not None and repeats(self.control, self.code)


@dataclass(frozen=True)
class Asked:
    """The requests about one role; those that were not needed are left out.

    ``short`` has the code in its turn and was sent once or twice, ``longer`` has the code and
    more.  ``rounds`` are asked where no count of tokens tells, until one speaks for the role.
    """

    short: Sequence[Exchange]
    longer: Exchange | None = None
    rounds: Sequence[Round] = ()


@check(
    "roles.system",
    title="Send a system message",
    proves="What a system message says reaches the model.",
    requires={"chat"},
    provides={"system_role"},
    emits=(SYSTEM_IGNORED, SYSTEM_REJECTED),
    max_requests=9,
    max_tokens=2000,
)
async def system_role(ctx: Context) -> Result:
    first = await talk.plain(ctx)
    if completion.is_completion(first) and repeats(first, talk.codes_of(ctx)[0]):
        return Result(verdicts={"system_role": works("the model knows a code from it")}, facts={"roles": ["system"]})
    code = ctx.nonce("system")
    return diagnose_role("system", await _ask(ctx, "system", code), code, counts_live(ctx.exchanges))


@check(
    "roles.developer",
    title="Send a developer message",
    proves="What a developer message says reaches the model.",
    requires={"chat"},
    after={"system_role"},
    provides={"developer_role"},
    emits=(DEVELOPER_IGNORED, DEVELOPER_REJECTED),
    max_requests=8,
    max_tokens=1800,
)
async def developer_role(ctx: Context) -> Result:
    code = ctx.nonce("developer")
    known = ctx.facts.get("roles")
    other = "system" if isinstance(known, list) and "system" in known else "user"
    asked = await _ask(ctx, "developer", code, other)
    return diagnose_role("developer", asked, code, counts_live(ctx.exchanges), known)


async def _ask(ctx: Context, role: str, code: str, other: str = "user") -> Asked:
    """The code in a turn of this role; where it does not come back, the same longer, and in a turn of another role.

    That turn comes before the question, too: a model may use nothing but the newest turn.
    """

    async def send(code: str = code) -> Exchange:
        return await ctx.chat(talk.easy(role, (code, ""), blocks=False)[0], limit=talk.LIMIT)

    short = await until_told(send, *_ABOUT)
    try:
        answered = outcome(short[-1], *_ABOUT) is Answer.DONE
    except Inconclusive:
        answered = False
    if not answered or repeats(short[-1], code):
        return Asked(short)
    messages = [talk.turn(role, f"The word of the day is {code}.{MORE}"), talk.turn("user", WORD_QUESTION)]
    longer = await ctx.chat(messages, limit=talk.LIMIT)
    if repeats(longer, code) or (missing_tokens(longer, short[-1]) is not None and counts_live(ctx.exchanges)):
        return Asked(short, longer)
    rounds = [Round(code, short[-1], await _elsewhere(ctx, other, code))]
    while len(rounds) < ROUNDS and rounds[-1].only_elsewhere:
        fresh = ctx.nonce(f"{role}-{len(rounds)}")
        again = Round(fresh, await send(fresh))
        if not again.told:
            again = replace(again, control=await _elsewhere(ctx, other, fresh))
        rounds.append(again)
    return Asked(short, longer, rounds)


async def _elsewhere(ctx: Context, role: str, code: str) -> Exchange:
    """The same sentence in a turn of this other role, and the question after it."""
    between = [talk.turn("assistant", talk.HELLO)] if role == "user" else []
    messages = [talk.turn(role, talk.secret(code)), *between, talk.turn("user", talk.QUESTION)]
    return await ctx.chat(messages, limit=talk.LIMIT)


def diagnose_role(role: str, asked: Asked, code: str, live: bool, known: object = None) -> Result:
    """What became of a turn of this role.

    Args:
        role: system or developer.
        code: what the turn says.
        live: whether prompt tokens follow what is sent.
        known: the roles that are known to work.

    Raises:
        Inconclusive: the request was lost, or failed once without saying why.
    """
    capability = f"{role}_role"
    last = asked.short[-1]
    if last_outcome(asked.short, *_ABOUT) is not Answer.DONE:
        finding = _refused(role, last)
        return Result((finding,), {capability: because(State.REJECTED, finding)})
    told = any(item is not None and repeats(item, code) for item in (last, asked.longer))
    if told or any(one.told for one in asked.rounds):
        listed = [str(item) for item in known] if isinstance(known, list | tuple) else []
        verdict = works("the model knows a code from it")
        return Result(verdicts={capability: verdict}, facts={"roles": [*listed, role]})
    grown = missing_tokens(asked.longer, last) if asked.longer is not None and live else None
    if grown is not None and grown > len(MORE) // 12:
        note = "by the count of prompt tokens it reaches the model, which does not answer from it"
        return Result(verdicts={capability: unknown(note)})
    dropped = grown is not None and abs(grown) <= JOINT_TOKENS
    elsewhere = len(asked.rounds) == ROUNDS and all(one.only_elsewhere for one in asked.rounds)
    if not dropped and not (elsewhere and asked.longer is not None and completion.is_completion(asked.longer)):
        note = "the model does not repeat a code from it, nor surely from another message" if asked.rounds else ""
        return Result(verdicts={capability: unknown(note or "the counts of prompt tokens tell nothing of it")})
    finding = _ignored(role, asked, code, dropped)
    return Result((finding,), {capability: because(State.IGNORED, finding)})


def _refused(role: str, exchange: Exchange) -> Finding:
    diagnosis = SYSTEM_REJECTED if role == "system" else DEVELOPER_REJECTED
    return diagnosis.found(
        f"A conversation with a {role} message was refused: {words_of(exchange)}.",
        exchange.shows("/response/status", expected=200, actual=exchange.status),
    )


def _ignored(role: str, asked: Asked, code: str, dropped: bool) -> Finding:
    diagnosis = SYSTEM_IGNORED if role == "system" else DEVELOPER_IGNORED
    last = asked.short[-1]
    said = completion.answer(last)[:160]
    evidence = [last.shows("/response/body/choices/0/message/content", expected=code, actual=said)]
    detail = f"The model does not know {code}, which the {role} message says"
    if dropped and asked.longer is not None:
        counts = completion.prompt_tokens(last), completion.prompt_tokens(asked.longer)
        detail += f", and a {role} message with 40 tokens more leaves the prompt at {counts[1]} (before: {counts[0]})"
        evidence.append(
            asked.longer.shows("/response/body/usage/prompt_tokens", expected=f"over {counts[0]}", actual=counts[1])
        )
    else:
        detail += f", and repeats it from another message before the question, {ROUNDS} times of {ROUNDS}"
        control = asked.rounds[0].control
        assert control is not None
        answer = completion.answer(control)[:160]
        evidence.append(control.shows("/response/body/choices/0/message/content", expected=code, actual=answer))
    return diagnosis.found(f"{detail}.", *evidence, confidence=0.95 if dropped else 0.75)


# Rarer forms -------------------------------------------------------------------------------------


@check(
    "roles.order",
    title="Send system messages twice, late, and a started answer",
    proves="Which rarer forms of a conversation are taken and understood.",
    requires={"chat"},
    after={"system_role", "developer_role"},
    max_requests=3,
    max_tokens=700,
    depth=Depth.DEEP,
)
async def order(ctx: Context) -> Result:
    codes = ctx.nonce("two-systems-1"), ctx.nonce("two-systems-2")
    late, copied = ctx.nonce("late-system"), ctx.nonce("copied")
    forms = {
        "multi_system": [
            talk.turn("system", talk.secret(codes[0])),
            talk.turn("system", f"The second code is {codes[1]}."),
            talk.turn("user", "What are the two codes?"),
        ],
        "mid_system": [
            talk.turn("user", "Hello"),
            talk.turn("assistant", talk.HELLO),
            talk.turn("system", talk.secret(late)),
            talk.turn("user", talk.QUESTION),
        ],
        "assistant_prefill": [talk.turn("user", f"Repeat exactly: {copied}"), talk.turn("assistant", PREFIX)],
    }
    told = {name: await ctx.chat(messages, limit=talk.LIMIT) for name, messages in forms.items()}
    return diagnose_order(told, codes, late, copied, ctx.facts.get("roles"))


#: The start of an answer that no model would choose by itself.
PREFIX = "KUMQUAT-"


def diagnose_order(
    told: dict[str, Exchange], codes: tuple[str, str], late: str, copied: str, known: object = None
) -> Result:
    """Which of the rarer forms were understood; a form that was refused or not understood is left out."""
    good = []
    wanted = {"multi_system": codes, "mid_system": (late,)}
    for name, exchange in told.items():
        if not completion.is_completion(exchange):
            continue
        if name == "assistant_prefill":
            understood = continues(completion.answer(exchange), copied)
        else:
            understood = all(repeats(exchange, code) for code in wanted[name])
        if understood:
            good.append(name)
    listed = [str(item) for item in known] if isinstance(known, list | tuple) else []
    left = [name for name in told if name not in good]
    note = f"refused or not understood: {', '.join(left)}" if left else ""
    return Result(facts={"roles": [*listed, *good] or None}, note=note)


def continues(answer: str, copied: str) -> bool:
    """Whether an answer goes on from ``KUMQUAT-`` where ``copied`` was to be repeated.

    It begins with the digits of the code, or with the given start (llama.cpp returns it too);
    an answer of its own begins with the code's word.
    """
    word, _, digits = copied.partition("-")
    said = answer.strip().lstrip("\"'`*").upper()
    if re.match(re.escape(PREFIX), said) or said.startswith(digits):
        return True
    return digits in said and word not in said and PREFIX in said
