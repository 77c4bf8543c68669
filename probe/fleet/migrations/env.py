"""alembic's environment: runs the migrations on the given connection, one process at a time."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

#: The key of the advisory lock: two audits that begin at once must not both upgrade the schema.
_LOCK = 0x656E6470


def upgrade(connection: Connection) -> None:
    """Run the missing migrations."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    context.configure(connection=connection, transactional_ddl=connection.dialect.name != "sqlite")
    with context.begin_transaction():
        context.run_migrations()


upgrade(context.config.attributes["connection"])
