"""Capacity: concurrency, circuit breakers, and what is refused until when."""
