"""Runs by name: what is served in each, and what must be true of the tool after it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from probe.model import Depth
from tests.hostile.farm import Farm, Play
from tests.hostile.judging import judged, options_for, sockets
from tests.hostile.keys import nasty_key, where_is
from tests.hostile.scripts import corpus

STYLES = ("openai", "vllm", "llamacpp", "litellm", "ollama", "sglang", "groq", "together")
KINDS = ("p", "p", "p", "e", "e", "E", "f", "c", "pe", "peEfc")
LATE = "late:"


@dataclass(frozen=True)
class Ended:
    """How one run came out."""

    name: str
    wrong: tuple[str, ...]
    answers: int
    seconds: float
    deadline_s: float
    peak_mb: float
    waited_s: float = 0.0
    repeated: int = 0

    @property
    def late_s(self) -> float:
        """Seconds after the deadline (negative: before), what it waited for a processor taken off."""
        return self.seconds - self.waited_s - self.deadline_s


def play_of(name: str, seed: int) -> tuple[Play, dict[str, Any]]:
    """What is served in the run of this name, and the options of the run.

    A name is a number (a generated run) or a corpus entry's, ``late:`` before it when the first answers are right.
    """
    rng = random.Random(f"{seed}:{name}")
    key = nasty_key(rng)
    given: dict[str, Any] = {"key": key}
    if name.isdigit():
        often = rng.choice([1.0, 0.6, 0.3, 0.15])
        play = Play(
            f"{seed}:{name}",
            key,
            late=rng.random() < 0.7,
            style=rng.choice(STYLES),
            kinds=rng.choice(KINDS),
            often=often,
        )
        given["depth"] = rng.choice([Depth.QUICK, Depth.STANDARD, Depth.STANDARD, Depth.STANDARD, Depth.DEEP])
        return play, given
    entry = name.removeprefix(LATE)
    if corpus()[entry].slow:
        given |= {"timeout_s": 1.0, "deadline_s": 4.0}
    return Play(f"{seed}:{name}", key, entry=entry, late=name.startswith(LATE)), given


def names(seed: int) -> list[str]:
    """The corpus runs, in an order of the seed: every entry, and most once more after right first answers."""
    rng = random.Random(seed)
    found = []
    for name, entry in corpus().items():
        found.append(name)
        if entry.whole is None and not entry.slow and (not entry.heavy or rng.random() < 0.5):
            found.append(LATE + name)
    rng.shuffle(found)
    return found


def judge(farm: Farm, name: str, seed: int) -> Ended:
    """One run of the tool in this process, judged."""
    play, given = play_of(name, seed)
    before = sockets()
    with farm.stage(play) as (url, bundle, told):
        options = options_for(url, ca_bundle=bundle, **given)
        found = judged(options)
    wrong = list(found.wrong)
    if told[0].faults:
        wrong.append(f"the test's own server: {told[0].faults}")
    wrong += where_is(play.key, [("what another origin was sent", told[0].elsewhere)])
    if (left := sockets() - before) > 0:
        wrong.append(f"{left} sockets were left open")
    return Ended(name, tuple(wrong), told[0].answers, found.seconds, options.deadline_s, found.peak_mb, found.waited_s)
