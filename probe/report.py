"""report.json: its shape, writing it and reading it back.

The shape is that of the dataclasses below and in ``probe.model``, from which the JSON Schema in
``reports/schema`` is generated.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from probe.files import read_regular
from probe.model import (
    SCHEMA_VERSION,
    CheckRecord,
    Exchange,
    Failure,
    Finding,
    Report,
    Request,
    Response,
    RunInfo,
    ServerInfo,
    TargetInfo,
    Timeline,
    ToolInfo,
    Verdict,
)
from probe.parsing import sse
from probe.parsing.chat_completion import is_stream
from probe.wording import cut

#: Bytes of a body that the report keeps; the diagnosis reads all up to the body limit.
KEPT_BODY = 48 * 1024
KEPT_EVENTS = 600
KEPT_STRING = 16 * 1024
KEPT_ITEMS = 5_000
#: Characters of all events of one stream, and of one header field; fields of one response.
KEPT_EVENT_DATA = 256 * 1024
KEPT_FIELD = 4_000
KEPT_FIELDS = 200
_DEEPEST = 40


class BadReport(ValueError):
    """A file that is not a report of this version; the message is one line."""


@dataclass(frozen=True)
class EventDocument:
    """One server-sent event: the time of its last byte, its kind and its data."""

    at_s: float
    kind: str
    data: Any = None


@dataclass(frozen=True)
class ResponseDocument:
    """A response; ``headers`` have lower-case names, repeated ones joined by a comma.

    ``body`` is the JSON value, or the text if it is not a JSON object or array.
    ``events`` are those of an event stream.
    """

    status: int
    reason: str = ""
    http_version: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    body_bytes: int = 0
    cut: bool = False
    reflected: tuple[str, ...] = ()
    events: tuple[EventDocument, ...] | None = None


@dataclass(frozen=True)
class RequestDocument:
    """A request that can be replayed by hand; secrets are written as ``${NAME}``."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True)
class ExchangeDocument:
    id: str
    check: str
    request: RequestDocument
    response: ResponseDocument | None
    timeline: Timeline
    error: Failure | None = None


@dataclass(frozen=True)
class ReportDocument:
    """The whole of report.json."""

    schema_version: str
    tool: ToolInfo
    run: RunInfo
    target: TargetInfo
    server: ServerInfo
    capabilities: dict[str, Verdict]
    facts: dict[str, Any]
    findings: tuple[Finding, ...]
    checks: tuple[CheckRecord, ...]
    exchanges: tuple[ExchangeDocument, ...]


def tidy(value: Any, depth: int = 0) -> Any:
    """A JSON value that any reader accepts; a tidy value stays the same.

    Lone surrogates become U+FFFD, integers beyond 64 bits and infinite floats become text,
    nesting ends at a bound, and long strings and lists are cut with a mark.
    """
    if isinstance(value, str):
        value = value.encode("utf-8", "replace").decode() if not value.isascii() else value
        if len(value) <= KEPT_STRING:
            return value
        mark = f"… ({len(value)} characters)"
        return value[: KEPT_STRING - len(mark)] + mark
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)[:100]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, dict | Mapping):
        return {tidy(str(key)): tidy(item, depth + 1) for key, item in islice(value.items(), KEPT_ITEMS)}
    if isinstance(value, list | tuple | set | frozenset):
        if len(value) <= KEPT_ITEMS:
            return [tidy(item, depth + 1) for item in value]
        kept = [tidy(item, depth + 1) for item in islice(value, KEPT_ITEMS - 1)]
        return [*kept, f"… ({len(value)} items)"]
    return tidy(str(value))


def _rounded(timeline: Timeline) -> Timeline:
    times: dict[str, Any] = {
        item.name: round(float(value), 5)
        for item in fields(timeline)
        if item.name.endswith("_s") and isinstance(value := getattr(timeline, item.name), int | float)
    }
    reads = tuple((round(at, 5), size) for at, size in timeline.reads[: 2 * KEPT_EVENTS])
    return replace(timeline, reads=reads, **times)


def _response(exchange: Exchange) -> ResponseDocument | None:
    response = exchange.response
    if response is None:
        return None
    headers: dict[str, str] = {}
    for name, value in response.headers[:KEPT_FIELDS]:
        key = tidy(name.lower())[:KEPT_FIELD]
        value = tidy(value)
        headers[key] = (f"{headers[key]}, {value}" if key in headers else value)[:KEPT_FIELD]
    events = _events(exchange) if is_stream(exchange) else None
    kept = response.content[:KEPT_BODY]
    body: Any = kept.decode("utf-8", "replace")
    if events is None and len(response.content) <= KEPT_BODY and isinstance(response.json, dict | list):
        body = tidy(response.json)
    return ResponseDocument(
        response.status,
        tidy(response.reason),
        response.http_version,
        headers,
        body,
        len(response.content) if response.received is None else response.received,
        response.cut or len(response.content) > KEPT_BODY,
        response.reflected,
        events,
    )


def _events(exchange: Exchange) -> tuple[EventDocument, ...]:
    assert exchange.response is not None
    if exchange.response.events is not None:
        return exchange.response.events
    kept: list[EventDocument] = []
    room = KEPT_EVENT_DATA
    for event in sse.parse(exchange.response.content, exchange.timeline.reads).events[:KEPT_EVENTS]:
        room -= len(event.data)
        if room < 0 and kept:
            break
        data = event.json if isinstance(event.json, dict | list) else event.data[:KEPT_STRING]
        kept.append(EventDocument(round(event.at_s, 5), event.kind, tidy(data)))
    return tuple(kept)


