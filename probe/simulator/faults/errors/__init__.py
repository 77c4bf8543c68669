"""Faults of how errors are told."""
