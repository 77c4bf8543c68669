"""What a run costs a healthy endpoint, by server style and depth: `python -m tests.benchmarks.cost`.

The simulator answers with 60 tokens a second.  The last column names the limits that were
passed; the exit status is 1 when there are any.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from probe.model import Depth, Report
from probe.simulator import Simulator, all_styles
from tests.scenarios.runs import against

RATE_TOKENS_S = 60.0
#: Faults after which no chat completion can be had; the run must then be short.
IN_VAIN = ("no-chat", "web-page", "auth-rejected", "auth-required", "models-id-unknown", "connect-reset")


@dataclass(frozen=True)
class Limits:
    """The most a run may cost, other APIs than chat completions left out; None where nothing is promised."""

    requests: int
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None

    def passed(self, report: Report) -> list[str]:
        """What the run costs beyond the limits, in words."""
        run = report.run
        pairs = (
            ("requests", run.requests - of_other_apis(report, "requests"), self.requests),
            ("prompt tokens", run.prompt_tokens - of_other_apis(report, "prompt_tokens"), self.prompt_tokens),
            (
                "completion tokens",
                run.completion_tokens - of_other_apis(report, "completion_tokens"),
                self.completion_tokens,
            ),
            ("seconds", run.duration_s, self.seconds),
        )
        return [f"{found:.4g} {name} > {most}" for name, found, most in pairs if most is not None and found > most]


def of_other_apis(report: Report, what: str) -> int:
    """The requests or tokens of the Responses and Messages APIs, which have a limit of their own (checks/dialects)."""
    return sum(getattr(item, what) for item in report.checks if item.id in ("responses.create", "messages.create"))


LIMITS = {
    Depth.QUICK: Limits(requests=10, seconds=5.0),
    Depth.STANDARD: Limits(requests=35, prompt_tokens=3000, completion_tokens=700),
    Depth.DEEP: None,
}
VAIN = Limits(requests=6)


def measure(style: str, depth: Depth, idle_s: float, personality: str = "plain") -> Report:
    """One run against one healthy style."""
    with Simulator(style, rate_tokens_s=RATE_TOKENS_S, personality=personality) as sim:
        return against(sim, depth=depth, idle_s=0.0 if depth is Depth.QUICK else idle_s)


def by_check(report: Report) -> Table:
    """What each check of a run cost."""
    table = Table("check", "outcome", "requests", "prompt", "completion", "started", "seconds", title="by check")
    for item in sorted(report.checks, key=lambda check: (-check.requests, check.id)):
        start = "" if item.started_s is None else f"{item.started_s:.2f}"
        cells = (item.requests, item.prompt_tokens, item.completion_tokens, start, f"{item.duration_s:.2f}")
        table.add_row(item.id, str(item.outcome), *map(str, cells))
    return table


def main(words: list[str] | None = None) -> int:
    """Print the tables; 1 when a limit was passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cost", description=__doc__)
    known = [item.name for item in all_styles()]
    parser.add_argument("--styles", default=",".join(known), help="comma-separated; all by default")
    parser.add_argument("--depths", default="quick,standard,deep")
    parser.add_argument("--idle", type=float, default=2.0, help="silence to wait out beyond quick, seconds")
    parser.add_argument("--personality", default="plain")
    parser.add_argument("--by-check", action="store_true", help="also print what each check cost")
    given = parser.parse_args(words)
    console = Console(width=120)
    over = 0
    table = Table("style", "depth", "requests", "prompt tokens", "completion tokens", "seconds", "over the limit")
    table.title = f"Cost of a healthy endpoint at {RATE_TOKENS_S:g} tokens/s, --idle {given.idle:g} beyond quick"
    details = []
    for style in given.styles.split(","):
        for depth in map(Depth, given.depths.split(",")):
            report = measure(style, depth, given.idle, given.personality)
            limits = LIMITS[depth]
            passed = limits.passed(report) if limits else []
            over += len(passed)
            run = report.run
            row = (str(run.requests), str(run.prompt_tokens), str(run.completion_tokens), f"{run.duration_s:.1f}")
            table.add_row(style, str(depth), *row, "; ".join(passed))
            details.append((style, depth, by_check(report)))
    console.print(table)
    vain = Table("fault", "requests", "seconds", "over the limit", title="Cost where no chat completion can be had")
    for fault in IN_VAIN:
        with Simulator(faults=[fault], rate_tokens_s=RATE_TOKENS_S) as sim:
            report = against(sim)
        passed = VAIN.passed(report)
        over += len(passed)
        vain.add_row(fault, str(report.run.requests), f"{report.run.duration_s:.1f}", "; ".join(passed))
    console.print(vain)
    if given.by_check:
        for style, depth, detail in details:
            detail.title = f"{style}, {depth}"
            console.print(detail)
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
