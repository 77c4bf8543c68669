"""Whether the tools were shown to the model, told without relying on its goodwill.  Pure.

Three signs, from the strongest:
- a forced choice that is refused because "no tools were given", though they were: something
  on the way took them out;
- the prompt tokens of two requests that differ only in how much the tools have to say.  (With
  tools against without would mislead: templates drop a default system prompt when tools come.)
- a code that stands in a tool's description only, against the same code in a system message,
  which shows whether this model could have repeated it at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from checks.tools.reading import MOST_CALLS, Kind, Reading, shown
from checks.tools.refusal import Refusal, meaning, quoted
from checks.tools.requests import offered
from probe.api import Evidence, Exchange, completion


class Shown(StrEnum):
    """Whether the model was shown the tools."""

    YES = "the tools reached the model"
    NO = "the tools never reached the model"
    UNSURE = "it could not be told whether the tools reached the model"


@dataclass(frozen=True)
class Growth:
    """Prompt tokens of the same question with short and with long tools.

    ``due`` is the least that the longer tools should add, in tokens.
    """

    short: Exchange
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
    """What the longer tools added to the prompt, or None where the endpoint does not count.

    A token of JSON and English is rarely longer than six characters (OpenAI and Llama
    tokenizers: about four); templates may drop half of what a definition holds.
    """
    before, after = completion.prompt_tokens(short), completion.prompt_tokens(long)
    more = len(str(offered(long))) - len(str(offered(short)))
    if before is None or after is None or more <= 0:
        return None
    return Growth(short, long, before, after, max(16, more // 12))


@dataclass(frozen=True)
class Signs:
    """What was asked when no call came back of the model's own accord.

    Attributes:
        growth: of the prompt with the tools, None where it is not counted.
        told: the answer to the question for the code, and the code.
        control: the same with the code in a system message.
        forced: the answers to forced choices.
        rest: every other answer, for calls that came all the same.
        counted: prompt tokens are really counted here.
    """

    growth: Growth | None = None
    told: tuple[Reading, str] | None = None
    control: tuple[Exchange, str] | None = None
    forced: tuple[Reading, ...] = ()
    rest: tuple[Reading, ...] = ()
    counted: bool = True

    @property
    def code_named(self) -> bool | None:
        """Whether the model repeated the code of the description; None where it was not asked."""
        if self.told is None or self.told[0].kind not in (Kind.PROSE, Kind.EMPTY, Kind.CALLED, Kind.LEAKED):
            return None
        return says(self.told[0].exchange, self.told[1])

    @property
    def capable(self) -> bool | None:
        """Whether the model repeats a code from a system message; None where it was not asked."""
        if self.control is None or not completion.is_completion(self.control[0]):
            return None
        return says(self.control[0], self.control[1])

    @property
    def forced_calls(self) -> tuple[Reading, ...]:
        return tuple(reading for reading in self.forced if reading.kind is Kind.CALLED)

    @property
    def lost(self) -> Reading | None:
        """A forced choice that was refused for want of tools."""
        return next(
            (one for one in self.forced if one.kind is Kind.REFUSED and meaning(one.exchange) is Refusal.TOOLS_LOST),
            None,
        )


@dataclass(frozen=True)
class Reach:
    """The answer, why in one sentence, how sure, and the proof."""

    shown: Shown
    why: str
    confidence: float = 1.0
    evidence: tuple[Evidence, ...] = ()


def says(exchange: Exchange, code: str) -> bool:
    """Whether an answer, its thinking, or the calls it holds contain the code."""
    said = [completion.answer(exchange), completion.reasoning_of(exchange)[1]]
    said += [shown(call, 10_000) for call in completion.tool_calls(exchange)[:MOST_CALLS]]
    return code.lower() in " ".join(said).lower()


def reached(seen: Signs) -> Reach:
    """Weigh the signs."""
    if seen.lost is not None:
        why = (
            f"a request with `tools` and a tool_choice was refused as if it had no tools ({quoted(seen.lost.exchange)})"
        )
        proof = seen.lost.exchange.shows("/response/body", expected="the tools are seen", actual="no tools")
        return Reach(Shown.NO, why, 0.99, (proof,))
    if seen.code_named:
        reading, code = seen.told or (None, "")
        assert reading is not None
        why = "the model repeated a code that stands only in the tool's description"
        return Reach(Shown.YES, why, 1.0, (reading.exchange.shows("/response/body", expected=code, actual=code),))
    grown = seen.growth if seen.counted else None
    if grown is not None and grown.grew:
        why = (
            f"longer tool definitions took the prompt from {grown.before} to {grown.after} tokens, so they are shown "
            "to the model"
        )
        return Reach(Shown.YES, why, 0.98, (grown.evidence(),))
    if grown is not None and grown.stayed:
        return _not_counted(seen, grown)
    if seen.forced_calls:
        proof = seen.forced_calls[0].exchange.shows(
            seen.forced_calls[0].calls[0].pointer, expected="a call", actual="a call"
        )
        return Reach(Shown.YES, "a forced choice brought the call", 0.9, (proof,))
    if seen.code_named is False and seen.capable:
        why = (
            "the model repeats a code from a system message, and knows nothing of one that stands in the tool's "
            "description"
        )
        return Reach(Shown.NO, why, 0.8, _code_evidence(seen))
    if seen.code_named is False and seen.capable is False:
        return Reach(Shown.UNSURE, "the endpoint does not count prompt tokens, and the model repeats no code at all")
    return Reach(Shown.UNSURE, "the endpoint does not count prompt tokens in a way that tells")


def _not_counted(seen: Signs, grown: Growth) -> Reach:
    """The longer tools cost nothing: not shown, or not counted."""
    base = f"much longer tool definitions leave the prompt at {grown.after} tokens (before: {grown.before})"
    if seen.forced_calls:
        if seen.code_named is False and seen.capable:
            why = (
                f"{base}, and the model cannot name a code from the tool's description although it names one from a "
                "system message; a forced call is produced by the server all the same"
            )
            return Reach(Shown.NO, why, 0.8, (grown.evidence(), *_code_evidence(seen)))
        return Reach(Shown.YES, "a forced choice brought the call; prompt tokens are not counted with the tools", 0.7)
    if seen.code_named is False:
        why = f"{base}, and the model cannot name a code that stands in the tool's description"
        sure = 0.97 if seen.capable else 0.85
        return Reach(Shown.NO, why, sure, (grown.evidence(), *_code_evidence(seen)))
    return Reach(Shown.NO, base, 0.8, (grown.evidence(),))


def _code_evidence(seen: Signs) -> tuple[Evidence, ...]:
    if seen.told is None:
        return ()
    reading, code = seen.told
    return (
        reading.exchange.shows(
            "/response/body/choices/0/message/content", expected=f"the code {code}", actual=reading.text[:160]
        ),
    )
