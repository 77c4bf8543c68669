"""The delivery of a stream: every way to hold it back is named, and nobody else is accused."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from checks.shared.stream_requests import counts
from checks.stream.arrivals import Pattern, Run, held_back, lag_allowed, measure, pattern_of, slope
from checks.stream.delivery_reading import Delivery, Need, Runs, Undecided, judge, judged_gap, tokens_per_s
from tests.unit import streams
from tests.unit.streams import Schedule, answer, chunk, pace, streamed

Path = Callable[[Schedule], Schedule]
PATHS: dict[str, Path] = {
    "streaming": streams.direct,
    "held": streams.held,
    "replayed": streams.replayed,
    "size-buffered": streams.sized,
    "coalesced": streams.timed,
}
COUNTED = 99  # tokens of an answer that counts to 50


class World:
    """An endpoint by numbers: answers of any length at a rate, over a path."""

    def __init__(
        self, path: Path, rate: float, kind: str = "regular", first_s: float = 0.05, seed: int = 1, rough: bool = False
    ) -> None:
        self.path, self.rate, self.kind, self.first_s = path, rate, kind, first_s
        self.dice = random.Random(seed)
        self.rough = rough
        self.asked: list[int] = []

    def run(self, tokens: int) -> Run:
        self.asked.append(tokens)
        made = self.path(answer(pace(tokens, self.rate, self.kind, self.dice), self.first_s))
        if self.rough:
            made = streams.jittered(made, self.dice)
        return measure(streamed(made))

    def delivery(self, most: int = 640, first: int = COUNTED) -> Delivery | Undecided:
        """What the procedure ends in, beginning with an answer of so many tokens; every run it asks for is made."""
        runs = Runs(self.run(first), most=most)
        while True:
            found = judge(runs)
            if not isinstance(found, Need):
                return found
            if found.short:
                runs = Runs(runs.basic, self.run(19), runs.long, most)
            else:
                assert found.tokens <= most
                runs = Runs(runs.basic, runs.short, self.run(found.tokens), most)


@pytest.mark.parametrize("rough", [False, True], ids=["clean", "jitter"])
@pytest.mark.parametrize("kind", ["regular", "irregular", "paired"])
@pytest.mark.parametrize("rate", [40, 60, 100])
@pytest.mark.parametrize("name", PATHS)
def test_every_path_is_recognised_at_ordinary_speed(name: str, rate: float, kind: str, rough: bool) -> None:
    for seed in range(4):
        assert World(PATHS[name], rate, kind, seed=seed, rough=rough).delivery() == name


@pytest.mark.parametrize("rough", [False, True], ids=["clean", "jitter"])
@pytest.mark.parametrize("kind", ["regular", "irregular", "paired"])
@pytest.mark.parametrize("rate", [8, 15, 60, 300, 2000])
@pytest.mark.parametrize("first_s", [0.02, 0.5, 3.0, 8.0])
def test_a_live_stream_gives_no_finding(first_s: float, rate: float, kind: str, rough: bool) -> None:
    for seed in range(2):
        world = World(streams.direct, rate, kind, first_s, seed, rough)
        assert world.delivery() in (Delivery.STREAMING, Delivery.TOO_FAST)
        assert len(world.asked) <= 3


@pytest.mark.parametrize("kind", ["regular", "irregular"])
@pytest.mark.parametrize("rate", [300, 500, 800])
@pytest.mark.parametrize("first", [30, 60, 133])
def test_stalls_of_a_network_do_not_make_a_fast_stream_a_held_one(first: int, rate: float, kind: str) -> None:
    for seed in range(40):
        found = World(streams.direct, rate, kind, 0.05, seed, rough=True).delivery(first=first)
        assert found in (Delivery.STREAMING, Delivery.TOO_FAST) or isinstance(found, Undecided)


@pytest.mark.parametrize("first", [133, 170, 200])
@pytest.mark.parametrize("rate", [60, 150, 400])
def test_a_timer_is_seen_behind_an_answer_of_any_length(rate: float, first: int) -> None:
    assert World(streams.timed, rate).delivery(first=first) is Delivery.COALESCED


@pytest.mark.parametrize("first_s", [0.05, 2.0])
@pytest.mark.parametrize("size", [1024, 4096, 8192, 16384])
def test_buffers_of_every_usual_size(size: int, first_s: float) -> None:
    assert World(lambda made: streams.sized(made, size), 60, first_s=first_s).delivery() is Delivery.SIZE_BUFFERED


@pytest.mark.parametrize("rate", [12, 30, 60, 100])
@pytest.mark.parametrize("period", [0.2, 0.3])
def test_timers_at_every_rate(period: float, rate: float) -> None:
    assert World(lambda made: streams.timed(made, period), rate).delivery() is Delivery.COALESCED


@pytest.mark.parametrize("rate", [60, 100])
@pytest.mark.parametrize("period", [0.6, 1.0])
def test_a_timer_slower_than_the_first_answer_is_no_held_stream(period: float, rate: float) -> None:
    assert World(lambda made: streams.timed(made, period), rate).delivery() is Delivery.COALESCED


@pytest.mark.parametrize("path", [streams.held, streams.replayed])
def test_a_slow_first_token_does_not_hide_a_held_stream(path: Path) -> None:
    assert World(path, 60, first_s=3.0).delivery() in (Delivery.HELD, Delivery.REPLAYED)


def test_what_is_over_at_once_is_called_too_fast_and_costs_nothing_more() -> None:
    world = World(streams.held, 3000)
    assert world.delivery() is Delivery.TOO_FAST
    assert len(world.asked) == 1


def test_an_ordinary_stream_costs_no_further_run() -> None:
    world = World(streams.direct, 60)
    assert world.delivery() is Delivery.STREAMING
    assert world.asked == [COUNTED]


def test_a_quick_replay_differs_from_one_piece() -> None:
    def played(tokens: int) -> Run:
        end = tokens / 100
        return measure(streamed([(end + 0.0025 * n, data) for n, (_, data) in enumerate(answer([0.0] * tokens))]))

    assert judge(Runs(played(COUNTED), played(19))) is Delivery.REPLAYED


def test_large_deltas_are_a_stream_as_well() -> None:
    made = [(0.4 * n, chunk({"content": "word " * 40})) for n in range(1, 6)]
    assert judge(Runs(measure(streamed([*made, (2.0, b"data: [DONE]\n\n")])))) is Delivery.STREAMING


def test_one_large_delta_at_the_end_is_held() -> None:
    def lump(tokens: int) -> Run:
        end = 0.05 + tokens / 60
        usage = {"prompt_tokens": 9, "completion_tokens": tokens}
        return measure(
            streamed([(end, chunk({"content": "x" * tokens * 4}, "stop", usage=usage)), (end, b"data: [DONE]\n\n")])
        )

    assert judge(Runs(lump(COUNTED), lump(19))) is Delivery.HELD


def test_a_first_crumb_does_not_hide_that_the_rest_is_held() -> None:
    def crumb(tokens: int) -> Run:
        made = answer(pace(tokens, 60, "regular", random.Random(1)), 0.05)
        return measure(streamed([made[0], made[1], (made[-1][0], b"".join(data for _, data in made[2:]))]))

    assert judge(Runs(crumb(COUNTED), crumb(19))) is Delivery.HELD


@pytest.mark.parametrize(
    ("text", "able"),
    [
        ("\n".join(map(str, range(1, 51))), True),
        ("Sure!\n\n**" + "\n".join(map(str, range(1, 51))) + "**\n\nLet me know if you want me to go on.", True),
        (", ".join(map(str, range(1, 51))) + ".", True),
        ("1\n2\n3\n4\n5\nand so on, up to 50.", False),
        ("", False),
    ],
)
def test_a_model_that_counts_is_known_by_its_last_numbers(text: str, able: bool) -> None:
    assert counts(streamed([(0.1, chunk({"content": text})), (0.2, b"data: [DONE]\n\n")])) is able


def test_thinking_counts_as_text() -> None:
    thinking = [(n / 60, chunk({"reasoning_content": "hm "})) for n in range(60)]
    words = [(1.0 + n / 60, chunk({"content": "1 "})) for n in range(40)]
    run = measure(streamed([*thinking, *words, (1.7, b"data: [DONE]\n\n")]))
    assert run.events == 100
    assert judge(Runs(run)) is Delivery.STREAMING


def test_hidden_thinking_explains_a_late_start() -> None:
    made = answer(pace(60, 60, "regular", random.Random(1)), 2.0, usage=False)
    counts = b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":180}}\n\n'
    late = measure(streamed([*made[:-1], (made[-1][0], counts), made[-1]]))
    nothing = measure(streamed([(0.4, chunk({}, "length")), (0.4, b"data: [DONE]\n\n")]))
    assert judge(Runs(late, nothing)) is Delivery.STREAMING
    assert isinstance(judge(Runs(measure(streamed(made)), nothing)), Undecided)


def test_comments_and_empty_deltas_are_no_progress() -> None:
    pings = [(0.2 * n, b": ping\n\n") for n in range(1, 9)]
    empty = [(0.1 + 0.2 * n, chunk({"content": ""})) for n in range(8)]
    made = sorted([*pings, *empty]) + streams.held(answer(pace(COUNTED, 60, "regular", random.Random(1)), 0.1))
    run = measure(streamed(made))
    assert run.events == COUNTED
    assert pattern_of(run) is Pattern.ONE_PIECE


def test_the_numbers_of_a_run() -> None:
    run = measure(streamed(answer([0.0, 0.1, 0.2, 0.3], 1.0), end_s=1.5))
    assert (run.events, run.tokens, run.bursts) == (4, 4, 4)
    assert (run.first_s, run.last_s, run.end_s) == (1.0, 1.3, 1.5)
    assert run.period_s == pytest.approx(0.1)
    assert not run.at_once
    assert measure(streamed([])).events == 0


def test_size_and_timer_differ_in_where_bursts_end() -> None:
    made = answer(pace(COUNTED, 60, "regular", random.Random(1)))
    assert measure(streamed(streams.sized(made, 4096))).midcut > 0.9
    assert measure(streamed(streams.timed(made))).midcut == 0.0


def test_the_slope_needs_a_difference() -> None:
    one = World(streams.held, 60).run(COUNTED)
    assert slope(one, one) is None
    assert not held_back(one, one)
    short = World(streams.held, 60).run(19)
    assert slope(short, one) == pytest.approx(1.0, abs=0.05)


def test_a_late_loop_of_our_own_is_no_proof() -> None:
    def late(lag_s: float, stalled_s: float) -> Run:
        made = streams.timed(answer(pace(COUNTED, 60, "regular", random.Random(1))))
        return measure(streamed(made, lag_s=lag_s, stalled_s=stalled_s))

    gap = judged_gap(Runs(late(0.001, 0.0)), Delivery.COALESCED)
    assert lag_allowed(late(0.001, 0.0), gap, patient=True)
    assert not lag_allowed(late(0.09, 0.09), gap, patient=True)
    assert not lag_allowed(late(0.03, 0.03), gap, patient=True)
    assert lag_allowed(late(0.03, 1.0), gap, patient=False)  # too little to make such gaps
    assert lag_allowed(late(0.09, 0.2), gap, patient=False)  # too seldom to make all of them
    assert not lag_allowed(late(0.19, 1.5), gap, patient=False)  # late all the time: this makes bursts
    lump = World(streams.held, 60).run(COUNTED)
    assert lag_allowed(lump, 1.3, patient=False)


@pytest.mark.parametrize("name", PATHS)
def test_the_speed_is_known_whatever_the_path(name: str) -> None:
    world = World(PATHS[name], 60)
    runs = Runs(world.run(COUNTED), world.run(19))
    assert tokens_per_s(runs) == pytest.approx(60, rel=0.35)
