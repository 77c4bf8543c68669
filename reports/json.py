"""report.json."""

from __future__ import annotations

from probe.model import Report
from probe.report import encode


def render(report: Report) -> bytes:
    """The bytes of report.json."""
    return encode(report)
