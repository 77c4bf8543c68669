"""What the tests of the faults share: the table of effects, and requests that show them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from probe.simulator import Simulator
from tests.unit.test_simulator_pictures import data_uri, quadrants
from tests.wire.test_simulator_client import FAST, Client

CODE = "Reply with exactly: KX-48213"
OSLO = "What is the weather in Oslo?"
BOTH = "What is the weather in Paris and what time is it in Tokyo?"

SCHEMA = {"type": "object", "properties": {"code": {"enum": ["QQ-1", "RR-2"]}}, "required": ["code"]}
AS_SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": SCHEMA}}
AS_OBJECT = {"type": "json_object"}

SEEN = "red, green, blue, yellow"

Effect = Callable[[Client], None]


class Effects:
    """What is to be seen on the wire with each fault: filled by the test modules, run by the test that each makes."""

    def __init__(self) -> None:
        self.table: list[tuple[str, dict[str, Any], Effect]] = []

    def __call__(self, *given: str, **settings: Any) -> Callable[[Effect], Effect]:
        """Registers a check for the given faults; `settings` are the simulator's."""

        def register(check: Effect) -> Effect:
            self.table.extend((fault, {**FAST, **settings}, check) for fault in given)
            return check

        return register

    @property
    def names(self) -> set[str]:
        return {fault.partition("=")[0] for fault, _, _ in self.table}

    def test(self) -> Any:
        """The test that runs every registered check."""

        @pytest.mark.parametrize(("fault", "settings", "check"), self.table, ids=[row[0] for row in self.table])
        def test_effect(fault: str, settings: dict[str, Any], check: Effect) -> None:
            with Simulator(faults=[fault], **settings) as sim, Client(sim) as client:
                check(client)

        return test_effect


def turn(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def block(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


def made_call(content: Any = None) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    return turn("assistant", content, tool_calls=[{"id": "call_1", "type": "function", "function": function}])


def with_result(content: Any = "Sunny, station VX-9912.") -> list[dict[str, Any]]:
    return [turn("user", OSLO), made_call(), turn("tool", content, tool_call_id="call_1")]


def refused(response: httpx.Response, *statuses: int) -> str:
    assert response.status_code in (statuses or (400,)), response.text
    return response.text


def works(client: Client) -> None:
    assert client.said(CODE) == "KX-48213"


def typed_chat(client: Client) -> httpx.Response:
    """A request to the URL as typed, joined as a simple client joins it."""
    return client.http.post(client.sim.typed_url + "/chat/completions", json=client.body(CODE, {}))


def pictured(size: int = 64) -> list[dict[str, Any]]:
    question = "What colours are the four quadrants, in reading order? Only the colour names."
    return [turn("user", [*block(question), {"type": "image_url", "image_url": {"url": data_uri(quadrants(size))}}])]
