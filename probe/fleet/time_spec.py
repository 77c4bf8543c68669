"""Times as people write them: ``tuesday``, ``7d``, ``yesterday``, ``2026-11-20``, ``2026-11-20T08:00``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from probe.run.typed_options import Unusable

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SPAN = re.compile(r"(\d{1,6})\s*(m|min|h|d|w)")
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def stamp(moment: datetime) -> str:
    """A time as the store keeps it: ISO 8601 in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def since(text: str | None) -> str | None:
    """The value of ``--since`` as the store keeps times, or None where it was not given.

    Raises:
        Unusable: it is not a time, or one in the future.
    """
    if text is None:
        return None
    try:
        return stamp(moment(text, datetime.now().astimezone()))
    except ValueError as error:
        raise Unusable(f"--since {error}") from None


def moment(text: str, now: datetime) -> datetime:
    """The time that a text names, relative to ``now`` (with a zone, which a bare date takes).

    A weekday is the beginning of the last such day before today; ``today`` and
    ``yesterday`` are their beginnings; a span such as ``12h`` or ``7d`` counts back.

    Raises:
        ValueError: it is not a time, or one in the future; the message is one line.
    """
    wanted = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    span = _SPAN.fullmatch(wanted)
    day = next((index for index, name in enumerate(_DAYS) if wanted in (name, name[:3])), None)
    if wanted in ("today", "yesterday"):
        return midnight - timedelta(days=wanted == "yesterday")
    if day is not None:
        return midnight - timedelta(days=(now.weekday() - day - 1) % 7 + 1)
    try:
        found = now - timedelta(seconds=int(span[1]) * _SECONDS[span[2]]) if span else datetime.fromisoformat(wanted)
    except (ValueError, OverflowError):
        raise ValueError(
            f"'{text[:40]}' is not a time; write tuesday, yesterday, 7d, 12h or 2026-11-20T08:00"
        ) from None
    found = found if found.tzinfo else found.replace(tzinfo=now.tzinfo)
    if found > now:
        raise ValueError(f"'{text[:40]}' is in the future")
    return found
