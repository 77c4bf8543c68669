"""A remedy in its parts, for pages: what to do, how to check it, and the general advice."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GENERAL = re.compile(r"(?:^| )In general: ")
_CHECK = " To check: "
_CODE = re.compile(r"`([^`\n]{1,400})`")
#: Code with an option or a setting in it is something to type; other code is a name.
_TYPED = re.compile(r"(?:^|\s)--?[a-z]|[=;]|: ")


@dataclass(frozen=True)
class Remedy:
    """What to do (one advice a line), the general advice, and what the advice says to type, in order."""

    steps: tuple[tuple[str, str], ...]
    general: str
    commands: tuple[str, ...]


def parts(remedy: str) -> Remedy:
    """The parts of a finding's remedy; text without known parts is one step.

    Each step is an advice and how to check it, which may be empty.
    """
    own, _, general = remedy.partition(found[0]) if (found := _GENERAL.search(remedy)) else (remedy, "", "")
    steps = []
    rest = own.strip()
    while rest:
        do, marker, after = rest.partition(_CHECK)
        # The check is one sentence; what follows it is the next advice.
        check, stop, following = after.partition(". ") if marker else ("", "", "")
        steps.append((do, f"{check}." if stop else check))
        rest = following.strip()
    commands = [text for do, _ in steps for text in _CODE.findall(do) if _TYPED.search(text)]
    return Remedy(tuple(steps), general.strip(), tuple(dict.fromkeys(commands)))
