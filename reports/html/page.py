"""report.html: one page with the whole report, which loads nothing from the network.

Every choice of wording and length is made here, and the templates only lay out plain values.  Bodies
are cut so that a page with hundreds of exchanges still opens at once; report.json has them whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from markupsafe import Markup

from probe.catalogue import registry
from probe.model import Finding, Outcome, Report, State, TargetInfo, worst
from probe.report import ExchangeDocument, ReportDocument, document
from probe.wording import amount
from reports import curl, summary
from reports.clients import compatibility
from reports.clients.compatibility import Answer
from reports.html import charts, layout
from reports.text import clip, fit

#: Characters of body text in all exchanges of a page together.
_TEXT_ROOM = 2_000_000
_LONGEST_BODY = 16_000
#: Events that are shown of a stream that a finding cites, and of another; the last few are always among them.
_MOST_EVENTS, _OTHER_EVENTS, _LAST_EVENTS = 80, 12, 4
_EVENT_TEXT = 160
_URL_TEXT = 1_000
_NAME_TEXT = 400
_LEAST_HEADERS = 2_000
#: Streams drawn at the top of the page, and characters of all drawings together.
_SHOWN_STREAMS = 3
_SHOWN_EVIDENCE = 6
_DRAWINGS_ROOM = 600_000
_TIMED = ("stream.", "idle.")
#: A list or object of one level in indented JSON, and its line breaks; those in texts are escaped.
_INNERMOST = re.compile(r"(?<=[{\[])\n {1,80}[^{}\[\]]{1,200}\n {0,80}(?=[}\]])")
_BREAK = re.compile(r"\n +|\n")
#: A character repeated so often that nobody wants to see it, as in the body that tries a limit of size.
_PADDING = re.compile(r"(.)\1{199,}")
_GENERAL = re.compile(r"(?:^| )In general: ")
_CHECK = " To check: "
_CODE = re.compile(r"`([^`\n]{1,400})`")
#: Code with an option or a setting in it is something to type; other code is a name.
_TYPED = re.compile(r"(?:^|\s)--?[a-z]|[=;]|: ")
#: The verdicts, what needs attention first.
_ATTENTION = (State.BROKEN, State.IGNORED, State.REJECTED, State.UNKNOWN, State.WORKS)
#: The answer for a client as a word of the style sheet.
_ANSWER_STYLE = {Answer.YES: "works", Answer.WITH_SETTINGS: "works", Answer.NO: "broken", Answer.UNKNOWN: "unknown"}


@dataclass(frozen=True)
class Room:
    """How much of each exchange is shown: characters of a body, and events of a stream."""

    body: int
    events: int


def room_for(number: int) -> Room:
    """How much of each exchange is shown, given their number."""
    each = _TEXT_ROOM // max(1, 2 * number)
    return Room(max(400, min(_LONGEST_BODY, each)), max(8, min(_MOST_EVENTS, each // 250)))


def readable(value: Any) -> str:
    """A body for people: text as it is, JSON indented, short innermost lists and objects on one line."""
    if isinstance(value, str):
        return value
    return _INNERMOST.sub(lambda found: _BREAK.sub(" ", found[0]), json.dumps(value, indent=1, ensure_ascii=False))


def settings(report: Report) -> list[tuple[str, str, bool]]:
    """What to enter in a client: label, value, and whether there is a button to copy it."""
    target = report.target
    parameter, length = report.facts.get("max_tokens_param"), report.facts.get("context_length")
    rows = [
        ("Base URL", summary.base_url(report), target.base_url is not None),
        ("Model", clip(target.model or "", _NAME_TEXT), True),
        ("Key", _key(target), False),
        ("Output limit", parameter if isinstance(parameter, str) else "", False),
        ("Context", f"{length} tokens" if isinstance(length, int) else "", False),
    ]
    return [row for row in rows if row[1]]


def _key(target: TargetInfo) -> str:
    if target.auth.scheme == "none" or not target.auth.header:
        return "none was sent"
    prefix = "Bearer " if target.auth.scheme == "bearer" else ""
    return f"{target.auth.header}: {prefix}KEY"


def exchange_view(
    item: ExchangeDocument,
    anchor: str,
    room: Room,
    *,
    intended: bool = False,
    cited: bool = True,
    again: ExchangeDocument | None = None,
) -> dict[str, Any]:
    """One exchange: request, response, times and the curl command.

    Args:
        intended: a check asked for something that has to be refused, and it was.
        cited: a finding rests on it, so that more of its events are shown.
        again: an earlier exchange of the same request, which is then not shown twice.
    """
    response = item.response
    status = response.status if response else None
    problem = (item.error is not None or status is None or status >= 400) and not intended
    streamed = bool(response and response.events)
    kinds = [kind for kind, fits in (("problem", problem), ("stream", streamed)) if fits]
    return {
        "id": item.id,
        "anchor": anchor,
        "check": item.check,
        "kinds": " ".join(kinds),
        "problem": problem,
        "intended": intended,
        "method": item.request.method,
        "url": fit(item.request.url, _URL_TEXT),
        "status": "no answer" if status is None else str(status),
        "seconds": f"{item.timeline.end_s:.2f} s",
        "again": again.id if again else None,
        "request_body": None if again or item.request.body is None else _fit(item.request.body, room.body),
        "response": response,
        "response_headers": _headers(response.headers, room) if response else "",
        "response_body": _body(item, room),
        **_events(item, room.events if cited else min(room.events, _OTHER_EVENTS)),
        "error": item.error,
        "times": _times(item),
        "curl": None if again else curl.command(item),
    }


def _repeats(exchanges: Sequence[ExchangeDocument]) -> dict[str, ExchangeDocument]:
    """For each exchange whose request had been sent before: the first one of that request."""
    first: dict[bytes, ExchangeDocument] = {}
    return {
        item.id: earlier
        for item in exchanges
        if (earlier := first.setdefault(msgspec.json.encode(item.request), item)) is not item
    }


def _headers(headers: Mapping[str, str], room: Room) -> str:
    """The headers, one a line, as many as take no more room than a body."""
    rows: list[str] = []
    left = max(_LEAST_HEADERS, room.body)
    for name, value in headers.items():
        left -= len(name) + len(value)
        if left < 0:
            rows.append(f"… {len(headers) - len(rows)} more headers are in report.json")
            break
        rows.append(f"{name}: {value}")
    return "\n".join(rows)


def _body(item: ExchangeDocument, room: Room) -> str | None:
    response = item.response
    if response is None or response.body in (None, ""):
        return None
    # The events below repeat the raw text of a stream, so it gets less room.
    longest = room.body // 16 if response.events else room.body
    return _fit(response.body, longest)


def _fit(body: Any, longest: int) -> str:
    """A body for people, its padding counted and not shown."""
    return fit(_PADDING.sub(lambda found: f"[{len(found[0])} times {found[1]!r}]", readable(body)), longest)


def _events(item: ExchangeDocument, most: int) -> dict[str, Any]:
    """The first events of a stream and the last; members that all of them have alike are named once."""
    events = (item.response.events or ()) if item.response else ()
    rows: list[dict[str, str]] = []
    left_out = range(most - _LAST_EVENTS, len(events) - _LAST_EVENTS) if len(events) > most else range(0)
    common = _common(
        [event.data for place, event in enumerate(events) if place not in left_out and isinstance(event.data, dict)]
    )
    previous = 0.0
    for place, event in enumerate(events):
        if place in left_out:
            if place == left_out[0]:
                rows.append({"at": "", "data": f"{amount(len(left_out), 'more event')} in report.json"})
            previous = event.at_s
            continue
        text = event.data if isinstance(event.data, str) else _compact(_without(event.data, common))
        rows.append(
            {
                "at": f"{event.at_s:.3f}",
                "gap": f"{max(0.0, event.at_s - previous):.3f}",
                "kind": event.kind,
                "data": fit(text, _EVENT_TEXT),
            }
        )
        previous = event.at_s
    return {"events": rows, "common": fit(_compact(common), _LEAST_HEADERS) if common else None}


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _common(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The members that several chunks all have, with the same value of the same type."""
    if len(chunks) < 3:
        return {}
    written = [{name: _compact(value) for name, value in chunk.items()} for chunk in chunks]
    shared = set.intersection(*(set(chunk.items()) for chunk in written))
    return {name: value for name, value in chunks[0].items() if (name, written[0][name]) in shared}


