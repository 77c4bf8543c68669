"""What each check spends on a healthy endpoint, measured with the simulated one; most checks can spend more."""

from __future__ import annotations

from dataclasses import dataclass

from probe.model import Check


@dataclass(frozen=True)
class Cost:
    """Requests, tokens of their prompts and of their answers, and whether the check waits for --idle seconds."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0
    waits: bool = False


#: Checks that are not named here send nothing: they read what others were answered.
TYPICAL = {
    "auth.enforced": Cost(2),
    "auth.models-open": Cost(1),
    "connect.reach": Cost(1),
    "content.blocks": Cost(1, 54, 9),
    "content.null": Cost(1, 247, 17),
    "content.tool-blocks": Cost(1, 247, 17),
    "errors.cached": Cost(1, 54, 9),
    "errors.cors": Cost(1),
    "errors.invalid": Cost(1),
    "errors.malformed": Cost(8),
    "idle.reuse": Cost(2, waits=True),
    "idle.silence": Cost(1, waits=True),
    "limits.body": Cost(1, 11, 1),
    "limits.context": Cost(2, 11057, 8),
    "messages.create": Cost(8, 758, 205),
    "models.identity": Cost(1),
    "output.json-object": Cost(1, 13, 28),
    "output.json-schema": Cost(1, 13, 52),
    "params.limit": Cost(2, 26, 32),
    "params.others": Cost(1, 13, 13),
    "params.sampling": Cost(3, 45, 64),
    "reasoning.asked": Cost(1, 18, 1),
    "responses.create": Cost(8, 1005, 122),
    "roles.developer": Cost(1, 26, 4),
    "roles.order": Cost(3, 105, 17),
    "roles.turns": Cost(1, 144, 24),
    "stream.characters": Cost(1, 40, 16),
    "stream.shape": Cost(1, 22, 79),
    "tools.agent": Cost(1, 800, 130),
    "tools.call": Cost(1, 200, 30),
    "tools.choice": Cost(2, 701, 72),
    "tools.cut": Cost(1, 181, 48),
    "tools.none": Cost(1, 26, 9),
    "tools.parallel": Cost(2, 600, 88),
    "tools.results": Cost(1, 247, 17),
    "tools.stream": Cost(1, 200, 30),
    "url.control": Cost(1),
    "url.resolve": Cost(1, 15, 4),
    "vision.picture": Cost(1, 296, 7),
}


def typical(item: Check) -> Cost:
    """What a check usually spends; for a plugin's check the most that it declares."""
    known = TYPICAL.get(item.id)
    if known is not None or item.run.__module__.partition(".")[0] == "checks":
        return known or Cost()
    return Cost(item.max_requests, item.max_tokens // 2, item.max_tokens // 2)
