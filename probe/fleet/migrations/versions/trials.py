"""Trials of a verdict, so that a flapping one can be told from a change; findings by code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every verdict so far rested on one trial."""
    op.add_column("verdict", sa.Column("trials", sa.Integer, nullable=False, server_default="1"))
    op.add_column("verdict", sa.Column("agreed", sa.Integer, nullable=False, server_default="1"))
    op.create_index("finding_by_code", "finding", ["code"])


def downgrade() -> None:
    """Forget the trials."""
    op.drop_index("finding_by_code", "finding")
    with op.batch_alter_table("verdict") as table:
        table.drop_column("agreed")
        table.drop_column("trials")
