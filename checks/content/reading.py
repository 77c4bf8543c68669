"""What became of content that was sent as blocks, judged against the same text as strings.  Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from checks.shared.evidence import JOINT_TOKENS, missing_tokens, repeats
from checks.shared.outcome import Answer, outcome
from probe.api import Exchange, Inconclusive

#: Words by which a 5xx says that it minds blocks.
ABOUT = ("content", "list", "string", "str", "block", "messages", "type")
UNNAMED = "the model repeats no code, and tokens are not counted"


class Fate(StrEnum):
    """What became of blocks."""

    READ = "read whole"
    LOST = "accepted, and lost"
    SUSPECT = "accepted; tokens fit, and the model does not name a code that it named before"
    REFUSED = "refused"
    UNTOLD = "could not be told"


@dataclass(frozen=True)
class Seen:
    """One conversation with blocks: its fate, and what shows it.

    ``loss`` is how many prompt tokens it has less than with strings, None where they are not
    counted; ``missing`` are the codes named with strings only; ``named`` those named with both.
    """

    fate: Fate
    exchange: Exchange
    loss: int | None = None
    missing: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    why: str = ""

    @property
    def doubtful(self) -> bool:
        """Whether a plainer question is wanted: the counts and the answer differ, or only one answer tells."""
        return self.fate is Fate.SUSPECT or (self.fate is Fate.LOST and self.loss is None)


def compare(strings: Exchange, blocks: Exchange, codes: Sequence[str], live: bool) -> Seen:
    """Judge a conversation with blocks by the one with strings.

    Args:
        codes: the codes in the conversation.
        live: whether prompt tokens follow what is sent; otherwise they are left out of account.
    """
    try:
        answer = outcome(blocks, *ABOUT)
    except Inconclusive as said:
        return Seen(Fate.UNTOLD, blocks, why=str(said))
    if answer is not Answer.DONE:
        return Seen(Fate.REFUSED, blocks)
    known = [code for code in codes if repeats(strings, code)]
    missing = tuple(code for code in known if not repeats(blocks, code))
    named = tuple(code for code in codes if repeats(blocks, code))
    loss = missing_tokens(strings, blocks) if live else None
    if loss is not None:
        fate = Fate.LOST if loss > JOINT_TOKENS else Fate.SUSPECT if missing else Fate.READ
    else:
        fate = Fate.LOST if missing else Fate.READ if len(named) == len(codes) else Fate.UNTOLD
    why = UNNAMED if fate is Fate.UNTOLD else ""
    return Seen(fate, blocks, loss, missing, named, why)


def settle(mixed: Seen, strings: Exchange, codes: tuple[str, str], roles: Sequence[str]) -> dict[str, Seen] | None:
    """What the conversation with blocks in all roles tells of each role; None where each must be tried.

    Raises:
        Inconclusive: a request was lost on the way, or the conversation as strings was not answered.
    """
    try:
        answered = outcome(strings, *ABOUT) is Answer.DONE
    except Inconclusive as said:
        raise Inconclusive(f"the conversation as strings: {said}") from None
    if not answered:
        raise Inconclusive("the conversation is refused as strings, too")
    if mixed.fate is Fate.UNTOLD and mixed.why != UNNAMED:
        raise Inconclusive(mixed.why)
    if mixed.fate in (Fate.LOST, Fate.REFUSED):
        return None
    doubted = replace(mixed, fate=Fate.SUSPECT)
    if mixed.fate is Fate.UNTOLD:
        return dict.fromkeys(roles, doubted)
    read = replace(mixed, fate=Fate.READ)
    seen = {role: doubted if set(owned(role, codes, roles)) & set(mixed.missing) else read for role in roles}
    if mixed.missing:
        # The question is the user's last block: a model that was not asked does not answer.
        seen["user"] = doubted
    if mixed.loss is None:
        # The assistant's turn holds no code, so without counts nothing is known of it yet.
        seen["assistant"] = doubted
    return seen


def owned(role: str, codes: tuple[str, str], roles: Collection[str]) -> tuple[str, ...]:
    """The codes that stand in a role's turns."""
    if role == "assistant":
        return ()
    return codes if "system" not in roles else codes[:1] if role == "system" else codes[1:]


def compare_role(
    strings: Exchange, mixed: Exchange, told: Mapping[str, Exchange], codes: tuple[str, str], live: bool
) -> dict[str, Seen]:
    """Judge conversations in which one role at a time has blocks.

    A 5xx counts as a refusal only where the conversation with blocks in all roles had one
    too.  Where the system's code came back though tokens of its only block are missing, the
    counts are not to be believed (some servers leave cached tokens out).
    """
    seen = {role: compare(strings, exchange, codes, live) for role, exchange in told.items()}
    system = seen.get("system")
    false_counts = (
        system is not None and system.fate is Fate.LOST and system.loss is not None and codes[0] in system.named
    )
    made: dict[str, Seen] = {}
    for role, one in seen.items():
        if one.fate is Fate.REFUSED and (one.exchange.status or 0) >= 500 and (mixed.status or 0) < 500:
            one = replace(one, fate=Fate.UNTOLD, why=f"status {one.exchange.status} once")
        elif false_counts and one.exchange.response is not None and one.fate is not Fate.REFUSED:
            one = compare(strings, one.exchange, codes, False)
        if role == "assistant" and one.fate in (Fate.READ, Fate.LOST) and one.loss is None:
            one = replace(one, fate=Fate.SUSPECT)  # its turn holds no code, so codes tell nothing of it
        made[role] = one
    return made
