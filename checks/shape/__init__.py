"""What the family proves: every successful answer has the shape that clients expect, field by field.

`clients.toml` is the measured table: which client fails on which deviation, and how.
"""
