"""One file a step of the schema; a step is never changed after it was released."""
