"""Whether message roles are accepted, and whether their content reaches the model.

The model must repeat a code from the message under test.  If it does not, a longer message of that role
decides: if the prompt tokens grow, the message reached the model, which did not use it; if they stay, the
message was dropped.  Requests with and without a message are never compared, since chat templates insert a
default system prompt if there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from checks.shared import conversation as talk
from checks.shared.evidence import JOINT_TOKENS, counts_live, missing_tokens, repeats
from checks.shared.outcome import Answer, last_outcome, outcome, words_of
from checks.shared.trials import ROUNDS, repeat_unclear
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
    check,
    completion,
    unknown,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

_FEATURE_WORDS = ("role", "system", "developer", "template", "message")
#: Lengthens a message by about 40 tokens, so that the prompt has to grow.
MORE = (
    " Be polite and answer in one or two short sentences. Use plain words, leave out headings and lists, and say so "
    "when something is not known to you."
)
#: The code in the longer message is not called secret, so that a model that keeps secrets names it.
WORD_QUESTION = "What is the word of the day?"
_REFERENCE = "OpenAI API reference, chat completions: messages[].role"

SYSTEM_IGNORED = Diagnosis(
    code="roles.system-ignored",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="System messages do not reach the model",
    what="A system message was accepted, but the model does not know its content: either the prompt tokens do not grow "
    "with the message, or the model repeats the same sentence from a user message and not from the system message.",
    why="Agents and chat clients send their instructions as a system message; the model ignores them without an error.",
    remedy="Use a chat template that renders the system role, and let the gateway forward system messages; until then "
    "put the instructions into the first user message.",
    verify="usage.prompt_tokens grows with the length of the system message.",
    sources=(_REFERENCE, "ollama/ollama docs: Modelfile TEMPLATE"),
)
SYSTEM_REJECTED = Diagnosis(
    code="roles.system-rejected",
    severity=Severity.ERROR,
    owner=Owner.SERVER,
    title="System messages rejected",
    what="A conversation that begins with a system message was refused; requests without one are answered.",
    why="Nearly every client sends its instructions as a system message and gets an error for each request.",
    remedy="Use a chat template that accepts the system role or moves it into the first user message, or use a client "
    "that puts its instructions into the user message.",
    verify="A conversation with a leading system message is answered with status 200.",
    sources=(_REFERENCE, "BerriAI/litellm docs: supports_system_message", "google gemma chat template"),
)
DEVELOPER_REJECTED = Diagnosis(
    code="roles.developer-rejected",
    severity=Severity.INFO,
    owner=Owner.SERVER,
    title="Developer messages rejected",
    what="A conversation with a message of role `developer` was refused.",
    why="Few clients send this role, and those that do can send `system`.",
    remedy="Configure the client to send `system` in place of `developer`.",
    verify="A conversation with a developer message is answered with status 200.",
    sources=(_REFERENCE, "vllm-project/vllm vllm/entrypoints/chat_utils.py"),
)
DEVELOPER_IGNORED = Diagnosis(
    code="roles.developer-ignored",
    severity=Severity.WARNING,
    owner=Owner.SERVER,
    title="Developer messages do not reach the model",
    what="A message of role `developer` was accepted, but the model does not know its content.",
    why="Clients that send their instructions as `developer` get answers that ignore them, without an error.",
    remedy="Configure the client to send `system`, or let the server map `developer` to `system`.",
    verify="usage.prompt_tokens grows with the length of the developer message.",
    sources=(_REFERENCE, "ollama/ollama template/template.go"),
)


@dataclass(frozen=True)
class Round:
    """One code in a message of the role, and in a message of another role before the newest user message.

    ``control`` is None if the model knew the code from the role's own message.
    """

    code: str
    own: Exchange
    control: Exchange | None = None

    @property
    def repeated(self) -> bool:
        return repeats(self.own, self.code)

    @property
    def only_elsewhere(self) -> bool:
        """Whether the model knows the code from the other role alone."""
        answered = completion.is_completion(self.own)
        return answered and not self.repeated and self.control is not None and repeats(self.control, self.code)


@dataclass(frozen=True)
class Asked:
    """The requests about one role; those that were not needed are left out.

    ``short`` has the code in its message and was sent once or twice; ``longer`` has the code and ``MORE``.
    ``rounds`` are sent if token counts decide nothing, until one speaks for the role.
    """

    short: Sequence[Exchange]
    longer: Exchange | None = None
    rounds: Sequence[Round] = ()


@check(
    "roles.system",
    title="Send a system message",
    proves="The content of a system message reaches the model.",
    requires={"chat"},
    provides={"system_role"},
    emits=(SYSTEM_IGNORED, SYSTEM_REJECTED),
    max_requests=9,
    max_tokens=2000,
)
async def system_role(ctx: Context) -> Result:
    first = await talk.plain(ctx)
    if completion.is_completion(first) and repeats(first, talk.codes_of(ctx)[0]):
        return Result(verdicts={"system_role": works("the model repeats a code from it")}, facts={"roles": ["system"]})
    code = ctx.nonce("system")
    return diagnose_role("system", await _ask(ctx, "system", code), code, counts_live(ctx.exchanges))


@check(
    "roles.developer",
    title="Send a developer message",
    proves="The content of a developer message reaches the model.",
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
    """The code in a message of this role; if it is not repeated, a longer message, and one of another role.

    That message also comes before the question, since a model may use the newest message only.
    """

    async def send(code: str = code) -> Exchange:
        return await ctx.chat(talk.easy(role, (code, ""), blocks=False)[0], limit=talk.LIMIT)

    short = await repeat_unclear(send, *_FEATURE_WORDS)
    try:
        answered = outcome(short[-1], *_FEATURE_WORDS) is Answer.DONE
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
        if not again.repeated:
            again = replace(again, control=await _elsewhere(ctx, other, fresh))
        rounds.append(again)
    return Asked(short, longer, rounds)


async def _elsewhere(ctx: Context, role: str, code: str) -> Exchange:
    """The same sentence in a message of another role, followed by the question."""
    between = [talk.turn("assistant", talk.HELLO)] if role == "user" else []
    messages = [talk.turn(role, talk.secret(code)), *between, talk.turn("user", talk.QUESTION)]
    return await ctx.chat(messages, limit=talk.LIMIT)


def diagnose_role(role: str, asked: Asked, code: str, live: bool, known: object = None) -> Result:
    """Whether messages of this role reach the model.

    Args:
        role: system or developer.
        code: the code in the message.
        live: whether prompt tokens follow the prompt.
        known: the roles that are known to work.

    Raises:
        Inconclusive: the request was lost, or failed once without a reason.
    """
    capability = f"{role}_role"
    last = asked.short[-1]
    if last_outcome(asked.short, *_FEATURE_WORDS) is not Answer.DONE:
        diagnosis = SYSTEM_REJECTED if role == "system" else DEVELOPER_REJECTED
        detail = f"A conversation with a {role} message was refused: {words_of(last)}."
        return Result.of(diagnosis.found(detail, last.shows_status(200)), **{capability: State.REJECTED})
    direct = any(item is not None and repeats(item, code) for item in (last, asked.longer))
    if direct or any(one.repeated for one in asked.rounds):
        listed = [str(item) for item in known] if isinstance(known, list | tuple) else []
        verdict = works("the model repeats a code from it")
        return Result(verdicts={capability: verdict}, facts={"roles": [*listed, role]})
    grown = missing_tokens(asked.longer, last) if asked.longer is not None and live else None
    if grown is not None and grown > len(MORE) // 12:
        note = "the prompt tokens grow with it, but the model does not answer from it"
        return Result(verdicts={capability: unknown(note)})
    dropped = grown is not None and abs(grown) <= JOINT_TOKENS
    elsewhere = len(asked.rounds) == ROUNDS and all(one.only_elsewhere for one in asked.rounds)
    if not dropped and not (elsewhere and asked.longer is not None and completion.is_completion(asked.longer)):
        note = "the model repeats a code neither from it nor reliably from another message" if asked.rounds else ""
        return Result(verdicts={capability: unknown(note or "the counts of prompt tokens decide nothing")})
    return Result.of(_ignored(role, asked, code, dropped), **{capability: State.IGNORED})


def _ignored(role: str, asked: Asked, code: str, dropped: bool) -> Finding:
    diagnosis = SYSTEM_IGNORED if role == "system" else DEVELOPER_IGNORED
    last = asked.short[-1]
    content = "/response/body/choices/0/message/content"
    evidence = [last.shows(content, expected=code, actual=completion.answer(last)[:160])]
    detail = f"The model does not know {code} from the {role} message"
    if dropped and asked.longer is not None:
        before, after = completion.prompt_tokens(last), completion.prompt_tokens(asked.longer)
        detail += f", and a {role} message with 40 more tokens leaves the prompt at {after} tokens (before: {before})"
        evidence.append(
            asked.longer.shows("/response/body/usage/prompt_tokens", expected=f"over {before}", actual=after)
        )
    else:
        detail += f", and repeats it from another message before the question, {ROUNDS} of {ROUNDS} times"
        control = asked.rounds[0].control
        assert control is not None
        evidence.append(control.shows(content, expected=code, actual=completion.answer(control)[:160]))
    return diagnosis.found(f"{detail}.", *evidence, confidence=0.95 if dropped else 0.75)


# Rarer conversation forms ---------------------------------------------------------------------------

#: The start of an answer that a model would not choose by itself.
PREFIX = "KUMQUAT-"


@check(
    "roles.order",
    title="Send late system messages and a started answer",
    proves="Which rarer forms of a conversation are accepted and understood.",
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
    answers = {name: await ctx.chat(messages, limit=talk.LIMIT) for name, messages in forms.items()}
    return diagnose_order(answers, codes, late, copied, ctx.facts.get("roles"))


def diagnose_order(
    answers: dict[str, Exchange], codes: tuple[str, str], late: str, copied: str, known: object = None
) -> Result:
    """Which of the rarer forms were understood; forms that were refused or not understood are only noted."""
    good = []
    wanted = {"multi_system": codes, "mid_system": (late,)}
    for name, exchange in answers.items():
        if not completion.is_completion(exchange):
            continue
        if name == "assistant_prefill":
            understood = continues(completion.answer(exchange), copied)
        else:
            understood = all(repeats(exchange, code) for code in wanted[name])
        if understood:
            good.append(name)
    listed = [str(item) for item in known] if isinstance(known, list | tuple) else []
    missing = ", ".join(name for name in answers if name not in good)
    note = f"refused or not understood: {missing}" if missing else ""
    return Result(facts={"roles": [*listed, *good] or None}, note=note)


def continues(answer: str, copied: str) -> bool:
    """Whether an answer continues ``KUMQUAT-`` where ``copied`` was to be repeated.

    It begins with the digits of the code, or with the given start (llama.cpp returns it too); a new answer
    begins with the code's word.
    """
    word, _, digits = copied.partition("-")
    text = answer.strip().lstrip("\"'`*").upper()
    if text.startswith((PREFIX, digits)):
        return True
    return digits in text and word not in text and PREFIX in text
