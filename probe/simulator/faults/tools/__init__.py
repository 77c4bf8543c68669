"""Faults of tool calls."""