def _without(value: Any, common: Mapping[str, Any]) -> Any:
    return {name: each for name, each in value.items() if name not in common} if isinstance(value, dict) else value


def _times(item: ExchangeDocument) -> list[tuple[str, str]]:
    timeline = item.timeline
    rows = []
    if timeline.reused:
        rows.append(("Connection", "reused"))
    for label, value in (
        ("Connected", timeline.connect_s),
        ("TLS ready", timeline.tls_s),
        ("Request sent", timeline.sent_s),
        ("Headers", timeline.headers_s),
        ("First body bytes", timeline.reads[0][0] if timeline.reads else None),
        ("End", timeline.end_s),
    ):
        if value is not None:
            rows.append((label, f"{value:.3f} s"))
    if timeline.autopsy is not None:
        label = f"Connection after {timeline.autopsy.silent_s:.1f} s of silence"
        rows.append((label, timeline.autopsy.verdict))
    rows.append(("Body", f"{timeline.wire_bytes} bytes in {amount(len(timeline.reads), 'read')}"))
    return rows


def render(report: Report) -> bytes:
    """The report as one HTML page, UTF-8."""
    shown = document(report)
    anchors = {item.id: f"exchange-{number}" for number, item in enumerate(shown.exchanges, 1)}
    room = room_for(len(shown.exchanges))
    untried = summary.untried(report)
    first = worst(report)
    streams = _streams(shown)
    charted: set[str] = set()
    proving = [_proving(item, streams, charted) for item in report.findings]
    longest = [item for item in streams if item["id"] not in charted][:_SHOWN_STREAMS]
    charted.update(item["id"] for item in longest)
    capabilities = {name: verdict for name, verdict in shown.capabilities.items() if name not in untried}
    cited = {item.exchange for finding in report.findings for item in finding.evidence}
    drawings = {item["id"]: item["drawing"] for item in streams if item["id"] in cited - charted}
    intended = _intended(report, cited)
    repeats = _repeats(shown.exchanges)
    return layout.page(
        "page.html.j2",
        style=("page.css",),
        script=("common.js", "page.js"),
        report=shown,
        headline=summary.headline(report),
        state=summary.state(report),
        worst=first,
        worst_number=report.findings.index(first) + 1 if first else 0,
        anchors=anchors,
        settings=settings(report),
        server=clip(summary.server(report), _NAME_TEXT),
        found=summary.found(report),
        spent=summary.spent(report),
        outcomes=summary.outcomes(report.checks),
        made=f"{summary.moment(report.run.started_at)}, {report.tool.name} {report.tool.version}, "
        f"depth {report.run.depth}",
        accepted=summary.acceptances(report),
        why={item.code: _why(item.code) for item in report.findings},
        remedies={number: _remedy(item.remedy) for number, item in enumerate(report.findings, 1)},
        finding_streams=dict(enumerate(proving, 1)),
        shown_evidence=_SHOWN_EVIDENCE,
        marks={state: summary.SYMBOLS[state] for state in _ATTENTION},
        stream_legend=charts.STREAM_LEGEND,
        doubtful=(Answer.NO, Answer.UNKNOWN),
        working_answers={Answer.WITH_SETTINGS: "work with settings", Answer.YES: "work as they are"},
        capabilities=capabilities,
        glance=dict(sorted(capabilities.items(), key=lambda item: _ATTENTION.index(item[1].verdict))),
        working={name: verdict for name, verdict in capabilities.items() if verdict.verdict is State.WORKS},
        others={name: verdict for name, verdict in capabilities.items() if verdict.verdict is not State.WORKS},
        untried=sorted(untried),
        toggles=dict.fromkeys(State, "off") | {State.WORKS: "on", State.UNKNOWN: "client's default"},
        clients=compatibility.rows(report),
        answer_styles=_ANSWER_STYLE,
        exchanges=[
            exchange_view(
                item,
                anchors[item.id],
                room,
                intended=item.id in intended,
                cited=item.id in cited,
                again=repeats.get(item.id),
            )
            | {"drawing": drawings.get(item.id), "charted": item.id in charted}
            for item in shown.exchanges
        ],
        check_ids=sorted({item.check for item in shown.exchanges}),
        severity_words=summary.SEVERITY_WORDS,
        streams=longest,
        run_drawing=_both(lambda width: charts.draw_run(shown, width)),
        run_words=charts.describe_run(shown),
        costs=charts.costs(shown),
    )


