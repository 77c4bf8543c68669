"""The last redaction of a report: no secret in what checks joined together, and no text without a limit.

Everything is redacted at capture.  But a check may join what came back in several answers, and one that quotes a
model's name or a header may quote a megabyte.  So every text of the report is gone through, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from probe.model import Evidence, Report
from probe.redaction.redactor import Redactor
from probe.report import tidy

#: Characters of one text of a check; the exchanges have all of it.
LONGEST = 4_000


def without_secrets(report: Report, redactor: Redactor) -> Report:
    """The report without secrets and with a limited length in all texts of checks; its exchanges are redacted."""
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
