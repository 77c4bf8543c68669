"""How a store of an earlier version is brought to the present one (alembic)."""
