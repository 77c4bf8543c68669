"""Faults of pictures."""
