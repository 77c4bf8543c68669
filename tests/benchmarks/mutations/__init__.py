"""How real clients react to one deviating field of a chat completion answer: `python -m tests.benchmarks.mutations`.

A healthy answer is changed in one field, served on loopback, and read by the official Python and Node SDKs and by the
AI SDK.  What each of them shows is recorded in `tests/data/client_outcomes.json`; the rules derived from it, which a
checker can consume, are in `checks/shape/clients.toml`.
"""
