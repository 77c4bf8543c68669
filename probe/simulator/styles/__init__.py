"""The server styles of the simulated endpoint, one file a style. Calling the folder lists them.

The package also offers a function of this name; a sub-package, once imported, takes that name's place, so the
folder itself can be called.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from probe.simulator.style import StyleInfo


class _Folder(ModuleType):
    def __call__(self) -> list[StyleInfo]:
        from probe.simulator.registry import styles

        return styles()


sys.modules[__name__].__class__ = _Folder
