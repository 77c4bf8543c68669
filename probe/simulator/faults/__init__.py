"""The faults of the simulated endpoint, one file a family; see `probe.simulator.fault` for the hooks."""
