"""Turns: one is carried as far as it goes now, and where it comes to rest is stored."""
