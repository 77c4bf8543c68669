"""The file of saved providers: read whole, checked, written whole, and never with a key in it.

It lies in the user's config folder with mode 0600.  A file that is broken, or of a newer
version, is reported and left untouched.  Fields that this version does not know are kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from probe.provider.saved_provider import BadEntry, Provider, from_data, to_data

# Writing files that are another program's, or that are nobody else's business. ---------------------


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


# The file of saved providers: read whole, checked, written whole, and never with a key in it. ------

SCHEMA_VERSION = "1.0"
APPLICATION = "endpoint-probe"
_MODE = 0o600
_LARGEST = 16 * 1024 * 1024


class StoreError(Exception):
    """The file cannot be used; the message is one line and says what to do."""


class NoSuchProvider(StoreError):
    """There is no saved provider of this name."""


def default_path() -> Path:
    """The file of saved providers of this user."""
    from platformdirs import user_config_path

    return user_config_path(APPLICATION, appauthor=False) / "providers.json"


def report_path(name: str) -> Path:
    """Where the report of a provider's last test is kept."""
    from platformdirs import user_state_path

    return user_state_path(APPLICATION, appauthor=False) / "reports" / f"{name}.json"


def save_report(name: str, content: bytes) -> None:
    """Keep the report of a provider's last test.

    Raises:
        StoreError: it cannot be written.
    """
    path = report_path(name)
    try:
        write_atomic(path, content, _MODE)
    except OSError as error:
        raise StoreError(f"cannot write {path} ({error.strerror})") from None


class Store:
    """The saved providers.

    Args:
        path: the file; default: the user's own.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()

    def all(self) -> list[Provider]:
        """Every saved provider, in the file's order.

        Raises:
            StoreError: the file cannot be used.
        """
        return self._providers(self._read())

    def get(self, name: str) -> Provider:
        """One provider by name.

        Raises:
            NoSuchProvider: there is none; the message names those there are.
            StoreError: the file cannot be used.
        """
        known = self.all()
        found = next((item for item in known if item.name == name), None)
        if found is None:
            raise self._missing(name, known)
        return found

    def add(self, provider: Provider, *, replace: bool = False) -> None:
        """Save a new provider.

        Raises:
            StoreError: the name is taken and ``replace`` is not set, or the file cannot be used.
        """

        def change(entries: list[dict[str, Any]], at: int | None) -> None:
            if at is None:
                entries.append(to_data(provider))
            elif replace:
                entries[at] = to_data(provider)
            else:
                raise StoreError(f"there is a provider {provider.name} already; add --replace to write it anew")

        self._change(provider.name, change)

    def update(self, name: str, how: Callable[[Provider], Provider]) -> Provider:
        """Change a provider by a function of its newest state; returns what was saved.

        Raises:
            NoSuchProvider: it is gone.
            StoreError: the file cannot be used.
        """
        made: list[Provider] = []

        def change(entries: list[dict[str, Any]], at: int | None) -> None:
            if at is None:
                raise self._missing(name, self._providers({"providers": entries}))
            made.append(how(from_data(entries[at])))
            entries[at] = {**entries[at], **to_data(made[0])}

        self._change(name, change)
        return made[0]

    def remove(self, name: str) -> Provider:
        """Forget a provider; returns what it was.

        Raises:
            NoSuchProvider: there is none.
            StoreError: the file cannot be used.
        """
        gone: list[Provider] = []

        def change(entries: list[dict[str, Any]], at: int | None) -> None:
            if at is None:
                raise self._missing(name, self._providers({"providers": entries}))
            gone.append(from_data(entries.pop(at)))

        self._change(name, change)
        with contextlib.suppress(OSError):
            report_path(name).unlink(missing_ok=True)
        return gone[0]

    # The file -----------------------------------------------------------------------------

    def _missing(self, name: str, known: list[Provider]) -> NoSuchProvider:
        names = ", ".join(item.name for item in known)
        hint = f"there are {names}" if names else "there is none yet; 'endpoint-probe provider add' saves one"
        return NoSuchProvider(f"there is no provider '{name[:60]}'; {hint}")

    def _read(self) -> dict[str, Any]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return {"schema_version": SCHEMA_VERSION, "providers": []}
        except OSError as error:
            raise StoreError(f"cannot read {self.path} ({error.strerror})") from None
        where = f"{self.path} was left as it is"
        if len(content) > _LARGEST:
            raise StoreError(f"the file of saved providers is too large; {where}")
        try:
            data = json.loads(content)
        except (ValueError, RecursionError):
            raise StoreError(f"the file of saved providers is broken: no JSON; {where}") from None
        version = data.get("schema_version") if isinstance(data, dict) else None
        if not isinstance(version, str):
            raise StoreError(f"the file of saved providers is broken: no schema_version; {where}")
        if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
            raise StoreError(
                f"the file of saved providers has version {version[:20]}, and this program knows "
                f"{SCHEMA_VERSION}; {where}"
            )
        if not isinstance(data.get("providers"), list):
            raise StoreError(f"the file of saved providers is broken: providers is no list; {where}")
        return dict(data)

    def _providers(self, data: dict[str, Any]) -> list[Provider]:
        try:
            found = [from_data(item) for item in data["providers"]]
        except BadEntry as error:
            raise StoreError(f"the file of saved providers is broken: {error}; {self.path} was left as it is") from None
        names = [item.name for item in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise StoreError(
                f"the file of saved providers is broken: {twice} is there twice; {self.path} was left as it is"
            )
        return found

    def _change(self, name: str, how: Callable[[list[dict[str, Any]], int | None], None]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _alone(self.path):
                data = self._read()
                names = [item.name for item in self._providers(data)]
                how(data["providers"], names.index(name) if name in names else None)
                content = json.dumps(data, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
                write_atomic(self.path, content, _MODE)
        except OSError as error:
            raise StoreError(f"cannot write {self.path} ({error.strerror})") from None


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes of this program from changing the file at the same time, where the system can."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
