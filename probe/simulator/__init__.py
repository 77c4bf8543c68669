"""The built-in simulated endpoint: a real HTTP server on loopback with a rule-based model behind it.

    with Simulator("vllm", ["missing-v1", "tools-as-hermes"]) as sim:
        client = OpenAI(base_url=sim.base_url, api_key=sim.key)

Importing the package loads nothing: the server, the styles and the faults are imported on first use. Modules inside
the package import one another by their full names and never through this one.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from probe.simulator.endpoint import Simulator, serve_async
    from probe.simulator.registry import FaultInfo, StyleInfo, UnknownName, all_faults, all_styles

__all__ = ["FaultInfo", "Simulator", "StyleInfo", "UnknownName", "all_faults", "all_styles", "serve_async"]


def __getattr__(name: str) -> Any:
    """Import an exported name when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "endpoint" if name in ("Simulator", "serve_async") else "registry"
    return getattr(importlib.import_module(f"probe.simulator.{home}"), name)