def _why(code: str) -> str:
    """Why a finding matters, from the catalogue; nothing for a code of a plugin that is not there."""
    try:
        known = registry.catalogue().get(code)
    except registry.RegistryError:  # a broken plugin must not cost the page
        return ""
    return known.why if known else ""


def _proving(finding: Finding, streams: list[dict[str, Any]], charted: set[str]) -> list[dict[str, Any]]:
    """The drawings that prove a finding about the time of a stream: at most two.

    Args:
        charted: the exchanges whose drawing is on the page already; those of this finding are added.
    """
    if not finding.code.startswith(_TIMED):
        return []
    cited = {item.exchange for item in finding.evidence}
    found = [item | {"again": item["id"] in charted} for item in streams if item["id"] in cited][:2]
    charted.update(item["id"] for item in found)
    return found


def _intended(report: Report, cited: set[str]) -> set[str]:
    """The exchanges that were refused as a check that passed meant them to be."""
    passed = {check.id for check in report.checks if check.outcome is Outcome.PASS}
    return {
        item.id
        for item in report.exchanges
        if item.response and 400 <= item.response.status < 500 and item.check in passed and item.id not in cited
    }


def _both(draw: Callable[[float], str | None]) -> dict[str, Markup] | None:
    """A drawing for wide screens and one for phones; None where there is nothing to draw."""
    wide, narrow = draw(charts.WIDE), draw(charts.NARROW)
    return {"wide": Markup(wide), "narrow": Markup(narrow)} if wide and narrow else None


