"""Comparing two reports: what counts as a change, as a regression, and as not comparable."""

from __future__ import annotations

import json
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from markdown_it import MarkdownIt

from probe.model import Hop, Outcome, Report, ServerInfo, Severity, State, Verdict
from reports.diff import Change, Difference, Direction, compare
from reports.diff import text as difftext
from reports.diff.text import as_html
from tests.reports_fixtures import ATTACKS, answer, completion, faulty, healthy, hostile, record, report, verdicts

OK = Verdict(State.WORKS, 1.0, None, ("tools.call",), "")
LOST = Verdict(State.BROKEN, 1.0, "tools.parser-missing", ("tools.call",), "")
UNTOLD = Verdict(State.UNKNOWN, 0.0, None, ("tools.call",), "the model answered in prose")


def finding(code: str, severity: Severity = Severity.ERROR, check: str = "tools.call") -> Any:
    return replace(faulty().findings[0], code=code, severity=severity, check=check)


def made(outcome: Outcome | None = Outcome.PASS, **parts: Any) -> Report:
    """A report with one check, tools.call, unless it did not run."""
    return report(checks=() if outcome is None else (record("tools.call", outcome, "because"),), **parts)


def names(found: Difference) -> list[tuple[str, str]]:
    return [(change.area, change.name) for change in found.changes]


def test_two_runs_that_differ_in_nothing_but_their_ids_and_times() -> None:
    old = healthy()
    new = replace(
        old,
        run=replace(old.run, id="other", started_at="2026-04-01T00:00:00+00:00", duration_s=9.9, requests=30),
        target=replace(old.target, endpoint="https://other.example/v1", base_url="https://other.example/v1"),
        exchanges=(answer(1, completion("UMBER-12710")),),
        facts={**old.facts, "first_token_s": 0.4, "tokens_per_s": 80.0, "tls_days_left": 29},
        checks=tuple(replace(check, duration_s=1.0, reason="another code") for check in old.checks),
    )
    found = compare(old, new)
    assert (found.changes, found.not_compared) == ((), ())
    assert [name for name, _, _ in found.conditions] == ["endpoint"]
    assert not found.regressed("warning")


def test_a_lost_capability_and_its_finding_are_a_regression() -> None:
    old = made(capabilities=verdicts(tools=OK))
    new = made(Outcome.FAIL, capabilities=verdicts(tools=LOST), findings=(finding("tools.parser-missing"),))
    found = compare(old, new)
    assert names(found) == [("capability", "tools"), ("finding", "tools.parser-missing")]
    assert found.regressed("error")
    assert not found.regressed("never")
    back = compare(new, old)
    assert {change.turn for change in back.changes} == {Direction.BETTER}
    assert not back.regressed("warning")


@pytest.mark.parametrize("after", [State.BROKEN, State.IGNORED, State.REJECTED])
def test_a_capability_that_worked_and_does_no_more_is_lost_whatever_the_severity(after: State) -> None:
    lost = replace(OK, verdict=after)
    found = compare(made(capabilities=verdicts(vision=OK)), made(capabilities=verdicts(vision=lost)))
    assert found.regressed("error")


def test_what_one_run_could_not_tell_accuses_nobody() -> None:
    found = compare(made(capabilities=verdicts(tools=OK)), made(capabilities=verdicts(tools=UNTOLD)))
    assert found.changes == ()
    assert [(item.name, item.side, item.reason) for item in found.not_compared] == [
        ("tools", "new", "the model answered in prose")
    ]
    back = compare(made(capabilities=verdicts(tools=UNTOLD)), made(capabilities=verdicts(tools=OK)))
    assert [item.side for item in back.not_compared] == ["old"]


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (None, "tools.call did not run"),
        (Outcome.SKIP, "because"),
        (Outcome.INCONCLUSIVE, "tools.call inconclusive: because"),
        (Outcome.ERROR, "tools.call crashed: because"),
    ],
)
def test_a_finding_is_gone_only_where_its_check_looked_again(outcome: Outcome | None, reason: str) -> None:
    old = made(Outcome.FAIL, capabilities=verdicts(tools=LOST), findings=(finding("tools.parser-missing"),))
    found = compare(old, made(outcome, capabilities=verdicts()))
    assert found.changes == ()
    assert {(item.name, item.reason) for item in found.not_compared} == {
        ("tools", reason),
        ("tools.parser-missing", reason),
    }


