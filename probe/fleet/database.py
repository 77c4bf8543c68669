"""Opening a store: SQLite in one file or PostgreSQL by URL, with its schema upgraded."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from probe.run.typed_options import Unusable, expand_variables

_MIGRATIONS = Path(__file__).parent / "migrations"
#: The revision of the newest migration: a store of this revision is opened without alembic, a third of the start.
HEAD = "2"
#: How long one audit waits for another that writes to the same SQLite file.
_LOCK_TIMEOUT_S = 30
#: SQLite's errors for a locked file, by their primary result code (sqlite.org, "Result and Error Codes").
_BUSY = frozenset((sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))
#: alembic keeps its state in module globals, so one thread of a process upgrades at a time.
_UPGRADING = threading.Lock()


class StoreError(RuntimeError):
    """The store cannot be used; the message is one line and holds no password."""


def parse(text_: str) -> URL:
    """A store's URL; a plain path is an SQLite file, and ``${VAR}`` is replaced from the environment.

    Raises:
        StoreError: this program cannot use the URL.
    """
    try:
        filled, _ = expand_variables(text_, "--store")
    except Unusable as error:
        raise StoreError(str(error)) from None
    if "://" not in filled:
        return URL.create("sqlite", database=filled)
    try:
        url = make_url(filled)
    except (ArgumentError, ValueError):
        raise StoreError(
            "--store is not a URL; write sqlite:///history.sqlite3 or postgresql+psycopg://user@host/database"
        ) from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"--store cannot use {url.get_backend_name()[:20]}; there are sqlite and postgresql")
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return url


def connect(url: URL) -> Engine:
    """An engine for this store, its schema up to date.

    Raises:
        StoreError: it cannot be opened, or is of a later version of this program.
    """
    sqlite = url.get_backend_name() == "sqlite"
    arguments: dict[str, Any] = {"timeout": _LOCK_TIMEOUT_S} if sqlite else {"connect_timeout": _LOCK_TIMEOUT_S}
    try:
        if sqlite and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args=arguments, pool_pre_ping=not sqlite)
        if sqlite:
            event.listen(engine, "connect", _sqlite_settings)
        try:
            with engine.begin() as connection:
                upgrade(connection)
        except BaseException:
            engine.dispose()  # the pool would keep the connection open
            raise
    except NoSuchModuleError:
        raise StoreError(f"--store cannot use the driver {url.drivername[:40]}") from None
    except ImportError as error:
        extra = "fleet" if error.name == "alembic" else "postgres"
        raise StoreError(
            f"the store needs the package {error.name}; install it in a checkout of endpoint-probe with: "
            f"pip install '.[{extra}]'"
        ) from None
    except (SQLAlchemyError, OSError) as error:
        raise StoreError(f"cannot open the store {shown(url)} ({reason(error)})") from None
    return engine


def shown(url: URL) -> str:
    """The URL without its password."""
    return url.render_as_string(hide_password=True)


def reason(error: Exception) -> str:
    """The driver's message in one line, without statement and values."""
    inner = getattr(error, "orig", None) or error
    return " ".join(str(inner).split())[:200] or type(inner).__name__


def _sqlite_settings(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    try:
        _write_ahead(cursor)
        for pragma in ("foreign_keys=ON", "synchronous=NORMAL"):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Set WAL mode, so that readers do not wait for the audit that writes (sqlite.org, "Write-Ahead Logging").

    The mode is kept in the file.  SQLite does not wait for another process that is about
    to change it too, but fails at once, so the change is retried here.
    """
    end = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            if cursor.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                cursor.execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > end:
                raise
        time.sleep(0.02)


def upgrade(connection: Connection, revision: str = HEAD) -> None:
    """Bring the schema to a revision; does nothing where it is there already.

    Several processes may call it at once: one upgrades, the others wait and find it done.

    Raises:
        StoreError: the store was written by a later version of this program.
    """
    if _revision(connection) == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _UPGRADING:
        if connection.dialect.name == "sqlite":
            # Lock before the revision is read again; the whole upgrade is one transaction.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            command.upgrade(config, revision)
        except (CommandError, AssertionError):  # the second for a revision without a name
            raise StoreError("the store was written by a later version of endpoint-probe; upgrade this one") from None


def _revision(connection: Connection) -> str | None:
    """The revision of the schema, or None where there is none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
