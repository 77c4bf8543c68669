"""Faults of silence and timers."""
