"""Audits of many endpoints and models: the fleet file, the executors, the store of runs, and what changed.

The store needs the extra ``fleet`` (SQLAlchemy and alembic), an executor on other machines
``distributed``.
"""
