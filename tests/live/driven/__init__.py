"""Real client libraries, started with exported configurations: one script a client, run in its part's environment."""