def exchange_document(exchange: Exchange) -> ExchangeDocument:
    """An exchange as report.json shows it; evidence pointers point into this."""
    request = exchange.request
    return ExchangeDocument(
        exchange.id,
        exchange.check,
        RequestDocument(
            request.method,
            tidy(request.url),
            {tidy(name): tidy(value) for name, value in request.headers.items()},
            tidy(request.body),
        ),
        _response(exchange),
        _rounded(exchange.timeline),
        exchange.error,
    )


def document(report: Report) -> ReportDocument:
    """The report as it is written."""
    return ReportDocument(
        schema_version=report.schema_version,
        tool=report.tool,
        run=report.run,
        target=replace(report.target, model=tidy(report.target.model), headers=dict(report.target.headers)),
        server=report.server,
        capabilities={name: replace(item, note=tidy(item.note)) for name, item in report.capabilities.items()},
        facts=tidy(dict(report.facts)),
        findings=tuple(_tidy_finding(finding) for finding in report.findings),
        checks=tuple(replace(item, reason=tidy(item.reason)) for item in report.checks),
        exchanges=tuple(exchange_document(item) for item in report.exchanges),
    )


def _tidy_finding(finding: Finding) -> Finding:
    evidence = tuple(replace(item, expected=tidy(item.expected), actual=tidy(item.actual)) for item in finding.evidence)
    return replace(
        finding,
        title=tidy(finding.title),
        detail=tidy(finding.detail),
        remedy=tidy(finding.remedy),
        evidence=evidence,
    )


def encode(report: Report) -> bytes:
    """report.json's bytes: UTF-8, indented, ending in a newline."""
    plain = msgspec.to_builtins(document(report), str_keys=True)
    return escaped(msgspec.json.format(msgspec.json.encode(tidy_all(plain)), indent=2)) + b"\n"


#: Characters that reorder or hide what is shown, and the marks of a build server's commands (reports/text.py).
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
    r"|#(?=#(?:(?i:vso|teamcity))?\[)"
)


def escaped(content: bytes) -> bytes:
    """JSON text with what a screen or a build server would obey as ``\\u`` escapes: the same values."""
    if content.isascii() and b"##" not in content and b"\x7f" not in content:
        return content
    return _UNSEEN.sub(lambda found: _escape(found[0]), content.decode()).encode()


def _escape(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def tidy_all(value: Any) -> Any:
    """The value without lone surrogates and infinite numbers; nothing is cut."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {tidy_all(key): tidy_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [tidy_all(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def decode(content: bytes) -> Report:
    """Read report.json back.

    Raises:
        BadReport: it is not JSON, not a report, or of another major version.
    """
    try:
        raw = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadReport(f"it is not JSON ({cut(str(error), 120)})") from None
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if not isinstance(version, str):
        raise BadReport("it has no schema_version; is it a report.json of endpoint-probe?")
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise BadReport(f"its schema version is {version}; this program reads {SCHEMA_VERSION}")
    try:
        found = msgspec.convert(raw, ReportDocument, strict=False)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadReport(f"it is not a valid report: {error}") from None
    values = {item.name: getattr(found, item.name) for item in fields(found)}
    return Report(**(values | {"exchanges": tuple(_exchange(item) for item in found.exchanges)}))


def unpacked(content: bytes) -> bytes:
    """report.json out of its gzip form, in which a store keeps it.

    Raises:
        BadReport: it is damaged, or larger than any report.
    """
    machine = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = machine.decompress(content, _MOST_BYTES)
    except (zlib.error, TypeError):
        plain = b""
    if not machine.eof:
        raise BadReport("the stored report is damaged or too large")
    return plain


def stored(report: Report) -> Report:
    """The report as it is read back from its file.

    A run returns this form, so that whatever is said of a report is the same when it is fresh and when it is saved.
    """
    return decode(encode(report))


def _exchange(item: ExchangeDocument) -> Exchange:
    response = None
    if item.response is not None:
        shown = item.response
        body = shown.body
        content = b"" if body is None else body.encode() if isinstance(body, str) else msgspec.json.encode(body)
        response = Response(
            shown.status,
            shown.reason,
            shown.http_version,
            tuple(shown.headers.items()),
            content,
            shown.cut,
            shown.reflected,
            received=shown.body_bytes,
            events=shown.events,
        )
    request = Request(item.request.method, item.request.url, item.request.headers, item.request.body)
    return Exchange(item.id, item.check, request, response, item.timeline, item.error)


#: No report of this program is larger.
_MOST_BYTES = 100 * 2**20


def load(path: Path) -> Report:
    """Read a saved report.

    Raises:
        BadReport: the file cannot be read or is not a report; the message names it.
    """
    try:
        content = read_regular(path, _MOST_BYTES, pipes=True)
    except OSError as error:
        raise BadReport(f"cannot read {path}: {error.strerror or error}") from None
    try:
        return decode(content)
    except BadReport as error:
        raise BadReport(f"cannot use {path}: {error}") from None


def json_schema() -> dict[str, Any]:
    """The JSON Schema of report.json, generated from the dataclasses."""
    schema = msgspec.json.schema(ReportDocument)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "endpoint-probe report",
        "description": f"Schema version {SCHEMA_VERSION}",
        **schema,
    }
