"""The built-in simulated endpoint: a real HTTP server on loopback with a rule-based stand-in model.

    with Simulator("vllm", ["missing-v1", "tools-as-hermes"]) as sim:
        client = OpenAI(base_url=sim.base_url, api_key=sim.key)

Importing this package is cheap: the server, the styles and the faults are loaded when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.simulator.endpoint import Simulator, serve_async
    from probe.simulator.registry import FaultInfo, UnknownName, faults, styles
    from probe.simulator.style import StyleInfo

__all__ = ["FaultInfo", "Simulator", "StyleInfo", "UnknownName", "faults", "serve_async", "styles"]

_HOMES = {
    "FaultInfo": "registry",
    "Simulator": "endpoint",
    "StyleInfo": "style",
    "UnknownName": "registry",
    "faults": "registry",
    "serve_async": "endpoint",
    "styles": "registry",
}


def __getattr__(name: str) -> Any:
    # `faults` and `styles` are also names of sub-packages: importing those must not hide the functions.
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(f"probe.simulator.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
