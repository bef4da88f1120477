"""Input: where a person types, and what the terminal completes."""
