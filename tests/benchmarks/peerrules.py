"""How a peer's output becomes a word in the table: the same rule for every peer, fault by fault.

A peer's own reader (tests/benchmarks/peers.py) turns its machine-readable output into complaints: what it marked as
failed, in error or as a warning, in its own words.  What it complains of about the healthy endpoint of the same style
as well is no news about a fault and is left out.  Of the rest:

- *exact*: a complaint speaks of the cause, as the rule of the fault says.  Echoing the server's error text is enough.
- *noticed*: there are complaints, and none speaks of the cause.
- *silent*: none.

On a healthy endpoint every complaint above a warning is a false alarm, but for what the set-up is to blame for.
A peer that cannot be run, or is not done in time, gets the reason in place of a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

EXACT = "exact"
NOTICED = "noticed"
SILENT = "silent"
ALARM = "false alarm"
QUIET = "quiet"


@dataclass(frozen=True)
class Complaint:
    """Something a peer says is wrong.

    ``about`` is its name for the check, ``text`` everything it says of it, ``alarm`` is False for a mere warning.
    """

    about: str
    text: str
    alarm: bool = True

    @property
    def line(self) -> str:
        return f"{self.about}: {self.text}"


@dataclass(frozen=True)
class Rule:
    """When a complaint names the cause of a fault.

    says: a pattern that has to be found in one complaint.
    unless: one that must not be found in any; where it is, the peer blames more than what is wrong.
    """

    says: str
    unless: str | None = None

    def holds(self, complaints: Iterable[Complaint]) -> bool:
        """Whether the complaints name the cause."""
        lines = [item.line for item in complaints]
        if self.unless and any(re.search(self.unless, line, re.IGNORECASE) for line in lines):
            return False
        return any(re.search(self.says, line, re.IGNORECASE) for line in lines)


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of the comparison; without a rule it is healthy.  ``fault`` is the simulator's name of it."""

    name: str
    fault: str | None = None
    rule: Rule | None = None
    style: str = "openai"


ENDPOINTS = (
    Endpoint("healthy openai"),
    Endpoint("healthy vllm", style="vllm"),
    Endpoint("healthy llamacpp", style="llamacpp"),
    Endpoint("honest slow first token", "slow-first-token=3"),
    # The base URL lacks /v1: said as "add /v1", "missing /v1", "include /v1"; "fix /v1/models" is not it.
    Endpoint(
        "missing /v1", "missing-v1", Rule(r"\b(add|append|missing|lacks?|include|without|try)\b[^.]{0,40}/v1(?!/)")
    ),
    Endpoint("doubled slash", "trailing-slash", Rule(r"trailing slash|doubled? slash|slash(es)? (at|in) the")),
    Endpoint("wrong key", "auth-rejected", Rule(r"\b401\b|api key|authenticat|unauthori[sz]ed|credential")),
    Endpoint(
        "model unknown", "models-id-unknown", Rule(r"model\b.{0,60}(not found|does not exist|unknown|not listed)")
    ),
    Endpoint(
        "tool call left as markup",
        "tools-as-hermes",
        Rule(r"leaked into content|markup|(left|written) in(to)? the (text|content)|tool.{0,20}parser"),
    ),
    Endpoint(
        "tool call left as bare JSON",
        "tools-as-text",
        Rule(r"leaked into content|(call|json)\b.{0,40}\bin (the )?(text|content)|tool.{0,20}parser"),
    ),
    # Accepted and dropped on the way: to say that no call came is not yet to say that the tools never arrived.
    Endpoint(
        "tools dropped on the way",
        "tools-ignored",
        Rule(r"tools?\b.{0,40}(never reach|not (passed|forwarded|reach)|dropped|stripped|ignored)"),
    ),
    Endpoint(
        "tool call leaks when streamed",
        "tool-stream-leak",
        Rule(r"stream\b.*leaked into content|leak.*\bstream", unless=r"\[non-stream\].*leaked"),
    ),
    Endpoint("held stream", "stream-held", Rule(r"buffer|withh[eo]ld|\bheld\b")),
    Endpoint("no usage in streams", "stream-no-usage", Rule(r"stream.*usage|usage.*stream")),
    Endpoint("no [DONE]", "stream-no-done", Rule(r"\[DONE\]")),
    Endpoint(
        "content blocks refused", "blocks-rejected", Rule(r"content (blocks?|parts?|lists?|arrays?)|text blocks?")
    ),
    Endpoint("pictures dropped", "vision-ignored", Rule(r"image|picture|vision")),
)


@dataclass(frozen=True)
class Verdict:
    """A word, and the complaint it rests on."""

    word: str
    why: str = ""


def news(complaints: Iterable[Complaint], usual: Iterable[Complaint]) -> list[Complaint]:
    """The complaints that the healthy endpoint did not draw as well, numbers in their texts aside."""
    known = {_plain(item.line) for item in usual}
    return [item for item in complaints if _plain(item.line) not in known]


def _plain(text: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "N", text)


def judge(endpoint: Endpoint, complaints: list[Complaint], usual: list[Complaint], excused: Iterable[str]) -> Verdict:
    """The word for one peer and one endpoint.

    Args:
        complaints: what the peer says of it.
        usual: what it says of the healthy endpoint.
        excused: patterns of complaints that the set-up is to blame for.
    """
    if endpoint.rule is None:
        patterns = tuple(excused)
        alarms = [
            item for item in complaints if item.alarm and not any(re.search(pattern, item.line) for pattern in patterns)
        ]
        return Verdict(ALARM, alarms[0].line) if alarms else Verdict(QUIET)
    fresh = news(complaints, usual)
    if endpoint.rule.holds(fresh):
        named = next(item for item in fresh if re.search(endpoint.rule.says, item.line, re.IGNORECASE))
        return Verdict(EXACT, named.line)
    return Verdict(NOTICED, fresh[0].line) if fresh else Verdict(SILENT)
