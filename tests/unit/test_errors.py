"""Diagnosis of errors, from bodies as servers send them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from checks.errors.checks import diagnose_invalid, diagnose_malformed, diagnose_seen
from checks.errors.malformed_requests import broken, sample
from checks.errors.reading import Shape, shape_of
from probe.api import Exchange, Inconclusive, Severity
from tests.unit.answers import URL, chat, events, exchange, lost, refusal

BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16}


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (refusal(400, "no"), Shape.OPENAI),
        (exchange(400, {"error": {"code": 400, "message": "'messages' is required", "type": "x"}}), Shape.OPENAI),
        (exchange(401, {"error": "Unauthorized"}), Shape.OTHER),
        (exchange(400, {"object": "error", "message": "bad", "type": "BadRequestError", "code": 400}), Shape.OTHER),
        (exchange(422, {"detail": [{"loc": ["body", "messages"], "msg": "Input should be a list"}]}), Shape.OTHER),
        (exchange(400, [{"error": {"code": 400, "message": "bad", "status": "INVALID_ARGUMENT"}}]), Shape.OTHER),
        (exchange(400, "request failed"), Shape.OTHER),
        (exchange(400, {"ok": False}), Shape.NO_MESSAGE),
        (exchange(400, {"error": {"message": ""}}), Shape.NO_MESSAGE),
        (exchange(422, b"Failed to deserialize the JSON body", content_type="text/plain"), Shape.TEXT),
        (exchange(400, b"<html><body>400 Bad Request</body></html>", content_type="text/html"), Shape.PAGE),
        (exchange(400, b""), Shape.EMPTY),
    ],
)
def test_the_shape_of_a_body(made: Exchange, shape: Shape) -> None:
    assert shape_of(made) is shape


def seen(*exchanges: Exchange) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in diagnose_seen(exchanges, URL).findings}


def test_errors_of_the_right_shape_are_fine() -> None:
    assert seen(refusal(400, "no"), chat("hi"), exchange(500, {"error": {"message": "oops"}})) == {}


def test_other_json_is_noted_and_pages_are_warned_of() -> None:
    detail = exchange(422, {"detail": "no"})
    assert seen(detail) == {"errors.shape": Severity.INFO}
    assert seen(exchange(422, b"no such field", content_type="text/plain")) == {"errors.shape": Severity.INFO}
    page = exchange(400, b"<!doctype html><h1>400</h1>", content_type="text/html")
    assert seen(detail, page) == {"errors.shape": Severity.WARNING}
    assert seen(exchange(400, b"")) == {"errors.shape": Severity.WARNING}


@pytest.mark.parametrize("status", [401, 403, 407, 502, 503, 504, 408])
def test_keys_and_hops_are_not_the_apis_own_errors(status: int) -> None:
    page = exchange(status, b"<html>gateway</html>", content_type="text/html")
    assert seen(page) == {}


def test_an_empty_429_is_only_noted() -> None:
    assert seen(exchange(429, b"")) == {"errors.shape": Severity.INFO}


def test_other_paths_and_methods_do_not_count() -> None:
    assert seen(exchange(404, b"404 page not found", url="http://127.0.0.1:9/v1/responses")) == {}
    got = exchange(405, b"")
    assert seen(replace(got, request=replace(got.request, method="GET"))) == {}
    with_query = exchange(400, b"", url=f"{URL}?api-version=1")
    assert seen(with_query) == {"errors.shape": Severity.WARNING}


@pytest.mark.parametrize(
    "body", [{"error": {"message": "no"}}, {"error": "no"}, {"object": "error", "message": "no"}, [{"error": {}}, 1]]
)
def test_an_error_under_a_success_status(body: Any) -> None:
    expected = {} if isinstance(body, list) else {"errors.success-status": Severity.ERROR}
    assert seen(exchange(200, body)) == expected


def test_completions_and_streams_are_no_errors() -> None:
    assert seen(chat("hi"), events({"error": {"message": "in band"}})) == {}
    assert seen(exchange(200, {"choices": [], "error": None})) == {}


def test_a_5xx_for_a_bad_request_counts_when_it_repeats() -> None:
    bad = refusal(500, "messages must be an array")
    assert diagnose_invalid([bad, bad]).findings[0].code == "errors.server-error"
    with pytest.raises(Inconclusive):
        diagnose_invalid([bad])
    with pytest.raises(Inconclusive):
        diagnose_invalid([bad, refusal(400, "no")])
    with pytest.raises(Inconclusive):
        diagnose_invalid([lost()])
    with pytest.raises(Inconclusive):
        diagnose_invalid([refusal(503, "busy")])


@pytest.mark.parametrize(
    "fine", [refusal(400, "no"), refusal(422, "no"), chat("Hello"), exchange(200, {"error": "no"})]
)
def test_a_refusal_or_a_lenient_answer_is_no_server_error(fine: Exchange) -> None:
    assert not diagnose_invalid([fine]).findings


def test_the_sample_is_the_same_every_time() -> None:
    first, second = sample(BODY, 8), sample(BODY, 8)
    assert first == second
    assert len(first) == 8
    assert len({case.name for case in broken(BODY)}) == len(broken(BODY)) > 20
    assert all(case.content != json.dumps(BODY).encode() for case in broken(BODY))


def test_the_sample_notes_what_failed_twice() -> None:
    case, other = sample(BODY, 8)[:2]
    oops = refusal(500, "oops")
    result = diagnose_malformed([(case, [oops, oops]), (other, [oops]), (other, [refusal(400, "no")])])
    assert [finding.severity for finding in result.findings] == [Severity.INFO]
    assert case.name in result.findings[0].detail
    assert other.name not in result.findings[0].detail
    assert not diagnose_malformed([(case, [refusal(400, "no")])]).findings