def _streams(report: ReportDocument) -> list[dict[str, Any]]:
    """The streams worth drawing, as many as there is room for.

    Those that are evidence of findings come first, then those that were sent to see how a stream
    arrives, then the longest.
    """
    cited = [
        item.exchange for finding in report.findings if finding.code.startswith(_TIMED) for item in finding.evidence
    ]

    def rank(item: ExchangeDocument) -> tuple[int, bool, float]:
        place = cited.index(item.id) if item.id in cited else len(cited)
        return place, not item.check.startswith(_TIMED), -item.timeline.end_s

    drawn: list[dict[str, Any]] = []
    room = _DRAWINGS_ROOM
    for item in sorted(filter(charts.worth_drawing, report.exchanges), key=rank):
        drawing = _both(partial(charts.draw_stream, item))
        assert drawing is not None
        room -= sum(map(len, drawing.values()))
        if room < 0:
            break
        words = charts.describe_stream(item)
        drawn.append({"id": item.id, "check": item.check, "drawing": drawing, "words": words, "again": False})
    return drawn


@dataclass(frozen=True)
class Remedy:
    """What to do (one advice a line), the general advice, and what the advice says to type, in order."""

    steps: tuple[tuple[str, str], ...]
    general: str
    commands: tuple[str, ...]


def _remedy(remedy: str) -> Remedy:
    """The parts of a finding's remedy; text without known parts is one step.

    Each step is an advice and how to check it, which may be empty.
    """
    own, _, general = remedy.partition(found[0]) if (found := _GENERAL.search(remedy)) else (remedy, "", "")
    steps = []
    rest = own.strip()
    while rest:
        do, marker, after = rest.partition(_CHECK)
        # The check is one sentence; what follows it is the next advice.
        check, stop, following = after.partition(". ") if marker else ("", "", "")
        steps.append((do, f"{check}." if stop else check))
        rest = following.strip()
    commands = [text for do, _ in steps for text in _CODE.findall(do) if _TYPED.search(text)]
    return Remedy(tuple(steps), general.strip(), tuple(dict.fromkeys(commands)))
