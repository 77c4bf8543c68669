"""Faults of system and developer turns."""
