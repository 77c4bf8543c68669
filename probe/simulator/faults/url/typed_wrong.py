"""URLs that carry too much: a slash, an operation, a second `/v1`."""

from __future__ import annotations

from typing import ClassVar

from probe.simulator.call import Call
from probe.simulator.fault import Fault
from probe.simulator.script import Script


class _Suffix(Fault):
    suffix: ClassVar[str] = ""

    def typed_url(self, url: str) -> str:
        return url + self.suffix


class TrailingSlash(_Suffix):
    """Joined simply, the URL gets a doubled slash, and the server does not merge slashes."""

    name = "trailing-slash"
    summary = "the URL is typed with a trailing slash; a doubled slash is 404"
    yields = ("url.trailing-slash",)
    suffix = "/"

    def on_request(self, call: Call) -> Script | None:
        return call.site.style.not_found(call) if "//" in call.path else None


class OperationPath(_Suffix):
    """The URL of the operation is pasted, as documentation shows it in a curl example."""

    name = "operation-path"
    summary = "the typed URL ends in /chat/completions"
    yields = ("url.operation-path",)
    suffix = "/chat/completions"


class ModelsPath(_Suffix):
    """The URL of the model list is pasted."""

    name = "models-path"
    summary = "the typed URL ends in /models"
    yields = ("url.operation-path",)
    suffix = "/models"


class DuplicatePath(_Suffix):
    """`/v1` is added to a URL that has it already."""

    name = "duplicate-path"
    summary = "the typed URL ends in /v1/v1"
    yields = ("url.duplicate-path",)
    suffix = "/v1"


FAULTS = (TrailingSlash, OperationPath, ModelsPath, DuplicatePath)
