"""Input: what a person gives a command that begins work."""
