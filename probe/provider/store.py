"""The file of saved providers: in the user's config folder, written whole, with mode 0600 and never with a key in it.

A file that is broken, or of a newer version, is reported and left unchanged.  Unknown fields are kept.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from probe.files import read_regular, write_whole
from probe.provider.saved_provider import BadEntry, Provider, from_data, to_data

SCHEMA_VERSION = "1.0"
_APPLICATION = "endpoint-probe"
_MODE = 0o600
_MOST_BYTES = 16 * 1024 * 1024

#: Changes a provider's entry at an index of all entries; None where there is none of the name.
Change = Callable[[list[dict[str, Any]], int | None], None]


class StoreError(Exception):
    """The file cannot be used; the message is one line and says what to do."""


class NoSuchProvider(StoreError):
    """There is no saved provider of this name."""


def report_path(name: str) -> Path:
    """Where the report of a provider's last test is kept."""
    from platformdirs import user_state_path

    return user_state_path(_APPLICATION, appauthor=False) / "reports" / f"{name}.json"


def save_report(name: str, content: bytes) -> None:
    """Keep the report of a provider's last test.

    Raises:
        StoreError: it cannot be written.
    """
    path = report_path(name)
    try:
        write_whole(path.resolve(), content, _MODE)
    except OSError as error:
        raise StoreError(f"cannot write {path} ({error.strerror})") from None


class Store:
    """The saved providers.

    Args:
        path: the file; default: the user's own.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            from platformdirs import user_config_path

            path = user_config_path(_APPLICATION, appauthor=False) / "providers.json"
        self.path = path

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
        for item in known:
            if item.name == name:
                return item
        raise self._missing(name, known)

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
                raise StoreError(f"there is a provider {provider.name} already; add --replace to replace it")

        self._change(provider.name, change)

    def update(self, name: str, how: Callable[[Provider], Provider]) -> Provider:
        """Change a provider by a function of its newest state; returns what was saved.

        Raises:
            NoSuchProvider: there is none.
            StoreError: the file cannot be used.
        """
        changed: list[Provider] = []

        def change(entries: list[dict[str, Any]], at: int | None) -> None:
            if at is None:
                raise self._missing(name, self._providers({"providers": entries}))
            changed.append(how(from_data(entries[at])))
            entries[at] = {**entries[at], **to_data(changed[0])}

        self._change(name, change)
        return changed[0]

    def remove(self, name: str) -> Provider:
        """Delete a provider; returns what it was.

        Raises:
            NoSuchProvider: there is none.
            StoreError: the file cannot be used.
        """
        removed: list[Provider] = []

        def change(entries: list[dict[str, Any]], at: int | None) -> None:
            if at is None:
                raise self._missing(name, self._providers({"providers": entries}))
            removed.append(from_data(entries.pop(at)))

        self._change(name, change)
        with contextlib.suppress(OSError):
            report_path(name).unlink(missing_ok=True)
        return removed[0]

    # The file

    def _missing(self, name: str, known: list[Provider]) -> NoSuchProvider:
        names = ", ".join(item.name for item in known)
        hint = f"there are {names}" if names else "there is none yet; 'endpoint-probe provider add' saves one"
        return NoSuchProvider(f"there is no provider '{name[:60]}'; {hint}")

    def _read(self) -> dict[str, Any]:
        try:
            content = read_regular(self.path, _MOST_BYTES)
        except FileNotFoundError:
            return {"schema_version": SCHEMA_VERSION, "providers": []}
        except OSError as error:
            raise StoreError(f"cannot read {self.path} ({error.strerror})") from None
        try:
            data = json.loads(content)
        except (ValueError, RecursionError):
            raise self._unusable("is broken: not JSON") from None
        version = data.get("schema_version") if isinstance(data, dict) else None
        if not isinstance(version, str):
            raise self._unusable("is broken: no schema_version")
        if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
            raise self._unusable(f"has version {version[:20]}, and this program knows {SCHEMA_VERSION}")
        if not isinstance(data.get("providers"), list):
            raise self._unusable("is broken: providers is not a list")
        return dict(data)

    def _unusable(self, problem: str) -> StoreError:
        return StoreError(f"the file of saved providers {problem}; {self.path} was left unchanged")

    def _providers(self, data: dict[str, Any]) -> list[Provider]:
        try:
            found = [from_data(item) for item in data["providers"]]
        except BadEntry as error:
            raise self._unusable(f"is broken: {error}") from None
        names = [item.name for item in found]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise self._unusable(f"is broken: {twice} is there twice")
        return found

    def _change(self, name: str, change: Change) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(self.path):
                data = self._read()
                names = [item.name for item in self._providers(data)]
                change(data["providers"], names.index(name) if name in names else None)
                content = json.dumps(data, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
                write_whole(self.path.resolve(), content, _MODE)  # a link is followed, the file may be kept elsewhere
        except OSError as error:
            raise StoreError(f"cannot write {self.path} ({error.strerror})") from None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Exclude other processes of this program from changing the file, on systems with ``flock``."""
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
