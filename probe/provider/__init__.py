"""Saved providers: endpoints under a name, with a reference to their key and the state of their toggles."""
