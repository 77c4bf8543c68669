"""Hostile endpoints: servers that lie, flood, stall and trick, and proof that the tool comes home from each."""
