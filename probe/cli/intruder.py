"""Three generic import names, one product: make sure that they belong together.

``probe``, ``checks`` and ``reports`` are names that other projects use too.  Where
another folder of one of these names stands first on the import path, half of this
program would be somebody else's code; so that is said before anything else happens.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

_PACKAGES = ("probe", "checks", "reports")


def _folder(name: str) -> str | None:
    """The folder of a package, without importing it."""
    spec = find_spec(name)
    if spec is None:
        return None
    places = list(spec.submodule_search_locations or ())
    if places:
        return os.path.realpath(places[0])
    return os.path.realpath(spec.origin) if spec.origin else None


def intruder() -> str | None:
    """One line that names the package that is not ours, or None when all is well."""
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))  # noqa: PTH120
    for name in _PACKAGES:
        found = _folder(name)
        if found is None:
            return f"the package '{name}' is missing beside {os.path.join(home, 'probe')}; install endpoint-probe again"  # noqa: PTH118
        if os.path.dirname(found) != home:  # noqa: PTH120
            return (
                f"'{name}' is imported from {found} in place of {os.path.join(home, name)}; "  # noqa: PTH118
                "start endpoint-probe from another folder, unset PYTHONPATH, or install it on its own with pipx"
            )
    return None
