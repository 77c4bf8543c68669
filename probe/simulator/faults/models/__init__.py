"""Faults of the model list and model ids."""
