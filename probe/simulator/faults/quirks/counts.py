"""Token counts of whole answers that tell less than they seem to; clients get along with all of them."""

from __future__ import annotations

import json
from typing import Any

from probe.simulator.call import JSON, Call
from probe.simulator.fault import Fault


def _counted(payload: Any) -> bool:
    return isinstance(payload, dict) and isinstance(payload.get("usage"), dict)


class Missing(Fault):
    """Small mock servers and some gateways leave `usage` out."""

    name = "usage-missing"
    summary = "whole answers have no usage (harmless)"

    def on_response(self, call: Call, payload: JSON) -> Any:
        if not _counted(payload):
            return payload
        return {key: value for key, value in payload.items() if key != "usage"}


class Constant(Fault):
    """A stub that never counted."""

    name = "usage-constant"
    summary = "whole answers have the same prompt tokens for every prompt (harmless)"

    def on_response(self, call: Call, payload: JSON) -> Any:
        if not _counted(payload):
            return payload
        return {**payload, "usage": {**payload["usage"], "prompt_tokens": 10}}


class Raw(Fault):
    """A gateway that counts the JSON of the messages in place of what the model is shown."""

    name = "usage-raw"
    summary = "prompt tokens are estimated from the request's JSON (harmless)"

    def on_response(self, call: Call, payload: JSON) -> Any:
        if not _counted(payload):
            return payload
        sent = json.loads(call.request.body or b"{}")
        return {**payload, "usage": {**payload["usage"], "prompt_tokens": len(json.dumps(sent.get("messages"))) // 4}}


FAULTS = (Missing, Constant, Raw)
