"""One run, from its options to its report."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from probe.catalogue import registry
from probe.catalogue.remedies import advised
from probe.model import (
    SEVERITIES,
    AuthInfo,
    Check,
    Event,
    Evidence,
    Finding,
    Report,
    RunInfo,
    ServerInfo,
    Severity,
    State,
    TargetInfo,
    ToolInfo,
    Verdict,
    in_order,
    tried,
)
from probe.parsing import chat_completion
from probe.parsing.urls import login, secrets_in
from probe.redaction.redactor import Redactor
from probe.report import stored, tidy
from probe.run.budget import Budget
from probe.run.interruption import Interrupted
from probe.run.options import Options, Settled
from probe.run.outcomes import merge
from probe.run.process_state import Shared
from probe.run.run_state import Log
from probe.run.scheduler import Scheduler
from probe.run.watchdog import Watchdog
from probe.version import VERSION
from probe.wire.client import Client
from probe.wire.loop_lag import LagMonitor
from probe.wire.proxies import ProxyInUse, environment_proxies, proxy_for
from probe.wire.recorder import RUN_LIMIT


def redactor_for(options: Options) -> Redactor:
    """A redactor that knows every secret of the options."""
    secrets = [*options.secrets, ("API_KEY", options.auth.key or ""), *secrets_in(options.endpoint)]
    secrets += [item for url in environment_proxies() for item in login(url)]
    return Redactor(secrets, options.written, (options.model or "", options.endpoint.origin))


async def run(
    options: Options,
    *,
    emit: Callable[[Event], None] = lambda event: None,
    interrupted: Interrupted | None = None,
    checks: list[Check] | None = None,
    shared: Shared | None = None,
    rehearse: Callable[[Report], object] | None = None,
) -> Report:
    """Run the checks against one endpoint.

    Args:
        emit: called with every progress event, on the event loop.
        interrupted: if given, SIGINT and SIGTERM end the run early with a partial report and are
            noted there; otherwise signals are not handled.
        checks: the checks to run instead of the registry's selection.
        shared: what this run shares with other runs of the process.
        rehearse: called in a thread with the report as far as it is, while the run waits for the endpoint and
            measures nothing, so that what the outputs load is there when the report is; what it raises is dropped.

    Raises:
        registry.RegistryError: a glob of ``only`` or ``skip`` matches no check.
    """
    chosen = registry.select(options.depth, options.only, options.skip, options.also) if checks is None else checks
    started_at = datetime.now(UTC)
    begin = time.monotonic()
    redactor = redactor_for(options)

    def redacted(event: Event) -> None:
        emit(replace(event, text=redactor.text(event.text), data=redactor.value(dict(event.data))))

    lane = anyio.CapacityLimiter(max(1, options.concurrency))
    log = Log(emit=redacted, lane=lane, turns=shared.turns if shared else None)
    target = Settled(model=options.model)
    budget = Budget(options.max_requests, options.max_tokens, options.deadline_s)
    lag = shared.lag if shared else LagMonitor()
    complete = False
    alone, room = (shared.alone, shared.room) if shared else (None, RUN_LIMIT)
    async with Client(options.transport, redactor, lag=lag, epoch=begin, room=room) as client:
        scheduler = Scheduler(chosen, options, target, client, budget, log, alone)
        scheduler.started = begin  # the times of checks and exchanges count from one moment
        stopped = interrupted or (shared.interrupted if shared else None)
        watchdog = Watchdog(
            Scheduler.carry_out,
            scheduler,
            lambda: budget.left_s <= 0 or (stopped is not None and stopped.signal is not None),
        )
        listening = interrupted.listening() if interrupted is not None else nullcontext()
        with listening, watchdog.watching():
            async with anyio.create_task_group() as beating:
                beating.start_soon(watchdog.beat)  # until the last check has ended, cancelled or not
                async with anyio.create_task_group() as group:
                    if shared is None:
                        group.start_soon(lag.run)
                    if interrupted is not None:
                        group.start_soon(interrupted.end, group.cancel_scope)
                    if rehearse is not None:
                        parts = options, scheduler, budget, lag, started_at, begin, complete
                        group.start_soon(_rehearsed, scheduler.calm, rehearse, lambda: _assemble(*parts))
                    await scheduler.run()
                    complete = budget.left_s > 0
                    group.cancel_scope.cancel()
                beating.cancel_scope.cancel()
    scheduler.abandon("the run was interrupted" if interrupted and interrupted.signal else "the run ended early")
    report = _assemble(options, scheduler, budget, lag, started_at, begin, complete)
    if not (interrupted and interrupted.signal):
        report = _with_reason_for_no_chat(report, chosen)
    chat_completion.forget_readings()
    return stored(without_secrets(report, redactor))


async def _rehearsed(calm: anyio.Event, rehearse: Callable[[Report], object], so_far: Callable[[], Report]) -> None:
    def beside() -> None:
        with suppress(Exception):
            registry.guides()  # which the report needs, and the loop must not wait for
            rehearse(anyio.from_thread.run_sync(so_far))

    await calm.wait()
    await anyio.to_thread.run_sync(beside, abandon_on_cancel=True)


def _assemble(
    options: Options,
    scheduler: Scheduler,
    budget: Budget,
    lag: LagMonitor,
    started_at: datetime,
    begin: float,
    complete: bool,
) -> Report:
    log = scheduler.log
    target = scheduler.target
    responses = [item.response for item in log.exchanges if item.response]
    tls = next((item.tls for item in responses if item.tls), None)
    auth = options.auth
    server = target.server or ServerInfo()
    proxy = proxy_for(options.endpoint.origin, options.transport.proxy)
    facts = {**log.facts, "proxy": proxy.url} if proxy else log.facts
    findings = advised(
        _naming_the_proxy(_ordered(scheduler.findings), proxy),
        server,
        general=registry.general_remedy,
        lookup=registry.advice,
        title=registry.title,
        host=options.endpoint.host,
        base=target.base_url or (options.endpoint.base if options.endpoint.base.endswith("/v1") else None),
    )
    return Report(
        tool=ToolInfo("endpoint-probe", VERSION),
        run=RunInfo(
            id=uuid.uuid4().hex,
            started_at=started_at.isoformat(timespec="milliseconds"),
            finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            duration_s=round(time.monotonic() - begin, 3),
            depth=str(options.depth),
            complete=complete,
            requests=budget.requests,
            prompt_tokens=budget.prompt_tokens,
            completion_tokens=budget.completion_tokens,
            loop_lag_p99_ms=lag.p99_ms(),
        ),
        target=TargetInfo(
            endpoint=options.endpoint.typed,
            base_url=target.base_url,
            chat_url=target.chat_url,
            model=target.model,
            auth=AuthInfo(
                target.auth_scheme or (auth.scheme if auth.key else "none"),
                (target.auth_header or auth.header) if auth.key else None,
                auth.source,
            ),
            http_version=responses[0].http_version if responses else None,
            tls=dict(tls) if tls else None,
            proxy=proxy.url if proxy else None,
            proxy_source=proxy.source if proxy else None,
            headers=dict(options.headers),
            verification=_verification(options),
            client_certificate=options.transport.client_cert is not None,
        ),
        server=server,
        capabilities=merge(scheduler.verdicts),
        facts=dict(sorted(facts.items())),
        findings=findings,
        checks=(*scheduler.records, *registry.broken_plugins()),
        exchanges=tuple(log.exchanges),
    )


def _verification(options: Options) -> str:
    return "none" if options.transport.insecure else "ca-bundle" if options.transport.ca_bundle else "system"


def _with_reason_for_no_chat(report: Report, checks: list[Check]) -> Report:
    """The report in which ``chat`` has the reason why it could not be judged, if a chosen check judges it."""
    judges = {item.id for item in checks if "chat" in item.provides - item.requires}
    record = next((item for item in report.checks if item.id in judges), None)
    if record is None or tried(report.capabilities["chat"]):
        return report
    chat = Verdict(State.UNKNOWN, 0.0, checks=(record.id,), note=record.reason)
    return replace(report, capabilities={**report.capabilities, "chat": chat})


#: What a proxy on the way can cause or hide; other findings are about what it passes on unchanged.
_ON_THE_WAY = ("connect", "tls", "url", "auth", "stream", "idle", "errors", "limits")


def _naming_the_proxy(findings: list[Finding], proxy: ProxyInUse | None) -> list[Finding]:
    """The findings, those that a proxy can cause naming the proxy that the requests went through."""
    if proxy is None:
        return findings

    def named(finding: Finding) -> Finding:
        of_the_way = finding.code.partition(".")[0] in _ON_THE_WAY
        if finding.severity is Severity.INFO or not of_the_way or proxy.url in finding.detail:
            return finding
        way = f"The requests went through the proxy {proxy.url} ({proxy.source})."
        return replace(finding, detail=f"{finding.detail} {way}")

    return [named(finding) for finding in findings]


def _ordered(findings: list[Finding]) -> list[Finding]:
    """The findings, what to fix first at the top; of one code from several checks the gravest is kept."""
    kept: dict[str, Finding] = {}
    for finding in findings:
        same = kept.get(finding.code)
        if same is None:
            kept[finding.code] = finding
        elif SEVERITIES.index(finding.severity) < SEVERITIES.index(same.severity):
            kept[finding.code] = replace(finding, evidence=(*finding.evidence, *same.evidence)[:8])
    return in_order(kept.values())


# The last redaction ------------------------------------------------------------------------------------

#: Characters of one text of a check; the exchanges have all of it.
LONGEST = 4_000


def without_secrets(report: Report, redactor: Redactor) -> Report:
    """The report without secrets and with a limited length in all texts of checks; its exchanges are redacted.

    Everything is redacted at capture.  But a check may join what came back in several answers, and one that quotes a
    model's name or a header may quote a megabyte.
    """
    found: Report = _without(replace(report, exchanges=()), redactor)
    return replace(found, exchanges=report.exchanges)


def _without(value: Any, redactor: Redactor) -> Any:
    """A value of the report of the same type, every text in it redacted and then cut."""
    if isinstance(value, str) and not isinstance(value, Enum):
        text = redactor.text(value)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"
    if isinstance(value, Evidence):
        return replace(value, expected=tidy(redactor.value(value.expected)), actual=tidy(redactor.value(value.actual)))
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{item.name: _without(getattr(value, item.name), redactor) for item in fields(value)})
    if isinstance(value, Mapping):
        return {redactor.text(str(name)): _without(item, redactor) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(_without(item, redactor) for item in value)
    return value
