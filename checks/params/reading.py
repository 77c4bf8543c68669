"""Reading answers to requests with parameters: who was refused, and what had an effect.  Pure."""

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

    Names that are common words as well (user, stop, seed) count only in quotes, after
    ``body.``, or where the error gives them as its parameter.
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
    """FastAPI's list of complaints, wherever it is kept."""
    for path in (("detail",), ("message", "detail"), ("error", "detail"), ("error", "details")):
        listed = member(body, *path)
        if isinstance(listed, list):
            return [item for item in listed if isinstance(item, dict)]
    return []


class Heeded(StrEnum):
    """Whether a limit was kept."""

    YES = "kept"
    NO = "exceeded"
    UNTOLD = "could not be told"
    REFUSED = "refused"


def heeded(exchange: Exchange, limit: int, *about: str) -> Heeded:
    """Whether a limit of so many tokens was kept by the answer to a question that needs more.

    Judged by the finish reason, the tokens counted, and the words seen; thinking may or may
    not count, so tokens alone do not accuse a model that thinks.

    Raises:
        Inconclusive: the request was lost on the way.
    """
    if outcome(exchange, *about) is not Answer.DONE:
        return Heeded.REFUSED
    words = len(re.findall(r"\w+", completion.answer(exchange)))
    written = completion.usage(exchange)[1]
    finish = completion.finish_reason(exchange)
    if words > 2 * limit:
        return Heeded.NO
    if finish in ("length", "max_tokens", "model_length") or written == limit:
        return Heeded.YES
    thinks = bool(completion.reasoning_of(exchange)[1])
    if written is not None and written > 2 * limit + 2 and words > limit and not thinks:
        return Heeded.NO
    return Heeded.UNTOLD


class Stopped(StrEnum):
    """What a stop sequence did."""

    YES = "stopped"
    KEPT = "stopped, with the sequence in the text"
    NO = "went on after it"
    UNTOLD = "could not be told"


def stopped(exchange: Exchange, sequences: Sequence[str], before: str) -> tuple[Stopped, str]:
    """What the stop sequences did to an answer, and the sequence that shows it.

    Args:
        before: what a right answer holds just before the first sequence.
    """
    text = completion.answer(exchange)
    present = sorted((text.index(item), item) for item in sequences if item in text)
    if present:
        place, item = present[0]
        if text[place + len(item) :].strip():
            return Stopped.NO, item
        return Stopped.KEPT, item
    choice = member(completion.body_of(exchange), "choices", 0)
    for key in ("stop_reason", "matched_stop", "stop_str"):
        if member(choice, key) in sequences:
            return Stopped.YES, str(member(choice, key))
    if before in text and completion.finish_reason(exchange) != "length":
        return Stopped.YES, sequences[0]
    return Stopped.UNTOLD, ""


def word_within(text: str) -> str | None:
    """A word from the middle of an answer, with the space before it, that a stop sequence can be made of.

    The last one where the middle has none; None where the answer is a word or less.
    """
    found = [match for match in re.finditer(r" [A-Za-z]{2,}", text) if text.index(match[0]) == match.start() > 0]
    after = [match for match in found if match.start() >= 0.3 * len(text)]
    return (after or found[-1:])[0][0] if found else None


@dataclass(frozen=True)
class Second:
    """The same request with a word of the first answer as its stop sequence: a small model counts to no seven."""

    exchange: Exchange
    word: str

    def told(self, first: str) -> Stopped:
        """What the word did, beside the first answer."""
        told, _ = stopped(self.exchange, (self.word,), self.word)
        text = completion.answer(self.exchange).rstrip()
        if told is Stopped.KEPT and first.rstrip().endswith(self.word):
            return Stopped.UNTOLD  # the answer may have ended there by itself
        if told is Stopped.UNTOLD and text and first.startswith(text) and first[len(text) :].startswith(self.word):
            return Stopped.YES
        return told


class Chances(StrEnum):
    """In what form log probabilities came."""

    GIVEN = "given"
    OLD = "in the shape of the old completions API"
    NONE = "none"


def chances(exchange: Exchange) -> Chances:
    """The form of the first choice's log probabilities."""
    found = member(completion.body_of(exchange), "choices", 0, "logprobs")
    first = member(found, "content", 0)
    value = member(first, "logprob")
    if isinstance(member(first, "token"), str) and isinstance(value, int | float) and not isinstance(value, bool):
        return Chances.GIVEN
    if isinstance(member(found, "token_logprobs"), list) or isinstance(member(found, "tokens"), list):
        return Chances.OLD
    return Chances.NONE
