"""The user gives no key, or the wrong one."""

from __future__ import annotations

from probe.simulator.fault import Fault
from probe.simulator.style import DEFAULT_KEY


class Required(Fault):
    """A key is needed and none is given."""

    name = "auth-required"
    summary = "the endpoint wants a key and the user gives none"
    yields = ("auth.required",)

    def asked_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def typed_key(self, key: str | None) -> str | None:
        return None


class Rejected(Fault):
    """The key is one that this endpoint never issued."""

    name = "auth-rejected"
    summary = "the user gives a key that the endpoint does not accept"
    yields = ("auth.rejected",)

    def asked_key(self, key: str | None) -> str | None:
        return key or DEFAULT_KEY

    def typed_key(self, key: str | None) -> str | None:
        return "sk-sim-0ldKeyFromLastYear42"


FAULTS = (Required, Rejected)
