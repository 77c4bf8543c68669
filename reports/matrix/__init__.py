"""The matrix of an audit: endpoints and models against capabilities, in every format.

A reporter here takes a ``Matrix`` and returns bytes; it reads no store and sends nothing.
"""
