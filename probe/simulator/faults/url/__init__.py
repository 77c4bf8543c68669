"""Faults of what people paste as the URL."""
