"""Recorded answers of real servers as exchanges, so that a diagnosis can be made of them again.

A file ``transcripts/<what ran>/<case>.http`` is what curl printed: status line, headers, body.
``transcripts/requests.json`` holds the request of each case.  See the README beside them.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from probe.model import Exchange, Failure, Request, Response, Timeline

FOLDER = Path(__file__).with_name("transcripts")
ORIGIN = "http://127.0.0.1:9"
_NOTE = re.compile(rb"\n?\[curl exit (\d+):[^\]]*\]\s*$")
#: curl's exit codes for a reply that broke off, and what they mean.
_CUT = {18: "truncated", 52: "closed", 56: "reset"}


def runs() -> list[str]:
    """The names of everything that ran, in order."""
    return sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def cases(run: str) -> list[str]:
    """What a run was asked, in order."""
    return sorted(path.stem for path in (FOLDER / run).glob("*.http"))


@cache
def requests() -> dict[str, dict[str, Any]]:
    """The request of every case: method, path, auth, body."""
    loaded: dict[str, dict[str, Any]] = json.loads((FOLDER / "requests.json").read_text(encoding="utf-8"))
    return loaded


def load(run: str, case: str, number: int = 1) -> Exchange:
    """One recorded answer.

    Args:
        run: a folder name.
        case: a file name without its ending.
        number: of the exchange's id.

    Raises:
        FileNotFoundError: it was not recorded.
    """
    raw = (FOLDER / run / f"{case}.http").read_bytes()
    asked = requests()[case]
    key = {"Authorization": "Bearer ${API_KEY}"} if asked["auth"] in ("good", "bad") else {}
    request = Request(asked["method"], ORIGIN + asked["path"], key, asked.get("body"))
    note = _NOTE.search(raw)
    failure = None
    if note is not None:
        raw = raw[: note.start()]
        kind = _CUT.get(int(note[1]), "closed")
        failure = Failure(kind, "body" if b"\r\n\r\n" in raw else "headers", f"curl ended with {int(note[1])}")
    response = _response(raw)
    size = len(response.content) if response else 0
    timeline = Timeline(end_s=0.1, headers_s=0.05, reads=((0.1, size),) if size else (), wire_bytes=size)
    return Exchange(f"x{number:03d}", "recorded", request, response, timeline, failure)


def _response(raw: bytes) -> Response | None:
    head, _, body = raw.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    status = re.match(r"HTTP/(\S+) (\d{3}) ?(.*)", lines[0])
    if status is None:
        return None
    pairs = (line.partition(":") for line in lines[1:])
    headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    if any(name.lower() == "content-encoding" and value == "gzip" for name, value in headers):
        body = gzip.decompress(body)
    return Response(int(status[2]), status[3], f"HTTP/{status[1]}", headers, body)


def exchanges(run: str, only: tuple[str, ...] | None = None) -> list[Exchange]:
    """All answers of a run, or those of some cases, as one endpoint's exchanges."""
    chosen = [case for case in cases(run) if only is None or case in only]
    return [load(run, case, number) for number, case in enumerate(chosen, 1)]


def everything() -> Iterator[tuple[str, str, Exchange]]:
    """(run, case, answer) for every recorded answer."""
    for run in runs():
        for case in cases(run):
            yield run, case, load(run, case)
