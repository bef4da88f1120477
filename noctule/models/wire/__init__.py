"""The wire: what goes to any provider and comes back, read for what it can only mean."""
