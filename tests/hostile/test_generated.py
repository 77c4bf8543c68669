"""Right answers with anything wrong anywhere in them: the tool comes home with a valid report.

A sample; ``python -m tests.hostile.soak`` makes thousands.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.model import Depth, State
from tests.hostile.farm import Play, play_stage
from tests.hostile.judging import Judgement, judged, options_for
from tests.hostile.keys import nasty_key, where_is
from tests.hostile.serving import twisted
from tests.hostile.strategies import EDITED, FRAMED, JSON, PUTS, SHARES, several
from tests.hostile.twists import GONE, Edit, Framed, Put, Right, Twist, edited, places, put, random_twist
from tests.hostile.valid import Valid

#: Deadlines are kept by a machine that has a processor to spare; see tests/conftest.py.
pytestmark = [pytest.mark.slow, pytest.mark.flaky(reruns=2, reruns_delay=1)]
KEY = "sk-%41\"'<&>\\u0041.*(x)+/9q="
#: Examples are whole runs, so they are few, and the same in every session.
FEW = settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def outcome(twists: list[Twist], style: str, *only: str, depth: Depth = Depth.STANDARD, late: bool = True) -> Judgement:
    """One run against right answers of which each gets one of the twists."""
    with twisted(lambda rng: rng.choice(twists), style=style, late=late, key=KEY) as stage:
        found = judged(options_for(stage.url, key=KEY, only=only, depth=depth))
        seen = "\n".join(str(request) for request in stage.elsewhere.journal)
        found.wrong += where_is(KEY, [("what another origin was sent", seen.encode())])
    return found


@FEW
@given(several(PUTS))
def test_any_value_at_any_place_of_any_answer(twists: list[Twist]) -> None:
    assert outcome(twists, "openai", depth=Depth.QUICK, late=False).wrong == []


@FEW
@given(several(PUTS))
def test_any_value_at_any_place_of_a_model_list(twists: list[Twist]) -> None:
    assert outcome(twists, "vllm", "url.*", "models.*", late=False).wrong == []


@FEW
@given(several(PUTS))
def test_any_value_at_any_place_of_a_stream(twists: list[Twist]) -> None:
    assert outcome([Right(), *twists], "openai", "url.*", "stream*", "params.*").wrong == []


@FEW
@given(several(PUTS))
def test_any_value_at_any_place_of_a_tool_call(twists: list[Twist]) -> None:
    assert outcome(twists, "vllm", "url.*", "stream*", "tools.*").wrong == []


@FEW
@given(several(EDITED))
def test_any_edit_of_the_bytes(twists: list[Twist]) -> None:
    assert outcome([Right(), *twists], "llamacpp", depth=Depth.QUICK).wrong == []


@FEW
@given(several(FRAMED))
def test_other_chunk_borders_change_no_verdict(twists: list[Twist]) -> None:
    found = outcome(twists, "openai", "url.*", "stream*", "tools.*")
    assert found.wrong == []
    assert found.report is not None
    verdicts = found.report.capabilities
    for capability in ("chat", "streaming", "tools", "streaming_tools"):
        assert verdicts[capability].verdict is State.WORKS, (capability, verdicts[capability].note)


# The generator itself: a test that twists nothing proves nothing ----------------------------------------


@given(JSON, SHARES, st.integers())
def test_a_value_stands_where_it_was_put(whole: object, share: float, value: int) -> None:
    found = list(places(whole))
    path = found[min(int(share * len(found)), len(found) - 1)]
    inner = put(whole, path, value)
    for step in path:
        inner = inner[step]
    assert inner == value


def test_what_is_taken_out_is_gone() -> None:
    assert put({"a": [1, 2]}, ("a", 0), GONE) == {"a": [2]}
    assert put({"a": 1, "b": 2}, ("a",), GONE) == {"b": 2}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("flip", b"ab" + bytes([ord("c") ^ 4, ord("d") ^ 8]) + b"ef"),
        ("cut", b"abef"),
        ("insert", b"abXcdef"),
        ("duplicate", b"abcdcdef"),
        ("swap", b"abefcd"),
        ("end", b"ab"),
    ],
)
def test_each_edit_does_what_it_says(kind: str, expected: bytes) -> None:
    assert edited(b"abcdef", Edit(kind, 0.34, 2, b"X")) == expected


def test_a_seed_repeats_every_choice() -> None:
    first, second = ([random_twist(random.Random(f"s{n}")) for n in range(200)] for _ in range(2))
    assert repr(first) == repr(second)
    assert {type(twist) for twist in first} >= {Put, Framed}


def test_a_twisted_stage_serves_what_it_is_told_to() -> None:
    play = Play("1", nasty_key(random.Random(3)), kinds="p", often=1.0)
    with play_stage(play) as stage:
        found = judged(options_for(stage.url, key=play.key, only=("url.*",)))
        assert found.wrong == []
        assert stage.answers >= 3


def test_every_place_of_an_event_can_be_reached() -> None:
    valid = Valid(200, (), (b'data: {"a": {"b": 1}}\n\n', b"data: [DONE]\n\n"), True)
    from tests.hostile.twists import performed

    said = {
        b"".join(part for part in performed(Put(at / 10, "odd"), valid) if isinstance(part, bytes)) for at in range(10)
    }
    assert sum(b'"odd"' in item for item in said) == 3
