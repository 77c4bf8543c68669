"""Faults of how the answer is streamed."""
