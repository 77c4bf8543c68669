"""What a run costs, measured against the simulated endpoint: requests, tokens, seconds, and where they go."""
