"""The server styles of the simulated endpoint, one file a server."""
