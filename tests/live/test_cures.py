"""Remedies are right: what the program says is done, to the letter and at the real part, and the finding is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from probe.model import Depth, Finding, Report, Severity, State
from probe.parsing.urls import parse
from probe.run.options import Auth, Options
from probe.run.runner import run
from probe.wire.transport import Transport
from tests.live.conftest import unavailable
from tests.live.cures import CURES, IN_FORCE, Client, Cure, InForce, filled, litellm_models
from tests.live.parts import PartMissing
from tests.live.situation import Scene, Start
from tests.live.situations import shared_scenes

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def scenes() -> Iterator[Any]:
    """Gives a new scene: the endpoints and LiteLLM are shared, the folder is its own."""
    with shared_scenes(litellm_models) as made:
        yield made


def diagnose(client: Client, only: tuple[str, ...], options: Mapping[str, Any]) -> Report:
    """A run with some checks, and with recognition; `key` and `model` among the options."""
    given = {**options, **client.options}
    key = given.pop("key", None)
    asked = client.asked
    transport = Transport(ca_bundle=str(asked.ca) if asked.ca else None, proxy=asked.proxy)
    settings = Options(
        parse(asked.url),
        Auth(key=key, source="test") if key else Auth(),
        only=(*only, "fingerprint.server"),
        timeout_s=30,
        **{"transport": transport, "depth": Depth.QUICK, **given},
    )
    report = anyio.run(lambda: run(settings))
    assert [item.reason for item in report.checks if item.outcome == "error"] == []
    return report


def at(start: Start, scene: Scene, cure: Cure) -> Report:
    with start(scene) as asked:
        return diagnose(Client(asked), cure.only, cure.options)


def the_finding(cure: Cure, report: Report) -> Finding:
    """The finding of the faulty part, whose remedy has the words that are followed."""
    found = {item.code: item for item in report.findings}
    assert cure.code in found, f"{sorted(found)} in place of {cure.code}"
    missing = [words for words in cure.follow if words not in found[cure.code].remedy]
    assert missing == [], found[cure.code].remedy
    return found[cure.code]


def loud(report: Report) -> set[str]:
    return {item.code for item in report.findings if item.severity is not Severity.INFO}


@pytest.mark.parametrize("cure", [pytest.param(cure, id=cure.name) for cure in CURES])
def test_the_finding_is_gone_when_its_remedy_is_followed(cure: Cure, scenes: Any) -> None:
    scene: Scene = scenes()
    try:
        if cure.client is not None:
            with cure.ill(scene) as asked:
                ill = diagnose(Client(asked), cure.only, cure.options)
                told = cure.client(asked, scene, the_finding(cure, ill))
                healed = diagnose(told, cure.only, cure.options)
        else:
            assert cure.server is not None
            mended = cure.server(*map(filled, cure.follow))
            if "idle_s" in cure.options:  # both mostly wait
                with ThreadPoolExecutor(2) as pool:
                    later = pool.submit(at, mended, scenes(), cure)
                    ill, healed = at(cure.ill, scene, cure), later.result()
            else:
                ill, healed = at(cure.ill, scene, cure), at(mended, scenes(), cure)
            the_finding(cure, ill)
    except PartMissing as missing:
        unavailable(str(missing))
    assert cure.code not in {item.code for item in healed.findings}
    assert loud(healed) <= loud(ill) - {cure.code}
    assert healed.capabilities["chat"].verdict is State.WORKS
    ran = {item.id for item in ill.checks if item.outcome in ("pass", "fail")}
    assert ran - {item.id for item in healed.checks if item.outcome in ("pass", "fail")} == set()


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in IN_FORCE])
def test_a_remedy_in_force_is_not_given(row: InForce, scenes: Any) -> None:
    try:
        with row.start(scenes()) as asked:
            report = diagnose(Client(asked), row.only, {"depth": Depth.STANDARD})
    except PartMissing as missing:
        unavailable(str(missing))
    found = {item.code: item for item in report.findings}
    assert row.code in found, f"{sorted(found)} in place of {row.code}"
    assert [words for words in row.never if words in found[row.code].remedy] == [], found[row.code].remedy
