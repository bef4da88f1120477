"""Handlers: an update is told apart, and becomes a turn, an answer or a stranger's turn-away."""
