"""The simulated model: reads a prompt, follows it by rules, calls tools, fills schemas, describes pictures."""
