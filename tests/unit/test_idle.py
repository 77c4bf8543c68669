"""Silence: who ended it, and whether anyone did, read from the clock of recorded exchanges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checks.idle.observed import diagnose_observed
from checks.idle.provocation import DEEP_TOKENS, QUESTION_TOKENS, STANDARD_TOKENS, Plan, Provoked, allowed_tokens, plan
from checks.idle.reading import heartbeat_of, latency_of, speed_of, survived
from checks.idle.reuse import Reused, diagnose_reuse, was_lost
from checks.idle.silence import diagnose_silence, keepalive_note
from checks.shared.endings import constant_end, death_of, explain_cut, longest_silence, near
from probe.api import Depth, Exchange, Inconclusive, Result, State
from probe.model import Autopsy, Failure, Timeline
from tests.unit import answers
from tests.unit.answers import exchange
from tests.unit.streams import answer, chunk, streamed

CLOSED = Failure("closed", "headers", "Server disconnected", None, ("RemoteProtocolError",))
TRUNCATED = Failure("truncated", "body", "peer closed connection", None, ("RemoteProtocolError",))
RESET = Failure("reset", "headers", "", 104, ("ReadError", "ConnectionResetError"))
GONE = Failure("timeout", "headers", "", 110, ("ReadError", "TimeoutError"))
OURS = Failure("timeout", "headers", "no end after 24 s", None, ("TimeoutError",))


def at(exchange: Exchange, seconds: float, *, error: Failure | None = None, **more: Any) -> Exchange:
    """The exchange, its answer ``seconds`` after the request; with an error there is no answer."""
    times = Timeline(sent_s=0.0, headers_s=None if error else seconds, end_s=seconds, **more)
    return replace(exchange, timeline=times, error=error, response=None if error else exchange.response)


def whole(seconds: float, tokens: int = 240, finish: str = "length") -> Exchange:
    return at(answers.chat("word " * 10, prompt=9, written=tokens, finish=finish), seconds)


def gave_up(seconds: float, status: int = 504) -> Exchange:
    return at(answers.exchange(status, b"<html>timeout</html>", content_type="text/html"), seconds)


def lost(seconds: float, error: Failure, autopsy: Autopsy | None = None) -> Exchange:
    return at(answers.chat("x"), seconds, error=error, autopsy=autopsy)


def flowing(until_s: float, error: Failure | None = None, end_s: float | None = None) -> Exchange:
    """A streamed answer at 20 tokens a second; with an error it is cut."""
    made = answer([0.05 * n for n in range(int(until_s * 20))], 0.05)
    if error:
        made = made[:-3]
    return streamed(made, error=error, end_s=end_s or made[-1][0])


def codes(result: Result) -> list[str]:
    return [finding.code for finding in result.findings]


# How an exchange ended ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [504, 502, 524, 408])
def test_a_hop_that_gave_up(status: int) -> None:
    death = death_of(gave_up(2.05, status))
    assert death is not None
    assert death.from_a_timer
    assert death.total_s == pytest.approx(2.05)
    assert death_of(gave_up(0.2, status)) is None  # an error, not a timer


@pytest.mark.parametrize(
    ("status", "text", "timer"),
    [
        (503, "<html><title>503 Backend fetch failed</title><p>Error 503 Backend fetch failed</p></html>", True),
        (500, "litellm.Timeout: APITimeoutError - Request timed out.", True),
        (500, "division by zero", False),
        (503, "The model is overloaded, try again later", False),
        (503, "Loading model", False),
        (501, "Not Implemented", False),
    ],
)
def test_a_5xx_after_a_wait_is_a_timer_by_what_it_says(status: int, text: str, timer: bool) -> None:
    page = exchange(status, text.encode() if text.startswith("<") else {"error": {"message": text}})
    assert (death_of(at(page, 3.0)) is not None) == timer


def test_cuts_resets_and_losses() -> None:
    assert death_of(whole(9.0)) is None
    assert death_of(gave_up(3.0, 501)) is None
    cut = death_of(flowing(2.0, TRUNCATED, 3.0))
    assert cut is not None
    assert (cut.how, round(cut.total_s, 1)) == ("cut", 3.0)
    assert cut.silent_s == pytest.approx(1.0, abs=0.1)
    for error, how in ((CLOSED, "cut"), (RESET, "reset"), (GONE, "lost")):
        death = death_of(lost(2.5, error))
        assert death is not None
        assert death.how == how
    assert death_of(lost(24.0, OURS)) is None  # our own patience ended
    assert death_of(lost(0.3, RESET)) is None


def test_an_autopsy_tells_more_than_the_error() -> None:
    death = death_of(lost(8.2, GONE, Autopsy(4.0, 4.0, "no-answer", 4.2, 3)))
    assert death is not None
    assert (death.how, death.silent_s) == ("lost", 4.0)
    death = death_of(lost(4.1, RESET, Autopsy(4.0, 4.0, "reset", 0.1)))
    assert death is not None
    assert (death.how, death.silent_s) == ("reset", 4.0)


def test_late_closes_are_allowed_for() -> None:
    assert near(2.0, 3.0)  # Envoy
    assert near(2.0, 1.71)  # nginx
    assert not near(2.0, 4.0)


def test_silences() -> None:
    assert longest_silence(whole(5.0)) == pytest.approx(5.0)
    assert longest_silence(flowing(2.0)) < 0.1
    assert survived([whole(3.0), flowing(2.0), gave_up(9.0)]) == pytest.approx(3.0)


# What is provoked ---------------------------------------------------------------------------


def test_the_plan_spends_what_the_silence_needs() -> None:
    made = plan(4.0, 60.0, 0.05, Depth.STANDARD)
    assert isinstance(made, Plan)
    assert 240 <= made.tokens <= 290
    assert made.seconds >= 4.0
    healthy = plan(10.0, 60.0, 0.05, Depth.STANDARD)
    assert isinstance(healthy, Plan)
    assert healthy.tokens <= STANDARD_TOKENS
    slow = plan(10.0, 10.0, 0.5, Depth.STANDARD)
    assert isinstance(slow, Plan)
    assert slow.tokens <= 110
    deep = plan(75.0, 60.0, 0.05, Depth.DEEP)
    assert isinstance(deep, Plan)
    assert deep.tokens <= DEEP_TOKENS


def test_a_long_silence_is_reached_though_the_model_is_a_little_faster_than_measured() -> None:
    made = plan(310.0, 55.0, 0.05, Depth.STANDARD)
    assert isinstance(made, Plan)
    assert made.tokens / 60.0 >= 310.0
    assert made.seconds <= 1.11 * 310.0


def test_what_cannot_be_reached_is_not_paid_for() -> None:
    said = plan(10.0, 1500.0, 0.02, Depth.STANDARD)
    assert isinstance(said, str)
    assert "1500 tokens/s" in said


def test_a_known_context_bounds_the_plan() -> None:
    made = plan(310.0, 60.0, 0.05, Depth.STANDARD, 16_384)
    assert isinstance(made, Plan)
    assert made.tokens == 16_384 - QUESTION_TOKENS
    assert made.seconds == pytest.approx(271, abs=1)
    assert isinstance(plan(310.0, 60.0, 0.05, Depth.STANDARD, 4096), str)


@pytest.mark.parametrize(
    ("told", "tokens"),
    [
        ("max_tokens is too large: 18603. This model supports at most 16384 completion tokens", 16_384 - 128),
        ("maximum context length is 8192 tokens, and you requested 18623 (23 in the messages)", 8192 - 128),
        ("that is too much", 9301),
    ],
)
def test_after_a_refusal_as_many_tokens_are_asked_for_as_it_allows(told: str, tokens: int) -> None:
    assert allowed_tokens(answers.refusal(400, told), 18_603) == tokens
    assert allowed_tokens(answers.refusal(400, told), 90) is None


def test_the_speed_comes_from_the_fact_or_from_answers() -> None:
    assert speed_of(42.0, []) == 42.0
    assert speed_of(None, [whole(4.0, 240)]) == pytest.approx(60.0)
    assert speed_of(None, [flowing(2.0)]) is None
    assert latency_of([whole(3.5, 30), whole(7.0, 240)], 60.0) == pytest.approx(3.0)
    assert latency_of([], 60.0) == 0.0


# What it proves -----------------------------------------------------------------------------


def test_a_silence_that_survives() -> None:
    result = diagnose_silence(Provoked(4.0, whole(4.5), client_keepalive_s=30))
    assert codes(result) == []
    assert result.verdicts["long_silence"].verdict is State.WORKS


def test_a_silence_that_was_too_short_proves_nothing() -> None:
    result = diagnose_silence(Provoked(10.0, whole(1.2, 30, "stop")))
    assert codes(result) == []
    assert result.verdicts["long_silence"].verdict is State.UNKNOWN
    assert "1.2 s of 10 s" in result.verdicts["long_silence"].note


def test_an_idle_timer() -> None:
    result = diagnose_silence(Provoked(4.0, gave_up(2.0), flowing=flowing(4.4)))
    assert codes(result) == ["idle.l7-timeout"]
    assert (result.facts["idle_limit_s"], result.facts["idle_limit_kind"]) == (2.0, "idle")
    assert result.verdicts["long_silence"].verdict is State.BROKEN
    assert "streaming on" in result.findings[0].remedy


@pytest.mark.parametrize("end_s", [2.0, 3.0], ids=["at the limit", "a second late"])
def test_a_deadline(end_s: float) -> None:
    result = diagnose_silence(Provoked(4.0, gave_up(2.0), flowing=flowing(1.9, TRUNCATED, end_s)))
    assert codes(result) == ["idle.total-deadline"]
    assert (result.facts["idle_limit_s"], result.facts["idle_limit_kind"]) == (2.0, "total")


def test_a_deadline_may_also_reset() -> None:
    result = diagnose_silence(Provoked(4.0, lost(2.0, RESET), flowing=flowing(1.9, RESET, 2.0)))
    assert codes(result) == ["idle.total-deadline"]


def test_a_stream_that_was_too_short_leaves_a_doubt() -> None:
    result = diagnose_silence(Provoked(4.0, gave_up(2.0), flowing=flowing(1.0)))
    assert codes(result) == ["idle.l7-timeout"]
    assert result.findings[0].confidence < 0.7


def test_connections_lost_below_http() -> None:
    asked = Autopsy(4.0, 4.0, "no-answer", 4.2, 3)
    result = diagnose_silence(Provoked(4.0, lost(8.2, GONE, asked), kept=whole(4.5), keepalive_s=1))
    assert codes(result) == ["idle.l4-dropped"]
    assert "keepalive solves it" in result.findings[0].detail
    assert "Enable TCP keepalive" in result.findings[0].remedy
    assert result.facts["idle_limit_kind"] == "l4"
    told = diagnose_silence(
        Provoked(4.0, lost(4.1, RESET, Autopsy(4.0, 4.0, "reset")), kept=lost(4.1, RESET), keepalive_s=1)
    )
    assert codes(told) == ["idle.l4-reset"]
    assert "does not help" in told.findings[0].remedy


def test_a_reset_that_only_silence_meets_is_below_http() -> None:
    tried = Provoked(4.0, lost(2.0, RESET), flowing=flowing(4.4), kept=whole(4.5), keepalive_s=1)
    assert codes(diagnose_silence(tried)) == ["idle.l4-reset"]


def test_behind_a_buffer_heartbeats_are_not_enough() -> None:
    tried = Provoked(4.0, gave_up(2.0), flowing=flowing(4.4), delivery="size-buffered")
    assert "disable buffering first" in diagnose_silence(tried).findings[0].detail


def test_what_this_system_cannot_measure_is_inconclusive() -> None:
    with pytest.raises(Inconclusive, match="this system does not report the state of TCP connections"):
        diagnose_silence(Provoked(4.0, lost(24.0, OURS, Autopsy(4.0, 4.0, "unsupported"))))


def test_a_silent_server_is_not_the_networks_fault() -> None:
    with pytest.raises(Inconclusive, match="TCP peer is alive"):
        diagnose_silence(Provoked(4.0, lost(24.0, OURS, Autopsy(4.0, 4.0, "alive", 0.2))))
    with pytest.raises(Inconclusive):
        diagnose_silence(Provoked(4.0, at(answers.refusal(400, "no"), 0.1)))


def test_the_note_names_the_clients_keepalive() -> None:
    assert "whole seconds" in keepalive_note(30)
    assert "without" in keepalive_note(0)


# Kept connections ---------------------------------------------------------------------------


def pause(second: Exchange, *more: Exchange) -> Reused:
    return Reused(4.0, answers.exchange(200, {"data": []}), (second, *more))


def test_reuse() -> None:
    fine = answers.exchange(200, {"data": []})
    used = replace(fine, timeline=Timeline(reused=True))
    assert codes(diagnose_reuse([pause(used)])) == []
    closed = diagnose_reuse([pause(fine)])
    assert codes(closed) == []
    assert "closed visibly" in closed.note
    dead = pause(lost(0.1, RESET, None), fine)
    dead = replace(dead, after=(replace(dead.second, timeline=Timeline(reused=True)), fine))
    assert was_lost(dead)
    assert codes(diagnose_reuse([dead, dead])) == ["idle.reuse-closed"]
    with pytest.raises(Inconclusive):
        diagnose_reuse([dead, pause(used)])
    silent = replace(dead, after=(replace(lost(8.0, OURS), timeline=Timeline(reused=True)), fine))
    assert codes(diagnose_reuse([silent, silent])) == ["idle.l4-dropped"]


# What ordinary requests show ----------------------------------------------------------------


def test_two_requests_that_ended_alike_are_proof_and_one_is_not() -> None:
    assert codes(diagnose_observed([gave_up(2.0)], 0, frozenset())) == []
    both = [gave_up(2.0), gave_up(2.1), flowing(4.0)]
    result = diagnose_observed(both, 0, frozenset())
    assert codes(result) == ["idle.l7-timeout"]
    assert codes(diagnose_observed([*both, whole(5.0)], 0, frozenset())) == []
    assert codes(diagnose_observed(both, 0, frozenset({"idle.total-deadline"}))) == []


def test_ordinary_silences_count() -> None:
    result = diagnose_observed([whole(5.0)], 4.0, frozenset())
    assert result.verdicts["long_silence"].verdict is State.WORKS
    assert "long_silence" not in diagnose_observed([whole(1.0)], 4.0, frozenset()).verdicts


def test_heartbeats() -> None:
    words = answer([0.0, 0.1, 0.2], 4.0)
    comments = streamed([*[(1.0 * n, b": ping\n\n") for n in range(1, 4)], *words])
    found = heartbeat_of([comments])
    assert found is not None
    assert found[0] == pytest.approx(1.0)
    assert "comments" in found[1]
    data = streamed([*[(1.0 * n, chunk({"content": ""})) for n in range(1, 4)], *words])
    found = heartbeat_of([data])
    assert found is not None
    assert "data" in found[1]
    assert heartbeat_of([streamed(words), whole(4.0)]) is None
    assert heartbeat_of([streamed([(0.1, b": hello\n\n"), *words])]) is None


def test_a_silence_that_was_ended_once_accuses_nobody() -> None:
    with pytest.raises(Inconclusive, match="once"):
        diagnose_silence(Provoked(4.0, gave_up(2.0), whole(4.5)))
    assert codes(diagnose_silence(Provoked(4.0, gave_up(2.0), gave_up(2.1), flowing(4.4)))) == ["idle.l7-timeout"]


def test_any_late_answer_that_comes_again_after_the_same_time_is_a_timer() -> None:
    odd = [at(answers.exchange(500, b"oops", content_type="text/plain"), seconds) for seconds in (3.0, 3.05, 5.0)]
    found = diagnose_silence(Provoked(9.0, odd[0], odd[1], flowing=flowing(6.0)))
    assert codes(found) == ["idle.l7-timeout"]
    assert found.facts["idle_limit_s"] == 3.0
    with pytest.raises(Inconclusive, match="status 500"):
        diagnose_silence(Provoked(9.0, odd[0], odd[2], flowing=flowing(6.0)))
    retried = diagnose_silence(Provoked(9.0, gave_up(6.0), gave_up(6.0), gave_up(6.1), flowing(9.0)))
    assert "each of its tries" in retried.findings[0].detail


# A deadline that is noticed when something is written --------------------------------------------------


def cut_stream(until_s: float, rate: float, word: str = "a") -> Exchange:
    """A stream that breaks ``until_s`` seconds after the request, while tokens arrive."""
    made = [(number / rate, chunk({"content": word})) for number in range(int(until_s * rate))]
    return streamed(made, error=TRUNCATED, end_s=until_s)


@pytest.mark.parametrize(
    ("longer", "whole_answer", "known"),
    [
        (cut_stream(5.07, 18), lost(9.6, CLOSED), True),  # lost when it was complete: net/http's WriteTimeout
        (cut_stream(5.07, 30), whole(1.0), True),  # another size at the same time
        (cut_stream(5.05, 18), whole(1.0), True),  # one size, and whole seconds
        (cut_stream(8.0, 18), lost(9.6, CLOSED), False),  # another time
        (flowing(9.0), lost(9.6, CLOSED), False),  # the longer stream was complete
    ],
)
def test_streams_of_two_lengths_that_end_at_one_time_met_a_deadline(
    longer: Exchange, whole_answer: Exchange, known: bool
) -> None:
    found = explain_cut(cut_stream(5.05, 18), whole_answer, longer)
    assert (found is not None) is known
    if found is not None:
        assert codes(found) == ["idle.total-deadline"]
        assert found.facts == {"idle_limit_s": pytest.approx(5.0, abs=0.1), "idle_limit_kind": "total"}


def test_streams_that_end_at_one_size_met_no_timer() -> None:
    assert constant_end(cut_stream(5.45, 18), cut_stream(5.45, 18), whole(1.0)) is None
