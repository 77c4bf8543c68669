"""report.html: one file that holds everything and asks nothing of the network.

Every value goes through autoescape, and unseen characters are written out, so that what
an endpoint sends can neither run nor hide.  The Content-Security-Policy allows exactly
the one style sheet and the one script of this page, by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from probe.model import Report
from probe.report import ExchangeDocument, ReportDocument
from reports.html import arrival_chart, page, run_chart
from reports.text import visible

_HERE = Path(__file__).parent
#: Streams drawn at the top of the page, and characters that all drawings may take.
_SHOWN_STREAMS = 3
_PICTURE_ROOM = 600_000
_TIMED = ("stream.", "idle.")
_CODE = re.compile(r"`([^`\n]+)`")


def _shown(value: Any) -> Any:
    """Template output: text with unseen characters written out; markup as it is."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def prose(text: str) -> Markup:
    """Text in which what stands between backticks is code; everything in it is escaped."""
    pieces = _CODE.split(visible(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece) for number, piece in enumerate(pieces)
    )


def pointer(text: str) -> Markup:
    """A JSON pointer that may be broken over lines after its slashes."""
    return Markup("/<wbr>").join(escape(piece) for piece in visible(text).split("/"))


@cache
def environment() -> Environment:
    """The templates, with autoescape and every unseen character written out."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["prose"] = prose
    made.filters["pointer"] = pointer
    return made


@cache
def asset(name: str) -> str:
    """A file of the assets folder, as text without outer space."""
    return (_HERE / "assets" / name).read_text(encoding="utf-8").strip()


def content_hash(text: str) -> str:
    """The CSP source expression that allows exactly this inline text (CSP3, section 8.4)."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def policy(style: str, script: str | None = None) -> str:
    """The page's Content-Security-Policy; a page without a script may run none."""
    allowed = f"script-src {content_hash(script)}; " if script is not None else ""
    return f"default-src 'none'; style-src {content_hash(style)}; {allowed}base-uri 'none'; form-action 'none'"


def render(report: Report) -> bytes:
    """The report as one HTML page, UTF-8."""
    values = page.context(report)
    shown: ReportDocument = values["report"]
    streams = _streams(shown)
    for exchange in values["exchanges"]:
        exchange["picture"] = next((item["picture"] for item in streams if item["id"] == exchange["id"]), None)
    drawn = run_chart.waterfall(shown)
    style, script = asset("page.css"), asset("page.js")
    text = (
        environment()
        .get_template("page.html.j2")
        .render(
            **values,
            style=Markup(style),
            script=Markup(script),
            policy=policy(style, script),
            streams=streams[:_SHOWN_STREAMS],
            waterfall=Markup(drawn) if drawn else None,
            waterfall_words=run_chart.describe(shown),
            costs=run_chart.costs(shown),
        )
    )
    return text.encode("utf-8", "replace")


def _streams(report: ReportDocument) -> list[dict[str, Any]]:
    """The streams worth drawing, while there is room.

    Those that findings rest on come first, then those that were sent to see how a stream
    arrives, then the longest.
    """
    cited = [
        item.exchange for finding in report.findings if finding.code.startswith(_TIMED) for item in finding.evidence
    ]

    def rank(item: ExchangeDocument) -> tuple[int, bool, float]:
        place = cited.index(item.id) if item.id in cited else len(cited)
        return place, not item.check.startswith(_TIMED), -item.timeline.end_s

    drawn: list[dict[str, Any]] = []
    room = _PICTURE_ROOM
    for item in sorted(filter(arrival_chart.worth_drawing, report.exchanges), key=rank):
        picture = Markup(arrival_chart.draw(item))
        room -= len(picture)
        if room < 0:
            break
        drawn.append({"id": item.id, "check": item.check, "picture": picture, "words": arrival_chart.describe(item)})
    return drawn
