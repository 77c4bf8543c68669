"""Whether the tools were shown to the model, from evidence that does not depend on its cooperation.  Pure.

Three signs, the strongest first:
- a forced choice refused because "no tools were given", though they were sent: a hop removed them;
- the prompt tokens of two requests whose tools differ in length (a comparison with no tools at all would mislead, since
  templates drop a default system prompt when tools come);
- a code in a tool's description that the model cannot name, although it can name one in a system message.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from checks.shared.evidence import repeats
from checks.shared.outcome import words_of
from checks.tools.reading import MOST_CALLS, Kind, Reading
from checks.tools.refusal import Refusal, meaning
from checks.tools.requests import offered
from probe.api import Evidence, Exchange, completion, wording


class Shown(StrEnum):
    """Whether the model was shown the tools."""

    YES = "the tools reached the model"
    NO = "the tools never reached the model"
    UNSURE = "no evidence whether the tools reached the model"


@dataclass(frozen=True)
class Growth:
    """Prompt tokens of the same question with short and with long tools.

    ``due`` is the least that the longer tools should add, in tokens.
    """

    long: Exchange
    before: int
    after: int
    due: int

    @property
    def grew(self) -> bool:
        return self.after - self.before >= self.due

    @property
    def stayed(self) -> bool:
        return abs(self.after - self.before) <= 2

    def evidence(self) -> Evidence:
        return self.long.shows(
            "/response/body/usage/prompt_tokens", expected=f"at least {self.before + self.due}", actual=self.after
        )


def growth(short: Exchange, long: Exchange) -> Growth | None:
    """The prompt tokens that longer tools added, or None without counts.

    A token of JSON and English rarely has more than six characters (OpenAI and Llama tokenizers: about four), and
    templates may drop half of a definition.
    """
    before, after = completion.prompt_tokens(short), completion.prompt_tokens(long)
    more = len(str(offered(long))) - len(str(offered(short)))
    if before is None or after is None or more <= 0:
        return None
    return Growth(long, before, after, max(16, more // 12))


@dataclass(frozen=True)
class Signs:
    """The answers gathered when no call came without force.

    Attributes:
        growth: of the prompt with the tools, None without counts.
        described: the answer to the question for the code in the tool's description, and the code.
        control: the same with the code in a system message.
        forced: the answers to forced choices.
        others: every other answer, in case it has a call.
        counted: the endpoint really counts prompt tokens.
    """

    growth: Growth | None = None
    described: tuple[Reading, str] | None = None
    control: tuple[Exchange, str] | None = None
    forced: tuple[Reading, ...] = ()
    others: tuple[Reading, ...] = ()
    counted: bool = True

    @property
    def code_named(self) -> bool | None:
        """Whether the model named the code of the description; None where it was not asked."""
        if self.described is None or not self.described[0].answered or self.described[0].kind is Kind.CUT:
            return None
        return names_code(self.described[0].exchange, self.described[1])

    @property
    def capable(self) -> bool | None:
        """Whether the model can name a code in a system message; None where it was not asked."""
        if self.control is None or not completion.is_completion(self.control[0]):
            return None
        return names_code(*self.control)

    @property
    def forced_calls(self) -> tuple[Reading, ...]:
        return tuple(reading for reading in self.forced if reading.kind is Kind.CALLED)

    @property
    def removed(self) -> Reading | None:
        """A forced choice that was refused because no tools arrived."""
        return next(
            (one for one in self.forced if one.kind is Kind.REFUSED and meaning(one.exchange) is Refusal.TOOLS_LOST),
            None,
        )


@dataclass(frozen=True)
class Reach:
    """Whether the tools were shown, with the reason in one sentence."""

    shown: Shown
    why: str
    confidence: float = 1.0
    evidence: tuple[Evidence, ...] = ()


def names_code(exchange: Exchange, code: str) -> bool:
    """Whether an answer, its reasoning or its calls hold the code."""
    calls = (wording.shown(call, 10_000) for call in completion.tool_calls(exchange)[:MOST_CALLS])
    return repeats(exchange, code, extra=" ".join(calls))


def reached(signs: Signs) -> Reach:
    """Weigh the signs."""
    if signs.removed is not None:
        exchange = signs.removed.exchange
        why = f"a request with `tools` and a tool_choice was refused as if it had no tools ({words_of(exchange)})"
        return Reach(
            Shown.NO, why, 0.99, (exchange.shows("/response/body", expected="the tools are seen", actual="no tools"),)
        )
    if signs.code_named and signs.described:
        reading, code = signs.described
        why = "the model named a code that is only in the tool's description"
        return Reach(Shown.YES, why, 1.0, (reading.exchange.shows("/response/body", expected=code, actual=code),))
    grown = signs.growth if signs.counted else None
    if grown is not None and grown.grew:
        why = f"longer tool definitions raised the prompt from {grown.before} to {grown.after} tokens"
        return Reach(Shown.YES, f"{why}, so the model is shown the tools", 0.98, (grown.evidence(),))
    if grown is not None and grown.stayed:
        return _not_counted(signs, grown)
    if signs.forced_calls:
        reading = signs.forced_calls[0]
        proof = reading.exchange.shows(reading.calls[0].pointer, expected="a call", actual="a call")
        return Reach(Shown.YES, "a forced choice returned a call", 0.9, (proof,))
    if signs.code_named is False and signs.capable:
        why = "the model names a code in a system message, but not one in the tool's description"
        return Reach(Shown.NO, why, 0.8, _code_evidence(signs))
    if signs.code_named is False and signs.capable is False:
        return Reach(Shown.UNSURE, "the endpoint does not count prompt tokens, and the model names no code at all")
    return Reach(Shown.UNSURE, "the prompt token counts prove nothing")


def _not_counted(signs: Signs, grown: Growth) -> Reach:
    """The longer tools added no prompt tokens: not shown to the model, or not counted."""
    base = f"much longer tool definitions leave the prompt at {grown.after} tokens (before: {grown.before})"
    evidence = (grown.evidence(), *_code_evidence(signs))
    if signs.forced_calls:
        if signs.code_named is False and signs.capable:
            why = (
                f"{base}, and the model names a code in a system message, but not one in the tool's description; the "
                "server produces a forced call without the model seeing the tools"
            )
            return Reach(Shown.NO, why, 0.8, evidence)
        return Reach(Shown.YES, "a forced choice returned a call; prompt tokens do not include the tools", 0.7)
    if signs.code_named is False:
        why = f"{base}, and the model cannot name a code in the tool's description"
        return Reach(Shown.NO, why, 0.97 if signs.capable else 0.85, evidence)
    return Reach(Shown.NO, base, 0.8, (grown.evidence(),))


def _code_evidence(signs: Signs) -> tuple[Evidence, ...]:
    if signs.described is None:
        return ()
    reading, code = signs.described
    pointer = "/response/body/choices/0/message/content"
    return (reading.exchange.shows(pointer, expected=f"the code {code}", actual=reading.text[:160]),)
