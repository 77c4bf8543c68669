"""How a check ends without a verdict: by an exception of its own, or by an unexpected one."""

from __future__ import annotations

from pathlib import PurePath

_PACKAGES = frozenset(("probe", "checks", "reports"))


class Inconclusive(Exception):
    """The check could not decide; the text is the reason."""


class Skip(Exception):
    """The check does not apply; the text is the reason."""


class Throttled(Inconclusive):
    """The endpoint answered "not now" for as long as this run could wait."""


class KeyWithheld(Inconclusive):
    """The request would have carried the key to another origin, or in clear text."""


class BudgetExceeded(Exception):
    """A request would exceed the budget; the text names which limit and by how much."""


def failed_at(error: BaseException, plugin: str = "") -> str:
    """The type of an exception and the line of this program or of a plugin that it came out of.

    Of several frames the innermost one that is ours: what a library raises was provoked by its
    caller.  Of an exception group it is the first exception.  Values are left out, since they
    may be secret.

    Args:
        plugin: the name of a module whose top-level package counts as ours too.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    ours = _PACKAGES | {plugin.partition(".")[0]}
    place = ""
    trace = error.__traceback__
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] in ours:
            file = PurePath(trace.tb_frame.f_code.co_filename).name
            folders = module.split(".") if file == "__init__.py" else module.split(".")[:-1]
            place = f" at {'/'.join([*folders, file])}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}{place}"
