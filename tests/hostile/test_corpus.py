"""Entries of the corpus through the whole tool: a sample of every kind, chosen by a seed.

``python -m tests.hostile.soak`` runs all of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.hostile.farm import Farm
from tests.hostile.runs import LATE, judge
from tests.hostile.scripts import Hostile, corpus

#: Deadlines are kept by a machine that has a processor to spare; see tests/conftest.py.
pytestmark = [pytest.mark.slow, pytest.mark.flaky(reruns=2, reruns_delay=1)]
SEED = 20


def _sample() -> list[str]:
    """Some of the quick, the heavy, the slow, those below HTTP, and those that throw the key back."""
    entries = corpus()
    rng = random.Random(SEED)

    def some(count: int, fits: object) -> list[str]:
        assert callable(fits)
        names = [name for name, entry in entries.items() if fits(entry)]
        return rng.sample(names, count)

    def quick(entry: Hostile) -> bool:
        return not (entry.slow or entry.heavy or entry.tls or "key" in entry.name)

    found = [LATE + name for name in some(12, quick)]
    found += some(3, quick)
    found += [LATE + name for name in some(3, lambda entry: "key" in entry.name)]
    found += some(3, lambda entry: entry.heavy and not entry.tls)
    found += some(1, lambda entry: entry.slow)
    found += some(4, lambda entry: entry.tls and not entry.slow and not entry.heavy)
    return found


@pytest.fixture(scope="module")
def farm() -> Iterator[Farm]:
    """The serving process of all entries."""
    with Farm() as running:
        yield running


@pytest.mark.parametrize("name", _sample())
def test_the_tool_comes_home(name: str, farm: Farm) -> None:
    ended = judge(farm, name, SEED)
    assert ended.wrong == ()
    assert ended.answers > 0, "nothing was asked, so nothing was proved"


def test_the_corpus_is_whole() -> None:
    entries = corpus()
    assert len(entries) >= 400
    for kind in ("redirect-", "h2-", "tls-", "stream-", "json-", "length-", "chunk-", "gzip-", "tool-call-", "head-"):
        assert sum(name.startswith(kind) for name in entries) >= 2, kind
