"""Writing files that are another program's, or that are nobody else's business."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def write_atomic(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole or not at all, with these permissions from the start.

    A symbolic link is followed, so that a file kept elsewhere stays there.

    Raises:
        OSError: the folder cannot be made or written; nothing is left behind.
    """
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_private_or_alike(path: Path, content: bytes, mode: int | None) -> None:
    """Write a file with the given permissions, or those it has, or those that are usual.

    What is no ordinary file, such as /dev/stdout, is written straight.

    Raises:
        OSError: it cannot be written.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            file.write(content)
        return
    if mode is None:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            mask = os.umask(0)
            os.umask(mask)
            mode = 0o666 & ~mask
    write_atomic(path, content, mode)
