"""The first schema: audits, their jobs, runs, verdicts, findings and reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None
branch_labels = None
depends_on = None


def _of_audit(*, primary: bool = False) -> sa.Column[str]:
    return sa.Column(
        "audit_id", sa.String(32), sa.ForeignKey("audit.id", ondelete="CASCADE"), primary_key=primary, nullable=False
    )


def _of_run() -> sa.Column[str]:
    return sa.Column("run_id", sa.String(32), sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "audit",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("fleet", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("started_at", sa.String(32), nullable=False),
        sa.Column("finished_at", sa.String(32)),
        sa.Column("tool", sa.String(40), nullable=False),
        sa.Column("executor", sa.String(200), nullable=False),
    )
    op.create_index("audit_by_fleet", "audit", ["fleet", "started_at"])
    op.create_table(
        "job",
        _of_audit(primary=True),
        sa.Column("target", sa.String(500), primary_key=True),
        sa.Column("model", sa.String(500), primary_key=True),
        sa.Column("vantage", sa.String(200), primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sa.Column("expect", sa.JSON, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("problem", sa.Text, nullable=False),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(32), primary_key=True),
        _of_audit(),
        sa.Column("fleet", sa.String(200), nullable=False),
        sa.Column("target", sa.String(500), nullable=False),
        sa.Column("model", sa.String(500), nullable=False),
        sa.Column("vantage", sa.String(200), nullable=False),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("started_at", sa.String(32), nullable=False),
        sa.Column("finished_at", sa.String(32), nullable=False),
        sa.Column("duration_s", sa.Float, nullable=False),
        sa.Column("depth", sa.String(10), nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("usable", sa.Boolean, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("base_url", sa.Text),
        sa.Column("answered_model", sa.Text),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("prompt_tokens", sa.Integer, nullable=False),
        sa.Column("completion_tokens", sa.Integer, nullable=False),
        sa.Column("software", sa.String(100), nullable=False),
        sa.Column("version", sa.String(200)),
        sa.Column("hops", sa.JSON, nullable=False),
        sa.UniqueConstraint("audit_id", "target", "model", "vantage", name="run_once"),
    )
    op.create_index("run_by_cell", "run", ["fleet", "target", "model", "vantage", "started_at"])
    op.create_table(
        "verdict",
        _of_run(),
        sa.Column("capability", sa.String(100), primary_key=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("confidence", sa.Float, nullable=False),
        sa.Column("finding", sa.String(100)),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "finding",
        _of_run(),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("code", sa.String(100), nullable=False),
        sa.Column("severity", sa.String(10), nullable=False),
        sa.Column("owner", sa.String(20), nullable=False),
        sa.Column("check", sa.String(100), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("remedy", sa.Text, nullable=False),
    )
    op.create_table("report", _of_run(), sa.Column("content", sa.LargeBinary, nullable=False))


def downgrade() -> None:
    """Drop the tables."""
    for name in ("report", "finding", "verdict", "run", "job", "audit"):
        op.drop_table(name)
