"""Faults of the connection and its certificate."""
