"""Whether content blocks reached the model, judged against the same text as strings.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from checks.shared.evidence import JOINT_TOKENS, missing_tokens, repeats
from checks.shared.outcome import Answer, outcome
from probe.api import Exchange, Inconclusive

#: Words by which a 5xx shows that blocks are the cause.
ABOUT = ("content", "list", "string", "str", "block", "messages", "type")
UNNAMED = "the model repeats no code, and tokens are not counted"


class Fate(StrEnum):
    """The result for the blocks of a role."""

    READ = "read in full"
    LOST = "accepted and lost"
    SUSPECT = "accepted; the tokens match, but the model misses a code that it named before"
    REFUSED = "refused"
    UNCLEAR = "not determined"


@dataclass(frozen=True)
class Seen:
    """One conversation with blocks, and the evidence.

    ``loss`` is how many prompt tokens fewer it has than with strings (None without counts); ``missing`` are the codes
    named with strings only, ``named`` those named with blocks.
    """

    fate: Fate
    exchange: Exchange
    loss: int | None = None
    missing: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    why: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether a plainer question is needed: counts and answer differ, or one answer is the only evidence."""
        return self.fate is Fate.SUSPECT or (self.fate is Fate.LOST and self.loss is None)


def compare(strings: Exchange, blocks: Exchange, codes: Sequence[str], live: bool) -> Seen:
    """Judge a conversation with blocks by the one with strings.

    Args:
        codes: the codes in the conversation.
        live: whether the prompt token counts can be used.
    """
    try:
        answer = outcome(blocks, *ABOUT)
    except Inconclusive as reason:
        return Seen(Fate.UNCLEAR, blocks, why=str(reason))
    if answer is not Answer.DONE:
        return Seen(Fate.REFUSED, blocks)
    known = [code for code in codes if repeats(strings, code)]
    missing = tuple(code for code in known if not repeats(blocks, code))
    named = tuple(code for code in codes if repeats(blocks, code))
    loss = missing_tokens(strings, blocks) if live else None
    if loss is not None:
        fate = Fate.LOST if loss > JOINT_TOKENS else Fate.SUSPECT if missing else Fate.READ
    else:
        fate = Fate.LOST if missing else Fate.READ if len(named) == len(codes) else Fate.UNCLEAR
    why = UNNAMED if fate is Fate.UNCLEAR else ""
    return Seen(fate, blocks, loss, missing, named, why)


def settle(mixed: Seen, strings: Exchange, codes: tuple[str, str], roles: Sequence[str]) -> dict[str, Seen] | None:
    """The result for each role from the conversation with blocks in all; None where each must be tried.

    Raises:
        Inconclusive: a request was lost, or the conversation as strings was not answered.
    """
    try:
        answered = outcome(strings, *ABOUT) is Answer.DONE
    except Inconclusive as reason:
        raise Inconclusive(f"the conversation as strings: {reason}") from None
    if not answered:
        raise Inconclusive("the conversation is refused as strings too")
    if mixed.fate is Fate.UNCLEAR and mixed.why != UNNAMED:
        raise Inconclusive(mixed.why)
    if mixed.fate in (Fate.LOST, Fate.REFUSED):
        return None
    suspect = replace(mixed, fate=Fate.SUSPECT)
    if mixed.fate is Fate.UNCLEAR:
        return dict.fromkeys(roles, suspect)
    read = replace(mixed, fate=Fate.READ)
    seen = {role: suspect if set(owned(role, codes, roles)) & set(mixed.missing) else read for role in roles}
    if mixed.missing:
        # The question is in the last block of the user: a model that was not shown it does not answer.
        seen["user"] = suspect
    if mixed.loss is None:
        # The assistant message has no code, so without counts there is no evidence about it.
        seen["assistant"] = suspect
    return seen


def owned(role: str, codes: tuple[str, str], roles: Collection[str]) -> tuple[str, ...]:
    """The codes in the messages of a role."""
    if role == "assistant":
        return ()
    return codes if "system" not in roles else codes[:1] if role == "system" else codes[1:]


def compare_role(
    strings: Exchange, mixed: Exchange, answers: Mapping[str, Exchange], codes: tuple[str, str], live: bool
) -> dict[str, Seen]:
    """Judge conversations in which one role at a time has blocks.

    A 5xx counts as a refusal only where the conversation with blocks in all roles had one too.  Where the system's code
    came back although tokens of its only block are missing, the counts are wrong (some servers omit cached tokens).
    """
    seen = {role: compare(strings, exchange, codes, live) for role, exchange in answers.items()}
    system = seen.get("system")
    false_counts = (
        system is not None and system.fate is Fate.LOST and system.loss is not None and codes[0] in system.named
    )
    made: dict[str, Seen] = {}
    for role, one in seen.items():
        if one.fate is Fate.REFUSED and (one.exchange.status or 0) >= 500 and (mixed.status or 0) < 500:
            one = replace(one, fate=Fate.UNCLEAR, why=f"status {one.exchange.status} once")
        elif false_counts and one.exchange.response is not None and one.fate is not Fate.REFUSED:
            one = compare(strings, one.exchange, codes, False)
        if role == "assistant" and one.fate in (Fate.READ, Fate.LOST) and one.loss is None:
            one = replace(one, fate=Fate.SUSPECT)  # its message has no code
        made[role] = one
    return made