def test_a_new_finding_of_a_check_that_had_not_run_says_so_and_counts() -> None:
    new = made(Outcome.FAIL, findings=(finding("tools.parser-missing"),))
    (change,) = compare(made(None), new).changes
    assert change.regression is Severity.ERROR
    assert "It may be older: in the old run tools.call did not run." in change.note


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        (None, Severity.WARNING, {"warning"}),
        (None, Severity.ERROR, {"warning", "error"}),
        (None, Severity.INFO, set()),
        (Severity.WARNING, Severity.ERROR, {"warning", "error"}),
        (Severity.ERROR, Severity.WARNING, set()),
        (Severity.INFO, Severity.WARNING, {"warning"}),
    ],
)
def test_which_new_findings_count(before: Severity | None, after: Severity, counts: set[str]) -> None:
    old = made(findings=(finding("x.y", before),) if before else ())
    found = compare(old, made(findings=(finding("x.y", after),)))
    assert len(found.changes) == 1
    assert {level for level in ("error", "warning", "never") if found.regressed(level)} == counts


def test_the_base_url_counts_for_the_same_endpoint_only() -> None:
    old = healthy()
    moved = replace(old, target=replace(old.target, base_url="https://api.example.com/openai/v1"))
    assert names(compare(old, moved)) == [("address", "base_url")]
    other = replace(moved, target=replace(moved.target, endpoint="https://api.example.com/openai"))
    assert compare(old, other).changes == ()


def test_no_chat_at_all_is_a_regression_where_the_run_asked_for_it() -> None:
    old = healthy()
    none = replace(old, target=replace(old.target, base_url=None), capabilities=verdicts(chat=UNTOLD))
    found = compare(old, none)
    assert ("address", "base_url") in names(found)
    assert found.regressed("error")
    unasked = replace(none, capabilities=verdicts(), checks=())
    assert not compare(old, unasked).regressed("warning")
    assert [change.turn for change in compare(none, old).changes] == [Direction.BETTER]


def test_server_and_hops() -> None:
    old = report(server=ServerInfo("vllm", "0.16.0", 0.9, (), (Hop("nginx"),)))
    assert names(compare(old, report(server=replace(old.server, version="0.17.0")))) == [("server", "version")]
    assert names(compare(old, report(server=replace(old.server, version=None, confidence=0.5)))) == []
    new = report(server=ServerInfo("sglang", "0.5", 0.9, (), (Hop("haproxy"),)))
    assert names(compare(old, new)) == [("server", "software"), ("hop", "nginx"), ("hop", "haproxy")]
    down = replace(new, target=replace(new.target, base_url=None), capabilities=verdicts(), checks=())
    assert names(compare(old, down)) == []


def test_protocol_and_tls() -> None:
    old = healthy()
    new = replace(old, target=replace(old.target, http_version="HTTP/2", tls={"version": "TLSv1.2"}))
    assert names(compare(old, new)) == [("connection", "http_version"), ("connection", "tls")]


def test_facts_of_the_endpoint_count_when_both_runs_know_them() -> None:
    old = report(facts={"context_length": 8192, "models": ["a", "b"], "delivery": "streaming", "seed_repeatable": True})
    new = report(facts={"context_length": 4096, "models": ["b", "c"], "delivery": "held", "seed_repeatable": False})
    assert [(change.name, change.old, change.new) for change in compare(old, new).changes] == [
        ("context_length", 8192, 4096),
        ("models", ["a"], ["c"]),
    ]
    assert compare(old, report(facts={})).changes == ()
    shuffled = report(facts={**old.facts, "models": ["b", "a"]})
    assert compare(old, shuffled).changes == ()


def test_rejected_parameters_are_compared_between_runs_of_one_depth() -> None:
    old, new = report(facts={}), report(facts={"rejected_params": ["temperature"]})
    assert [(change.name, change.old, change.new) for change in compare(old, new).changes] == [
        ("rejected_params", None, ["temperature"])
    ]
    assert compare(replace(old, run=replace(old.run, depth="quick")), new).changes == ()


@pytest.mark.parametrize(
    ("name", "old", "new", "turn"),
    [
        ("first_token_s", 0.05, 0.25, None),  # five times as long, and still not noticeable
        ("first_token_s", 1.0, 1.9, None),  # one measurement each
        ("first_token_s", 0.4, 1.2, Direction.WORSE),
        ("first_token_s", 1.2, 0.4, Direction.BETTER),
        ("tokens_per_s", 75.0, 149.0, None),  # the same server on the same machine
        ("tokens_per_s", 60.0, 20.0, Direction.WORSE),
        ("tokens_per_s", 20.0, 60.0, Direction.BETTER),
        ("tokens_per_s", 2.0, 5.0, None),
        ("tokens_per_s", 900.0, 4000.0, None),  # the reader is what is measured
        ("tokens_per_s", 4000.0, 60.0, Direction.WORSE),
        ("heartbeat_s", 15.0, 15.6, None),
        ("heartbeat_s", 15.0, 30.0, Direction.OTHER),
        ("idle_limit_s", 60.0, 60.9, None),
        ("idle_limit_s", 60.0, 30.0, Direction.WORSE),
        ("idle_limit_s", 0.0, 30.0, Direction.BETTER),
    ],
)
def test_a_time_moved_when_it_left_the_band_of_noise(name: str, old: float, new: float, turn: Direction | None) -> None:
    pair = [report(facts={"delivery": "streaming", name: number}) for number in (old, new)]
    found = compare(*pair)
    assert [change.turn for change in found.changes] == ([turn] if turn else [])
    assert not found.regressed("warning")


