"""Migrations (alembic) that upgrade the store of an earlier version."""
