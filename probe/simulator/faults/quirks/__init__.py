"""Harmless oddities: a right diagnosis finds nothing wrong with them."""
