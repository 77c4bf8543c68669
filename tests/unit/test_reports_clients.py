"""The row per client, and the configuration to copy, in the page and in Markdown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from probe.model import Report, State, Verdict
from reports import markdown
from reports.clients import compatibility as clients
from reports.clients.compatibility import Answer, Fit
from reports.clients.registry import clients as known_clients
from reports.html import page
from tests.reports_fixtures import ALL, faulty, healthy, hostile, report, verdicts

WORKING = ("chat", "streaming", "stream_usage", "system_role", "tools", "tool_results", "streaming_tools", "vision")


def good() -> Report:
    """An endpoint at which everything was seen to work."""
    return report(capabilities=verdicts(**{name: Verdict(State.WORKS, 1.0, None, ("x.y",)) for name in WORKING}))


def unstreamed() -> Report:
    """An endpoint at which no stream can be had."""
    made = faulty()
    streaming = Verdict(State.REJECTED, 1.0, "stream.rejected", ("x.y",))
    return replace(made, capabilities={**made.capabilities, "streaming": streaming})


def row(of: Report, name: str) -> clients.ClientRow:
    return next(item for item in clients.rows(of) if item.fit.client == name)


def test_every_client_has_its_row_and_those_that_work_come_first() -> None:
    rows = clients.rows(faulty())
    assert {item.fit.client for item in rows} == {client.name for client in known_clients() if client.needs}
    order = list(Answer)
    ranks = [order.index(item.fit.answer) for item in rows]
    assert ranks == sorted(ranks)
    assert Answer.NO in {item.fit.answer for item in rows}


def test_a_client_that_works_gets_its_configuration() -> None:
    kenaz = row(good(), "kenaz")
    assert kenaz.fit.answer is Answer.YES
    assert kenaz.text is not None
    assert "https://api.example.com/v1" in json.dumps(json.loads(kenaz.text))


def test_a_client_that_does_not_work_gets_none() -> None:
    kenaz = row(unstreamed(), "kenaz")
    assert kenaz.fit.answer is Answer.NO
    assert kenaz.text is None
    assert kenaz.problem


def test_without_a_base_url_nothing_is_said_of_clients() -> None:
    none = replace(healthy(), target=replace(healthy().target, base_url=None))
    assert clients.rows(none) == []
    assert 'id="clients"' not in page.render(none).decode()
    assert "### Works with" not in markdown.render(none).decode()


def test_a_model_name_that_no_file_can_hold_leaves_the_rows_and_says_why() -> None:
    rows = clients.rows(hostile(300))
    assert rows
    assert all(item.text is None for item in rows)
    assert {item.problem for item in rows if item.fit.answer is not Answer.NO} == {
        "the report names no usable model; run again with --model ID"
    }


def test_an_exporter_that_breaks_costs_one_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    real = clients.export

    def broken(client: Any, *more: Any) -> Any:
        if client.name == "llm":
            raise KeyError("x")
        return real(client, *more)

    monkeypatch.setattr(clients, "export", broken)
    assert row(good(), "llm").problem == "internal error of endpoint-probe (KeyError)"
    assert row(good(), "kenaz").text is not None


def test_no_key_of_the_environment_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-0123456789abcdef0123")
    for made in (page.render(good()), markdown.render(good())):
        assert b"sk-0123456789abcdef0123" not in made
        assert b"MY_KEY" in made


def test_what_stands_in_the_way_reads_as_sentences() -> None:
    fit = Fit("x", "X", Answer.WITH_SETTINGS, reasons=("it is slow",), settings=("a: 1", "b: 2"))
    assert fit.why == "Set: a: 1; b: 2. It is slow."
    assert Fit("x", "X", Answer.YES).why == ""


def test_the_page_shows_each_row_and_a_button_for_each_configuration() -> None:
    shown = page.render(good()).decode()
    for item in clients.rows(good()):
        assert f'<th scope="row" role="rowheader">{item.fit.title}</th>' in shown
        if item.text is not None:
            assert f'data-copy="config-text-{item.fit.client}"' in shown
    no = page.render(unstreamed()).decode()
    assert '<span class="verdict broken">no</span>' in no
    assert 'id="config-kenaz"' not in no


def test_markdown_shows_each_row_and_the_configurations_folded() -> None:
    shown = markdown.render(good()).decode()
    assert "| Kenaz | **yes** |" in shown
    assert "<summary>Configuration for Kenaz</summary>" in shown
    assert "Configuration for Kenaz" not in markdown.render(unstreamed()).decode()


def test_a_configuration_is_whole_or_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    real = clients.export
    monkeypatch.setattr(clients, "export", lambda *more: replace(real(*more), text="x" * 5_000))
    shown = markdown.render(good()).decode()
    assert "xxx" not in shown
    assert "`endpoint-probe export report.json --to kenaz`" in shown


def test_what_an_endpoint_sends_into_a_configuration_stays_text() -> None:
    attack = good()
    attack = replace(attack, target=replace(attack.target, model='m"><script>alert(1)</script>'))
    assert "<script>alert" not in page.render(attack).decode()
    assert "<script>alert" not in page.render(replace(attack, facts={"models": [ALL]})).decode()
