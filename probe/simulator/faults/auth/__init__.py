"""Faults of the key."""
