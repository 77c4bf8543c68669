"""The parts of the stand-in model: tokens, reading the prompt, following it, using tools, filling schemas, seeing."""
