"""Which parameter a refusal names, and whether a parameter had an effect on an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from checks.shared.outcome import Answer, outcome
from probe.api import Exchange, completion, member

_COMMON_WORDS = ("user", "stop", "seed", "n")


def named(exchange: Exchange, names: Iterable[str]) -> list[str]:
    """Those of the parameters that a refusal names.

    Names that are common words as well (user, stop, seed) count only in quotes, after ``body.``, or if the
    error gives them as its parameter.
    """
    body = completion.body_of(exchange)
    text = completion.error_text(exchange)[:1500]
    pointed = {str(member(body, *path)) for path in (("error", "param"), ("param",))}
    for item in _details(body):
        where = item.get("loc")
        if isinstance(where, list):
            pointed.update(str(step) for step in where)
            text += " " + " ".join(f"'{step}'" for step in where)
    found = []
    for name in names:
        quoted = re.search(rf"(?:['\"`]|body\.|body -> ){re.escape(name)}(?:['\"`]|\b)", text)
        plain = name not in _COMMON_WORDS and re.search(rf"\b{re.escape(name)}\b", text)
        if name in pointed or quoted or plain:
            found.append(name)
    return found


def _details(body: Any) -> list[dict[str, Any]]:
    """FastAPI's list of validation errors, in any of its places."""
    for path in (("detail",), ("message", "detail"), ("error", "detail"), ("error", "details")):
        listed = member(body, *path)
        if isinstance(listed, list):
            return [item for item in listed if isinstance(item, dict)]
    return []


class Limit(StrEnum):
    """Whether the answer keeps the token limit."""

    KEPT = "kept"
    EXCEEDED = "exceeded"
    UNKNOWN = "unknown"
    REFUSED = "refused"


def limit_of(exchange: Exchange, limit: int, *about: str) -> Limit:
    """Whether the answer to a question that needs more than ``limit`` tokens keeps the limit.

    Judged by finish reason, counted tokens and words.  Thinking may or may not count, so counted tokens alone
    prove nothing for a model that thinks.

    Raises:
        Inconclusive: the request was lost.
    """
    if outcome(exchange, *about) is not Answer.DONE:
        return Limit.REFUSED
    words = len(re.findall(r"\w+", completion.answer(exchange)))
    written = completion.usage(exchange)[1]
    if words > 2 * limit:
        return Limit.EXCEEDED
    if completion.finish_reason(exchange) in ("length", "max_tokens", "model_length") or written == limit:
        return Limit.KEPT
    thinks = bool(completion.reasoning_of(exchange)[1])
    if written is not None and written > 2 * limit + 2 and words > limit and not thinks:
        return Limit.EXCEEDED
    return Limit.UNKNOWN


def cut_unreported(exchange: Exchange) -> bool:
    """Whether an answer used up its token limit in the middle of a count to 40 and claims to be complete."""
    if not completion.is_completion(exchange) or completion.finish_reason(exchange) != "stop":
        return False
    limit, written = completion.token_limit(exchange), completion.usage(exchange)[1]
    numbers = [int(one) for one in re.findall(r"\d{1,3}", completion.answer(exchange)[:2000])]
    return bool(written) and written == limit and 2 < len(numbers) < 40 and numbers[:3] == [1, 2, 3]


def ends_in_thinking(exchange: Exchange) -> bool:
    """Whether an answer has thinking, no text, and claims to be complete."""
    complete = completion.is_completion(exchange) and completion.finish_reason(exchange) == "stop"
    return complete and not completion.answer(exchange) and completion.reasoning_of(exchange)[0] is not None


class Stop(StrEnum):
    """The effect of a stop sequence."""

    STOPPED = "stopped"
    KEPT = "stopped, with the sequence in the text"
    IGNORED = "continued after it"
    UNKNOWN = "unknown"


def stop_of(exchange: Exchange, sequences: Sequence[str]) -> tuple[Stop, str]:
    """The effect of the stop sequences on an answer, and the sequence that shows it.

    A count that is stopped by its number contains the number before; any other text is stopped by the word alone.
    """
    text = completion.answer(exchange)
    before = str(int(sequences[0]) - 1) if sequences[0].isdigit() else sequences[0]
    present = sorted((text.index(item), item) for item in sequences if item in text)
    if present:
        place, item = present[0]
        return (Stop.IGNORED if text[place + len(item) :].strip() else Stop.KEPT), item
    choice = member(completion.body_of(exchange), "choices", 0)
    for key in ("stop_reason", "matched_stop", "stop_str"):
        if member(choice, key) in sequences:
            return Stop.STOPPED, str(member(choice, key))
    if before in text and completion.finish_reason(exchange) != "length":
        return Stop.STOPPED, sequences[0]
    return Stop.UNKNOWN, ""


#: Characters of an answer in which a word is looked for; each word costs one look through them.
_LOOKED_AT = 4_000


def word_within(text: str) -> str | None:
    """A word from the middle of an answer with the space before it, as a stop sequence.

    The last word if the middle has none; None if the answer has at most one word.
    """
    text = text[:_LOOKED_AT]
    found = [match for match in re.finditer(r" [A-Za-z]{2,}", text) if text.index(match[0]) == match.start() > 0]
    after = [match for match in found if match.start() >= 0.3 * len(text)]
    return (after or found[-1:])[0][0] if found else None


@dataclass(frozen=True)
class SecondTry:
    """The same request with a word of the first answer as stop sequence, for models that do not count to seven."""

    exchange: Exchange
    word: str

    def effect(self, first: str) -> Stop:
        """The effect of the word, compared with the first answer."""
        effect, _ = stop_of(self.exchange, (self.word,))
        text = completion.answer(self.exchange).rstrip()
        if effect is Stop.KEPT and first.rstrip().endswith(self.word):
            return Stop.UNKNOWN  # the answer may have ended there by itself
        if effect is Stop.UNKNOWN and text and first.startswith(text) and first[len(text) :].startswith(self.word):
            return Stop.STOPPED
        return effect


class Logprobs(StrEnum):
    """The form of log probabilities in an answer."""

    GIVEN = "given"
    OLD = "in the shape of the old completions API"
    NONE = "none"


def logprobs_of(exchange: Exchange) -> Logprobs:
    """The form of the first choice's log probabilities."""
    found = member(completion.body_of(exchange), "choices", 0, "logprobs")
    first = member(found, "content", 0)
    value = member(first, "logprob")
    if isinstance(member(first, "token"), str) and isinstance(value, int | float) and not isinstance(value, bool):
        return Logprobs.GIVEN
    if isinstance(member(found, "token_logprobs"), list) or isinstance(member(found, "tokens"), list):
        return Logprobs.OLD
    return Logprobs.NONE
