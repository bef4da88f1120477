"""State: what is stored of a turn, and what its nodes are given besides."""
