"""What `audit` and `history` share: from the store to the matrix, its files, and who is told."""
