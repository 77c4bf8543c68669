"""Whether a long silence on the connection loses the answer, and what ends the connection.

A long answer without streaming is one silence from the request to the last token.  The connection is configured as
a client would have it.  When it has been silent for --idle seconds, a TCP keepalive probe shows whether the peer
still knows the connection.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from checks.idle.catalogue import L4_DROPPED, L4_RESET, L7_TIMEOUT, TOTAL_DEADLINE
from checks.idle.provocation import Provoked, lost_on_probe, plan, prefilled, provoke
from checks.idle.reading import latency_of, speed_of, survived
from checks.shared.endings import (
    Death,
    constant_end,
    death_of,
    error_at_end,
    late_failure,
    limit_facts,
    longest_silence,
    near,
    timer_result,
)
from probe.api import (
    Depth,
    Exchange,
    Inconclusive,
    Result,
    Skip,
    State,
    Verdict,
    because,
    check,
    completion,
    unknown,
    wording,
    works,
)

if TYPE_CHECKING:
    from probe.api import Context

_TIMERS = {L7_TIMEOUT.code, TOTAL_DEADLINE.code}
#: The remedy if keepalive was tried and did not help.
NO_KEEPALIVE = (
    "Raise the idle timeout of the firewall, load balancer or TLS tunnel in between (stunnel: `TIMEOUTidle = 43200`), "
    "keep streaming on, and let the server send heartbeats. TCP keepalive was tried and does not help: this hop counts "
    "only data, or ends its own TCP connection to the client."
)


@check(
    "idle.silence",
    title="Wait through a long silence",
    proves="A silence of --idle seconds between request and answer is survived.",
    requires={"chat"},
    after={"stream.delivery"},
    provides={"long_silence"},
    emits=(L7_TIMEOUT, TOTAL_DEADLINE, L4_DROPPED, L4_RESET),
    max_requests=12,
    least_requests=1,
    max_tokens=7200,
    max_seconds=400.0,
    depth=Depth.QUICK,
)
async def silence(ctx: Context) -> Result:
    wanted = ctx.options.idle_s
    if wanted <= 0:
        raise Skip("no silence was requested (--idle 0)")
    known = sorted(_TIMERS & ctx.codes)
    if known:
        note = f"earlier answers were ended by a timer of {ctx.facts.get('idle_limit_s')} s"
        return Result(verdicts={"long_silence": Verdict(State.BROKEN, 0.9, known[0], note=note)})
    before = survived(ctx.exchanges)
    if before >= wanted:
        return Result(verdicts={"long_silence": works(f"a silence of {before:.1f} s survived")})
    rate = speed_of(ctx.facts.get("tokens_per_s"), ctx.exchanges)
    latency = latency_of(ctx.exchanges, rate) if rate else 0.0
    planned = plan(wanted, rate, latency, ctx.options.depth, ctx.facts.get("context_length"))
    if not isinstance(planned, str):
        tried = await provoke(ctx, wanted, planned)
    elif ctx.options.depth is Depth.DEEP:
        tried = await prefilled(ctx, wanted, None)
    else:
        return Result(verdicts={"long_silence": unknown(planned)})
    return diagnose_silence(replace(tried, delivery=ctx.facts.get("delivery")))


def diagnose_silence(tried: Provoked) -> Result:
    """Judge the provoked silence; Inconclusive if the request failed for another reason."""
    death = late_failure(tried.silent)
    if death is None:
        return _not_ended(tried)
    again = late_failure(tried.again) if tried.again is not None else None
    if tried.again is not None and again is None:
        raise Inconclusive(f"a silent request was ended after {death.total_s:.1f} s once, and not when it was repeated")
    if death_of(tried.silent) is None and not (
        again and abs(again.total_s - death.total_s) < 0.3 + 0.03 * death.total_s
    ):
        raise Inconclusive(f"the long request was answered with status {tried.silent.status}")
    by_timer = death.from_a_timer or _ended_while_flowing(tried.flowing, death) is not None
    result = constant_end(tried.flowing, tried.longer, tried.silent) if tried.flowing is not None else None
    if result is None:
        result = _timer(tried, death) if by_timer else _below_http(tried, death)
    return result | Result(verdicts={"long_silence": because(State.BROKEN, result.findings[0])})


def _not_ended(tried: Provoked) -> Result:
    silent = tried.silent
    if silent.error is not None:
        autopsy = silent.timeline.autopsy
        waited = f"no answer within {silent.timeline.end_s:.0f} s"
        if silent.error.kind == "timeout" and autopsy is not None and autopsy.verdict == "alive":
            raise Inconclusive(
                f"{waited}, and the TCP peer is alive: the server is silent (queue, long generation, lost backend)"
            )
        if autopsy is not None and autopsy.verdict == "unsupported":
            raise Inconclusive(
                f"{waited}; this system does not report the state of TCP connections (Linux does), so a connection "
                "lost by the network cannot be recognised"
            )
        raise Inconclusive(f"the long request was lost ({silent.error.kind})")
    if not completion.is_completion(silent):
        raise Inconclusive(f"the long request was answered with status {silent.status}")
    lasted = longest_silence(silent)
    if lasted >= 0.98 * tried.wanted_s:
        note = f"a silence of {lasted:.1f} s survived"
        note_with_keepalive = f"{note}, {keepalive_note(tried.client_keepalive_s)}"
        return Result(verdicts={"long_silence": works(note)}, note=note_with_keepalive)
    why = (
        f"the longest provoked silence was {lasted:.1f} s of {tried.wanted_s:g} s: the model wrote "
        f"{completion.usage(silent)[1] or 'few'} tokens (finish reason {completion.finish_reason(silent)}) in the "
        f"longest of {wording.amount(tried.tries, 'try', 'tries')}; --idle {max(1, int(lasted))} asks for what it can "
        "do, and --depth deep tries longer answers and prompts"
    )
    return Result(verdicts={"long_silence": unknown(why)})


def keepalive_note(seconds: int) -> str:
    """The client's keepalive, and its resolution."""
    if seconds <= 0:
        return "without TCP keepalive"
    return f"with TCP keepalive of {seconds} s (whole seconds only: a fraction cannot be set on this system)"


