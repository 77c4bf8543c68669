"""The hostile behaviours, one file a kind.  A new file or function here is found by itself."""
