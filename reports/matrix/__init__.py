"""The matrix of an audit: endpoints and models against capabilities, from ``Matrix`` to the bytes of each format."""
