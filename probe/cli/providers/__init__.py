"""The commands of `provider`, one a file."""
