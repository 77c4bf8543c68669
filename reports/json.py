"""report.json."""

from __future__ import annotations

from probe.model import Report
from probe.report import encode


def render(report: Report) -> bytes:
    """report.json's bytes, as the engine writes them."""
    return encode(report)
