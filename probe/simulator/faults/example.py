"""The fault for `checks/example.py`, to be copied with it; `probe/simulator/fault.py` lists what a fault can change."""

from __future__ import annotations

from typing import Any

from probe.simulator.call import Call
from probe.simulator.fault import Fault, on_json


@on_json("`created` of whole answers counts milliseconds", "example.milliseconds")
def example_milliseconds(fault: Fault, call: Call, payload: Any) -> Any:
    """As in Cloudflare Workers AI (RageAgainstThePixel/OpenAI-DotNet issue 314)."""
    return {**payload, "created": payload["created"] * 1_000} if "choices" in payload else payload
