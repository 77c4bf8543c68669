"""The number of trials of a verdict, to distinguish flapping from a change; an index of findings by code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the trials; earlier verdicts had one each."""
    op.add_column("verdict", sa.Column("trials", sa.Integer, nullable=False, server_default="1"))
    op.add_column("verdict", sa.Column("agreed", sa.Integer, nullable=False, server_default="1"))
    op.create_index("finding_by_code", "finding", ["code"])


def downgrade() -> None:
    """Drop the trials."""
    op.drop_index("finding_by_code", "finding")
    with op.batch_alter_table("verdict") as table:
        table.drop_column("agreed")
        table.drop_column("trials")
