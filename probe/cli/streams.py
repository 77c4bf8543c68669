"""The standard streams of the process: closed, full or gone, they never change what a command finds.

What cannot be written is dropped; the command line says so once on standard error.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys


class _Output(io.FileIO):
    """A standard stream that drops what cannot be written; ``lost`` is the first error."""

    lost: OSError | None = None

    def write(self, data: object) -> int:
        if self.lost is None:
            try:
                return super().write(data) or 0  # type: ignore[arg-type]
            except OSError as error:
                self.lost = error
        return len(data)  # type: ignore[arg-type]


_streams: dict[str, _Output] = {}


def prepare() -> None:
    """Put such streams in place of the process's own."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # closed: the next file that is opened would get its number
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    for number, name in ((1, "stdout"), (2, "stderr")):
        old = getattr(sys, name)
        raw = _streams[name] = _Output(number, "w", closefd=False)
        if old is None:
            raw.lost = OSError(errno.EBADF, "it is closed")
        text = io.TextIOWrapper(
            io.BufferedWriter(raw),
            encoding=old.encoding if old else "utf-8",
            errors="replace",
            line_buffering=name == "stderr" or bool(old and old.line_buffering),
        )
        setattr(sys, name, text)


def lost() -> OSError | None:
    """The error of standard output, if something could not be printed."""
    sys.stdout.flush()
    return _streams["stdout"].lost if "stdout" in _streams else None
