"""Faults of rate, quota and context limits."""
