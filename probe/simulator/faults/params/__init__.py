"""Faults of request parameters."""
