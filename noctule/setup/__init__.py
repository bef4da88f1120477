"""Setup: what a machine has, and a first configuration for it."""
