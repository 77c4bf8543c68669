"""Faults of structured output."""
