"""The serving side as a process of its own, so that its memory and its sockets are not the tool's.

It is told a line of JSON for each stage and ends when its standard input does.
"""

from __future__ import annotations

import base64
import contextlib
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache

from probe.simulator.request import Request
from tests.hostile.scripts import Hostile, corpus
from tests.hostile.serving import Next, Stage, ca_bundle, staged, twisted
from tests.hostile.twists import Right, Twist, random_twist


@dataclass(frozen=True)
class Play:
    """What is to be served.

    Attributes:
        seed: of every choice.
        key: the one that right answers ask for.
        entry: an entry of the corpus; none stands for right answers with twists.
        late: the first answers are right.
        style: whose right answers.
        kinds: the kinds of twists, as ``random_twist`` names them; ``c`` is a behaviour of the corpus.
        often: the share of the answers that are twisted.
    """

    seed: str
    key: str
    entry: str = ""
    late: bool = False
    style: str = "openai"
    kinds: str = "peEfc"
    often: float = 1.0


@dataclass(frozen=True)
class Told:
    """What was served in a stage: how many responses, and what came to the innocent server beside it."""

    answers: int
    elsewhere: bytes
    faults: str


@cache
def _quick() -> list[Hostile]:
    """The behaviours that neither wait nor weigh much, for use in between."""
    return [entry for entry in corpus().values() if entry.run is not None and not entry.slow and not entry.heavy]


def _following(play: Play) -> Next:
    def following(rng: random.Random) -> Twist | Hostile:
        if rng.random() >= play.often:
            return Right()
        kind = rng.choice(play.kinds)
        return rng.choice(_quick()) if kind == "c" else random_twist(rng, kind)

    return following


def play_stage(play: Play) -> contextlib.AbstractContextManager[Stage]:
    """Serve it in this process."""
    if play.entry:
        return staged(corpus()[play.entry], late=play.late, seed=play.seed, key=play.key)
    return twisted(_following(play), seed=play.seed, style=play.style, late=play.late, key=play.key)


def _seen(request: Request) -> bytes:
    lines = [f"{request.method} {request.target}", *(f"{name}: {value}" for name, value in request.headers)]
    return "\n".join(lines).encode("utf-8", "replace") + b"\n\n" + request.body + b"\n"


def _serve() -> None:
    for line in sys.stdin:
        play = Play(**json.loads(line))
        faults = ""
        stage: Stage | None = None
        try:
            with play_stage(play) as stage:
                bundle = ca_bundle() if play.entry and corpus()[play.entry].tls else ""
                print(json.dumps({"url": stage.url, "ca_bundle": bundle}), flush=True)
                sys.stdin.readline()
        except AssertionError as error:
            faults = str(error)[:500]
        assert stage is not None, faults
        elsewhere = b"".join(map(_seen, stage.elsewhere.journal))
        told = {"answers": stage.answers, "elsewhere": base64.b64encode(elsewhere).decode(), "faults": faults}
        print(json.dumps(told), flush=True)


class Farm:
    """The other process.  Use as a context manager."""

    def __enter__(self) -> Farm:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.farm"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _ask(self, line: str) -> dict[str, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the serving process has ended")
        found: dict[str, str] = json.loads(answer)
        return found

    @contextlib.contextmanager
    def stage(self, play: Play) -> Iterator[tuple[str, str | None, list[Told]]]:
        """Serve until the block ends; its list then holds what was served.

        Yields the base URL, the certificate file to trust or None, and the list.
        """
        begun = self._ask(json.dumps(asdict(play)))
        told: list[Told] = []
        try:
            yield begun["url"], begun["ca_bundle"] or None, told
        finally:
            ended = self._ask("")
            told.append(Told(int(ended["answers"]), base64.b64decode(ended["elsewhere"]), ended["faults"]))


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):  # the other side has left
        _serve()
