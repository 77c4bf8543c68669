"""Faults of content blocks and null content."""
