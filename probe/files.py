"""Reading a file that ends, and writing one whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path


def read_regular(path: Path, most: int, *, pipes: bool = False) -> bytes:
    """The content of a file.

    Args:
        most: bytes; a larger file is refused.
        pipes: a pipe is read too, as a shell's ``<(…)`` is one.

    Raises:
        OSError: it cannot be read, is too large, or is a device or a pipe, which may never end.
    """
    wait = 0 if pipes else getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would keep open() waiting
    with os.fdopen(os.open(path, os.O_RDONLY | wait | getattr(os, "O_BINARY", 0)), "rb") as file:
        kind = os.fstat(file.fileno()).st_mode
        if not (stat.S_ISREG(kind) or (pipes and stat.S_ISFIFO(kind))):
            raise OSError(errno.EINVAL, "it is not a regular file")
        content: bytes = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most / 2**20:.3g} MiB")
    return content


def write_whole(path: Path, content: bytes, mode: int | None = None, owner: tuple[int, int] | None = None) -> None:
    """Write a temporary file in the same folder, then rename it over the path.

    A device or a pipe, such as /dev/stdout, is written directly: a rename would replace it.

    Args:
        mode: permissions of the file; default: those that the umask leaves.  With a mode a
            new folder is for its owner only.
        owner: user and group of the file, where this program may set them (as root); default: those of the process.

    Raises:
        OSError: the folder cannot be made or written; nothing is left behind.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o777 if mode is None else 0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    if mode is None:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if owner and hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):
                os.chown(name, *owner)
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def overwrite(path: Path, content: bytes, mode: int | None) -> None:
    """Write a file of another program: links are followed, owner and (without a mode) permissions are kept.

    Raises:
        OSError: it cannot be written.
    """
    found = path.stat() if path.exists() else None
    if found and stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        _write_in_place(path, content)
        return
    if found and mode is None:
        mode = stat.S_IMODE(found.st_mode)
    goal = path if found and not stat.S_ISREG(found.st_mode) else path.resolve()
    write_whole(goal, content, mode, found and (found.st_uid, found.st_gid))


def _write_in_place(path: Path, content: bytes) -> None:
    """Write a file that has other names, which a new file would not have; what was in it comes back on a failure."""
    before = path.read_bytes()
    try:
        path.write_bytes(content)
    except OSError:
        path.write_bytes(before)
        raise
