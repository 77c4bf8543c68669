"""`--dry-run`: what a run would spend at most."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from probe.model import Check
from probe.run.options import Options


def show_plan(checks: Sequence[Check], options: Options, *, as_json: bool) -> None:
    """Print the most requests, tokens and seconds of each check, and the totals.

    A run may send fewer: verdicts share requests, and a check whose needs are not met is
    skipped.  A budget given on the command line is the upper limit of the totals.
    """
    requests = sum(check.max_requests for check in checks)
    tokens = sum(check.max_tokens for check in checks)
    seconds = sum(check.max_seconds for check in checks)
    capped = {
        "requests": min(requests, options.max_requests or requests),
        "tokens": min(tokens, options.max_tokens or tokens),
        "seconds": options.deadline_s,
    }
    if as_json:
        rows = [
            {
                "id": check.id,
                "title": check.title,
                "max_requests": check.max_requests,
                "max_tokens": check.max_tokens,
                "waiting_s": check.max_seconds,
                "exclusive": check.exclusive,
            }
            for check in checks
        ]
        plan = {
            "endpoint": options.endpoint.origin + options.endpoint.path,
            "depth": str(options.depth),
            "checks": rows,
            "at_most": capped,
        }
        json.dump(plan, sys.stdout, indent=2)
        print()
        return
    wide = max(len(check.id) for check in checks)
    print(f"Nothing is sent. At most, against {options.endpoint.origin}{options.endpoint.path}:\n")
    print(f"{'check':<{wide}}  requests  tokens  seconds of waiting")
    for check in checks:
        alone = "  (runs alone)" if check.exclusive else ""
        print(f"{check.id:<{wide}}  {check.max_requests:>8}  {check.max_tokens:>6}  {check.max_seconds:>7g}{alone}")
    print(f"{'all together':<{wide}}  {requests:>8}  {tokens:>6}  {seconds:>7g}")
    print(
        f"\nThe run ends after {capped['requests']} requests, {capped['tokens']} tokens or "
        f"{options.deadline_s:g} s at the latest; one request is given up after {options.timeout_s:g} s. "
        "\nMost runs send far fewer requests, because checks share them."
    )