def _ended_while_flowing(flowing: Exchange | None, death: Death) -> Death | None:
    """The end of the streamed answer, if it came at the same time after the request although bytes were flowing."""
    cut = death_of(flowing) or error_at_end(flowing) if flowing is not None else None
    if cut is not None and near(death.total_s, cut.total_s) and cut.silent_s < death.total_s - 0.5:
        return cut
    return None


def _timer(tried: Provoked, death: Death) -> Result:
    silent, flowing = tried.silent, tried.flowing
    again = late_failure(tried.again) if tried.again is not None else None
    limit_s = min(death.total_s, again.total_s) if again is not None and again.how == death.how else death.total_s
    why = "TCP keepalive does not affect such a timer."
    half = late_failure(tried.half) if tried.half is not None else None
    if half is not None and half.total_s > 0.8 * death.total_s:
        why = (
            f"An answer that takes about {death.total_s / 2:.1f} s was lost as well, and after the same time: the "
            f"gateway ends each of its tries within that and repeats the request. {why}"
        )
    if tried.delivery in ("held", "size-buffered"):
        why += " The buffer that holds back the stream would also hold back heartbeats: disable buffering first."
    if flowing is None or not completion.is_stream(flowing):
        return timer_result(L7_TIMEOUT, limit_s, silent, death, confidence=0.7, why=why)
    lasted = flowing.timeline.end_s - (flowing.timeline.sent_s or 0.0)
    cut = _ended_while_flowing(flowing, death)
    if cut is not None:
        return timer_result(TOTAL_DEADLINE, min(limit_s, cut.total_s), silent, death, flowing, cut, why=why)
    if death_of(flowing) is None and flowing.error is None and lasted > death.total_s + 0.3:
        why = f"A streamed answer of {lasted:.1f} s was completed: keep streaming on. {why}"
        return timer_result(L7_TIMEOUT, limit_s, silent, death, flowing, why=why)
    why = f"The streamed answer lasted only {lasted:.1f} s, so a total deadline is possible too. {why}"
    return timer_result(L7_TIMEOUT, limit_s, silent, death, flowing, confidence=0.6, why=why)


def _below_http(tried: Provoked, death: Death) -> Result:
    silent, kept = tried.silent, tried.kept
    diagnosis = L4_RESET if death.how == "reset" else L4_DROPPED
    autopsy = silent.timeline.autopsy
    by_probe = lost_on_probe(silent)
    detail = f"After {death.silent_s:.1f} s of silence the connection "
    detail += "was reset" if death.how == "reset" else "no longer answered"
    detail += " when a TCP keepalive probe was sent, so the limit is at most that." if by_probe else "."
    detail += f" It was opened {keepalive_note(tried.client_keepalive_s)}."
    remedy = None
    cured = kept is not None and completion.is_completion(kept)
    if cured:
        detail += f" With keepalive of {tried.keepalive_s} s the same silence was survived: keepalive solves it."
    elif kept is not None:
        detail += f" Keepalive of {tried.keepalive_s} s did not prevent it."
        remedy = NO_KEEPALIVE
    evidence = [silent.shows(death.pointer, expected="a complete answer", actual=death.actual)]
    if autopsy is not None and by_probe:
        evidence.append(silent.shows("/timeline/autopsy/verdict", expected="alive", actual=autopsy.verdict))
    finding = diagnosis.found(detail, *evidence, confidence=0.95 if cured or by_probe else 0.8, remedy=remedy)
    return Result((finding,), facts=limit_facts("l4", death.silent_s))
