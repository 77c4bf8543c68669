"""The tables of the store; ``migrations`` upgrades an older store to them.

Times are text, ISO 8601 in UTC with milliseconds, so that they sort and compare the same
in every database.  Nothing is secret: jobs hold references, and reports are redacted.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

audit = Table(
    "audit",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("fleet", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("started_at", String(32), nullable=False),
    Column("finished_at", String(32)),
    Column("tool", String(40), nullable=False),
    Column("executor", String(200), nullable=False),
    Index("audit_by_fleet", "fleet", "started_at"),
)

#: The jobs of an audit: planned, done or failed.
job = Table(
    "job",
    metadata,
    Column("audit_id", ForeignKey("audit.id", ondelete="CASCADE"), primary_key=True),
    Column("target", String(500), primary_key=True),
    Column("model", String(500), primary_key=True),
    Column("vantage", String(200), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("expect", JSON, nullable=False),
    Column("state", String(10), nullable=False),
    Column("problem", Text, nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("audit_id", ForeignKey("audit.id", ondelete="CASCADE"), nullable=False),
    Column("fleet", String(200), nullable=False),
    Column("target", String(500), nullable=False),
    Column("model", String(500), nullable=False),
    Column("vantage", String(200), nullable=False),
    Column("place", String(200), nullable=False),
    Column("started_at", String(32), nullable=False),
    Column("finished_at", String(32), nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("depth", String(10), nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("usable", Boolean, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("base_url", Text),
    Column("answered_model", Text),
    Column("requests", Integer, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("software", String(100), nullable=False),
    Column("version", String(200)),
    Column("hops", JSON, nullable=False),
    UniqueConstraint("audit_id", "target", "model", "vantage", name="run_once"),
    Index("run_by_cell", "fleet", "target", "model", "vantage", "started_at"),
)

verdict = Table(
    "verdict",
    metadata,
    Column("run_id", ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("capability", String(100), primary_key=True),
    Column("state", String(10), nullable=False),
    Column("confidence", Float, nullable=False),
    Column("finding", String(100)),
    Column("note", Text, nullable=False),
    Column("trials", Integer, nullable=False, server_default="1"),
    Column("agreed", Integer, nullable=False, server_default="1"),
)

finding = Table(
    "finding",
    metadata,
    Column("run_id", ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("code", String(100), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("owner", String(20), nullable=False),
    Column("check", String(100), nullable=False),
    Column("title", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Index("finding_by_code", "code"),
)

#: report.json of a run, compressed with gzip.
report = Table(
    "report",
    metadata,
    Column("run_id", ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