def test_the_speed_of_a_stream_that_is_held_back_is_not_compared() -> None:
    old = report(facts={"delivery": "streaming", "tokens_per_s": 60.0})
    new = report(facts={"delivery": "held", "tokens_per_s": 6.0})
    assert compare(old, new).changes == ()


@pytest.mark.parametrize("odd", ["fast", None, True, [1]])
def test_a_time_that_is_no_number_is_left_alone(odd: Any) -> None:
    assert compare(report(facts={"first_token_s": odd}), report(facts={"first_token_s": 9.0})).changes == ()


# How it is shown ---------------------------------------------------------------------------


def worse() -> Difference:
    return compare(healthy(), faulty())


def test_the_text_names_each_change_and_fits_eighty_columns() -> None:
    text = difftext.as_text(worse()).decode()
    for change in worse().changes:
        assert change.name in text
    assert text.startswith("Regression: ")
    assert "Fix: Set `proxy_buffering off;` in the location of the API." in text
    assert max(map(len, text.splitlines())) <= 80


def test_equal_reports_say_no_change() -> None:
    assert difftext.as_text(compare(healthy(), healthy())).decode().startswith("No change.\n")


def test_what_the_runs_were_asked_for_is_told_apart_from_what_changed() -> None:
    quick = replace(healthy(), run=replace(healthy().run, depth="quick"))
    for form in (difftext.as_text, difftext.as_markdown, as_html):
        assert "The runs differ in depth (quick, then standard)." in form(compare(quick, healthy())).decode()
        assert "The runs differ" not in form(compare(healthy(), healthy())).decode()


def test_swapped_reports_are_pointed_out() -> None:
    later = replace(healthy(), run=replace(healthy().run, started_at="2027-01-01T00:00:00+00:00"))
    assert "are the two swapped?" in difftext.as_text(compare(later, healthy())).decode()
    assert "swapped" not in difftext.as_text(worse()).decode()  # the same moment, written in two ways
    assert "swapped" not in difftext.as_text(compare(healthy(), later)).decode()


def test_json_holds_all_of_it() -> None:
    found = worse()
    shown = json.loads(difftext.as_json(found))
    assert shown["regression"] == "error"
    assert [item["name"] for item in shown["changes"]] == [change.name for change in found.changes]
    assert [item["name"] for item in shown["not_compared"]] == [item.name for item in found.not_compared]
    assert shown["old"]["run"] == healthy().run.id
    assert {item["name"] for item in shown["conditions"]} == {"depth", "complete"}


@pytest.mark.parametrize("form", ["text", "json", "markdown", "html"])
def test_what_an_endpoint_sends_stays_inert(form: str) -> None:
    for pair in ((healthy(), hostile(300)), (hostile(300), healthy())):
        found = compare(*pair)
        shown = (as_html(found) if form == "html" else difftext.FORMS[form](found)).decode()
        assert "\x1b" not in shown
        assert "\x00" not in shown
        if form != "json":
            assert "\u202e" not in shown
        if form == "markdown":
            shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(shown)
        if form in ("html", "markdown"):
            for tag in ("<script", "<img", "<a "):
                assert tag not in shown


def test_the_page_allows_no_script_and_asks_for_nothing() -> None:
    page = as_html(worse()).decode()
    assert "script-src" not in page
    assert "default-src 'none'" in unescape(page)
    assert "<script" not in page
    assert "http-equiv" in page
    assert "src=" not in page
    assert 'class="severity error">regression' in page


def test_lists_are_shown_as_what_was_removed_and_added() -> None:
    assert difftext.describe(Change("fact", "models", ["a"], ["b"])) == 'removed: ["a"], added: ["b"]'
    assert difftext.describe(Change("fact", "models", None, ["b"])) == 'added: ["b"]'
    assert difftext.describe(Change("finding", "x.y", "error", None)) == "disappeared (error)"
    assert difftext.describe(Change("hop", "nginx", None, "nginx")) == "appeared"


def test_attacks_are_in_the_fixture() -> None:
    assert all(attack in str(hostile(300).target.model) for attack in ATTACKS)
