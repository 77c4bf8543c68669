"""A saved report may come from anybody: whatever stands at any place of it, every format renders and shows it inert."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.report import BadReport, decode
from reports.registry import chosen

FORMATS = ("json", "html", "markdown", "junit", "sarif", "github", "badge", "terminal")
#: What hides, reorders, controls a terminal, is carried out by a build server, or is markup.
HOSTILE = (
    "a\u202e\u2066\x1b[31m\x1b]8;;http://x\x07\u200b\x00\x9b\ufeff\U000e0001\n::error::x\r\n##[error]x\n##vso[task]x\n"
    "</script><img src=x onerror=alert(1)>|`](javascript:x) @everyone ${HOME} %0A::error::y"
)
_RAW = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f\u2028\u2029]"
)
_COMMAND = re.compile(r"^\s*::[a-z]|##\[|##vso\[|##teamcity\[", re.MULTILINE)
_OWN_COMMAND = re.compile(r"^::(?:error|warning|notice) title=[^\n]*$", re.MULTILINE)
_GOLDEN = Path(__file__).parent.parent / "golden" / "faulty.report.json"
Place = tuple[Any, ...]


def places(value: Any, path: Place = ()) -> Iterator[Place]:
    """Every text of a report, of lists in their first two elements; a name of a member as ``(…, member, None)``."""
    if isinstance(value, str):
        yield path
    elif isinstance(value, dict):
        for name, item in [*value.items()][: 2 if path == ("capabilities",) else None]:
            if path[-1:] in (("capabilities",), ("facts",), ("headers",)):
                yield (*path, name, None)
            yield from places(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value[:2]):
            yield from places(item, (*path, number))


def with_text(document: Any, place: Place) -> Any:
    made = copy.deepcopy(document)
    *way, last = place[:-1] if place[-1] is None else place
    inside = made
    for step in way:
        inside = inside[step]
    if place[-1] is None:
        inside[HOSTILE] = inside.pop(last)
    else:
        inside[last] = HOSTILE
    return made


@pytest.mark.parametrize("room", ["tool", "run", "target", "server", "capabilities", "facts", "findings", "checks"])
def test_no_place_of_a_report_reaches_an_output_raw(room: str) -> None:
    document = json.loads(_GOLDEN.read_bytes())
    tried = 0
    for place in [item for item in places(document) if item[0] == room]:
        try:
            report = decode(json.dumps(with_text(document, place)).encode())
        except BadReport:
            continue
        tried += 1
        for reporter in chosen(FORMATS):
            text = reporter.render(report).decode()
            assert not _RAW.search(text), (reporter.name, place)
            if reporter.name not in ("html", "badge"):
                assert not _COMMAND.search(_OWN_COMMAND.sub("", text)), (reporter.name, place)
            assert "<img src=x" not in text or reporter.name not in ("html", "badge", "junit"), (reporter.name, place)
    assert tried
