"""The table of mutations, the rules drawn from its outcomes, and the record that is kept of them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

import pytest

from tests.benchmarks.mutations import drive_python, named, record, rules, serving, typed
from tests.benchmarks.mutations.healthy import CALLS, TEXT
from tests.benchmarks.mutations.outcomes import NO_FINISH, NOTHING, OK, fails, judge, severity
from tests.benchmarks.mutations.table import (
    EVENTS,
    MISSING,
    Mutation,
    all_mutations,
    controls,
    documents,
    kind_of,
    payload,
    served_documents,
)


@pytest.fixture(scope="module")
def recorded() -> record.Record:
    return record.read()


def test_every_mutation_changes_what_is_served() -> None:
    mutations = all_mutations()
    assert len(mutations) >= 160
    assert len({mutation.name for mutation in mutations}) == len(mutations)
    healthy = {(control.situation, control.chunks == "usage"): payload(control) for control in controls()}
    for mutation in mutations:
        assert payload(mutation) != healthy[mutation.situation, mutation.asks_usage], mutation.name


def test_one_field_of_a_fragment_is_changed_and_nothing_else() -> None:
    mutation = Mutation("tool-stream", "choices[].delta.tool_calls[].id", "null", None, "later")
    healthy = documents(Mutation("tool-stream", "", "none"))
    for before, after in zip(healthy, documents(mutation), strict=True):
        for call in after["choices"][0]["delta"].get("tool_calls", []):
            if call["id"] is None:
                del call["id"]
        assert after == before


def test_a_mutation_that_changes_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is changed"):
        payload(Mutation("text", "no_such_field", "missing", MISSING))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (MISSING, "missing"),
        (None, "null"),
        (True, "boolean"),
        (0, "zero"),
        (7, "integer"),
        (-1, "negative"),
        (20.5, "fraction"),
        ("", "empty string"),
        ("x", "string"),
        ([], "empty list"),
        ([1], "list"),
        ({}, "empty object"),
        ({"a": 1}, "object"),
    ],
)
def test_a_deviation_is_named_by_its_value(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


TEXT_ANSWER = Mutation("text", "id", "missing", MISSING)
CALL_ANSWER = Mutation("tool", "id", "missing", MISSING)
CALL = [CALLS[0][0], CALLS[0][1], json.loads(CALLS[0][2])]


@pytest.mark.parametrize(
    ("mutation", "shown", "outcome"),
    [
        (TEXT_ANSWER, {"text": TEXT, "finish": "stop"}, OK),
        (TEXT_ANSWER, {"text": TEXT, "finish": None}, NO_FINISH),
        (TEXT_ANSWER, {"text": TEXT, "finish": "eos"}, 'finish reason "eos"'),
        (TEXT_ANSWER, {"text": None, "finish": "stop"}, NOTHING),
        (TEXT_ANSWER, {"text": "Rooms", "finish": "stop"}, "wrong: 'Rooms'"),
        (TEXT_ANSWER, {"text": 42, "finish": "stop"}, "wrong: content is 42"),
        (TEXT_ANSWER, {"error": "TypeError: \n no"}, "raises: TypeError: no"),
        (CALL_ANSWER, {"calls": [CALL], "finish": "tool_calls"}, OK),
        (CALL_ANSWER, {"calls": [], "finish": "tool_calls"}, NOTHING),
        (CALL_ANSWER, {"calls": [[None, *CALL[1:]]], "finish": "tool_calls"}, "wrong: call id is null"),
        (CALL_ANSWER, {"calls": [[*CALL[:2], {}]], "finish": "tool_calls"}, 'wrong: calls [["get_weather", {}]]'),
    ],
)
def test_what_is_shown_is_judged(mutation: Mutation, shown: dict[str, Any], outcome: str) -> None:
    assert judge("openai-python create", shown, mutation) == outcome


def test_the_sdk_has_to_go_on_after_the_call() -> None:
    shown = {"calls": [CALL], "finish": "tool-calls", "text": ""}
    column = "AI SDK generateText with tools"
    assert judge(column, shown, CALL_ANSWER) == "wrong: stops after the call"
    assert judge(column, {**shown, "text": "Done."}, CALL_ANSWER) == OK


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ({}, "info"),
        ({"openai-python create": OK, typed.RUST: OK}, "info"),
        ({"openai-python create": "raises: TypeError"}, "error"),
        ({"openai-python loop": NOTHING}, "error"),
        ({"openai-python loop": NO_FINISH}, "error"),
        ({"openai-node create": "wrong: 'x'"}, "error"),
        ({"openai-node loop": "raises: TypeError"}, "error"),
        ({"AI SDK generateText": "raises: AI_APICallError"}, "error"),
        ({"AI SDK streamText with tools": NOTHING}, "error"),
        ({"openai-python stream()": "raises: AssertionError", "openai-python loop": OK}, "warning"),
        ({"openai-node stream()": "raises: Error"}, "warning"),
        ({drive_python.BARE_LOOP: "raises: IndexError"}, "warning"),
        ({typed.GO: "raises: id is not a string"}, "warning"),
        ({typed.JAVA: "raises: choices is missing"}, "warning"),
        ({"openai-python create": 'finish reason "eos"'}, "warning"),
    ],
)
def test_severity_follows_who_fails(outcomes: Mapping[str, str], expected: str) -> None:
    assert severity(outcomes) == expected


def test_typed_clients_take_the_healthy_answers() -> None:
    for control in controls():
        assert set(typed.derive(control).values()) == {OK}, control.name


@pytest.mark.parametrize(
    ("field", "value", "failing"),
    [
        ("created", "1760000000", {typed.GO, typed.RUST}),
        ("created", MISSING, {typed.RUST}),
        ("choices", {}, {typed.GO, typed.GO_OFFICIAL, typed.RUST, typed.JAVA}),
        ("choices[].message.content", 42, {typed.GO, typed.RUST, typed.JAVA}),
        ("choices[].message.content", [{"type": "text", "text": TEXT}], {typed.GO_OFFICIAL, typed.RUST, typed.JAVA}),
        ("choices[].finish_reason", "eos_token", {typed.RUST}),
        ("usage.prompt_tokens", 20.5, {typed.GO, typed.RUST}),
        ("x_vendor", {"any": 1}, set()),
    ],
)
def test_typed_clients_refuse_by_their_types(field: str, value: Any, failing: set[str]) -> None:
    outcomes = typed.derive(Mutation("text", field, kind_of(value), value))
    assert {column for column, outcome in outcomes.items() if fails(outcome)} == failing


def test_openai_python_reads_the_healthy_answers_and_fails_on_a_number() -> None:
    number = Mutation("text-stream", "choices[].delta.content", "integer", 42, "one")
    mutations = [*controls(), number]
    with serving.serve(mutations) as base:
        rows = drive_python.drive(base, mutations)
    outcomes = [
        {column: judge(column, shown, mutation) for column, shown in row.items()}
        for mutation, row in zip(mutations, rows, strict=True)
    ]
    for row in outcomes[:-1]:
        assert set(row.values()) == {OK}
    assert outcomes[-1][drive_python.LOOP].startswith("raises: TypeError")


def test_the_record_holds_every_mutation(recorded: record.Record) -> None:
    def named(mutation: Mutation) -> tuple[str, bool]:
        return mutation.name, mutation.allowed

    assert [named(mutation) for mutation, _ in recorded.rows] == [named(mutation) for mutation in all_mutations()]
    assert set(recorded.versions) >= {"openai-python", "openai-node", "ai", "@ai-sdk/openai-compatible", "node"}


def test_the_record_agrees_with_the_types(recorded: record.Record) -> None:
    for mutation, outcomes in recorded.rows:
        derived = typed.derive(mutation)
        assert {column: outcomes[column] for column in derived} == derived, mutation.name


def test_a_record_is_written_as_it_is_read(recorded: record.Record, tmp_path: Any) -> None:
    record.write(recorded, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text(encoding="utf-8") == record.FILE.read_text(encoding="utf-8")


def test_the_rules_are_those_of_the_record(recorded: record.Record) -> None:
    text = rules.FILE.read_text(encoding="utf-8")
    assert text == rules.render(recorded)
    read = tomllib.loads(text)["rule"]
    assert len(read) == len(rules.derive(recorded))
    assert all(rule["fails"] for rule in read if rule["severity"] != "info")


def test_every_failure_of_the_record_is_in_a_rule(recorded: record.Record) -> None:
    made = rules.derive(recorded)
    for mutation, outcomes in recorded.rows:
        if all(outcome == OK for outcome in outcomes.values()):
            continue
        found = [
            rule
            for rule in made
            if (rule.where, rule.field) == (mutation.where, mutation.field)
            and mutation.deviation in rule.deviations
            and mutation.situation.removesuffix("-stream") in rule.answers
            and (not mutation.chunks or mutation.chunks in rule.chunks)
        ]
        # Other values may have other consequences: they are named in their rules.
        found = [rule for rule in found if not rule.values or mutation.value in rule.values]
        assert [rule.severity for rule in found] == [severity(outcomes)], mutation.name
        clients = {column.removesuffix(" with tools") for column, outcome in outcomes.items() if outcome != OK}
        assert set(found[0].fails) == clients, mutation.name


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["raises: TypeError: a"], "raises: TypeError: a"),
        (["raises: TypeError: a", "raises: TypeError: b"], "raises: TypeError"),
        (["raises: TypeError: a", "raises: KeyError: 0"], "raises"),
        (["raises: TypeError: a", "nothing"], "nothing or raises"),
        (['finish reason "a"', 'finish reason "b"'], "another finish reason"),
    ],
)
def test_different_failures_are_cut_to_what_they_share(outcomes: list[str], expected: str) -> None:
    assert rules.common(outcomes) == expected


@pytest.mark.parametrize(
    ("where", "field", "deviation", "chunks", "expected"),
    [
        # From public reports: what each of them breaks was found out by trying.
        ("chunk", "choices[].delta.content", "integer", "one", "error"),
        ("chunk", "choices[].delta.content", "zero", "one", "error"),
        ("chunk", "choices[].finish_reason", "empty string", "all", "error"),
        ("chunk", "choices", "missing", "usage", "error"),
        ("chunk", "choices[].delta", "null", "last", "error"),
        ("chunk", "choices[].delta", "missing", "last", "error"),
        ("chunk", "error", "null", "all", "error"),
        ("chunk", "object", "missing", "all", "warning"),
        ("chunk", "choices[].index", "missing", "all", "warning"),
        ("chunk", "choices[].delta.role", "missing", "first", "warning"),
        ("chunk", "choices[].delta.tool_calls[].index", "from 1", "all", "warning"),
        ("answer", "choices[].message.role", "empty string", "", "error"),
        ("answer", "created", "string", "", "error"),
        ("answer", "usage.prompt_tokens", "string", "", "error"),
        ("answer", "choices[].message.content", "list", "", "error"),
        ("answer", "choices[].message.tool_calls[].type", "missing", "", "error"),
        ("answer", "error", "null", "", "info"),
    ],
)
def test_known_deviations_are_rated(
    recorded: record.Record, where: str, field: str, deviation: str, chunks: str, expected: str
) -> None:
    rated = {
        severity(outcomes)
        for mutation, outcomes in recorded.rows
        if (mutation.where, mutation.field, mutation.deviation, mutation.chunks) == (where, field, deviation, chunks)
    }
    assert rated == {expected}


def test_events_are_served_as_json_where_they_are_json() -> None:
    for deviation in EVENTS:
        made = served_documents(Mutation("text-stream", "", deviation))
        assert any(isinstance(one, dict) and one.get("choices") for one in made), deviation


def test_every_mutation_that_breaks_plain_use_is_named(recorded: record.Record) -> None:
    assert [mutation.name for mutation in named.missed(recorded.rows)] == []


def test_no_mutation_that_breaks_nobody_is_named(recorded: record.Record) -> None:
    assert [(mutation.name, dict(codes)) for mutation, codes in named.false_alarms(recorded.rows)] == []


def test_the_healthy_answers_are_left_alone() -> None:
    assert {control.name: dict(named.named(control)) for control in controls() if named.named(control)} == {}


def test_no_row_of_a_client_says_yes_where_its_library_failed(recorded: record.Record) -> None:
    assert [(mutation.name, library) for mutation, library in named.wrong_rows(recorded.rows)] == []
