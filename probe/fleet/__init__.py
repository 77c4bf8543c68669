"""Many endpoints and models, again and again: the fleet file, its executors, the store and what changed.

Needs the extra ``fleet`` (SQLAlchemy and alembic) for the store, and ``distributed`` for
an executor beyond this machine.  Nothing here is imported by the other commands.
"""
