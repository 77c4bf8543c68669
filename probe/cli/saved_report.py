"""Reading a report that an earlier run saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from probe.cli.options import Unusable

if TYPE_CHECKING:
    from probe.model import Report


def saved_report(named: str) -> Report:
    """The report of this file, or the report.json of this folder.

    Raises:
        Unusable: it cannot be read or is no report.
    """
    from probe.report import BadReport, load

    path = Path(named)
    try:
        return load(path / "report.json" if path.is_dir() else path)
    except BadReport as error:
        raise Unusable(str(error)) from None
    except ValueError:  # a NUL in the name
        raise Unusable(f"no path is named {named!r}; name a report.json or its folder") from None


def print_or_write(content: bytes, output: str | None) -> None:
    """Write to the file, whole or not at all, or to standard output where none is named.

    Raises:
        Unusable: the file cannot be written.
    """
    import sys

    from probe.report import write_whole

    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        write_whole(Path(output), content)
    except OSError as error:
        raise Unusable(f"cannot write {output} ({error.strerror}); name another file with --output") from None
