"""The store in PostgreSQL: Debian's server, started by the test as an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.fleet_store import StoreContract
from tests.live.conftest import unavailable
from tests.live.parts import PartMissing, program
from tests.live.processes import free_port

pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")
_NUMBERS = count(1)


def _programs() -> Path | None:
    """The folder of initdb and pg_ctl; Debian keeps them out of PATH."""
    places = [Path(found).resolve().parent for found in filter(None, (shutil.which("initdb"), shutil.which("pg_ctl")))]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


pytestmark = pytest.mark.live


def _ordinary_user() -> str | None:
    """Who runs the server: this user, or where that is root, one who is not (the server refuses root)."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    pytest.skip("no ordinary user is there to run PostgreSQL")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The URL of a running server, without a database."""
    programs = _programs()
    if programs is None:
        try:
            program("postgresql")
        except PartMissing as missing:
            unavailable(str(missing))
        programs = _programs()
        assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="endpoint-probe-pg-", dir="/tmp"))
    user = _ordinary_user()
    if user is not None:
        shutil.chown(folder, user)

    def run(*words: str | Path) -> None:
        subprocess.run(
            [str(word) for word in words], check=True, user=user, cwd=folder, env={"PATH": os.environ["PATH"]},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120,
        )  # fmt: skip

    port = free_port()
    data = folder / "data"
    try:
        run(programs / "initdb", "-D", data, "-A", "trust", "-U", "probe", "--no-sync", "-E", "UTF8", "--locale=C")
        settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c fsync=off -c unix_socket_directories={folder}"
        run(programs / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", folder / "log", "-o", settings, "start")
        try:
            yield f"postgresql+psycopg://probe@127.0.0.1:{port}"
        finally:
            run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class TestPostgres(StoreContract):
    @pytest.fixture
    def url(self, server: str) -> str:
        """A database of its own for each test."""
        import psycopg

        name = f"history{next(_NUMBERS)}"
        plain = server.replace("+psycopg", "")
        with psycopg.connect(f"{plain}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return f"{server}/{name}"
