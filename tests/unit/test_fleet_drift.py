"""What changed and what only flaps; moments as people say them; expectations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from probe.cli.audit_matrix import is_met
from probe.fleet.changes import changes, path_differences, timeline
from probe.fleet.host_limits import host_of
from probe.fleet.job import Cell, Found, Judged
from probe.fleet.store import Ran
from probe.fleet.time_spec import moment

NOW = datetime(2026, 11, 26, 10, 30, tzinfo=UTC)  # a Thursday


def ran(
    at: int,
    states: dict[str, str | Judged],
    *,
    usable: bool = True,
    cell: Cell | None = None,
    hops: tuple[str, ...] = (),
    codes: tuple[str, ...] = (),
) -> Ran:
    verdicts = {
        name: state if isinstance(state, Judged) else Judged(name, state, 1.0) for name, state in states.items()
    }
    found = tuple(Found(code, "error", "gateway", "c", code, "", "") for code in codes)
    return Ran(
        f"{at:032x}", "a", "f", cell or Cell("t", "m"), f"2026-11-{at:02d}T00:00:00.000+00:00", "", 1.0, "standard",
        True, usable, "http://x", None, 1, "vllm", None, hops, "", verdicts, found,
    )  # fmt: skip


def known(**states: str) -> dict[str, Judged]:
    return {name: Judged(name, state, 1.0) for name, state in states.items()}


def test_a_capability_that_went_away_is_a_regression() -> None:
    judged = Judged("tools", "ignored", 1.0, "tools.ignored", trials=3, agreed=3)
    (found,) = changes(known(tools="works", chat="works"), ran(2, {"tools": judged, "chat": "works"}))
    assert (found.kind, found.before, found.after, found.finding) == ("regression", "works", "ignored", "tools.ignored")


def test_trials_that_differ_are_flapping_and_no_change() -> None:
    judged = Judged("tools", "broken", 0.3, trials=3, agreed=1)
    (found,) = changes(known(tools="works"), ran(2, {"tools": judged}))
    assert found.kind == "flapping"
    assert "1 of 3 trials" in str(found)


def test_what_could_not_be_told_is_no_change_but_lost_chat_is() -> None:
    assert changes(known(tools="works", chat="works"), ran(2, {"tools": "unknown", "chat": "works"})) == []
    (found,) = changes(
        known(tools="works", chat="works"), ran(2, {"tools": "unknown", "chat": "unknown"}, usable=False)
    )
    assert (found.capability, found.kind) == ("chat", "regression")


def test_a_finding_that_comes_or_goes_is_a_change_though_no_verdict_differs() -> None:
    before, after = (
        ran(1, {"chat": "works"}, codes=("stream.held",)),
        ran(2, {"chat": "works"}, codes=("tools.ignored",)),
    )
    found = changes(known(chat="works"), after, [before])
    assert [(item.kind, item.capability, item.before, item.after) for item in found] == [
        ("regression", "finding tools.ignored", "absent", "error"),
        ("recovery", "finding stream.held", "error", "absent"),
    ]
    assert changes(known(chat="works"), after) == []


def test_a_finding_that_explains_a_changed_verdict_is_said_once() -> None:
    judged = Judged("tools", "ignored", 1.0, "tools.ignored", trials=3, agreed=3)
    before, after = ran(1, {"tools": "works"}), ran(2, {"tools": judged}, codes=("tools.ignored",))
    assert [item.capability for item in changes(known(tools="works"), after, [before])] == ["tools"]


@pytest.mark.parametrize("other", [{"usable": False}, {"complete": False}, {"depth": "quick"}])
def test_findings_of_runs_that_saw_less_are_not_compared(other: dict[str, object]) -> None:
    before = ran(1, {"chat": "works"}, codes=("stream.held",))
    assert changes(known(chat="works"), replace(ran(2, {"chat": "works"}), **other), [before]) == []


def test_a_note_is_no_change_and_a_remedy_is_one() -> None:
    held = Found("stream.held", "warning", "gateway", "c", "Held", "", "Set a")
    note = Found("vision.rejected", "info", "model", "c", "No pictures", "", "")
    before = replace(ran(1, {"chat": "works"}), findings=(held,))
    after = replace(ran(2, {"chat": "works"}), findings=(replace(held, remedy="Set b"), note))
    assert [(item.kind, item.note) for item in changes(known(chat="works"), after, [before])] == [
        ("change", "the remedy changed")
    ]


def test_recoveries_and_other_changes() -> None:
    kinds = {
        item.capability: item.kind
        for item in changes(
            known(vision="rejected", stop="ignored"), ran(2, {"vision": "works", "stop": "rejected", "tools": "works"})
        )
    }
    assert kinds == {"vision": "recovery", "stop": "change"}


def test_a_timeline_remembers_what_was_last_known_across_gaps() -> None:
    flap = Judged("tools", "broken", trials=3, agreed=1)
    runs = [
        ran(5, {"tools": "broken"}),
        ran(4, {"tools": flap}),
        ran(3, {"tools": "unknown"}),
        ran(2, {"tools": "works"}),
        ran(1, {"tools": "rejected"}),
    ]
    assert [(item.kind, item.since[8:10]) for item in timeline(runs)] == [
        ("recovery", "02"),
        ("flapping", "04"),
        ("regression", "05"),
    ]


def test_a_difference_between_places_names_the_path() -> None:
    dmz = ran(1, {"streaming": Judged("streaming", "broken", 1, "stream.held"), "tools": "works"},
              cell=Cell("t", "m", "dmz"), hops=("nginx", "envoy"))  # fmt: skip
    office = ran(1, {"streaming": "works", "tools": "works"}, cell=Cell("t", "m", "office"), hops=("envoy",))
    (found,) = path_differences([dmz, office])
    assert found.capability == "streaming"
    assert found.places == {"broken": ("dmz",), "works": ("office",)}
    assert found.hops == ("nginx",)
    assert "nginx" in str(found)


def test_a_finding_of_one_path_is_told_though_no_verdict_differs() -> None:
    dmz = ran(1, {"streaming": "works"}, cell=Cell("t", "m", "dmz"), hops=("nginx",), codes=("stream.size-buffered",))
    office = ran(1, {"streaming": "works"}, cell=Cell("t", "m", "office"))
    (found,) = path_differences([dmz, office])
    assert found.capability == "stream.size-buffered"
    assert found.places == {"found": ("dmz",), "not found": ("office",)}
    assert path_differences([dmz]) == []
    assert path_differences([office, ran(1, {"streaming": "unknown"}, cell=Cell("t", "m", "lab"))]) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("tuesday", "2026-11-24T00:00"),
        ("Tue", "2026-11-24T00:00"),
        ("thursday", "2026-11-19T00:00"),
        ("friday", "2026-11-20T00:00"),
        ("today", "2026-11-26T00:00"),
        ("yesterday", "2026-11-25T00:00"),
        ("12h", "2026-11-25T22:30"),
        ("7d", "2026-11-19T10:30"),
        ("2026-11-20", "2026-11-20T00:00"),
        ("2026-11-20T08:15", "2026-11-20T08:15"),
        ("2026-11-20T08:15+02:00", "2026-11-20T06:15"),
    ],
)
def test_moments(text: str, wanted: str) -> None:
    assert moment(text, NOW).astimezone(UTC).isoformat()[:16] == wanted


@pytest.mark.parametrize("text", ["", "someday", "2026-13-01", "2027-01-01", "999999w"])
def test_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time|in the future"):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("state", "expected", "usable", "wanted"),
    [
        ("works", (), True, None),
        ("works", ("works",), True, True),
        ("rejected", ("works",), True, False),
        ("rejected", ("works", "rejected"), True, True),
        ("unknown", ("works",), True, None),
        ("unknown", ("works",), False, False),
        ("unknown", ("works", "unknown"), True, True),
    ],
)
def test_expectations(state: str, expected: tuple[str, ...], usable: bool, wanted: bool | None) -> None:
    assert is_met(state, expected, usable=usable) is wanted


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://GW.example/v1", "gw.example:443"),
        ("http://gw.example/v1", "gw.example:80"),
        ("gw.example:8000/v1", "gw.example:8000"),
        ("https://gw:${PORT}/v1", "gw:${port}"),
        ("http://[::1]:9/v1", "::1:9"),
    ],
)
def test_the_host_that_politeness_counts_by(url: str, host: str) -> None:
    assert host_of(url) == host
