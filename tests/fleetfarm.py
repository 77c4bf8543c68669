"""Many simulated endpoints in one process of their own, so that they do not share a loop with who probes them.

``python -m tests.fleetfarm SPEC`` serves what the JSON text SPEC says and prints one JSON line with a
base URL, key and model each; it ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from probe.simulator.call import Call
from probe.simulator.endpoint import serve_async
from probe.simulator.fault import Fault
from probe.simulator.response import Response, Write


@dataclass(frozen=True)
class Served:
    """One endpoint: the URL a user would type, the key, the model, and what it is."""

    url: str
    key: str | None
    model: str
    style: str
    faults: tuple[str, ...]


class Padded(Fault):
    """Answers with so many bytes that nobody needs, in a field of JSON or a comment of an event stream."""

    name = "padded"
    summary = "Long answers"
    value = "0"

    def on_json(self, call: Call, payload: Any) -> Any:
        return {**payload, "padding": "lorem ipsum " * int(self.number / 12)} if isinstance(payload, dict) else payload

    def on_stream(self, call: Call, response: Response) -> Response:
        first, *rest = response.writes
        comment = b": " + b"lorem ipsum " * int(self.number / 12) + b"\n\n"
        return replace(response, writes=[Write(first.at, comment), first, *rest])


def mixed(count: int, styles: Sequence[str], faults: Sequence[str]) -> list[dict[str, Any]]:
    """So many endpoints of alternating styles; every second one has a fault."""
    return [
        {
            "style": styles[number % len(styles)],
            "faults": [faults[number // 2 % len(faults)]] if number % 2 and faults else [],
        }
        for number in range(count)
    ]


@contextlib.contextmanager
def farm(specs: Sequence[Mapping[str, Any]], **settings: Any) -> Iterator[list[Served]]:
    """Serve these endpoints in another process for the length of the block.

    Args:
        specs: a style and faults each, and how many bytes of padding its answers have.
        settings: for every simulator, such as ``rate_tokens_s``.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fleetfarm", json.dumps({"specs": list(specs), "settings": settings})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        rows = json.loads(process.stdout.readline())
        yield [Served(**{**row, "faults": tuple(row["faults"])}) for row in rows]
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


async def _serve(spec: Mapping[str, Any]) -> None:
    async with contextlib.AsyncExitStack() as stack:
        rows = []
        for item in spec["specs"]:
            faults = [*item["faults"], *([Padded(str(item["padding"]))] if item.get("padding") else [])]
            sim = await stack.enter_async_context(
                serve_async(item["style"], faults, **{**spec["settings"], **item.get("settings", {})})
            )
            rows.append(
                {
                    "url": sim.typed_url,
                    "key": sim.key,
                    "model": sim.model,
                    "style": item["style"],
                    "faults": item["faults"],
                }
            )
        print(json.dumps(rows), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1])))
